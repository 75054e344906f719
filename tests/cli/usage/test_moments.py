"""Times on a command line."""

import pytest

from slurm_mig.cli.usage.moments import length_s, moment
from slurm_mig.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800), ("2w", 1209600)],
)
def test_lengths(text: str, seconds: float) -> None:
    assert length_s(text) == seconds
    assert moment(text, 2e9) == 2e9 - seconds


def test_dates_are_in_utc() -> None:
    assert moment("1970-01-02", 0) == 86400
    assert moment("1970-01-02T01:00", 0) == 90000
    assert moment("1970-01-02T01:00:05", 0) == 90005


@pytest.mark.parametrize(
    "text", ["", "7", "d", "7 d", "-7d", "7y", "1e3d", "2026-13-01", "٧d", "7d\n"]
)
def test_what_is_neither(text: str) -> None:
    with pytest.raises(UsageError, match="is no"):
        length_s(text)
    with pytest.raises(UsageError, match="is no time"):
        moment(text, 0)
