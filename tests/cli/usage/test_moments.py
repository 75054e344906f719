"""`--since` and `--until`."""

import time

import click
import pytest

from slurm_mig.cli.usage.moments import Length, Moment


def moment(text: str) -> float:
    return Moment().convert(text, None, None)


@pytest.mark.parametrize(("text", "ago_s"), [("12h", 43_200), ("7d", 604_800), ("4w", 2_419_200)])
def test_so_long_ago(text: str, ago_s: int) -> None:
    before = time.time()
    assert before - ago_s <= moment(text) <= time.time() - ago_s


def test_a_date_is_the_machine_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT-2")  # two hours before Greenwich
    time.tzset()
    try:
        assert moment("2025-11-20T12:00") == 1_763_632_800.0
        assert moment("2025-11-20") == 1_763_632_800.0 - 12 * 3600
        assert moment("2025-11-20T10:00+00:00") == 1_763_632_800.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text", ["", "7", "-1d", "7 d", "2025-13-01", "yesterday", "0d", "9" * 9 + "d"]
)
def test_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither like 7d"):
        moment(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0h", 0), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800)]
)
def test_lengths(text: str, seconds: float) -> None:
    assert Length().convert(text, None, None) == seconds
    assert Length().convert(seconds / 1.0, None, None) == seconds


@pytest.mark.parametrize("text", ["", "7", "h", "7 h", "-7h", "7y", "1e3s", "7h\n", "٧h"])
def test_no_length(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no length of time"):
        Length().convert(text, None, None)
