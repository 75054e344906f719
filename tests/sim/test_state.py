"""The state is whole whatever happens to the processes that change it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pynvml
import pytest

from tests.sim import library
from tests.sim.api import Sim
from tests.sim.nvml_calls import refused

Open = Callable[..., Sim]

# Makes and destroys instances until it is killed or, given a number, has done so many rounds.
CHURN = """
import sys
import pynvml
pynvml.nvmlInit()
gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
rounds = int(sys.argv[1])
while rounds != 0:
    rounds -= 1
    gi = pynvml.nvmlDeviceCreateGpuInstance(gpu, 19)
    ci = pynvml.nvmlGpuInstanceCreateComputeInstance(gi, 0)
    pynvml.nvmlComputeInstanceDestroy(ci)
    pynvml.nvmlGpuInstanceDestroy(gi)
pynvml.nvmlShutdown()
"""


def churn(sim: Sim, rounds: int = -1) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHURN, str(rounds)],
        env={**os.environ, **sim.env()},
        text=True,
        stderr=subprocess.PIPE,
    )


def tree(sim: Sim) -> set[str]:
    """The instances that /proc/driver/nvidia/capabilities shows, as gpu0/mig/gi1[/ci0]."""
    folder = sim.root / "proc/driver/nvidia/capabilities"
    return {
        str(path.parent.relative_to(folder)) for path in folder.rglob("access") if path.is_file()
    }


def expected_tree(sim: Sim) -> set[str]:
    wanted = set()
    for gpu in sim.show()["gpus"]:
        for gi in gpu["gpu_instances"]:
            place = f"gpu{gpu['gpu_minor']}/mig/gi{gi['gi_id']}"
            wanted.add(place)
            wanted |= {f"{place}/ci{ci['ci_id']}" for ci in gi["compute_instances"]}
    return wanted


def test_no_driver_without_a_machine(
    open_nvml: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library.load()
    monkeypatch.setenv("MIGSIM_DIR", str(tmp_path))
    with refused(pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
        pynvml.nvmlInit()
    monkeypatch.delenv("MIGSIM_DIR")
    with refused(pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
        pynvml.nvmlInit()


@pytest.mark.parametrize("damage", ["truncate", "magic"])
def test_a_state_of_another_make_is_a_version_mismatch(
    damage: str, new_sim: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = new_sim("h100-80gb")
    with (sim.dir / "state").open("r+b") as file:
        if damage == "truncate":
            file.truncate(1000)
        else:
            file.write(b"what is this")
    monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
    with refused(pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH):
        pynvml.nvmlInit()


def test_init_is_counted(open_nvml: Open) -> None:
    open_nvml("h100-80gb")
    pynvml.nvmlInitWithFlags(1)
    pynvml.nvmlShutdown()
    assert pynvml.nvmlDeviceGetCount() == 1
    pynvml.nvmlShutdown()
    for call in (pynvml.nvmlDeviceGetCount, pynvml.nvmlShutdown, pynvml.nvmlSystemGetNVMLVersion):
        with refused(pynvml.NVML_ERROR_UNINITIALIZED):
            call()
    pynvml.nvmlInit()


def test_a_process_may_look_at_two_machines_in_turn(
    open_nvml: Open, new_sim: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_nvml("h100-80gb")
    other = new_sim("a100-40gb", "a100-40gb")
    pynvml.nvmlShutdown()
    monkeypatch.setenv("MIGSIM_DIR", str(other.dir))
    pynvml.nvmlInit()
    assert pynvml.nvmlDeviceGetCount() == 2


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_any_call_the_state_is_one_of_the_two(late: bool, new_sim: Open) -> None:
    # Init, handle, create GI, create CI, destroy CI, destroy GI, shutdown.
    instances = [0, 0, 0, 1, 2, 1, 0, 0]
    for at in range(7):
        sim = new_sim("h100-80gb=mig")
        sim.fault("*", after=at, kill=True, late=late)
        assert churn(sim, 1).wait(30) == -signal.SIGKILL
        shown = expected_tree(sim)
        assert len(shown) == instances[at + late]
        assert tree(sim) == shown


def test_killed_anywhere_the_state_and_the_tree_are_whole(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=mig")
    chance = random.Random(42)
    for _ in range(12):
        process = churn(sim)
        time.sleep(0.15 + chance.random() / 20)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert len(expected_tree(sim)) <= 2
        assert tree(sim) == expected_tree(sim)
        sim.partition(0, "mig")


def test_processes_at_once_do_not_disturb_each_other(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=mig")
    processes = [churn(sim, 60) for _ in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert tree(sim) == expected_tree(sim) == set()


def test_threads_at_once(open_nvml: Open) -> None:
    open_nvml("h100-80gb=balanced")
    failures: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(200):
                gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
                pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 3)
        except pynvml.NVMLError as error:
            failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_forked_child_has_a_lock_of_its_own(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb=mig")
    child = os.fork()
    if child == 0:
        made = 0
        try:
            gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
            for _ in range(3):
                pynvml.nvmlDeviceCreateGpuInstance(gpu, 19)
                made += 1
        finally:
            os._exit(made)
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    for _ in range(3):
        pynvml.nvmlDeviceCreateGpuInstance(gpu, 19)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert len(sim.show()["gpus"][0]["gpu_instances"]) == 6


def test_a_process_may_change_its_folder_and_user(
    new_sim: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sim = new_sim("h100-80gb=2g.20gb")
    monkeypatch.chdir(sim.dir.parent)
    monkeypatch.setenv("MIGSIM_DIR", sim.dir.name)
    library.load()
    pynvml.nvmlInit()
    monkeypatch.chdir("/")
    child = os.fork()
    if child == 0:
        os.seteuid(65534)
        os._exit(pynvml.nvmlDeviceGetCount())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert pynvml.nvmlDeviceGetCount() == 1
    pynvml.nvmlShutdown()
