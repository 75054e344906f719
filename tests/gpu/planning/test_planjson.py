"""The JSON of a plan: a contract."""

import json

from slurm_mig.gpu.partitioning import WantedGi, WantedGpu
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.gpu.planning.plan import plan
from slurm_mig.gpu.planning.planjson import to_json
from slurm_mig.model import Placement
from tests.gpu.laidout import live_gpu

GPU, OTHER = live_gpu("a100-40gb", "3g.20gb@4/1g.5gb@0"), live_gpu("l40s", gpu_index=1)
EVA = ("process 7 of eva",)
SEEN = Occupied({GPU.info.uuid: {Placement(4, 4): EVA}}, {GPU.info.uuid: EVA}, ("something",))


def told(*instances: WantedGi, seen: Occupied = SEEN) -> "dict[str, object]":
    plans = [plan(GPU, WantedGpu(True, instances), seen.busy(GPU))]
    made = to_json("mig.yaml", "x", plans, [OTHER], seen, ["assumed"])
    return dict(json.loads(json.dumps(made)))


def test_what_is_beside_the_plans() -> None:
    value = told(WantedGi("3g.20gb"))
    plans = value.pop("gpus")
    assert value == {
        "version": 1,
        "file": "mig.yaml",
        "config": "x",
        "possible": True,
        "changes": True,
        "left_alone": [1],
        "unseen": ["something"],
        "assumed": ["assumed"],
    }
    assert isinstance(plans, list)
    (only,) = plans
    assert only["gpu_index"] == 0
    assert only["in_use"] == [{"placement": {"start": 4, "size": 4}, "by": list(EVA)}]
    assert only["open_by"] == list(EVA)
    assert [step["step"] for step in only["steps"]] == ["destroy-ci", "destroy-gi"]


def test_nothing_to_do() -> None:
    value = told(WantedGi("3g.20gb"), WantedGi("1g.5gb"))
    assert (value["possible"], value["changes"]) == (True, False)


def test_not_possible() -> None:
    assert told(WantedGi("7g.40gb"))["possible"] is False
    assert told(WantedGi("7g.40gb"), seen=Occupied())["possible"] is True
    assert told(WantedGi("7g.40gb"), WantedGi("1g.5gb"), seen=Occupied())["possible"] is False
