"""The table [usage]: strict, all optional."""

from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.usage.settings import UsageSettings, load, parse


def problems(text: str) -> str:
    with pytest.raises(Refused) as caught:
        parse(text)
    return str(caught.value)


def test_all_is_optional(tmp_path: Path) -> None:
    assert load(tmp_path) == parse("") == parse("[partition]\n") == UsageSettings()
    assert UsageSettings().readable_by_users is False


def test_what_a_site_chose() -> None:
    text = '[usage]\ndatabase = "postgresql://u@db/usage"\nreadable_by_users = true\n'
    chosen = frozenset({"database", "readable_by_users"})
    assert parse(text) == UsageSettings("postgresql://u@db/usage", True, chosen)


def test_every_mistake_is_told_at_once() -> None:
    told = problems('[usage]\ndatabse = 1\ndatabase = "x"\nreadable_by_users = "no"\n')
    assert "[usage] 'databse': there is no such setting" in told
    assert "database: write a URL as a text, one of sqlite:///…, postgresql://…" in told
    assert "readable_by_users: write true or false" in told


def test_it_must_be_a_table() -> None:
    assert "usage is no table" in problems("usage = 7\n")


@pytest.mark.parametrize("path", ["usage.db", "/", "/a/", "/a?mode=ro", ""])
def test_sqlites_is_a_file_from_the_root(path: str) -> None:
    assert "four slashes" in problems(f'[usage]\ndatabase = "sqlite:///{path}"\n')


def test_a_password_is_not_repeated() -> None:
    assert "secret" not in problems('[usage]\ndatabase = "mysql://u:secret@db/usage"\n')
