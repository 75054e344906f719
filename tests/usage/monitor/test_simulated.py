"""The monitor over nvidia-ml-py and the simulated library: jobs with known curves, no fakes.

The machine's clock stands still, and is moved on together with the monitor's.
"""

import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.gpu.nvml.port import MigInfo
from slurm_mig.gpu.nvml.usage_adapter import usage_session
from slurm_mig.gpu.nvml.usage_port import UsageNvml
from slurm_mig.model import GpuIndex
from slurm_mig.usage.metrics.drift import Drift, by_driver, by_nvml
from slurm_mig.usage.metrics.instances import live
from slurm_mig.usage.metrics.sources import MapSlice
from tests.fake_usage import Load, Step, UsageMachine, energy_j
from tests.sim import library
from tests.sim.api import Sim
from tests.usage.monitor.scene import Scene
from tests.usage.monitor.test_truth import (
    LONGEST_S,
    ROUNDED,
    Done,
    Run,
    changes,
    check,
    memory_of,
    usage,
)

MIB = 1 << 20
LAYOUTS = ("a100-40gb=3g.20gb@4/2x1g.5gb", "h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0")
IDLE_MIB = {"1g": 9.0, "2g": 17.0, "3g": 26.0}


class SimMachine(UsageMachine):
    """A UsageMachine whose GPUs are the simulator's; what it says itself is the truth only."""

    sim: Sim

    @contextmanager
    def session(self) -> Iterator[UsageNvml]:  # type: ignore[override]
        self.opened += 1
        self.sessions += 1
        try:
            with usage_session() as nvml:
                yield nvml
        finally:
            self.opened -= 1

    def gpu_uuid(self, gpu_index: int) -> str:
        uuid: str = self.sim.show()["gpus"][gpu_index]["uuid"]
        return uuid

    def mig_devices(self, gpu_index: int) -> tuple[MigInfo, ...]:
        with usage_session() as nvml:
            return nvml.mig_devices(GpuIndex(gpu_index))


class SimScene(Scene):
    """A node whose GPUs are the simulator's."""

    def make_machine(self, layouts: Sequence[str]) -> UsageMachine:
        machine = SimMachine(layouts, self.clock.boottime_s)
        machine.sim = Sim(self.root.parent / "sim")
        return machine

    def move_on(self, seconds: float) -> None:
        """Both clocks go on."""
        assert isinstance(self.machine, SimMachine)
        self.machine.sim.advance(seconds)
        self.clock.now_s += seconds

    @contextmanager
    def process(  # type: ignore[override]
        self, job_id: int, place: int, steps: Sequence[Step], seconds: float
    ) -> Iterator[Load]:
        """A live process of a job on a slice, known to the simulator."""
        assert isinstance(self.machine, SimMachine)
        mig, gpu = self.gres[place]["mig"], self.gres[place]["gpu_index"]
        with subprocess.Popen(["/bin/sleep", "600"]) as child:
            now_s = self.clock.now_s
            load = Load(
                child.pid, gpu, mig["gi_id"], mig["ci_id"], now_s, now_s + seconds, tuple(steps)
            )
            known = [
                library.Step(round(one.at_s * 1e9), round(one.memory_mib * MIB), one.activity)
                for one in steps
            ]
            at = (gpu, mig["gi_id"], mig["ci_id"])
            assert library.add_process(self.machine.sim.dir, child.pid, 0, at, known) == 0
            super().process(child.pid, job_id, start=1)
            try:
                yield load
            finally:
                library.call("process_remove", self.machine.sim.dir, child.pid)
                child.kill()


@pytest.fixture
def node(sim_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimScene:
    sim = Sim.new(tmp_path / "sim", LAYOUTS, nodes=False)
    sim.freeze()
    monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
    library.load()
    return SimScene(tmp_path / "node", *LAYOUTS)


def test_random_jobs_are_recorded_as_they_were(node: SimScene) -> None:
    chance = random.Random(11)
    for job_id in range(1, 25):
        place = chance.randrange(len(node.gres))
        done = one_job(node, chance, job_id, place)
        shared, gres = done.run.shared, node.gres[place]
        told = usage(done)
        idle = IDLE_MIB[gres["type"].split(".")[0]] if not shared else 0.0
        value = memory_of(done.run, idle)
        names = ("min_mib", "mean_mib", "peak_mib")
        check(done, told["memory"], names, value, changes(done.run))
        assert told["processes"]["peak"] == 1
        check_curve(done)
        check_activity(node, done, gres["gpu_index"])
        if done.last_s > done.first_s:
            assert told["energy"]["joules"] <= done.record["power"][0]["joules"]
        else:
            assert told["energy"] is None  # one look at a counter tells nothing


def one_job(node: SimScene, chance: random.Random, job_id: int, place: int) -> Done:
    """Beginning, rounds, and end."""
    seconds = chance.choice((0.5, 4.0, 12.0))
    times = sorted(chance.uniform(0, seconds) for _ in range(chance.randrange(4)))
    steps = [Step(at, float(chance.randrange(1, 4000)), chance.random()) for at in (0.0, *times)]
    node.begin(job_id, place)
    with node.process(job_id, place, steps, seconds) as load:
        node.look()
        first_s = last_s = node.clock.now_s
        while node.clock.now_s < load.ends_s - LONGEST_S:
            node.move_on(chance.uniform(0.7, 1.3))
            node.monitor.round()
            last_s = node.clock.now_s
        node.move_on(load.ends_s - node.clock.now_s - 1e-6)
        record = node.end(job_id)
    node.look()
    shared = node.gres[place]["type"].startswith(("1c", "2c"))
    return Done(Run(job_id, place, [load], load.ends_s, shared), record, first_s, last_s)


def check_curve(done: Done) -> None:
    """It has the peak, and of the activity the mean, of the whole job."""
    told, found = usage(done)["curve"], usage(done)
    assert max(told["memory_peak_mib"]) == round(found["memory"]["peak_mib"])
    assert (told["from_s"], told["bucket_s"]) == (0.0, 2.0)
    activity = found["activity"]
    assert (told["sm_mean"] is None) == (activity is None)
    if activity is not None:
        known = [one for one in told["sm_mean"] if one is not None]
        assert min(known) - 0.006 <= activity["sm"]["mean"] <= max(known) + 0.006


def check_activity(node: SimScene, done: Done, gpu: int) -> None:
    """Exact on Hopper; unknown before it."""
    told, (load,) = usage(done)["activity"], done.run.loads
    if not node.machine.models[gpu].gpm:
        assert told is None
    elif done.last_s > done.first_s:
        busy = load.total(lambda step: step.activity, done.first_s, done.last_s)
        expected = busy / (done.last_s - done.first_s)
        assert told["graphics"]["mean"] == pytest.approx(expected, abs=ROUNDED)
        assert told["dram_bandwidth"]["mean"] == pytest.approx(0.6 * expected, abs=ROUNDED)


def test_shares_of_jobs_side_by_side_are_never_more_than_the_gpu_used(node: SimScene) -> None:
    places = [at for at, one in enumerate(node.gres) if one["gpu_index"] == 1]
    for at in places:
        node.begin(100 + at, at)
    node.look()
    with usage_session() as nvml:
        before = nvml.energy_mj(GpuIndex(1))
        for _ in range(5):
            node.move_on(1.0)
            node.monitor.round()
        after = nvml.energy_mj(GpuIndex(1))
    assert before is not None and after is not None
    spent = (after - before) / 1000
    given = [usage_of(node, 100 + at)["energy"]["joules"] for at in places]
    assert sum(given) == pytest.approx(spent * 4 / 7, rel=1e-3)  # 2c, 1c and 1g of seven
    assert spent > sum(given)
    assert energy_j(node.machine, 1, node.clock.now_s) > 0


def usage_of(node: SimScene, job_id: int) -> dict[str, dict[str, float]]:
    return node.usage(job_id)


def test_errors_and_memory_errors(node: SimScene) -> None:
    assert isinstance(node.machine, SimMachine)
    sim = node.machine.sim
    node.begin(7, 0)
    node.look()
    mig = node.gres[0]["mig"]
    sim.xid(0, 94, mig["gi_id"], mig["ci_id"])
    sim.xid(0, 79)
    sim.ecc(0, 3, gi_id=mig["gi_id"])
    node.move_on(1.0)
    node.monitor.round()
    assert node.usage(7)["errors"] == {
        "xids": [
            {"xid": 94, "count": 1, "attributed": True},
            {"xid": 79, "count": 1, "attributed": False},
        ],
        "ecc_sram_uncorrected": 3,
    }


def test_a_gpu_that_falls_off_the_bus_and_comes_back(node: SimScene) -> None:
    assert isinstance(node.machine, SimMachine)
    node.begin(7, 0)
    node.begin(8, len(node.gres) - 1)
    node.look()
    for step in range(30):
        if step in (3, 10):
            node.machine.sim.lose(0, step == 3)
        node.move_on(1.0)
        node.look()
        node.monitor.round()
    seven, eight = node.usage(7), node.usage(8)
    assert seven["gaps"] == 1
    assert seven["sampled_s"] + seven["gap_s"] == pytest.approx(30)
    assert (eight["gaps"], eight["sampled_s"]) == (0, 30.0)


def test_a_repartition_by_others_ends_the_sampling_of_what_is_gone(node: SimScene) -> None:
    assert isinstance(node.machine, SimMachine)
    node.begin(7, 0)
    node.look()
    for step in range(20):
        if step == 3:
            node.machine.sim.partition(0, "7g.40gb")
        node.move_on(1.0)
        node.monitor.round()
    (one,) = node.monitor.snapshot().slices
    assert one.gone
    assert node.usage(7)["memory"]["peak_mib"] < 100


def test_nvml_and_the_driver_s_tree_tell_the_same_layout(node: SimScene) -> None:
    assert isinstance(node.machine, SimMachine)
    root, the_map = node.machine.sim.root, [mapped(one) for one in node.gres]
    assert live(root) == frozenset((one.gpu_minor, one.gi_id, one.ci_id) for one in the_map)
    node.begin(7, 0)
    node.look()
    assert by_nvml(the_map, node.monitor.snapshot().layout) == Drift()
    node.machine.sim.partition(0, "7g.40gb")
    for _ in range(5):  # the event ends the session, and the next one looks again
        node.move_on(1.0)
        node.monitor.round()
    drift = by_nvml(the_map, node.monitor.snapshot().layout)
    assert drift == by_driver(the_map, live(root) or frozenset())
    assert {place[0] for place in drift.gone} == {place[0] for place in drift.new} == {0}
    assert (len(drift.gone), len(drift.new)) == (3, 1)


def mapped(one: dict[str, Any]) -> MapSlice:
    """A slice as the metrics have it of the map."""
    mig = one["mig"]
    return MapSlice(
        one["gpu_index"], one["gpu_minor"], one["gpu_uuid"], "GPU", one["type"],
        one["gres_index"], mig["gi_id"], mig["ci_id"], mig["profile"], mig["uuid"], None,
    )  # fmt: skip
