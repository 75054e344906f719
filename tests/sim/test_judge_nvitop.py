"""nvitop judges the simulated library: its device list, CUDA_VISIBLE_DEVICES, processes.

nvitop keeps what it found for the life of a process, so each question gets a process.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.sim.api import Sim
from tests.sim.truth import slices

NewSim = Callable[..., Sim]

LIST = """
import json
from nvitop import Device, MigDevice
gpus = [[d.index, d.name(), d.uuid(), d.is_mig_mode_enabled()] for d in Device.all()]
migs = [
    [*d.index, d.name(), d.uuid(), d.gpu_instance_id(), d.compute_instance_id(), d.memory_total()]
    for d in MigDevice.all()
]
print(json.dumps([gpus, migs]))
"""
PARSE = """
import json, sys
from nvitop import Device
print(json.dumps(Device.parse_cuda_visible_devices(sys.argv[1])))
"""
PROCESSES = """
import json
from nvitop import Device
print(json.dumps([
    [list(leaf.index) if isinstance(leaf.index, tuple) else leaf.index,
     pid, process.gpu_instance_id(), process.compute_instance_id(), process.gpu_memory()]
    for gpu in Device.all()
    for leaf in gpu.to_leaf_devices()
    for pid, process in leaf.processes().items()
]))
"""


def nvitop(sim: Sim, script: str, *arguments: str) -> Any:
    """What a Python process with nvitop prints on this machine."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **sim.env()},
    )
    return json.loads(done.stdout)


MACHINES = [
    ("a100-40gb",),
    ("l40s", "a100-80gb=3g.40gb@4/2g.20gb@0/1g.10gb@2:1c"),
    ("h100-80gb=7x1g.10gb", "h100-80gb=mig", "h100-80gb"),
    ("a30-24gb=2x2g.12gb", "b200-180gb=7g.180gb:3c:2c:1c"),
    ("rtx-pro-6000-96gb=1g.24gb+me.all@0/2g.48gb-me@6:1c:1c", "gh200-96gb=3g.48gb@0:2c:1c"),
    ("h100-nvl-94gb=1g.12gb+me@0/1g.24gb@2", "h200-141gb=4g.71gb@0/3g.71gb@4"),
]


@pytest.mark.parametrize("gpus", MACHINES, ids="+".join)
def test_the_same_devices(gpus: tuple[str, ...], new_sim: NewSim) -> None:
    sim = new_sim(*gpus)
    listed_gpus, listed_migs = nvitop(sim, LIST)
    assert [gpu[0] for gpu in listed_gpus] == list(range(len(gpus)))
    assert [gpu[3] for gpu in listed_gpus] == ["=" in gpu for gpu in gpus]
    expected = [
        [*mig.place, mig.device_name, mig.uuid, mig.gi_id, mig.ci_id, mig.memory_mib << 20]
        for mig in slices(sim)
    ]
    assert listed_migs == expected


def test_cuda_visible_devices_names_the_same_slice(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=3g.20gb@4:2c:1c/1g.5gb@0", "h100-80gb=1g.10gb@6")
    for mig in slices(sim):
        old_spelling = f"MIG-{mig.gpu_uuid}/{mig.gi_id}/{mig.ci_id}"
        for name in (mig.uuid, old_spelling):
            assert nvitop(sim, PARSE, name) == [list(mig.place)]


def test_cuda_sees_one_mig_device_only(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=2x3g.20gb", "l40s")
    first, second = slices(sim)
    assert nvitop(sim, PARSE, f"{second.uuid},{first.uuid}") == [list(second.place)]
    assert nvitop(sim, PARSE, "0,1") == [list(first.place)]
    assert nvitop(sim, PARSE, "1") == [1]
    assert nvitop(sim, PARSE, "MIG-00000000-0000-0000-0000-000000000000") == []


def test_processes_are_on_their_slices(new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0", "l40s")
    third = slices(sim)[2]
    with (
        sim.running(third.uuid, memory="2GiB") as on_slice,
        sim.running("1", memory="512MiB") as on_gpu,
    ):
        found = nvitop(sim, PROCESSES)
    mib = 1 << 20
    assert [list(third.place), on_slice.pid, third.gi_id, third.ci_id, 2048 * mib] in found
    assert [1, on_gpu.pid, "N/A", "N/A", 512 * mib] in found
    assert len(found) == 2
