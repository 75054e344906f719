"""The job as Slurm's environment has it, odd bytes and all."""

import json

import pytest

from slurm_mig.errors import HookError
from slurm_mig.hooks import jsonlight
from slurm_mig.hooks.environment import Job, Task

FULL = {
    b"SLURM_JOB_ID": b"42",
    b"SLURM_JOB_UID": b"1001",
    b"SLURM_JOB_USER": b"ada",
    b"SLURM_JOB_RESTART_COUNT": b"2",
    b"SLURM_JOB_EXIT_CODE2": b"1:9",
    b"SLURM_JOB_START_TIME": b"1700000000",
    b"SLURM_JOB_GPUS": b"0,2",
}


def test_all_of_it() -> None:
    job = Job(FULL)
    assert (job.job_id, job.uid, job.user, job.restarts) == (42, 1001, "ada", 2)
    assert (job.exit_code, job.signal, job.start, job.gpus) == (1, 9, 1_700_000_000, "0,2")


def test_nothing_but_the_number() -> None:
    job = Job({b"SLURM_JOB_ID": b"42"})
    unknown = (job.uid, job.user, job.account, job.start, job.exit_code, job.signal, job.sluid)
    assert unknown == (None,) * 7
    assert job.restarts == 0


@pytest.mark.parametrize(
    "value", [b"", b"0", b"-1", b"x", b"1.0", b"7;rm", b"../7", b" 7", b"9" * 30, b"\xff", None]
)
def test_no_job_number(value: bytes | None) -> None:
    with pytest.raises(HookError, match="SLURM_JOB_ID is no job's number"):
        Job({} if value is None else {b"SLURM_JOB_ID": value})


@pytest.mark.parametrize(
    "name", [b"a\nb", b"\xff\xfe", b'"; x="', b"\x1b[31m", "ü".encode(), b"x" * 999]
)
def test_names_with_odd_bytes_stay_one_line_of_json(name: bytes) -> None:
    user = Job({**FULL, b"SLURM_JOB_USER": name}).user
    told = jsonlight.dumps({"user": user})
    assert told.isascii()
    assert "\n" not in told
    assert json.loads(told) == {"user": user}
    assert user is not None
    assert len(user) <= 1024


@pytest.mark.parametrize("value", [b"", b"3", b"a:b", b":"])
def test_an_exit_code_that_is_none(value: bytes) -> None:
    job = Job({**FULL, b"SLURM_JOB_EXIT_CODE2": value})
    assert job.exit_code is None
    assert job.signal is None


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, (0, 1, None)),
        ({b"SLURM_GPUS_PER_TASK": b"2"}, (0, 1, 2)),
        ({b"SLURM_GPUS_PER_TASK": b"1g.5gb:1,3g:2"}, (0, 1, 3)),
        ({b"SLURM_GPUS_PER_TASK": b"1g.5gb"}, (0, 1, 1)),
        ({b"SLURM_TRES_PER_TASK": b"cpu=2,gres/gpu:1g.5gb=2"}, (0, 1, 2)),
        ({b"SLURM_TRES_PER_TASK": b"gres/gpu:1g.5gb:1"}, (0, 1, 1)),
        ({b"SLURM_TRES_PER_TASK": b"cpu=2"}, (0, 1, None)),
        ({b"SLURMD_TRES_BIND": b"gpu:per_task:a100_1g.5gb:1"}, (0, 1, 1)),
        ({b"SLURMD_TRES_BIND": b"gpu:single:1"}, (0, 1, None)),
        ({b"SLURM_STEP_TASKS_PER_NODE": b"2(x2),1", b"SLURM_NODEID": b"2"}, (0, 1, None)),
        ({b"SLURM_STEP_TASKS_PER_NODE": b"3,4", b"SLURM_NODEID": b"1"}, (0, 4, None)),
        ({b"SLURM_STEP_TASKS_PER_NODE": b"2(x99999999)", b"SLURM_LOCALID": b"1"}, (1, 1, None)),
        ({b"SLURM_STEP_TASKS_PER_NODE": b"x", b"SLURM_LOCALID": b"-1"}, (0, 1, None)),
    ],
)
def test_a_task(variables: dict[bytes, bytes], wanted: tuple[int, int, int | None]) -> None:
    task = Task(variables)
    assert (task.local_id, task.tasks, task.gpus) == wanted
