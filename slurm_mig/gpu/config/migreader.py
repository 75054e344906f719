"""What a value must be, and the note when it is something else. Pure."""

import difflib
import re
from collections.abc import Sequence

from slurm_mig.gpu.config.migtree import Fields, Items, Leaf, Tree, described

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,8})")


class Reader:
    """Takes values out of a Tree; each thing that is wrong goes to `problems`, with its line."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self._source = source
        self._problems = problems

    @property
    def noted(self) -> int:
        """How many problems there are so far, this file's and those before."""
        return len(self._problems)

    def where(self, line: int) -> str:
        """The file and line, as problems begin."""
        return f"{self._source}:{line}"

    def note(self, line: int, problem: str) -> None:
        """Note what is wrong in a line."""
        self._problems.append(f"{self.where(line)}: {problem}")

    def fields(self, tree: Tree, what: str, known: Sequence[str] = ()) -> Fields:
        """A mapping, with no other keys than `known`, if any are given."""
        if not isinstance(tree, Fields):
            self.note(tree.line, f"{what} is {described(tree)}, not a mapping")
            return Fields(tree.line, {})
        for key, (line, _) in tree.values.items() if known else ():
            if key not in known:
                near = difflib.get_close_matches(key[:40], known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self.note(line, f"unknown field {key[:40]!r}: {hint}")
        return tree

    def child(self, fields: Fields, key: str, what: str) -> Tree | None:
        """A value that must be there."""
        if key in fields.values:
            return fields.values[key][1]
        self.note(fields.line, f"{what} has no {key}")
        return None

    def items(self, tree: Tree, what: str) -> tuple[Tree, ...]:
        """The values of a list."""
        if isinstance(tree, Items):
            return tree.values
        self.note(tree.line, f"{what} is {described(tree)}, not a list")
        return ()

    def text(self, tree: Tree, what: str) -> str | None:
        """Text."""
        if isinstance(tree, Leaf) and tree.kind == "text":
            return tree.text
        self.note(tree.line, f"{what} is {described(tree)}, not text")
        return None

    def flag(self, tree: Tree, what: str) -> bool | None:
        """true or false."""
        if isinstance(tree, Leaf) and tree.kind == "flag":
            return tree.text == "true"
        self.note(tree.line, f"{what} is {described(tree)}, not true or false")
        return None

    def number(self, tree: Tree, what: str) -> int | None:
        """A whole number, not negative."""
        if isinstance(tree, Leaf) and tree.kind == "number" and _WHOLE.fullmatch(tree.text):
            value = int(tree.text)
            if value >= 0:
                return value
        self.note(tree.line, f"{what} is {described(tree)}, not a whole number from 0 on")
        return None
