"""Any valid layout of any model is discovered exactly, and survives the trip through JSON."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.present.discover import discover
from slurm_mig.gpu.present.inventory import to_json
from slurm_mig.gpu.present.inventory_reader import from_json
from slurm_mig.model import Node
from tests.gpu.repeatable import REPEATABLE
from tests.gpu.truth import assert_is_the_truth
from tests.layouts import layouts
from tests.sim import library
from tests.sim.api import Sim
from tests.sim.models import load, mig_keys

MIG_KEYS = mig_keys()
# Of one test, many machines: the environment is set anew for each.
MANY = settings(
    REPEATABLE,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def look(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> Node:
    library.load()
    monkeypatch.setenv("MIGSIM_DIR", str(sim.dir))
    with session() as nvml:
        return discover(nvml, sim.root, "n1")


@pytest.mark.usefixtures("sim_library")
@pytest.mark.parametrize("key", MIG_KEYS)
@MANY
@given(data=st.data())
def test_any_layout(key: str, data: st.DataObject, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = data.draw(layouts(load(key), without_ci=True))
    numbering = data.draw(st.sampled_from("ab"))
    gap, reversed_minors = data.draw(st.booleans()), data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as folder:
        sim = Sim.new(
            Path(folder, "sim"),
            [f"{key}={drawn}", key],
            numbering=numbering,
            gap=gap,
            reversed_minors=reversed_minors,
        )
        node = look(sim, monkeypatch)
        value = json.loads(json.dumps(to_json(node)))
        assert_is_the_truth(value, sim)
    assert node.warnings == ()
    problems: list[str] = []
    assert from_json(value, "", problems) == node, problems
