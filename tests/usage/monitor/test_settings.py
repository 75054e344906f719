"""[monitor] of config.toml: right, absent, and with every kind of mistake."""

import re
from pathlib import Path

import pytest

from slurm_mig import settings as partition
from slurm_mig.errors import Refused
from slurm_mig.hooks import settings as hooks
from slurm_mig.reconfigure import settings as reconfigure
from slurm_mig.usage.monitor.settings import MonitorSettings, load, parse

WHOLE = """\
[hooks]
leftovers = "log"

[monitor]
period_s = 2
gpm = false
device_check = false
command_names = true
"""


def wrong(text: str) -> tuple[str, ...]:
    with pytest.raises(Refused) as refused:
        parse(f"[monitor]\n{text}\n")
    return refused.value.problems


def test_without_a_file_or_a_table_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == parse("[hooks]\n") == MonitorSettings()
    assert not MonitorSettings().command_names


def test_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "etc/slurm-mig").mkdir(parents=True)
    (tmp_path / "etc/slurm-mig/config.toml").write_text(WHOLE)
    found = load(tmp_path)
    assert found[:4] == (2.0, False, False, True)
    assert found.chosen == set(MonitorSettings._fields) - {"chosen"}


def test_the_other_readers_of_the_file_have_nothing_against_it() -> None:
    assert hooks.parse(WHOLE).problem is None
    assert partition.parse(WHOLE).chosen == frozenset()
    assert reconfigure.parse(WHOLE).chosen == frozenset()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("period_s = 0", "from 0.2 to 600"),
        ("period_s = 601", "from 0.2 to 600"),
        ("period_s = nan", "from 0.2 to 600"),
        ("period_s = true", "from 0.2 to 600"),
        ('period_s = "5"', "from 0.2 to 600"),
        ("gpm = 1", "true or false"),
        ('command_names = "no"', "true or false"),
        ("colour = 1", "no such setting"),
    ],
)
def test_a_mistake_refuses(line: str, why: str) -> None:
    (problem,) = wrong(line)
    assert why in problem


def test_all_mistakes_are_told_at_once() -> None:
    assert len(wrong("period_s = 0\ngpm = 1\nx = 1\n[nonsense]")) == 4


def test_the_table_must_be_one() -> None:
    with pytest.raises(Refused, match="is no table"):
        parse("monitor = 5\n")


def test_the_defaults_are_as_the_docs_say() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/usage.md").read_text()
    (block,) = re.findall(r"```toml\n(\[monitor\].*?)```", text, re.DOTALL)
    found = parse(block)
    assert found._replace(chosen=frozenset()) == MonitorSettings()
    assert found.chosen == set(MonitorSettings._fields) - {"chosen"}
