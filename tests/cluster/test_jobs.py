"""Jobs of a real Slurm open their own slices' device files, and no others."""

import subprocess

import pytest

from tests.cluster import reach
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import until
from tests.cluster.node import environment
from tests.cluster.reach import Reach
from tests.cluster.slurmds import GresRecord, parse

# nvidia-cap1 and 2 (MIG config and monitor) are no slice's: no gres.conf names them.
EVERYONES = {"/dev/nvidia-caps/nvidia-cap1", "/dev/nvidia-caps/nvidia-cap2"}


def records(cluster: Cluster, name: str) -> tuple[GresRecord, ...]:
    """slurmd's own merged list of a node, in the order of gres_index."""
    done = cluster.exec(name, ["slurmd", "-G", "-N", name])
    return parse(done.stderr + done.stdout, done.returncode).records


def indices(told: Reach) -> list[int]:
    """The gres_index of each slice that Slurm says a task has."""
    return [int(word) for word in told.told["SLURM_STEP_GPUS"].split(",")]


def check(cluster: Cluster, answer: Reach) -> None:
    """The task reaches exactly the files of the slices that Slurm says it has."""
    known = records(cluster, answer.node)
    own = {path for index in indices(answer) for path in known[index].files}
    assert answer.allowed == own | EVERYONES
    assert answer.refused == {path for record in known for path in record.files} - own


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_a_job_on_each_slice_opens_its_own_files_and_no_others(cluster: Cluster, name: str) -> None:
    for kind in {record.type for record in records(cluster, name)}:
        (answer,) = reach.of_job(cluster, "-w", name, f"--gres=gpu:{kind}:1")
        check(cluster, answer)
        assert len(indices(answer)) == 1


def test_a_job_on_two_slices(cluster: Cluster) -> None:
    (answer,) = reach.of_job(cluster, "-w", "n2", "--gres=gpu:nvidia_a100_1g.5gb:2")
    check(cluster, answer)
    assert len(indices(answer)) == 2


def test_a_job_on_two_types(cluster: Cluster) -> None:
    two = "--gres=gpu:nvidia_a100_3g.20gb:1,gpu:nvidia_a100_1g.5gb:1"
    (answer,) = reach.of_job(cluster, "-w", "n2", two)
    check(cluster, answer)
    assert indices(answer) == [0, 1]


def test_a_job_without_gpus_opens_none(cluster: Cluster) -> None:
    (answer,) = reach.of_job(cluster, "-w", "n1")
    assert answer.allowed == EVERYONES


def test_a_job_over_two_nodes(cluster: Cluster) -> None:
    answers = reach.of_job(cluster, "-N2", "--gres=gpu:2")
    assert sorted(answer.node for answer in answers) == ["n1", "n2"]
    for answer in answers:
        check(cluster, answer)


def test_jobs_at_once_share_no_slice(cluster: Cluster) -> None:
    # Each holds its slice until all three have told theirs.
    go = cluster.folder / "go"
    hold = "timeout 30 sh -c 'until [ -e /run/cluster/go ]; do sleep .1; done'"
    script = f"{' '.join(reach.PROBE)}; {hold}"
    words = ["srun", "-w", "n2", "--gres=gpu:nvidia_a100_1g.5gb:1", "sh", "-c", script]
    jobs = [
        subprocess.Popen(
            cluster.command("ctl", words), env=environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [answer for job in jobs for answer in reach.parse(_first_line(job))]
    go.touch()
    for job in jobs:
        job.communicate()
    for answer in answers:
        check(cluster, answer)
    assert len({index for answer in answers for index in indices(answer)}) == 3


def _first_line(job: "subprocess.Popen[str]") -> str:
    assert job.stdout is not None
    return job.stdout.readline()


def test_a_job_outlives_its_slurmd(cluster: Cluster) -> None:
    submit = ["sbatch", "--parsable", "-w", "n1", "-o", "/dev/null", "--wrap", "sleep 60"]
    job = cluster.exec("ctl", submit).stdout.strip()
    assert until(lambda: "JobState=RUNNING" in _shown(cluster, job))
    cluster.stop_slurmd("n1")
    cluster.start_slurmd("n1")
    assert until(lambda: cluster.states()["n1"] == "mixed")
    assert "JobState=RUNNING" in _shown(cluster, job)
    assert "Restarts=0" in _shown(cluster, job)
    cluster.exec("ctl", ["scancel", job])
    cluster.wait_idle()


def _shown(cluster: Cluster, job: str) -> str:
    return cluster.exec("ctl", ["scontrol", "show", "job", "-o", job]).stdout
