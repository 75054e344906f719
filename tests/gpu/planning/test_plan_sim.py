"""Every planned order succeeds on the simulated driver, without one refused call."""

from collections.abc import Callable
from contextlib import ExitStack
from random import Random

import pynvml
import pytest

from slurm_mig.gpu.partitioning import WantedGpu
from slurm_mig.gpu.planning.plan import plan, toward
from slurm_mig.model import Placement
from tests.gpu import driven, oracle
from tests.gpu.papergpu import random_wishes, want
from tests.sim.api import Sim
from tests.sim.models import load, mig_keys

Open = Callable[..., Sim]
CHANGES = 40


@pytest.mark.parametrize("key", ["a100-40gb", "a30-24gb", "h100-80gb", "rtx-pro-6000-96gb"])
def test_one_change_after_the_other(key: str, open_nvml: Open) -> None:
    """Among them, off and on again; after every third, back to what was, exactly."""
    sim, random = open_nvml(key), Random(key)
    for number in range(CHANGES):
        off = number % 10 == 9
        wanted = WantedGpu(mig=False) if off else random_wishes(random, load(key))
        former = driven.look(sim)
        made = plan(former, wanted)
        assert made.problems == ()
        driven.run(sim, made.steps)
        assert_reached(sim, wanted)
        if number % 3 == 0:
            driven.run(sim, toward(driven.look(sim), made.former).steps)
            assert driven.look(sim).layout == former.layout
            driven.run(sim, plan(driven.look(sim), wanted).steps)
            assert_reached(sim, wanted)


def assert_reached(sim: Sim, wanted: WantedGpu) -> None:
    live = driven.look(sim)
    assert plan(live, wanted).steps == ()
    assert live.layout.mig == wanted.mig
    names = sorted(wish.profile for wish in wanted.instances)
    assert sorted(gi.profile for gi in live.instances) == names


@pytest.mark.parametrize("key", mig_keys())
def test_every_full_layout_from_an_empty_gpu(key: str, open_nvml: Open) -> None:
    """Each multiset of which no larger one fits, all made anew."""
    sim = open_nvml(f"{key}=mig")
    sets = set(oracle.by_names(key))
    smaller = {(*names[:at], *names[at + 1 :]) for names in sets for at in range(len(names))}
    for names in sorted(sets - smaller):
        driven.run(sim, plan(driven.look(sim), WantedGpu(True)).steps)
        wanted = want(*names)
        driven.run(sim, plan(driven.look(sim), wanted).steps)
        assert_reached(sim, wanted)


@pytest.mark.parametrize("key", ["a100-40gb", "h100-80gb"])
def test_busy_instances_live_through_it(key: str, open_nvml: Open) -> None:
    """Processes on two slices: the driver would refuse to destroy these."""
    name = load(key).profiles[0].name
    sim = open_nvml(f"{key}=7x{name}")
    live = driven.look(sim)
    three = next(each.name for each in load(key).profiles if each.slices == 3)
    wanted = want(three, *[name] * 2)
    with ExitStack() as stack:
        busy = set()
        for shown in sim.show()["gpus"][0]["gpu_instances"]:
            if shown["placement"]["start"] in (1, 3):
                stack.enter_context(sim.running(shown["compute_instances"][0]["uuid"]))
                busy.add(Placement(**shown["placement"]))
        made = plan(live, wanted, frozenset(busy))
        assert made.problems == ()
        driven.run(sim, made.steps)
        assert_reached(sim, wanted)
        assert {gi.placement for gi in made.keep} == busy
        assert len(sim.show()["processes"]) == 2


def test_the_worst_order_is_never_taken(open_nvml: Open) -> None:
    """Made in the order of the wishes, without places, the 3g finds none (NVIDIA's known issue)."""
    sim = open_nvml("a100-40gb=mig")
    wanted = want("1g.5gb", "1g.5gb", "2g.10gb", "3g.20gb")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    with pytest.raises(pynvml.NVMLError_InsufficientResources):
        for wish in wanted.instances:
            profile = sim.model(0).profile(wish.profile)
            pynvml.nvmlDeviceCreateGpuInstance(gpu, profile.profile_id)
    driven.run(sim, plan(driven.look(sim), wanted).steps)
    assert_reached(sim, wanted)
