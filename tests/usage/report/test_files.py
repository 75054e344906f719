"""Records from files: once each, what is damaged told, and nothing waited for."""

import os
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.usage.report.files import read
from slurm_mig.usage.store.asking import Filters
from slurm_mig.usage.store.nouns import Held
from slurm_mig.usage.store.shape import MAX_LINE
from tests.usage.report import made

ALL = Filters()


def one(**changes: object) -> made.Tree:
    return made.one_record(made.one_slice("3g.40gb", made.sampled(3000.0)), **changes)


def ids(rows: list[Held]) -> list[int]:
    return [row.job.job_id for row in rows]


def test_a_record_that_stands_in_several_files_counts_once(tmp_path: Path) -> None:
    first, second = one(job_id=1), one(job_id=2)
    made.write(tmp_path / "n1/2025-11.jsonl", first, second)
    made.write(tmp_path / "copy/n1/2025-11.jsonl", second, first, first)
    (tmp_path / "n1/lock").touch()
    rows, problems = read([tmp_path, tmp_path / "n1/2025-11.jsonl"], ALL)
    assert (ids(list(rows.rows())), problems) == ([1, 2], [])


def test_a_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    rows, _ = read([made.write(tmp_path / "records.txt", one())], ALL)
    assert ids(list(rows.rows())) == [4242]


def test_what_is_damaged_is_told_and_the_rest_read(tmp_path: Path) -> None:
    file = made.write(tmp_path / "2025-11.jsonl", one(job_id=1))
    newer = made.line({**one(job_id=3), "version": 2})
    with file.open("ab") as out:
        out.write(b"\n{damaged\n" + b"x" * (MAX_LINE + 100) + b"\n" + newer + b"\n")
        out.write(made.line(one(job_id=4)) + b"\n" + made.line(one(job_id=5))[:80])
    rows, problems = read([file], ALL)
    assert ids(list(rows.rows())) == [1, 4]
    assert [problem.partition(": ")[0] for problem in problems] == [
        f"{file}:{number}" for number in (3, 4, 5, 7)
    ]
    assert "version 2" in problems[2]


def test_not_all_damaged_lines_are_told(tmp_path: Path) -> None:
    file = tmp_path / "2025-11.jsonl"
    file.write_text("x\n" * 25)
    _, problems = read([file], ALL)
    assert (len(problems), problems[-1]) == (21, "and 5 more lines")


def test_of_a_job_only_its_lines_are_parsed(tmp_path: Path) -> None:
    file = made.write(tmp_path / "2025-11.jsonl", one(job_id=42), one(job_id=424), one(job_id=4))
    with file.open("a") as out:
        out.write("damaged\n")
    rows, problems = read([file], Filters(job_ids=(42,)))
    assert (ids(list(rows.rows())), problems) == ([42], [])


def test_what_cannot_be_read_is_refused_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        read([tmp_path / "a", tmp_path / "b"], ALL)
    assert refused.value.problems == (
        f"{tmp_path}/a: No such file or directory",
        f"{tmp_path}/b: No such file or directory",
    )


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "2025-11.jsonl")
    with pytest.raises(Refused, match="no regular file"):
        read([tmp_path], ALL)
