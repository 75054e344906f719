"""`slurm-mig usage report`."""

import json
from pathlib import Path

import pytest

from tests.cli.usage.test_job import Output, usage
from tests.usage.report import made
from tests.usage.report.test_pages import MIXED

SINCE = ("--since", "2025-11-17")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TZ", "UTC")
    made.write(tmp_path / "var/lib/slurm-mig/usage/2025-11.jsonl", *MIXED)
    return tmp_path


def test_by_user(root: Path, capsys: Output) -> None:
    code, out, err = usage(root, capsys, "report", *SINCE)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "GPU slices by user, since 2025-11-17 00:00:00"
    assert [line.split()[0] for line in lines[6:10]] == ["bob", "alice", "carol", "all"]
    assert "Right sizes" in lines
    assert "Held idle" in lines


@pytest.mark.parametrize("by", ["account", "profile", "partition", "node"])
def test_by_something_else(root: Path, capsys: Output, by: str) -> None:
    code, out, _ = usage(root, capsys, "report", *SINCE, "--by", by)
    assert code == 0
    assert f"By {by}" in out.splitlines()


def test_of_some_only(root: Path, capsys: Output) -> None:
    words = ("--user", "alice", "--user", "carol", "--profile", "3g.40gb", "--node", "n1")
    _, out, _ = usage(root, capsys, "report", *SINCE, "--by", "user", *words, "--json")
    told = json.loads(out)
    assert {group["key"] for group in told["groups"]} == {"alice", "carol"}
    assert {row["profile"] for row in told["right_sizing"]} == {"3g.40gb"}
    _, out, _ = usage(root, capsys, "report", *SINCE, *words)
    assert out.splitlines()[0].endswith(", user alice, carol, profile 3g.40gb, node n1")


def test_until(root: Path, capsys: Output) -> None:
    _, out, _ = usage(root, capsys, "report", *SINCE, "--until", "2025-11-21", "--json")
    told = json.loads(out)
    assert [day["day"] for day in told["days"]] == ["2025-11-20"]
    assert told["until"] - told["since"] == 4 * 86400


def test_nothing_in_the_last_days(root: Path, capsys: Output) -> None:
    code, out, _ = usage(root, capsys, "report")
    assert code == 0
    assert "There is no record of a job in that time." in out


def test_csv(root: Path, capsys: Output) -> None:
    _, out, _ = usage(root, capsys, "report", *SINCE, "--by", "profile", "--csv")
    assert out.splitlines()[0].startswith("profile,jobs,records,slices,slice_hours,")


def test_html_beside_json(root: Path, capsys: Output, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    _, out, _ = usage(root, capsys, "report", *SINCE, "--html", str(file), "--json")
    assert json.loads(out)["by"] == "user"
    assert file.read_text().startswith("<!doctype html>")
    assert f"From {root}/var/lib/slurm-mig/usage. Made by slurm-mig " in file.read_text()


@pytest.mark.parametrize("words", [("--since", "soon"), ("--by", "colour"), ("--since", "0d")])
def test_what_is_wrong_on_the_command_line(
    root: Path, capsys: Output, words: tuple[str, ...]
) -> None:
    code, out, err = usage(root, capsys, "report", *words)
    assert (code, out) == (2, "")
    assert "Error: Invalid value" in err
