"""gen-gres on a live Slurm: each job reaches exactly the slices that gen-gres said it would.

One node has lines that stand alone, the other lines for AutoDetect=nvml. What is held against
the jobs is `gen-gres --json` of their node: index, files, UUID.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.cluster import cgroups, reach, roots
from tests.cluster.cluster import Cluster
from tests.cluster.conffiles import Gres
from tests.cluster.machines import Machines
from tests.cluster.node import environment
from tests.cluster.reach import Reach

Record = dict[str, Any]

GPUS = ["h100-80gb=3g.40gb@4:1c:2c/2g.20gb/2x1g.10gb", "a100-40gb=off", "a100-40gb=3x1g.5gb"]
MODERN = ("24.11", cgroups.V2)
FORMS = {"n1": "off", "n2": "nvml"}
# nvidia-cap1 and 2 (MIG config and monitor) are no slice's: no gres.conf names them.
EVERYONES = {"/dev/nvidia-caps/nvidia-cap1", "/dev/nvidia-caps/nvidia-cap2"}


def gen_gres(machines: Machines, name: str, *options: str) -> str:
    """What gen-gres prints on a node, in the node's form."""
    tool = [sys.executable, "-m", "slurm_mig", "gen-gres", "--node", name, *options]
    tool += ["--slurm-version", machines.slurm.version, "--autodetect", FORMS[name]]
    return machines.exec(name, tool).stdout


def in_both_forms(machines: Machines, name: str) -> Gres:
    """The GRES of a node, by slurm-mig."""
    return Gres(gen_gres(machines, name, "--gres-line").strip(), gen_gres(machines, name))


@pytest.fixture(scope="module", params=[*((each, cgroups.V1) for each in roots.GATING), MODERN])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two nodes with the same GPUs, a form of gres.conf each."""
    folder = tmp_path_factory.mktemp("isolation") / "c"
    nodes = dict.fromkeys(FORMS, GPUS)
    slurm, cgroup = request.param
    with Cluster.up(folder, nodes, slurm=slurm, gres=in_both_forms, cgroup=cgroup) as running:
        yield running


def predicted(cluster: Cluster, name: str) -> list[Record]:
    """The records of a node, the place of each being its gres_index."""
    records: list[Record] = json.loads(gen_gres(cluster, name, "--json"))["records"]
    assert [record["gres_index"] for record in records] == list(range(len(records)))
    return records


def indices(told: Reach) -> list[int]:
    """The gres_index of each slice that Slurm says a task has."""
    return [int(word) for word in told.told["SLURM_STEP_GPUS"].split(",")]


def check(answer: Reach, records: Sequence[Record]) -> None:
    """The task reaches the files of its slices, and Slurm names the slices as predicted."""
    own = {path for at in indices(answer) for path in records[at]["files"]}
    every = {path for record in records for path in record["files"]}
    assert answer.allowed == own | EVERYONES
    assert answer.refused == every - own
    assert answer.told["CUDA_VISIBLE_DEVICES"] == visible(answer, records)


def visible(answer: Reach, records: Sequence[Record]) -> str:
    """CUDA_VISIBLE_DEVICES: UUIDs of slices where Slurm has them, else places in the job."""
    names = []
    for place, at in enumerate(indices(answer)):
        knows_uuid = FORMS[answer.node] == "nvml" and records[at]["profile"] is not None
        names.append(records[at]["uuid"] if knows_uuid else str(place))
    return ",".join(names)


def run_at_once(cluster: Cluster, name: str, types: Sequence[str]) -> list[Reach]:
    """One job a type, none of which ends before all have told what they reach."""
    released = cluster.folder / "released"
    released.unlink(missing_ok=True)
    hold = "while [ ! -e /run/cluster/released ]; do sleep 0.1; done"
    script = f"{' '.join(reach.PROBE)}; exec >&-; {hold}"
    jobs = []
    for kind in types:
        srun = ["srun", "-w", name, f"--gres=gpu:{kind}:1", "sh", "-c", script]
        command = cluster.command("ctl", srun)
        jobs.append(subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True))
    try:
        return [one for job in jobs if job.stdout for one in reach.parse(job.stdout.readline())]
    finally:
        released.touch()
        for job in jobs:
            job.communicate()


@pytest.mark.parametrize("name", FORMS)
def test_a_job_on_every_slice_at_once(cluster: Cluster, name: str) -> None:
    records = predicted(cluster, name)
    answers = run_at_once(cluster, name, [record["type"] for record in records])
    for answer in answers:
        check(answer, records)
    assert sorted(at for answer in answers for at in indices(answer)) == list(range(len(records)))


@pytest.mark.parametrize("name", FORMS)
def test_the_type_asked_for_is_the_type_given(cluster: Cluster, name: str) -> None:
    records = predicted(cluster, name)
    for kind in dict.fromkeys(record["type"] for record in records):
        (answer,) = reach.of_job(cluster, "-w", name, f"--gres=gpu:{kind}:1")
        check(answer, records)
        assert [records[at]["type"] for at in indices(answer)] == [kind]


@pytest.mark.parametrize("name", FORMS)
def test_a_job_on_two_slices(cluster: Cluster, name: str) -> None:
    records = predicted(cluster, name)
    (answer,) = reach.of_job(cluster, "-w", name, "--gres=gpu:nvidia_a100_1g.5gb:2")
    check(answer, records)
    assert len(indices(answer)) == 2


@pytest.mark.parametrize("name", FORMS)
def test_a_job_on_two_types(cluster: Cluster, name: str) -> None:
    records = predicted(cluster, name)
    two = "--gres=gpu:nvidia_h100_80gb_hbm3_2g.20gb:1,gpu:nvidia_a100_1g.5gb:1"
    (answer,) = reach.of_job(cluster, "-w", name, two)
    check(answer, records)
    assert {records[at]["profile"] for at in indices(answer)} == {"2g.20gb", "1g.5gb"}


@pytest.mark.parametrize("name", FORMS)
def test_what_slurmd_has_is_no_drift(cluster: Cluster, name: str) -> None:
    assert gen_gres(cluster, name, "--check", "/etc/slurm/gres.conf") == ""


def test_slurmd_takes_no_machine_for_a_container(cluster: Cluster) -> None:
    """There it would move all others of its cgroup, and not start where one of them ends."""
    moved = cluster.exec("n1", ["ls", "-d", "/sys/fs/cgroup/init.scope/system"], check=False)
    assert "No such file" in moved.stderr, moved
