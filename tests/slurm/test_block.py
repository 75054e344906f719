import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.slurm.block import extract, replace, stretches, wrap

NEW = wrap("new\n")


def test_the_first_block_goes_to_the_end() -> None:
    assert replace("", NEW) == NEW
    assert replace("# ours\nName=x", NEW) == f"# ours\nName=x\n{NEW}"


def test_what_is_around_a_block_stays_byte_for_byte() -> None:
    around = "# ä before\r\n  Name=x\n{}\tName=y\n\n# after without end of line"
    assert replace(around.format(wrap("old\nold")), NEW) == around.format(NEW)


def test_blocks_of_different_labels_do_not_touch() -> None:
    text = wrap("one", "n1") + wrap("none") + wrap("two", "n2")
    assert replace(text, wrap("new", "n2"), "n2") == wrap("one", "n1") + wrap("none") + wrap(
        "new", "n2"
    )
    assert (extract(text, "n1"), extract(text), extract(text, "n3")) == ("one\n", "none\n", "")


def test_where_each_block_stands() -> None:
    text = "# x \u2028 y\n" + wrap("one", "n1") + "a\n" + wrap("two\nthree")
    assert stretches(text) == [("n1", 1, 3), ("", 5, 8)]
    assert stretches("") == stretches("a\n# BEGIN slurm-migrate\n") == []


def test_only_a_newline_ends_a_line() -> None:
    assert replace("# \x85# BEGIN slurm-mig\n", NEW) == "# \x85# BEGIN slurm-mig\n" + NEW


def test_a_block_has_no_spaces_at_the_ends_of_lines() -> None:
    assert wrap("a \n\n b\n\n") == "# BEGIN slurm-mig\na\n\n b\n# END slurm-mig\n"


def test_words_that_only_begin_like_a_mark_are_none() -> None:
    text = "# BEGIN slurm-migrate\n# END slurm-mig-x\n"
    assert replace(text, NEW) == text + NEW


@pytest.mark.parametrize(
    "text",
    [
        "# BEGIN slurm-mig\nName=x\n",
        "Name=x\n# END slurm-mig\n",
        "# END slurm-mig\n# BEGIN slurm-mig\n",
        NEW + NEW,
        "# BEGIN slurm-mig\n# BEGIN slurm-mig n1\n# END slurm-mig n1\n# END slurm-mig\n",
        "# BEGIN slurm-mig n1\n# END slurm-mig n2\n",
    ],
)
def test_a_damaged_block_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="damaged"):
        replace(text, NEW)


LINES = st.lists(st.text(st.characters(exclude_characters="\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")))


@settings(derandomize=True, deadline=None)
@given(LINES, LINES, LINES)
def test_replacing_twice_is_replacing_once(
    before: list[str], after: list[str], inside: list[str]
) -> None:
    text = "\n".join([*before, wrap("\n".join(inside)), *after])
    if text.count("slurm-mig") != 2:
        return
    once = replace(text, NEW)
    assert replace(once, NEW) == once
    assert once.count(NEW) == 1
