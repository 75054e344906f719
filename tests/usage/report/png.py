"""The pixels of a PNG with eight bits a channel, as browsers write it."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

Pixel = tuple[int, int, int]
Picture = list[list[Pixel]]
_CHANNELS = {2: 3, 6: 4}  # RGB, RGBA


def read(path: Path) -> Picture:
    """Its rows of red, green and blue; how transparent a pixel is does not count."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks = list(_chunks(data[8:]))
    width, _, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    raw = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    size = _CHANNELS[kind]
    return [
        [(row[at], row[at + 1], row[at + 2]) for at in range(0, len(row), size)]
        for row in _rows(raw, width * size, size)
    ]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while data:
        length = int.from_bytes(data[:4], "big")
        yield data[4:8], data[8 : 8 + length]
        data = data[12 + length :]


def _rows(raw: bytes, length: int, size: int) -> Iterator[bytearray]:
    """Rows without their filters; each may lean on the one above."""
    above = bytearray(length)
    for start in range(0, len(raw), length + 1):
        row = bytearray(raw[start + 1 : start + 1 + length])
        _undo(raw[start], row, above, size)
        yield row
        above = row


def _undo(kind: int, row: bytearray, above: bytearray, size: int) -> None:
    for at in range(len(row) if kind else 0):
        left = row[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        guess = (left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[
            kind - 1
        ]
        row[at] = (row[at] + guess) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    nearest = left + up - corner
    return min((left, up, corner), key=lambda one: abs(nearest - one))
