"""What each value must be, and how it is said that it is something else."""

import pytest

from slurm_mig.gpu.config.migreader import Reader
from slurm_mig.gpu.config.migtree import Fields, Items, Leaf, Tree, described

TEXT, NUMBER = Leaf(3, "text", "some"), Leaf(4, "number", "7")
FLAG, NULL = Leaf(5, "flag", "true"), Leaf(6, "null", "")
LIST, MAP = Items(7, (TEXT, NUMBER)), Fields(8, {"a": (9, TEXT)})
EVERY: list[Tree] = [TEXT, NUMBER, FLAG, NULL, LIST, MAP]


class Read:
    """A Reader and what it noted."""

    def __init__(self) -> None:
        self.problems: list[str] = ["x.yaml:1: of another reader"]
        self.reader = Reader("mig.yaml", self.problems)

    @property
    def told(self) -> list[str]:
        return self.problems[1:]


@pytest.fixture
def read() -> Read:
    return Read()


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (TEXT, "text ('some')"),
        (NUMBER, "a number ('7')"),
        (FLAG, "true or false"),
        (NULL, "nothing"),
        (LIST, "a list"),
        (MAP, "a mapping"),
    ],
)
def test_values_in_words(tree: Tree, words: str) -> None:
    assert described(tree) == words


def test_a_long_text_is_cut_and_moves_no_cursor() -> None:
    told = described(Leaf(1, "text", "\x1b[2J" + "x" * 500))
    assert "\x1b" not in told
    assert len(told) < 60


def test_what_is_right_is_taken(read: Read) -> None:
    assert read.reader.text(TEXT, "it") == "some"
    assert read.reader.number(NUMBER, "it") == 7
    assert read.reader.flag(FLAG, "it") is True
    assert read.reader.flag(Leaf(1, "flag", "false"), "it") is False
    assert read.reader.items(LIST, "it") == (TEXT, NUMBER)
    assert read.reader.fields(MAP, "it", ["a"]) == MAP
    assert read.reader.child(MAP, "a", "it") == TEXT
    assert read.told == []
    assert read.reader.noted == 1


@pytest.mark.parametrize("tree", EVERY)
def test_what_is_wrong_is_noted_once_with_its_line(tree: Tree, read: Read) -> None:
    reader = read.reader
    taken = [
        reader.text(tree, "it") is not None,
        reader.number(tree, "it") is not None,
        reader.flag(tree, "it") is not None,
        bool(reader.items(tree, "it")),
        bool(reader.fields(tree, "it").values),
    ]
    assert sum(taken) == (0 if tree == NULL else 1)
    assert len(read.told) == (5 if tree == NULL else 4)
    assert all(
        told.startswith(f"mig.yaml:{tree.line}: it is {described(tree)}, not ")
        for told in read.told
    )


@pytest.mark.parametrize("text", ["-1", "07", "+7", "7.0", "1e3", "0x7", "1_0", "9" * 40, ".inf"])
def test_numbers_that_are_not_whole(text: str, read: Read) -> None:
    assert read.reader.number(Leaf(2, "number", text), "start") is None
    assert read.told[0].startswith("mig.yaml:2: start is a number (")


def test_a_child_that_is_missing(read: Read) -> None:
    assert read.reader.child(MAP, "b", "an entry") is None
    assert read.told == ["mig.yaml:8: an entry has no b"]


def test_fields_that_nobody_knows(read: Read) -> None:
    fields = Fields(1, {"devices": (1, TEXT), "divices": (2, TEXT), "zzz": (3, TEXT)})
    assert read.reader.fields(fields, "it", ["devices", "gpus"]) == fields
    assert read.told == [
        "mig.yaml:2: unknown field 'divices': did you mean devices?",
        "mig.yaml:3: unknown field 'zzz': known are devices, gpus",
    ]


def test_any_key_where_none_is_special(read: Read) -> None:
    read.reader.fields(Fields(1, {"anything": (1, TEXT)}), "it")
    assert read.told == []
