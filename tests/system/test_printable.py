"""What others wrote reaches a terminal as text, never as commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.system.printable import command_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("  two\n lines\t", "two lines"),
        ("\x1b[2J\x07red", "\\x1b[2J\\x07red"),
        ("right-to-left \u202e", "right-to-left \\u202e"),
        ("Grüße 日本", "Grüße 日本"),
        ("a\u2028b", "a b"),
        ("back\\slash", "back\\slash"),
        ("", ""),
    ],
)
def test_one_line_that_moves_no_cursor(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(max_size=300), st.integers(3, 100))
def test_never_too_long_and_never_obeyed(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


def test_what_is_cut_says_so() -> None:
    assert printable("x" * 50, 10) == "xxxxxxx..."
    assert printable("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"python\0train.py\0--lr=1\0", "python train.py --lr=1"),
        (b"sh\0-c\0echo \x1b]0;owned\x07\0", "sh -c echo \\x1b]0;owned\\x07"),
        (b"\xff\xfe\0", "\\xff\\xfe"),
        (b"", "[kworker/0]"),
        (b"\0\0\0", "[kworker/0]"),
    ],
)
def test_a_command_line(raw: bytes, shown: str) -> None:
    assert command_line(raw, "kworker/0") == shown
