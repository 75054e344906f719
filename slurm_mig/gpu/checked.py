"""A JSON object being read by someone who believes nothing, and lists every problem."""

from collections.abc import Iterator
from typing import Any

_MAX_NUMBER = 1 << 53  # JSON of other programs goes no further
_MAX_TEXT = 4096


class Checked:
    """`value[key]` by type. What is wrong is noted in `problems`, and a stand-in answered.

    `where` begins every note: "n1.json: gpus[0].". The caller throws the stand-ins away when
    there are problems.
    """

    __slots__ = ("_before", "_problems", "_value", "_where")

    def __init__(self, value: object, where: str, problems: list[str]) -> None:
        self._before = len(problems)
        if not isinstance(value, dict):
            problems.append(f"{where.rstrip('.: ')}: not an object")
            value = {}
        self._value: dict[str, Any] = value
        self._where = where
        self._problems = problems

    def __contains__(self, key: str) -> bool:
        return key in self._value

    @property
    def clean(self) -> bool:
        """Whether nothing was wrong since this object was begun: no stand-in was answered."""
        return len(self._problems) == self._before

    def note(self, key: str, problem: str) -> None:
        """Note what is wrong with the value of `key`."""
        self._problems.append(f"{self._where}{key}: {problem}")

    def raw(self, key: str) -> Any:  # noqa: ANN401
        """Whatever is there, None without it: for checks of the caller's own, and its notes."""
        return self._value.get(key)

    def is_null(self, key: str) -> bool:
        """Whether `key` is there and null."""
        return key in self._value and self._value[key] is None

    def text_or_none(self, key: str) -> str | None:
        """A text, or None where `key` is there and null."""
        return None if self.is_null(key) else self.text(key)

    def number(self, key: str) -> int:
        """A whole number, not negative."""
        value = self._value.get(key)
        if type(value) is int and 0 <= value < _MAX_NUMBER:  # a bool is an int, but no number
            return value
        self._wrong(key, "a whole number, not negative")
        return 0

    def flag(self, key: str) -> bool:
        """true or false."""
        value = self._value.get(key)
        if isinstance(value, bool):
            return value
        self._wrong(key, "true or false")
        return False

    def text(self, key: str) -> str:
        """A line of printable text, not empty."""
        value = self._value.get(key)
        if _is_line(value):
            return str(value)
        self._wrong(key, "a line of text")
        return ""

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of lines of text."""
        value = self._value.get(key)
        if isinstance(value, list) and all(_is_line(item) for item in value):
            return tuple(value)
        self._wrong(key, "a list of lines of text")
        return ()

    def ranges(self, key: str) -> tuple[tuple[int, int], ...]:
        """A list of [first, last], inclusive."""
        value = self._value.get(key)
        if isinstance(value, list) and all(_is_range(item) for item in value):
            return tuple((first, last) for first, last in value)
        self._wrong(key, "a list of [first, last]")
        return ()

    def child(self, key: str) -> "Checked":
        """The object under `key`."""
        if key not in self._value:
            self._wrong(key, "an object")
            return Checked({}, f"{self._where}{key}.", [])
        return Checked(self._value[key], f"{self._where}{key}.", self._problems)

    def children(self, key: str) -> Iterator["Checked"]:
        """The objects of the list under `key`."""
        value = self._value.get(key)
        if not isinstance(value, list):
            self._wrong(key, "a list of objects")
            return
        for number, item in enumerate(value):
            yield Checked(item, f"{self._where}{key}[{number}].", self._problems)

    def _wrong(self, key: str, wanted: str) -> None:
        if key in self._value:
            self.note(key, f"{str(self._value[key])[:40]!r} is not {wanted}")
        else:
            self.note(key, f"missing; wanted {wanted}")


def _is_line(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and value.isprintable()


def _is_range(value: object) -> bool:
    if not isinstance(value, list) or [type(item) for item in value] != [int, int]:
        return False
    first, last = value
    return bool(0 <= first <= last < _MAX_NUMBER)
