"""A file's values, each with the line it stands on: what migyaml reads and migspec judges. Pure."""

from typing import Literal, NamedTuple, TypeAlias


class Leaf(NamedTuple):
    """One value that holds no others.

    `kind` is how mig-parted would take it ("7" in quotes is text, 7 a number), `text` as written;
    a flag's is "true" or "false", however it was.
    """

    line: int
    kind: Literal["text", "number", "flag", "null"]
    text: str


class Items(NamedTuple):
    """A list."""

    line: int
    values: "tuple[Tree, ...]"


class Fields(NamedTuple):
    """A mapping: key -> (the key's own line, value). No key comes twice."""

    line: int
    values: "dict[str, tuple[int, Tree]]"


Tree: TypeAlias = Leaf | Items | Fields
_KINDS = {"text": "text", "number": "a number", "flag": "true or false", "null": "nothing"}


def described(tree: Tree) -> str:
    """What a value is, for a message that it is the wrong thing."""
    if isinstance(tree, Fields):
        return "a mapping"
    if isinstance(tree, Items):
        return "a list"
    if tree.kind in ("text", "number"):
        return f"{_KINDS[tree.kind]} ({tree.text[:40]!r})"
    return _KINDS[tree.kind]
