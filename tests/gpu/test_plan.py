"""From any layout to any other, with the fewest destroys, in an order that no driver refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.gpu.partitioning import Layout, WantedGpu
from slurm_mig.gpu.plan import plan, to_json, toward
from tests.gpu.papergpu import paper, wishes
from tests.gpu.repeatable import REPEATABLE
from tests.layouts import layouts
from tests.sim.models import load, mig_keys


@pytest.mark.parametrize("key", mig_keys())
@REPEATABLE
@given(data=st.data())
def test_any_layout_becomes_any_other(key: str, data: st.DataObject) -> None:
    model = load(key)
    gpu = paper(key, data.draw(layouts(model, without_ci=True)))
    wanted = data.draw(wishes(model))
    former = gpu.live()
    made = plan(former, wanted)
    assert made.problems == ()
    json.dumps(to_json([made]))
    gpu.run(made.steps)
    assert plan(gpu.live(), wanted).steps == ()
    assert toward(gpu.live(), made.target).steps == ()
    back = toward(gpu.live(), made.former)
    gpu.run(back.steps)
    assert gpu.live().layout == former.layout


@pytest.mark.parametrize("key", mig_keys())
def test_on_and_off(key: str) -> None:
    gpu = paper(key, "balanced")
    off = plan(gpu.live(), WantedGpu(False))
    gpu.run(off.steps)
    assert gpu.live().layout == Layout(False)
    assert plan(gpu.live(), WantedGpu(False)).steps == ()
    gpu.run(toward(gpu.live(), off.former).steps)
    assert gpu.live().layout == off.former
