"""From a job's program to its user's page: hooks, monitor, collect and reports on a real Slurm."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from slurm_mig.usage import sums
from tests.cluster import hooking
from tests.cluster.cluster import Cluster
from tests.cluster.slurmconf import CONTROLLER
from tests.cluster.test_monitor import monitor, rows

TYPE = "nvidia_h100_80gb_hbm3_3g.40gb"
CONFIG = "[usage]\nreadable_by_users = true\n"
# Root's: it may write to the simulator's state.
WORK = """\
cd /run/checkout
/usr/bin/python3 -B -m tests.sim run --memory 3GiB --activity 0.2 & pid=$!
until [ -e /run/cluster/released ]; do sleep 0.1; done
kill $pid; wait
"""


class Ran(NamedTuple):
    """A node on which root's job has worked, and a user's has not."""

    cluster: Cluster
    working: int
    users: int


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("usage") / "c"
    nodes = ["n1:h100-80gb=3g.40gb/4x1g.10gb"]
    with hooking.up(folder, nodes, slurm="24.11", config=CONFIG) as cluster:
        with monitor(cluster):
            working = _submit(cluster)
            asked = ["--gres=gpu:nvidia_h100_80gb_hbm3_1g.10gb:1", "--wrap", "sleep 0.1"]
            users = hooking.submit(cluster, *asked)
            hooking.wait_for(lambda: _is_sampled(cluster, working), "samples", cluster)
            (cluster.folder / "released").touch()
            for job in (working, users):
                hooking.record_of(cluster, "n1", job)
        hooking.slurm_mig(cluster, "n1", "usage", "collect")
        yield Ran(cluster, working, users)


def _submit(cluster: Cluster) -> int:
    asked = ["sbatch", "--parsable", "-D", "/", "-o", "/dev/null", f"--gres=gpu:{TYPE}:1"]
    done = cluster.exec(CONTROLLER, [*asked, "--wrap", WORK])
    return int(done.stdout.partition(";")[0])


def _is_sampled(cluster: Cluster, job: int) -> bool:
    """Whether the program was seen at work from one sample to the next."""
    row = rows(cluster).get(job)
    return row is not None and row.stat(sums.ACTIVITY).high >= 0.19


def test_the_page_says_what_the_program_did(ran: Ran) -> None:
    words = ("usage", "job", str(ran.working))
    told = json.loads(hooking.slurm_mig(ran.cluster, "n1", *words, "--json"))
    ((run,),) = (one["runs"] for one in told["jobs"])
    (one,) = run["slices"]
    assert 3072 <= one["memory_peak_mib"] < 3072 + 128  # and what the driver keeps
    assert 0 < one["sm_mean"] <= 0.2
    assert (one["advice"]["verdict"], one["advice"]["profile"]) == ("smaller", "1g.10gb")
    assert "1g.10gb would have done" in hooking.slurm_mig(ran.cluster, "n1", *words)


def test_the_report_counts_both(ran: Ran) -> None:
    words = ("usage", "report", "--since", "1d", "--by", "profile", "--json")
    told = json.loads(hooking.slurm_mig(ran.cluster, "n1", *words))
    groups = {group["key"]: group for group in told["groups"]}
    assert {key: group["jobs"] for key, group in groups.items()} == {"3g.40gb": 1, "1g.10gb": 1}
    assert 0 < groups["3g.40gb"]["sampled_hours"] <= groups["3g.40gb"]["slice_hours"]


def test_a_user_finds_his_own_job_in_his_own_file(ran: Ran) -> None:
    file = Path(f"/var/lib/slurm-mig-users/{hooking.USER}.jsonl")
    line = ran.cluster.exec("n1", ["cat", str(file)], uid=hooking.USER).stdout
    assert json.loads(line)["job_id"] == ran.users
    other = ran.cluster.exec("n1", ["cat", str(file)], uid=hooking.USER - 1, check=False)
    assert other.returncode != 0
