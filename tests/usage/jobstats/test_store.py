"""Many jobs' comments, over the fake database."""

from typing import Any

import pytest

from slurm_mig.errors import Refused, SlurmNotAnswering
from slurm_mig.slurm.controller.accounting import AccountedJob
from slurm_mig.slurm.version import SlurmVersion
from slurm_mig.usage.jobstats.decide import Options
from slurm_mig.usage.jobstats.parts import JobPart
from slurm_mig.usage.jobstats.store import Outcome, store_comments
from tests.fakes_accounting import FakeAccounting
from tests.usage.jobstats.reader import read
from tests.usage.made import mig, part, record


def of(job_id: int, node: str = "n1", **changes: Any) -> JobPart:
    return part(record(job_id, mig(0, 9), node=node, **changes))


def database(*job_ids: int) -> FakeAccounting:
    made = FakeAccounting()
    for job_id in job_ids:
        made.add(AccountedJob(job_id, f"{job_id}", 1001.0, 1099.0, ("n1",), 1, "", None))
    return made


def store(
    parts: list[JobPart], accounting: FakeAccounting, options: Options | None = None
) -> list[Outcome]:
    return list(store_comments(parts, accounting, options or Options(), now=1100.0))


def actions(outcomes: list[Outcome]) -> dict[int, str]:
    return {outcome.job_id: outcome.action for outcome in outcomes}


def test_each_job_is_told_of_and_stored_once() -> None:
    slurm = database(7, 8)
    parts = [of(8), of(7), of(9)]
    assert actions(store(parts, slurm)) == {7: "stored", 8: "stored", 9: "waits"}
    assert read(slurm.known[7].comment).memory is not None
    assert actions(store(parts, slurm)) == {7: "present", 8: "present", 9: "waits"}
    assert slurm.written == [7, 8]


def test_the_tasks_of_an_array_do_not_overwrite_each_other() -> None:
    slurm = database(7, 8)
    slurm.known = {job_id: job._replace(shown=f"8_{job_id}") for job_id, job in slurm.known.items()}
    assert actions(store([of(7), of(8)], slurm)) == {7: "stored", 8: "stored"}
    assert slurm.written == [7, 8]


def test_a_dry_run_writes_nothing() -> None:
    slurm = database(7)
    assert actions(store([of(7)], slurm, Options(dry_run=True))) == {7: "would-store"}
    assert slurm.written == []


def test_old_slurms_are_refused_before_the_first_change() -> None:
    slurm = database(7)
    slurm.release = SlurmVersion(22, 5, 8)
    with pytest.raises(Refused, match="lower case, which destroys it"):
        store([of(7)], slurm)
    assert slurm.questions == 0
    slurm.release = SlurmVersion(23, 2, 0)
    assert actions(store([of(7)], slurm)) == {7: "stored"}


def test_what_does_not_read_back_is_not_called_stored() -> None:
    slurm = database(7)
    slurm.spoils = True
    (outcome,) = store([of(7)], slurm)
    assert (outcome.action, "read back" in outcome.why) == ("failed", True)


def test_one_refusal_stops_nobody_else() -> None:
    slurm = database(7, 8)
    slurm.refuses = {7}
    assert actions(store([of(7), of(8)], slurm)) == {7: "failed", 8: "stored"}


def test_a_database_that_does_not_answer_ends_it() -> None:
    slurm = database(7)
    slurm.down = True
    with pytest.raises(SlurmNotAnswering):
        store([of(7)], slurm)


def test_clusters_are_asked_each_of_its_own() -> None:
    slurm = database(7)
    found = store([of(7), of(7, cluster="other"), of(7, cluster=None)], slurm)
    assert [(one.cluster, one.action) for one in found] == [
        (None, "stored"),
        ("other", "waits"),
        ("simulated", "present"),
    ]


def test_many_jobs_cost_few_questions() -> None:
    slurm = database(*range(1, 451))
    parts = [of(job_id) for job_id in range(1, 451)]
    assert set(actions(store(parts, slurm)).values()) == {"stored"}
    assert slurm.questions == 450 + 2 * 3
    slurm.questions = 0
    store(parts, slurm)
    assert slurm.questions == 3


def test_nothing_is_nothing() -> None:
    assert store([], FakeAccounting()) == []
