"""What the accounting port promises, asked of the fake and of a real slurmdbd over MariaDB.

And, on the real one, the command that uses it: `slurm-mig usage admin-comment`.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import SlurmRefused
from slurm_mig.slurm.controller.accounting import KEEPS_CASE, AccountedJob, Accounting
from slurm_mig.slurm.controller.sacct import SacctAccounting
from slurm_mig.usage.jobstats import blob
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import bare, bare_gres, until
from tests.contract.slurm_scenes import commands
from tests.fakes_accounting import FakeAccounting
from tests.usage.jobstats.reader import read
from tests.usage.made import mig, record

SLURM = "24.11"
NOBODY = 999_999


class Scene:
    """A database in which jobs have ended: 1 (on n1), 2 (on both nodes), an array 3 of two."""

    def __init__(self, accounting: Accounting, cluster: Cluster | None = None) -> None:
        self.accounting, self.cluster = accounting, cluster

    def job(self, job_id: int) -> AccountedJob:
        return self.accounting.jobs([job_id], "simulated")[job_id]


def _fake() -> Scene:
    made = FakeAccounting()
    now = time.time()
    for job_id, nodes in ((1, ("n1",)), (2, ("n1", "n2"))):
        made.add(AccountedJob(job_id, f"{job_id}", now - 9, now - 1, nodes, len(nodes), "", None))
    for job_id, shown in ((3, "3_2"), (4, "3_1")):
        made.add(AccountedJob(job_id, shown, now - 9, now - 1, ("n1",), 1, "", None))
    return Scene(made)


def _ended(scene: Scene) -> bool:
    found = scene.accounting.jobs([1, 2, 3, 4], None)
    return len(found) == 4 and all(job.end is not None for job in found.values())


@pytest.fixture(scope="module", params=["fake", SLURM])
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    if request.param == "fake":
        yield _fake()
        return
    folder = tmp_path_factory.mktemp("accounting")
    nodes = ["n1", "n2"]
    with Cluster.up(
        folder / "c", nodes, slurm=SLURM, make_machine=bare, gres=bare_gres, accounting=True
    ) as running:
        path = commands(running, folder / "bin", ("sacct", "sacctmgr"))
        made = Scene(SacctAccounting(path), running)
        running.srun("--gres=gpu:3g.40gb:1", "true")
        running.srun("-N2", "--gres=gpu:1g.10gb:1", "true")
        array = ["sbatch", "-D", "/", "-o", "/dev/null", "--array=1-2", "--gres=gpu:1g.10gb:1"]
        running.exec("ctl", [*array, "--wrap", "true"])
        assert until(lambda: _ended(made), 60)
        yield made


def test_jobs_that_ended(scene: Scene) -> None:
    found = scene.accounting.jobs([1, 2, NOBODY], "simulated")
    assert sorted(found) == [1, 2]
    one, two = found[1], found[2]
    assert (one.nodes, one.gpus, two.nodes, two.gpus) == (("n1",), 1, ("n1", "n2"), 2)
    assert two.host is None
    for job in found.values():
        assert job.start is not None
        assert job.end is not None
        assert abs(job.end - time.time()) < 600
        assert 0 <= job.end - job.start < 60
    assert scene.accounting.jobs([1], "elsewhere") == {}
    assert scene.accounting.jobs([], None) == {}


def test_a_comment_reads_back_as_it_was_written(scene: Scene) -> None:
    assert scene.accounting.version() >= KEEPS_CASE
    for text in ("JS1:H4sIAbC+/dE==", "a b|c\nd", "x" * blob.LONGEST, ""):
        scene.accounting.set_admin_comment("2", "simulated", text)
        assert scene.job(2).comment == text
    assert scene.job(1).comment == ""


def test_the_tasks_of_an_array_have_each_their_own(scene: Scene) -> None:
    found = scene.accounting.jobs([3, 4], None)
    assert sorted(job.shown for job in found.values()) == ["3_1", "3_2"]
    assert scene.accounting.jobs([3], None).keys() == {3}
    for job in found.values():
        scene.accounting.set_admin_comment(job.shown, "simulated", f"of {job.shown}")
    again = scene.accounting.jobs([3, 4], None)
    assert {job.comment for job in again.values()} == {"of 3_1", "of 3_2"}
    assert all(job.comment == f"of {job.shown}" for job in again.values())
    scene.accounting.set_admin_comment("3", "simulated", "")  # the trap: it means both
    assert {job.comment for job in scene.accounting.jobs([3, 4], None).values()} == {""}


def test_a_job_that_nobody_knows(scene: Scene) -> None:
    with pytest.raises(SlurmRefused):
        scene.accounting.set_admin_comment(f"{NOBODY}", "simulated", "x")
    with pytest.raises(SlurmRefused):
        scene.accounting.set_admin_comment("1", "elsewhere", "x")


def test_the_command_stores_what_jobstats_reads(scene: Scene, tmp_path: Path) -> None:
    if scene.cluster is None:
        return  # of the fake: tests/usage/jobstats/test_store.py
    lines = [
        record(job_id, mig(0, job_id), node=node, start=job.start, end=job.end)
        for job_id in (1, 2, 3, 4)
        for job in [scene.job(job_id)]
        for node in (["n1", "n2"] if job_id == 2 else ["n1"])
    ]
    file = scene.cluster.folder / "records.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert _admin_comment(scene.cluster, file) == dict.fromkeys((1, 2, 3, 4), "stored")
    assert _admin_comment(scene.cluster, file) == dict.fromkeys((1, 2, 3, 4), "present")
    one = read(scene.job(1).comment)
    assert one.memory == [("n1", "0.1", round(3100.5 * 2**20), 9728 << 20)]
    assert one.utilization == [("n1", "0.1", 25)]
    assert one.cpu is not None
    assert one.cpu[0][2] == 1
    for job_id in (3, 4):
        memory = read(scene.job(job_id).comment).memory
        assert memory is not None
        assert [row[1] for row in memory] == [f"0.{job_id}"]
    two = read(scene.job(2).comment)
    assert two.memory is not None
    assert [row[0] for row in two.memory] == ["n1", "n2"]


def _admin_comment(cluster: Cluster, file: Path) -> dict[int, str]:
    words = ["usage", "admin-comment", "--records", f"/run/cluster/{file.name}", "--json"]
    told = cluster.exec("ctl", [sys.executable, "-m", "slurm_mig", *words]).stdout
    return {job["job_id"]: job["action"] for job in json.loads(told)["jobs"]}


@pytest.mark.system
def test_before_23_02_a_comment_comes_back_in_lower_case(tmp_path: Path) -> None:
    with Cluster.up(
        tmp_path / "c", ["n1"], slurm="22.05", make_machine=bare, gres=bare_gres, accounting=True
    ) as running:
        old = SacctAccounting(commands(running, tmp_path / "bin", ("sacct", "sacctmgr")))
        running.srun("true")
        assert until(lambda: 1 in old.jobs([1], None) and old.jobs([1], None)[1].end is not None)
        assert old.version() < KEEPS_CASE
        old.set_admin_comment("1", None, "JS1:H4sIAbC+/dE==")
        assert old.jobs([1], None)[1].comment == "js1:h4siabc+/de=="
