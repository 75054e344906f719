"""What tasks are told of their slices, and what a prolog inside the job knows of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import hooking, roots
from tests.cluster.cluster import Cluster

ONE, THREE = "gpu:nvidia_a100_1g.5gb", "gpu:nvidia_a100_3g.20gb"
NODES = {"n1": ["a100-40gb=3g.20gb/4x1g.5gb"]}
TELL = ("sh", "-c", "echo TASK $SLURM_PROCID $CUDA_VISIBLE_DEVICES")


@pytest.fixture(scope="module", params=roots.GATING)
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A node with the hooks on, under each Slurm that gates."""
    folder = tmp_path_factory.mktemp("hooks") / "c"
    with hooking.up(folder, NODES, slurm=str(request.param)) as running:
        yield running


def told(output: str) -> dict[int, list[str]]:
    """CUDA_VISIBLE_DEVICES of each task."""
    lines = [line.split() for line in output.splitlines() if line.startswith("TASK ")]
    return {int(rank): "".join(devices).split(",") for _, rank, *devices in lines}


def uuids(cluster: Cluster, kind: str) -> set[str]:
    """The UUIDs of all slices of a type."""
    named = kind.partition(":")[2]
    return {one["mig"]["uuid"] for one in hooking.gres_map(cluster, "n1") if one["type"] == named}


def srun(cluster: Cluster, *options: str) -> str:
    return cluster.srun("--chdir=/", *options, *TELL, uid=hooking.USER)


def test_a_task_is_told_the_uuid_of_its_slice(cluster: Cluster) -> None:
    devices = told(srun(cluster, f"--gres={ONE}:1"))
    assert set(devices[0]) < uuids(cluster, ONE)


@pytest.mark.parametrize("options", [("--gpus-per-task=1",), (f"--gpus-per-task={ONE[4:]}:1",)])
def test_each_task_is_told_a_slice_of_its_own(cluster: Cluster, options: tuple[str, ...]) -> None:
    output = srun(cluster, "-n2", *options)
    devices = told(output)
    every = [uuid for mine in devices.values() for uuid in mine]
    assert sorted(devices) == [0, 1]
    assert len(every) == len(set(every)) == 2
    assert set(every) <= uuids(cluster, ONE) | uuids(cluster, THREE)
    assert "please report" not in output


def test_tres_per_task_binds_as_well(cluster: Cluster) -> None:
    if cluster.slurm.version == "22.05":
        return  # --tres-per-task came with 23.11
    devices = told(srun(cluster, "-n2", f"--tres-per-task=gres/{ONE}:1"))
    every = [uuid for mine in devices.values() for uuid in mine]
    assert len(every) == len(set(every)) == 2
    assert set(every) < uuids(cluster, ONE)


def test_several_slices_come_with_a_hint(cluster: Cluster) -> None:
    output = srun(cluster, f"--gres={ONE}:2")
    assert set(told(output)[0]) < uuids(cluster, ONE)
    assert len(told(output)[0]) == 2
    (hint,) = [line for line in output.splitlines() if line.startswith("slurm-mig:")]
    assert "--gpus-per-task=1" in hint


def test_a_job_of_two_types_is_told_both(cluster: Cluster) -> None:
    output = srun(cluster, f"--gres={ONE}:1,{THREE}:1")
    devices = set(told(output)[0])
    assert len(devices) == 2
    assert devices & uuids(cluster, ONE)
    assert devices & uuids(cluster, THREE)
    assert "please report" not in output


def test_a_batch_script_is_told_as_well(cluster: Cluster, tmp_path: Path) -> None:
    place = cluster.folder / "told"
    place.mkdir()
    place.chmod(0o777)
    script = f"echo TASK 0 $CUDA_VISIBLE_DEVICES >/run/cluster/told/it; {'true'}"
    job = hooking.submit(cluster, f"--gres={ONE}:1,{THREE}:1", "--wrap", script)
    hooking.record_of(cluster, "n1", job)
    assert len(told((place / "it").read_text())[0]) == 2


def test_two_types_are_incomplete_in_a_plain_prolog(cluster: Cluster) -> None:
    # Slurm names only the last type there: what the record lacks, it does not hide.
    job = hooking.submit(cluster, f"--gres={ONE}:1,{THREE}:1", "--wrap", "true")
    record = hooking.record_of(cluster, "n1", job)
    assert record["complete"] == (len(record["slices"]) == 2)


def test_a_prolog_inside_the_job_knows_every_slice(tmp_path: Path) -> None:
    settings = {"PrologFlags": "Contain,RunInJob"}
    with hooking.up(tmp_path / "c", NODES, slurm="24.11", settings=settings) as cluster:
        job = hooking.submit(cluster, f"--gres={ONE}:1,{THREE}:1", "--wrap", "exit 3")
        record = hooking.record_of(cluster, "n1", job)
        assert record["complete"]
        types = sorted(f"gpu:{one['type']}" for one in record["slices"])
        assert types == [ONE, THREE]
        # Slurm tells a hook inside the job no exit code: it is not known, and not 0.
        assert record["exit_code"] is None
        assert record["exit_unknown_why"]
        cluster.wait_idle(hooking.LIMIT_S)
        assert hooking.bindings(cluster, "n1") == []
