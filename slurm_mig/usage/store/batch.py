"""A piece of a file as what it holds: records, and lines that are none."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from slurm_mig.system.printable import printable
from slurm_mig.usage.store.nouns import Parsed
from slurm_mig.usage.store.piece import Piece
from slurm_mig.usage.store.shape import MAX_LINE, Damaged, Newer, parse

_MOST_BAD = 1000  # of one piece: nobody reads more of them, and a file of garbage stays small here
_SAMPLE = 200


class Good(NamedTuple):
    """A line that is a record. `line` counts from 1 in the piece; `text` is all of it."""

    line: int
    parsed: Parsed
    text: str


class Bad(NamedTuple):
    """A line that is no record; `line` as in Good. `digest` is the line's."""

    position: int
    line: int
    digest: str
    why: str
    sample: str
    newer: bool


class Batch(NamedTuple):
    """All lines of a piece; `bad_left_out` counts those beyond the ones in `bad`."""

    records: list[Good]
    bad: list[Bad]
    bad_left_out: int
    lines: int


def batch_of(piece: Piece, nodes: Sequence[str] | None = None) -> Batch:
    """What a piece holds. With `nodes`, records that name another node are bad lines."""
    batch = Batch([], [], 0, 0)
    left_out = lines = 0
    for position, line in _lines(piece):
        lines += 1
        try:
            parsed = parse(line) if piece.data else _too_long(piece)
            if nodes is not None and parsed.job.node not in nodes:
                raise Damaged(f"it names node {parsed.job.node!a}, but came from {nodes[0]}")
            batch.records.append(Good(lines, parsed, line.decode()))
        except Damaged as why:
            if len(batch.bad) < _MOST_BAD:
                digest = digest_of(line) if piece.data else piece.end.digest
                batch.bad.append(_bad(position, lines, digest, line, why))
            else:
                left_out += 1
    return batch._replace(bad_left_out=left_out, lines=lines)


def _lines(piece: Piece) -> Iterator[tuple[int, bytes]]:
    """Its lines and where each begins."""
    if not piece.data:
        yield piece.begin, b""
        return
    position = piece.begin
    for line in piece.data.split(b"\n")[:-1]:
        yield position, line
        position += len(line) + 1


def _too_long(piece: Piece) -> Parsed:
    raise Damaged(f"{piece.end.position - piece.begin} bytes: longer than {MAX_LINE}")


def _bad(position: int, line: int, digest: str, text: bytes, why: Damaged) -> Bad:
    sample = printable(text[: 4 * _SAMPLE].decode("utf-8", "backslashreplace"), _SAMPLE)
    return Bad(position, line, digest, printable(str(why)), sample, isinstance(why, Newer))


def digest_of(line: bytes) -> str:
    """By which a line is known again."""
    return hashlib.sha256(line).hexdigest()
