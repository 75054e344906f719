"""How Slurm reads the lines of all its files: comments, continued lines, pairs. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from slurm_mig.errors import SlurmMigError

# As C's isspace() and fgets() have it: no other space, and no other end of a line, is one.
SPACES = " \t\n\v\f\r"
PAIR = re.compile(r"\s*([A-Za-z0-9_.]+)\s*[-*+/]?=\s*(?:\"([^\"]*)\"|(\S+))(?=\s|$)", re.ASCII)
_COMMENT = re.compile(r"(?<!\\)(?:\\\\)*(#)")
_ESCAPE = re.compile(r"\\(.)")


class ConfError(SlurmMigError):
    """A line of a file of Slurm's that Slurm would not read, or that we cannot judge."""


class Joined(NamedTuple):
    """A line that Slurm sees as one: `first` to `last` are its lines in the file, from 1."""

    first: int
    last: int
    text: str


def joined(text: str) -> Iterator[Joined]:
    """Lines without comments; a backslash at the end continues a line. Empty ones are left out."""
    start, first = "", 1
    number = 0
    for number, raw in enumerate(text.removesuffix("\n").split("\n"), start=1):
        bare = raw[: comment_start(raw)].rstrip(SPACES)
        if (len(bare) - len(bare.rstrip("\\"))) % 2:
            start += bare[:-1]
            continue
        yield from _whole(first, number, start + bare)
        start, first = "", number + 1
    yield from _whole(first, number, start)


def file_lines(text: str) -> list[str]:
    """The lines of a file with their ends, as fgets() gives them: joined, they are the text."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def comment_start(line: str) -> int | None:
    """Where the comment of one line of the file begins; None without one."""
    found = _COMMENT.search(line)
    return None if found is None else found.start(1)


def _whole(first: int, last: int, text: str) -> Iterator[Joined]:
    text = _ESCAPE.sub(r"\1", text)
    if text.strip(SPACES):
        yield Joined(first, last, text)


def pairs(line: Joined) -> Iterator[tuple[str, str]]:
    """KEY=VALUE, the keys as they are written. Raises ConfError, which names the line."""
    text, at = line.text, 0
    while text[at:].strip(SPACES):
        pair = PAIR.match(text, at)
        if pair is None:
            raise ConfError(f"line {line.last}: Slurm cannot read {text[at:].strip(SPACES)!r}")
        yield pair[1], pair[2] if pair[2] is not None else pair[3]
        at = pair.end()
