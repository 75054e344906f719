"""Other people's programs see, from processes of their own, what an apply has made.

nvitop and Slurm's gpu_nvml plugin, after each of several applies on one machine.
"""

from collections.abc import Callable, Sequence

import pytest

from slurm_mig.gpu.change.apply import run
from tests.cluster.roots import GATING
from tests.gpu.applying import Here, here, layout, request
from tests.sim.api import Sim
from tests.sim.test_judge_nvitop import LIST, PROCESSES, nvitop
from tests.sim.test_judge_slurm import ask, assert_same, slurm_type
from tests.sim.truth import slices

# What a machine is, and what is then applied to it, one after the other, with what must be there.
# Placements are said where several are possible.
Way = tuple[tuple[str, ...], Sequence[dict[str, str]]]
WAYS: dict[str, Way] = {
    "ampere, from off": (
        ("a100-40gb", "a100-40gb"),
        [
            {"gpu0": "3g.20gb@4/2g.10gb@0/1g.5gb@2"},
            {"gpu0": "7g.40gb@0", "gpu1": "3g.20gb@0/3g.20gb@4"},
            {"gpu0": "1g.5gb@0/1g.5gb@1", "gpu1": "off"},
        ],
    ),
    "hopper, and back": (
        ("h100-80gb=7x1g.10gb", "l40s"),
        [
            {"gpu0": "1g.10gb@0/1g.10gb@1/2g.20gb@2/3g.40gb@4"},
            {"gpu0": "/".join(f"1g.10gb@{at}" for at in range(7))},
            {"gpu0": "1g.20gb@0/1g.20gb@2/3g.40gb@4"},
        ],
    ),
    "blackwell, twelve units": (
        ("rtx-pro-6000-96gb",),
        [{"gpu0": "2g.48gb@0/1g.24gb@6/1g.24gb@9"}, {"gpu0": "4g.96gb@0"}],
    ),
}


@pytest.fixture
def machine(new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch) -> Here:
    return here(new_sim, monkeypatch)


def in_order(text: str) -> list[str]:
    return sorted(text.split("/"))


@pytest.mark.parametrize("name", WAYS)
def test_nvitop_and_slurm_see_it(name: str, machine: Here) -> None:
    gpus, applies = WAYS[name]
    sim = machine(*gpus, nodes=False)
    for wanted in applies:
        outcome = run(request(sim, None, **wanted))
        assert (outcome.result.outcome, outcome.good) == ("done", True), outcome
        for gpu, text in wanted.items():
            assert in_order(layout(sim, int(gpu[3:]))) == in_order(text)
        _, listed = nvitop(sim, LIST)
        assert listed == [
            [*mig.place, mig.device_name, mig.uuid, mig.gi_id, mig.ci_id, mig.memory_mib << 20]
            for mig in slices(sim)
        ]
        for version in GATING:
            types = [slurm_type(version, mig) for mig in slices(sim)]
            types += whole_gpus(sim)
            answer = ask(version, sim, types)
            if whole_gpus(sim):
                sliced = {mig.files for mig in slices(sim)}
                assert answer.returncode == 0, answer.log
                assert sliced <= {record.files for record in answer.records}, answer.log
            else:
                assert_same(version, sim, answer)


def whole_gpus(sim: Sim) -> list[str]:
    """Slurm's types of the GPUs that are not divided."""
    return [
        gpu["name"].lower().replace(" ", "_")
        for gpu in sim.show()["gpus"]
        if not gpu["mig_mode"]["current"]
    ]


def test_nvitop_sees_who_runs_on_what_stayed(machine: Here) -> None:
    sim = machine("h100-80gb=7x1g.10gb")
    kept = slices(sim)[0]
    with sim.running(kept.uuid, memory="512MiB") as process:
        assert run(request(sim, gpu0="1g.10gb@0/3g.40gb@4")).good
        found = nvitop(sim, PROCESSES)
    assert [one[1:4] for one in found] == [[process.pid, kept.gi_id, kept.ci_id]]


def test_a_cuda_process_can_use_what_was_made(machine: Here) -> None:
    """It opens the device nodes that apply made."""
    sim = machine("a100-80gb", nodes=False)
    assert run(request(sim, gpu0="4g.40gb/1g.10gb")).good
    for mig in slices(sim):
        done = sim.run("--seconds", "0", env={"CUDA_VISIBLE_DEVICES": mig.uuid})
        assert done.returncode == 0, done.stdout + done.stderr
        assert ",".join(mig.files) in done.stdout


def test_slices_of_the_former_layout_are_nowhere_any_more(machine: Here) -> None:
    sim = machine("h100-80gb=2x3g.40gb")
    before = {mig.uuid for mig in slices(sim)}
    assert run(request(sim, gpu0="1g.10gb@0")).good
    _, listed = nvitop(sim, LIST)
    assert not before & {mig[3] for mig in listed}
