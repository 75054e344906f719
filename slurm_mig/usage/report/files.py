"""Rows from files of records: a node's own, copies of many nodes', or a user's."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from slurm_mig.errors import Refused
from slurm_mig.usage.report.matching import matches
from slurm_mig.usage.report.rows import Rows
from slurm_mig.usage.store.asking import Filters
from slurm_mig.usage.store.curves import curves_of
from slurm_mig.usage.store.nouns import Curve, Held
from slurm_mig.usage.store.shape import MAX_LINE, Damaged, parse

_MOST_TOLD = 20


def read(paths: Iterable[Path], filters: Filters) -> tuple[Rows, list[str]]:
    """The rows that match, of files and of the *.jsonl in folders; each record counts once.

    Their curves only where `filters` names jobs. And what could not be read of them, "file:line:
    why", not more than some. Refused where a path is no file or folder, or may not be read.
    """
    problems: list[str] = []
    curves: dict[tuple[str, int], Curve] = {}
    rows = list(_rows(_files(paths), filters, problems, curves))
    return Rows(rows, curves), _shortened(problems)


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    wrong: list[str] = []
    for path in paths:
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
            if is_folder:
                next(path.iterdir(), None)  # rglob() passes over what it may not read
        except OSError as error:
            wrong.append(f"{path}: {error.strerror}")
            continue
        found += sorted(path.rglob("*.jsonl")) if is_folder else [path]
    if wrong:
        raise Refused("records", wrong)
    return found


def _rows(
    files: Iterable[Path],
    filters: Filters,
    problems: list[str],
    curves: dict[tuple[str, int], Curve],
) -> Iterator[Held]:
    seen: set[str] = set()
    for path in files:
        for number, line in _lines(path):
            if not _may_match(filters, line):
                continue
            try:
                record = parse(line)
            except Damaged as why:
                problems.append(f"{path}:{number}: {why}")
                continue
            if record.job.record_id not in seen:
                seen.add(record.job.record_id)
                if filters.job_ids:  # else they are of all jobs, and no report shows them
                    curves.update(curves_of(line))
                yield from (row for row in record.held() if matches(filters, row))


def _may_match(filters: Filters, line: bytes) -> bool:
    """False where a line cannot be of a job that is asked for: most need no parsing then."""
    ids = b"|".join(str(job_id).encode() for job_id in filters.job_ids)
    return not ids or re.search(rb'"job_id"\s*:\s*(?:' + ids + rb")\b", line) is not None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, those without letters left out."""
    try:
        with _opened(path) as file:
            number = 0
            while line := file.readline(MAX_LINE + 2):
                number += 1
                whole = line
                while not line.endswith(b"\n") and line:  # too long: parse() says so
                    line = file.readline(MAX_LINE)
                if whole.strip():
                    yield number, whole.rstrip(b"\n")
    except OSError as error:
        raise Refused("records", [f"{path}: {error.strerror}"]) from None


def _opened(path: Path) -> BinaryIO:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Refused("records", [f"{path}: no regular file"])
    return os.fdopen(handle, "rb")


def _shortened(problems: list[str]) -> list[str]:
    more = len(problems) - _MOST_TOLD
    return [*problems[:_MOST_TOLD], *([f"and {more} more lines"] if more > 0 else [])]
