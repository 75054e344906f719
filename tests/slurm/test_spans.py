"""Where values stand: the same pairs as the reader of whole files has, found in the bytes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.slurm.lines import ConfError, joined, pairs
from slurm_mig.slurm.spans import ends_open, spans

PIECES = st.sampled_from(
    [
        *("A", "Key", "=", "+=", "b", '"', '"x y"', " ", "\t", "\\", "\\\\", "\\\n", " \\ \n"),
        *("#", "\n", "\\#", "\u2028", "\x85", "\r\n", " # c\n", " \\ # c\n", "B=1 ", 'C="" '),
        "\xa0",
    ]
)


def test_values_in_the_bytes() -> None:
    raw = 'A=1 \\ # no\n\tB = "x y"  c+=\\#2 D=e\\\nf # G=3\n'
    found = spans(raw)
    assert [(span.key, span.value) for span in found] == [
        ("A", "1"),
        ("B", "x y"),
        ("c", "#2"),
        ("D", "ef"),
    ]
    assert [raw[span.start : span.end] for span in found] == ["1", "x y", "\\#2", "e\\\nf"]
    assert [span.whole for span in found] == [True, True, False, False]
    assert [span.operator for span in found] == [False, False, True, False]
    assert [raw[span.after - 1] for span in found] == ["1", '"', "2", "f"]


def test_an_empty_value_is_between_its_quotes() -> None:
    raw = 'A="" B=""\n'
    assert [(span.start, span.end, span.after) for span in spans(raw)] == [(3, 3, 4), (8, 8, 9)]


def test_ends_open() -> None:
    assert ends_open("A=1 \\\n")
    assert ends_open("A=1 \\")
    assert ends_open("A=1 \\ # x")
    assert not ends_open("A=1 \\\n B=2\n")
    assert not ends_open("A=1 \\\\\n")
    assert not ends_open("A=1 # \\\n")


@settings(derandomize=True, deadline=None, max_examples=2000)
@given(st.lists(PIECES, max_size=20))
def test_the_same_pairs_as_the_reader_has(pieces: list[str]) -> None:
    text = "".join(pieces)
    lines = text.split("\n")
    for line in joined(text):
        raw = "\n".join(lines[line.first - 1 : line.last])
        try:
            expected = list(pairs(line))
        except ConfError:
            continue
        found = spans(raw)
        assert [(span.key, span.value) for span in found] == expected
        assert all(span.value == raw[span.start : span.end] for span in found if span.whole)
