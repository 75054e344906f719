"""The task prolog, run as an ordinary user over nodes that this user may or may not open."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from slurm_mig.hooks.settings import Settings
from tests.hooks.fakenode import FakeNode

CHECKOUT = Path(__file__).resolve().parents[2]
UID = 61002


@pytest.fixture
def node(memory: Path) -> FakeNode:
    memory.chmod(0o755)  # the user must get through
    # This checkout may lie where ordinary users do not get to.
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "slurm_mig", memory / "slurm_mig", ignore=ignore)
    return FakeNode(memory / "node")


def allow(node: FakeNode, *indices: int) -> None:
    """Let the user open these slices only: EACCES here is what EPERM is in a device cgroup."""
    for path in (node.root / "dev").rglob("nvidia*"):
        if path.is_char_device():
            path.chmod(0o600)
    for index in indices:
        for file in node.gres[index]["files"]:
            (node.root / file["path"].lstrip("/")).chmod(0o666)


def task(node: FakeNode, step_gpus: str | None, job_gpus: str = "", **more: str) -> list[str]:
    """What the stub prints in a task of the user."""
    environ = {"SLURM_MIG_ROOT": str(node.root), "SLURM_JOB_ID": "7", "SLURM_PROCID": "0", **more}
    if step_gpus is not None:
        environ["SLURM_STEP_GPUS"] = step_gpus
    if job_gpus:
        environ["SLURM_JOB_GPUS"] = job_gpus
    program = node.root.parent / "slurm_mig/hooks/__main__.py"
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-B", program, "task-prolog"],
        env=environ, user=UID, group=UID, extra_groups=[], capture_output=True, text=True,
        cwd="/", check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def uuids(node: FakeNode, *indices: int) -> str:
    return ",".join(
        (node.gres[i]["mig"] or {}).get("uuid", node.gres[i]["gpu_uuid"]) for i in indices
    )


def test_one_slice(node: FakeNode) -> None:
    allow(node, 1)
    assert task(node, "1") == [f"export CUDA_VISIBLE_DEVICES={uuids(node, 1)}"]


def test_a_task_of_several_gets_its_own_slice(node: FakeNode) -> None:
    allow(node, 2)  # --gpus-per-task: the list is the step's, the cgroup the task's
    assert task(node, "1,2") == [f"export CUDA_VISIBLE_DEVICES={uuids(node, 2)}"]


def test_a_list_that_names_the_same_to_every_task(node: FakeNode) -> None:
    allow(node, 2)  # seen with --gpus-per-task=1 under 22.05: both tasks are told 0
    assert task(node, "0") == [f"export CUDA_VISIBLE_DEVICES={uuids(node, 2)}"]


@pytest.mark.parametrize(
    "asked", [{"SLURM_GPUS_PER_TASK": "1g:1"}, {"SLURM_TRES_PER_TASK": "gres/gpu:1g:1"}]
)
def test_no_list_where_tasks_are_bound_by_type(node: FakeNode, asked: dict[str, str]) -> None:
    allow(node, 2)  # seen under 22.05
    assert task(node, None, **asked) == [f"export CUDA_VISIBLE_DEVICES={uuids(node, 2)}"]


def test_bound_tasks_have_more_than_the_list_says(node: FakeNode) -> None:
    allow(node, 0, 2)
    told = task(node, "0", SLURM_GPUS_PER_TASK="3g:1,1g:1")
    assert told[0] == f"export CUDA_VISIBLE_DEVICES={uuids(node, 0, 2)}"


@pytest.mark.parametrize(("local_id", "index"), [("0", 1), ("1", 2)])
def test_tasks_that_slurm_did_not_bind_share(node: FakeNode, local_id: str, index: int) -> None:
    allow(node, 1, 2)  # seen under 22.05: each of two tasks opens both slices
    asked = {"SLURM_GPUS_PER_TASK": "1g:1", "SLURM_STEP_TASKS_PER_NODE": "2"}
    told = task(node, None, SLURM_LOCALID=local_id, **asked)
    assert told == [f"export CUDA_VISIBLE_DEVICES={uuids(node, index)}"]


def test_a_batch_script_has_the_job_s_list(node: FakeNode) -> None:
    allow(node, 0, 2)
    told = task(node, None, "0,2")
    assert told[0] == f"export CUDA_VISIBLE_DEVICES={uuids(node, 0, 2)}"
    assert told[1].startswith("print slurm-mig: this task has 2 slices, but one CUDA process")


def test_a_whole_gpu(node: FakeNode) -> None:
    allow(node, 5)
    assert task(node, "5") == [f"export CUDA_VISIBLE_DEVICES={uuids(node, 5)}"]


def test_more_variables_where_asked(node: FakeNode) -> None:
    allow(node, 1)
    node.settings('export = ["GPU_DEVICE_ORDINAL", "NVIDIA_VISIBLE_DEVICES"]')
    names = [line.partition("=")[0] for line in task(node, "1")]
    assert names == [
        "export CUDA_VISIBLE_DEVICES",
        "export GPU_DEVICE_ORDINAL",
        "export NVIDIA_VISIBLE_DEVICES",
    ]


def test_a_foreign_slice_that_opens_is_told_and_not_used(node: FakeNode) -> None:
    allow(node, 0, 1)
    told = task(node, "1")
    assert told == [
        "print slurm-mig: please report: this task can open gpu0.gi1.ci0, which are not its own",
        f"export CUDA_VISIBLE_DEVICES={uuids(node, 1)}",
    ]


@pytest.mark.parametrize("constrained", [False, None])
def test_without_constraint_the_environment_is_believed(
    node: FakeNode, constrained: bool | None
) -> None:
    node.write_map(constrained=constrained)
    assert task(node, "2") == [f"export CUDA_VISIBLE_DEVICES={uuids(node, 2)}"]


def test_nothing_opens(node: FakeNode) -> None:
    allow(node)
    assert task(node, "1") == []


@pytest.mark.parametrize("gpus", ["9", "x", "MIG-1", "1;export LD_PRELOAD=x"])
def test_a_list_that_the_map_has_not(node: FakeNode, gpus: str) -> None:
    assert task(node, gpus) == []


def test_no_gpus(node: FakeNode) -> None:
    (node.run / "gres-map.json").unlink()
    assert task(node, None) == task(node, "") == []


def test_a_stale_map_exports_nothing(node: FakeNode) -> None:
    (node.run / "generation").write_text("2")
    assert task(node, "1") == []


def test_a_user_s_own_root_is_not_believed(node: FakeNode) -> None:
    for path in (node.run, node.run / "gres-map.json"):
        os.chown(path, UID, UID)
    assert task(node, "1") == []


def test_several_whole_gpus_need_no_hint() -> None:
    from slurm_mig.hooks.slices import Slice
    from slurm_mig.hooks.task_prolog import tell

    def whole(minor: int) -> Slice:
        return Slice(
            {
                "gres_index": minor,
                "type": "l40s",
                "gpu_index": minor,
                "gpu_minor": minor,
                "gpu_uuid": f"GPU-{minor}",
                "gpu_name": "",
                "files": [{"path": f"/dev/nvidia{minor}", "major": 195, "minor": minor}],
                "mig": None,
            }
        )

    told = tell((whole(0), whole(1)), Settings().export)
    assert told == ["export CUDA_VISIBLE_DEVICES=GPU-0,GPU-1"]
