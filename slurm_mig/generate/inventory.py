"""Inventories: files with the `discover --json` of one node or of many."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.inventory import from_json
from slurm_mig.model import Node

STDIN = Path("-")
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


def read(paths: Iterable[Path]) -> Iterator[Node]:
    """The nodes of these files, one by one; "-" is standard input.

    A file holds one object, several one after the other, or a list of them.
    Raises SlurmMigError, which names the file, where one cannot be read or is no inventory.
    """
    for path in paths:
        for value in _values(path):
            try:
                yield from_json(value)
            except SlurmMigError as error:
                raise SlurmMigError(f"{path}: {error}") from error


def _values(path: Path) -> Iterator[Any]:
    try:
        text = sys.stdin.read() if path == STDIN else path.read_text(encoding="utf-8")
        yield from _objects(text)
    except OSError as error:
        raise SlurmMigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SlurmMigError(f"{path}: not the JSON of `discover --json`: {error}") from error


def _objects(text: str) -> Iterator[Any]:
    at = 0
    while True:
        while at < len(text) and text[at] in _SPACE:
            at += 1
        if at == len(text):
            return
        value, at = _DECODER.raw_decode(text, at)
        yield from value if isinstance(value, list) else (value,)
