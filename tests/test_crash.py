"""kill -9 at every moment of an apply. After `recover` the node is as wanted or as before.

Never something else; and what was not in the plan was never touched: another GPU, instances that
stay, and the process that runs on one of them. Each death is that of a process of its own.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from slurm_mig.gpu.change import committed
from tests.gpu.changing import MakeScene, Scene
from tests.hooks.killing import deaths, dies


class Change(NamedTuple):
    """A repartitioning. `busy`: where a process runs, by gpu_index and start, if any stays."""

    gpus: tuple[str, ...]
    wanted: dict[int, str]
    busy: tuple[int, int] | None = None


A100, H100 = "a100-40gb=3g.20gb@4/1g.5gb@0", "h100-80gb=2g.20gb@0/3g.40gb@4/1g.10gb@2"
IN_TWO = "2g.20gb/3g.40gb:1c.3g.40gb:2c.3g.40gb/1g.10gb:none"
CHANGES = {
    "A100, MIG on and a reset": Change(("a100-40gb", A100), {0: "3g.20gb/2g.10gb"}, (1, 4)),
    "A100, MIG off and a reset": Change((A100, "a100-40gb=7x1g.5gb"), {0: "off"}, (1, 0)),
    "A100, 7x1g to 3g+2g+2x1g": Change(
        ("a100-40gb=7x1g.5gb", A100), {0: "3g.20gb/2g.10gb/2x1g.5gb"}, (1, 4)
    ),
    "H100, MIG on": Change(("h100-80gb", H100), {0: "4g.40gb/1g.20gb"}, (1, 4)),
    "H100, beside a busy instance": Change(
        (H100, "h100-80gb"), {0: "2g.20gb@0/1g.20gb/2x1g.10gb"}, (0, 0)
    ),
    "H100, other compute instances": Change((H100,), {0: IN_TWO}, (0, 0)),
    "two A30": Change(
        ("a30-24gb=2x2g.12gb", "a30-24gb=4x1g.6gb"), {0: "2g.12gb@0/2x1g.6gb", 1: "4g.24gb"}, (0, 0)
    ),
    "RTX PRO 6000, 12 units": Change(
        ("rtx-pro-6000-96gb=2g.48gb@0/2x1g.24gb", H100),
        {0: "2g.48gb@0:1c.2g.48gb:1c.2g.48gb/2g.48gb"},
        (1, 4),
    ),
}
WRITES = (
    "nvmlDeviceSetMigMode",
    "nvmlDeviceCreateGpuInstanceWithPlacement",
    "nvmlGpuInstanceCreateComputeInstance",
    "nvmlGpuInstanceCreateComputeInstanceWithPlacement",
    "nvmlComputeInstanceDestroy",
    "nvmlGpuInstanceDestroy",
)
WRITERS = ("files", "journal", "committed", "attempt", "execute", "partition", "rootfiles", "epoch")


@pytest.fixture(params=CHANGES)
def scene(request: pytest.FixtureRequest, make_scene: MakeScene) -> Iterator[Scene]:
    gpus, wanted, busy = CHANGES[request.param]
    scene = make_scene(wanted, *gpus)
    if busy is None:
        yield scene
        return
    with scene.sim.running(scene.uuid_at(*busy)) as process:
        scene.remember()
        yield scene
        assert process.poll() is None


def wanted_by(scene: Scene) -> object:
    """How the GPUs are when nothing goes wrong."""
    assert scene.again().apply().outcome == "done"
    return scene.picture()


def must_be_whole(scene: Scene, wanted: object, when: object) -> None:
    """What `recover` makes of what the dead left: if anything was changed, it goes on."""
    scene.sim.clear_faults()
    possible = (wanted,) if scene.picture() != scene.former else (scene.former, wanted)
    recovered = scene.recover()
    assert scene.picture() in possible, (when, recovered)
    assert scene.processes() == scene.busy, when
    assert scene.journal() is None, (when, recovered)
    assert not scene.leftovers(), when
    if scene.picture() == wanted:
        assert committed.read(scene.root), when
    assert scene.recover().outcome == "nothing", when


def killed_at(scene: Scene, call: str, number: int, *, late: bool) -> bool:
    """Whether there was such a call to be killed at."""
    scene.again().sim.fault(call, after=number, late=late, kill=True)
    return dies(scene.apply)


def test_killed_at_every_nvml_call(scene: Scene) -> None:
    wanted, number = wanted_by(scene), 0
    while killed_at(scene, "*", number, late=False):
        must_be_whole(scene, wanted, number)
        number += 1
    assert number > 50


@pytest.mark.parametrize("call", WRITES)
def test_killed_after_every_nvml_call_that_changes_something(scene: Scene, call: str) -> None:
    wanted, number = wanted_by(scene), 0
    while killed_at(scene, call, number, late=True):
        must_be_whole(scene, wanted, (call, number))
        number += 1


def test_killed_at_every_eleventh_line(scene: Scene) -> None:
    wanted = wanted_by(scene)
    for line in deaths(lambda: scene.again().apply, step=11, writers=WRITERS):
        must_be_whole(scene, wanted, line)


def test_killed_in_recover_too(scene: Scene) -> None:
    wanted, number = wanted_by(scene), 7
    while killed_at(scene, "*", number, late=False):
        for again in range(5, 1000, 41):
            scene.sim.clear_faults()
            scene.sim.fault("*", after=again, kill=True)
            if not dies(scene.recover):
                break
        must_be_whole(scene, wanted, number)
        number += 23
