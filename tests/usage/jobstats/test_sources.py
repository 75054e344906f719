"""Records out of files, whole and damaged."""

import json
import os
from pathlib import Path

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.usage.jobstats.sources import Lines, Wanted
from tests.usage.made import mig, record


def write(file: Path, *records: object, end: str = "\n") -> None:
    file.write_text("\n".join(map(json.dumps, records)) + end)


def ids(lines: Lines) -> list[int]:
    return [part.job_id for part in lines]


def test_files_and_folders_of_them(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a/2026-11.jsonl", record(2, mig(0, 9)), record(3, mig(0, 9)))
    write(tmp_path / "a/2026-10.jsonl", record(1, mig(0, 9)))
    write(tmp_path / "a/lock", "not one")
    write(tmp_path / "copy", record(4, mig(0, 9)))
    lines = Lines([tmp_path / "a", tmp_path / "copy"], Wanted())
    assert ids(lines) == [1, 2, 3, 4]
    assert lines.damaged == []


def test_only_what_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    unknown = record(3, mig(0, 9), end=None)
    write(file, record(1, mig(0, 9)), record(2, mig(0, 9), end=5000.0), unknown)
    assert ids(Lines([file], Wanted(since=4000.0))) == [2, 3]
    assert ids(Lines([file], Wanted(job_ids=frozenset({1, 3})))) == [1, 3]
    os.utime(file, (3999, 3999))
    assert ids(Lines([file], Wanted(since=4000.0))) == []


def test_damaged_lines_are_named_and_stop_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    whole, newer = json.dumps(record(1, mig(0, 9))), json.dumps({"version": 2})
    bad = ["{", "[" * 5000, "3", newer, '{"version": 1}', "\x00" * 9, "x" * (1 << 20)]
    file.write_text("\n".join([*bad, whole, whole[:50]]))
    lines = Lines([file], Wanted())
    assert ids(lines) == [1]
    assert len(lines.damaged) == len(bad)
    assert lines.damaged[0].startswith(f"{file}:1: ")
    assert "not a usage record of version 1" in lines.damaged[3]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(b"\xff\xfe\n" + json.dumps(record(1, mig(0, 9))).encode() + b"\n")
    lines = Lines([file], Wanted())
    assert ids(lines) == [1]
    assert len(lines.damaged) == 1


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SlurmMigError, match=r"nothing\.jsonl: No such file"):
        ids(Lines([tmp_path / "nothing.jsonl"], Wanted()))
