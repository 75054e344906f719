"""Which device a stand-in CUDA process takes, by what it may open and what it is told."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sim.api import Sim
from tests.sim.errors import SimError
from tests.sim.truth import slices
from tests.sim.worker import parse_bytes, parse_steps

Open = Callable[..., Sim]
NOBODY = 65534


def used(sim: Sim, visible: str | None) -> str:
    """The UUID of the device that a process takes."""
    extra = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    done = sim.run("--seconds", "0", env=extra)
    assert done.returncode == 0, done.stderr
    word, uuid, *_ = done.stdout.split()
    assert word == "using"
    return uuid


def test_every_spelling_names_its_device(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=3g.40gb:1c:2c/2g.20gb", "l40s")
    first, second, third = (one.uuid for one in slices(sim))
    h100, l40s = (gpu["uuid"] for gpu in sim.show()["gpus"])
    spellings = {
        None: first,
        "0": first,
        "1": l40s,
        "1,0": l40s,
        second: second,
        f"{third},{second}": third,
        second[:20]: second,
        f"MIG-{h100}/1/1": second,
        h100: first,
        l40s: l40s,
    }
    assert {spelling: used(sim, spelling) for spelling in spellings} == spellings


@pytest.mark.parametrize("visible", ["", "2", "-1", "MIG-00000000", "NoDevFiles", "MIG-GPU-x/1/0"])
def test_no_such_device(visible: str, new_sim: Open) -> None:
    done = new_sim("h100-80gb=2g.20gb").run(env={"CUDA_VISIBLE_DEVICES": visible})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"tests.sim: no CUDA-capable device is detected (CUDA_VISIBLE_DEVICES {visible!r})\n"
    )


def test_a_gpu_in_mig_mode_without_slices_is_no_device(new_sim: Open) -> None:
    assert "no CUDA-capable device" in new_sim("h100-80gb=mig").run().stderr


@pytest.fixture
def public_sim(sim_library: Path) -> Iterator[Sim]:
    """A machine in a folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="migsim-"))
    folder.chmod(0o755)
    yield Sim.new(folder / "node", ["h100-80gb=3g.40gb:1c:2c", "l40s"])
    shutil.rmtree(folder)


def take_as_user(sim: Sim, visible: str | None) -> str:
    """The answer of cuda.choose to somebody who is not root."""
    from tests.sim import cuda

    state = sim.show()
    os.seteuid(NOBODY)
    try:
        return cuda.choose(state, sim.root / "dev", visible).names[0]
    except SimError as error:
        return str(error)
    finally:
        os.seteuid(0)


def close(sim: Sim, name: str) -> None:
    (sim.root / "dev" / name).chmod(stat.S_IFCHR)


def test_what_may_not_be_opened_is_passed_over(public_sim: Sim) -> None:
    first, second = (one.uuid for one in slices(public_sim))
    assert take_as_user(public_sim, None) == first
    close(public_sim, "nvidia-caps/nvidia-cap13")  # GI 1, CI 0
    assert take_as_user(public_sim, None) == second
    assert take_as_user(public_sim, "0") == second
    assert take_as_user(public_sim, first).endswith("nvidia-cap13: EACCES)")


def test_integers_count_the_gpus_that_can_be_opened(public_sim: Sim) -> None:
    l40s = public_sim.show()["gpus"][1]["uuid"]
    close(public_sim, "nvidia0")
    assert take_as_user(public_sim, "0") == l40s
    assert take_as_user(public_sim, "1").startswith("no CUDA-capable device is detected")


def test_it_is_in_the_lists_until_it_ends(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=2g.20gb")
    with sim.running(memory="1.5GiB", activity=0.25) as process:
        (listed,) = sim.show()["processes"]
        assert listed["pid"] == process.pid
        assert (listed["memory"], listed["activity"]) == (3 << 29, 0.25)
    assert sim.show()["processes"] == []


def test_a_lost_gpu_takes_no_process(new_sim: Open) -> None:
    sim = new_sim("h100-80gb=2g.20gb")
    sim.lose(0)
    with pytest.raises(SimError, match="no CUDA-capable device"), sim.running():
        pass


def test_without_a_machine(tmp_path: Path) -> None:
    done = Sim(tmp_path).run()
    assert done.returncode == 1
    assert "MIGSIM_DIR names no simulated machine" in done.stderr


@pytest.mark.parametrize(
    ("text", "wanted"), [("17", 17), ("2KiB", 2048), ("1.5GiB", 3 << 29), ("512MiB", 1 << 29)]
)
def test_sizes(text: str, wanted: int) -> None:
    assert parse_bytes(text) == wanted


@pytest.mark.parametrize("text", ["2GB", "-1", "", "1 GiB"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(SimError, match="cannot read size"):
        parse_bytes(text)


def test_steps_of_memory_and_activity_are_one_list() -> None:
    steps = parse_steps("1KiB,2KiB@2", "1,0.5@1,0@3")
    found = [(step.at_ns, step.memory, step.activity) for step in steps]
    second = 10**9
    assert found == [
        (0, 1024, 1),
        (second, 1024, 0.5),
        (2 * second, 2048, 0.5),
        (3 * second, 2048, 0),
    ]


@pytest.mark.parametrize(
    ("memory", "activity", "why"),
    [
        ("1GiB@x", "1", "cannot read"),
        ("1GiB@1", "1@1", "start without"),
        ("1GiB", "2", "not between 0 and 1"),
    ],
)
def test_steps_that_are_none(memory: str, activity: str, why: str) -> None:
    with pytest.raises(SimError, match=why):
        parse_steps(memory, activity)
