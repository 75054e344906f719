"""Lines as fgets(), and spaces as isspace() have them: nothing else of Unicode is one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.slurm.lines import ConfError, comment_start, file_lines, joined, pairs

ODD = ("\x85", "\u2028", "\xa0", "\x1c")


@settings(derandomize=True, deadline=None)
@given(st.text(st.sampled_from(["a", "\n", "\r", *ODD])))
def test_lines_with_their_ends_are_the_text(text: str) -> None:
    lines = file_lines(text)
    assert "".join(lines) == text
    assert all(line.endswith("\n") for line in lines[:-1])
    assert "" not in lines


@pytest.mark.parametrize("odd", ODD)
def test_no_other_end_of_a_line(odd: str) -> None:
    (line,) = joined(f"# a{odd}B=1\nC=2{odd}# x\n")
    assert (line.first, line.last) == (2, 2)
    assert list(pairs(line)) == [("C", f"2{odd}")]


@pytest.mark.parametrize("odd", ODD)
def test_no_other_space(odd: str) -> None:
    (line,) = joined(f"A=1{odd}B=2\n")
    assert list(pairs(line)) == [("A", f"1{odd}B=2")]
    with pytest.raises(ConfError, match="line 1"):
        list(pairs(next(joined(f"A=1 {odd}B=2\n"))))


@pytest.mark.parametrize("space", [" ", "\t", "\v", "\f", "\r"])
def test_the_spaces(space: str) -> None:
    (line,) = joined(f"{space}A{space}={space}1{space}B=2{space}\\{space}\nC=3\n")
    assert list(pairs(line)) == [("A", "1"), ("B", "2"), ("C", "3")]


@pytest.mark.parametrize(
    ("line", "start"),
    [("a # b", 2), ("a \\# b", None), ("a \\\\# b", 4), ("#", 0), ("a", None), ("\\## b", 2)],
)
def test_where_a_comment_begins(line: str, start: int | None) -> None:
    assert comment_start(line) == start
