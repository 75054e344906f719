"""What a node and a collect say to each other: pieces of files as lines of JSON. Pure.

A question is {"version": 1, "known": {file: [position, digest]}}. An answer is a line for each
piece (its bytes compressed, in base64), and a last line {"version": 1, "more": …}, without which
it was cut off. What a node answers is not believed: sizes are bounded, and every piece is checked.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from slurm_mig.system.printable import printable
from slurm_mig.usage.store.piece import Mark, Piece
from slurm_mig.usage.store.shape import MAX_LINE

VERSION = 1
PIECE = MAX_LINE + 1  # bytes of a file in one line, before they are compressed
# Of all lines, the last one apart: what reaches us of a node is the end of it (slurm/reach.py).
ANSWER = 2 << 20
FILE = re.compile(r"[0-9]{4}-[0-9]{2}\.jsonl")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_FILES = 10_000
_MAX_WHOLE = 1 << 53


class Malformed(Exception):
    """Nothing of the kind that was expected; the text says what is wrong."""


class Order(NamedTuple):
    """Which files a node is to remove: of months before `before`, and as the marks know them."""

    before: str
    known: Mapping[str, Mark]
    dry_run: bool


class Pruned(NamedTuple):
    """What became of a file of an earlier month; `why` it stays, or None: it was removed."""

    file: str
    size_bytes: int
    why: str | None


class Sent(NamedTuple):
    """An answer: pieces with their files' names, in order; `more`: there is more to ask for."""

    pieces: tuple[tuple[str, Piece], ...]
    more: bool


def question(known: Mapping[str, Mark]) -> bytes:
    """What a node is asked."""
    return json.dumps({"version": VERSION, "known": known}).encode()


def read_question(data: bytes) -> dict[str, Mark]:
    """How far the collect knows each file. Raises Malformed."""
    return _known(_object(data))


def order(given: Order) -> bytes:
    """What a node is told to remove."""
    return json.dumps({"version": VERSION, **given._asdict()}).encode()


def read_order(data: bytes) -> Order:
    """What is to be removed. Raises Malformed."""
    tree = _object(data)
    known, before, dry_run = _known(tree), tree.get("before"), tree.get("dry_run")
    if not isinstance(before, str) or not FILE.fullmatch(f"{before}.jsonl"):
        raise Malformed("before: no month")
    if not isinstance(dry_run, bool):
        raise Malformed("dry_run: neither true nor false")
    return Order(before, known, dry_run)


def pruned_line(one: Pruned) -> str:
    """What became of one file."""
    return json.dumps(one._asdict())


def read_pruned(data: bytes) -> tuple[Pruned, ...]:
    """What became of a node's files. Raises Malformed."""
    return tuple(_pruned(tree) for tree in _lines(data)[0])


def _pruned(tree: Mapping[str, Any]) -> Pruned:
    why = tree.get("why")
    if why is not None and not isinstance(why, str):
        raise Malformed("why: no text")
    return Pruned(_file(tree), _place(tree.get("size_bytes")), why and printable(why))


def _known(tree: Mapping[str, Any]) -> dict[str, Mark]:
    known = tree.get("known")
    if tree.get("version") != VERSION:
        raise Malformed(f"a question of version {VERSION} is expected on standard input")
    if not isinstance(known, dict) or len(known) > _MOST_FILES:
        raise Malformed("known: no object")
    return {str(name): _mark(mark) for name, mark in known.items()}


def piece_line(file: str, piece: Piece) -> str:
    """One piece of an answer."""
    data = base64.b64encode(zlib.compress(piece.data, 3)).decode()
    told = {"file": file, "begin": piece.begin, "end": piece.end, "more": piece.more, "data": data}
    return json.dumps(told)


def last_line(*, more: bool) -> str:
    """The end of an answer."""
    return json.dumps({"version": VERSION, "more": more})


def read_answer(data: bytes) -> Sent:
    """The pieces that a node sent. Raises Malformed."""
    trees, more = _lines(data)
    return Sent(tuple(map(_piece, trees)), more)


def _lines(data: bytes) -> tuple[list[dict[str, Any]], bool]:
    """The lines of an answer but the last, and whether that says that there is more."""
    lines = data.splitlines()
    end = _object(lines[-1]) if lines else {}
    if end.get("version") != VERSION or not isinstance(end.get("more"), bool):
        raise Malformed("its answer was cut off, or its slurm-mig is of another version")
    return [_object(line) for line in lines[:-1]], end["more"]


def _piece(tree: Mapping[str, Any]) -> tuple[str, Piece]:
    begin, end, more = tree.get("begin"), tree.get("end"), tree.get("more")
    file = _file(tree)
    if not isinstance(more, bool):
        raise Malformed("more: neither true nor false")
    piece = Piece(_place(begin), _unpacked(tree.get("data")), _mark(end), more)
    length = piece.end.position - piece.begin
    whole_lines = piece.data.endswith(b"\n") and length == len(piece.data)
    if not whole_lines and not (piece.data == b"" and length > MAX_LINE):
        raise Malformed("a piece is not of the size that it says")
    return file, piece


def _file(tree: Mapping[str, Any]) -> str:
    file = tree.get("file")
    if not isinstance(file, str) or not FILE.fullmatch(file):
        raise Malformed("file: no name of a month's file")
    return file


def _unpacked(text: object) -> bytes:
    if not isinstance(text, str):
        raise Malformed("data: no text")
    try:
        inflating = zlib.decompressobj()
        data = inflating.decompress(base64.b64decode(text, validate=True), PIECE)
    except (ValueError, binascii.Error, zlib.error):
        raise Malformed("data: no compressed bytes") from None
    if not inflating.eof:
        raise Malformed(f"data: cut off, or of more than {PIECE} bytes")
    return data


def _mark(value: object) -> Mark:
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed("no place in a file")
    position, digest = value
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Malformed("no digest")
    return Mark(_place(position), digest)


def _place(value: object) -> int:
    if type(value) is not int or not 0 <= value < _MAX_WHOLE:
        raise Malformed("no place in a file")
    return value


def _object(data: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("no JSON") from None
    if not isinstance(tree, dict):
        raise Malformed("no JSON object")
    return tree
