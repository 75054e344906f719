"""Figures in words."""

from datetime import UTC

import pytest

from slurm_mig.usage.report import words


@pytest.mark.parametrize(
    ("mib", "said"),
    [(None, "?"), (0.0, "0 MiB"), (9.4, "9 MiB"), (1023.0, "1023 MiB"), (3174.0, "3.1 GiB")],
)
def test_memory(mib: float | None, said: str) -> None:
    assert words.memory(mib) == said


@pytest.mark.parametrize(
    ("used", "size", "said"),
    [
        (3174.0, 40960.0, "3.1 of 40.0 GiB"),
        (300.0, 40960.0, "300 MiB of 40.0 GiB"),
        (300.0, None, "300 MiB"),
        (None, 40960.0, "?"),
    ],
)
def test_memory_of_a_size(used: float | None, size: float | None, said: str) -> None:
    assert words.memory_of(used, size) == said


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (None, "?"),
        (0.0, "0%"),
        (0.004, "<1%"),
        (0.12, "12%"),
        (0.996, "99%"),
        (1.0, "100%"),
    ],
)
def test_a_percentage_never_rounds_to_nothing_or_all(ratio: float | None, said: str) -> None:
    assert words.percent(ratio) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "?"),
        (0.0, "0 s"),
        (7.2, "7.2 s"),
        (45.0, "45 s"),
        (60.0, "1 min"),
        (754.0, "12 min 34 s"),
        (4984.0, "1 h 23 min"),
        (97_200.0, "1 d 3 h"),
    ],
)
def test_duration(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("joules", "said"), [(None, "?"), (1440.0, "0.4 Wh"), (4_500_000.0, "1.25 kWh")]
)
def test_energy(joules: float | None, said: str) -> None:
    assert words.energy(joules) == said


def test_moments() -> None:
    assert words.when(0.0, UTC) == "1970-01-01 00:00:00"
    assert words.when(None, UTC) == words.when(1e30, UTC) == "?"


def test_hours_and_numbers() -> None:
    assert [words.hours(one) for one in (None, 0.0, 0.25, 123.44)] == ["?", "0.0", "0.25", "123.4"]
    assert [words.number(one) for one in (None, 0, 2.0, 1.256)] == ["?", "0", "2", "1.26"]


def test_names_of_others_stay_on_their_line() -> None:
    assert words.text("a\nb\x1b[31m") == "a b\\x1b[31m"
    assert words.text(None) == words.text("") == "?"
    assert len(words.text("x" * 500)) == 80


def test_counts() -> None:
    assert words.count(1, "slice") == "1 slice"
    assert words.count(2, "slice") == "2 slices"
    assert words.count(2, "error (Xid)", "errors (Xid)") == "2 errors (Xid)"
