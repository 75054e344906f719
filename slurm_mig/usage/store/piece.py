"""Nouns of reading files: how far, and what was found there. Pure."""

from typing import NamedTuple


class Mark(NamedTuple):
    """Up to which place a file was read, and the digest of what stands before it."""

    position: int = 0
    digest: str = ""


START = Mark()


class Piece(NamedTuple):
    """Whole lines of a file from `begin` on, up to the mark `end`.

    Without `data`, what lies between is a single line that is too long for a record. `more`:
    the file went on when this was read, maybe with half a line.
    """

    begin: int
    data: bytes
    end: Mark
    more: bool
