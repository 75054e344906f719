"""Where records come from: files of lines as the hooks write them, or folders of such files."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import SlurmMigError
from slurm_mig.usage.jobstats.parts import JobPart, part_of

_LONGEST = 1 << 20  # of a line


class Wanted(NamedTuple):
    """`since` is Unix seconds, by the record's end; no `job_ids` are all jobs."""

    since: float = 0.0
    job_ids: frozenset[int] = frozenset()

    def has(self, part: JobPart) -> bool:
        """Whether it is one of them. A record whose end is not known is as late as any."""
        late = part.end is None or part.end >= self.since
        return late and (not self.job_ids or part.job_id in self.job_ids)


class Lines:
    """The parts of all records in these files and folders; iterate over it once.

    `damaged` names, then, each line that could not be read ("FILE:LINE: why"), but for a half
    one at a file's end, which is still being written. Raises SlurmMigError where a path is not
    there or cannot be read.
    """

    def __init__(self, paths: Sequence[Path], wanted: Wanted) -> None:
        self._paths, self._wanted = paths, wanted
        self.damaged: list[str] = []

    def __iter__(self) -> Iterator[JobPart]:
        for path in self._paths:
            try:
                files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
                for file in files:
                    yield from self._of_file(file)
            except OSError as why:
                raise SlurmMigError(f"{why.filename or path}: {why.strerror}") from None

    def _of_file(self, file: Path) -> Iterator[JobPart]:
        if file.stat().st_mtime < self._wanted.since:  # all of it was written before
            return
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(_LONGEST):
                number += 1
                if not line.endswith(b"\n"):
                    if len(line) < _LONGEST:
                        return
                    self.damaged.append(f"{file}:{number}: longer than {_LONGEST} bytes")
                    while (rest := lines.readline(_LONGEST)) and not rest.endswith(b"\n"):
                        pass
                    continue
                try:
                    part = _part(line)
                except (ValueError, RecursionError) as why:
                    self.damaged.append(f"{file}:{number}: {why}")
                    continue
                if self._wanted.has(part):
                    yield part


def _part(line: bytes) -> JobPart:
    found = json.loads(line)
    if not isinstance(found, dict) or found.get("version") != 1:
        raise ValueError("not a usage record of version 1")
    return part_of(found)
