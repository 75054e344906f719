"""The JSON of an apply: a contract."""

import json

from slurm_mig.gpu.change.apply import Outcome
from slurm_mig.gpu.change.apply_json import to_json
from slurm_mig.gpu.change.transaction import DONE, NOTHING, REBOOT, GpuEnd, Result, Took
from slurm_mig.gpu.partitioning import WantedGi, WantedGpu
from slurm_mig.gpu.planning.plan import plan
from tests.gpu.laidout import live_gpu

H100 = live_gpu("h100-80gb", "3g.40gb@4")
PLAN = plan(H100, WantedGpu(True, (WantedGi("7g.80gb"),)))


def test_nothing_to_do() -> None:
    made = to_json("mig.yaml, all", Outcome(Result(NOTHING)))
    assert made == {
        "version": 1,
        "config": "mig.yaml, all",
        "outcome": "nothing",
        "good": True,
        "problem": None,
        "next_step": None,
        "seconds": 0.0,
        "took": [],
        "ends": [],
        "gpus": [],
        "clients_stopped": [],
        "nodes_made": [],
        "troubles": [],
        "remarks": [],
    }


def test_all_that_was_done() -> None:
    result = Result(
        DONE,
        gpus=(GpuEnd("GPU-1", "MIG on: 7g.80gb@0"),),
        took=(Took("GPU 0: destroy", 0.1234567),),
        seconds=1.5,
    )
    outcome = Outcome(result, (PLAN,), ("a.service",), ("/dev/x",), (), ("GPU 3 is silent",))
    made = to_json("x", outcome)
    assert json.loads(json.dumps(made)) == made
    assert made["took"] == [{"step": "GPU 0: destroy", "seconds": 0.123457}]
    assert made["ends"] == [{"gpu_uuid": "GPU-1", "holds": "MIG on: 7g.80gb@0"}]
    assert [step["step"] for step in made["gpus"][0]["steps"]] == [
        "destroy-ci",
        "destroy-gi",
        "create-gi",
        "create-ci",
    ]
    assert (made["clients_stopped"], made["nodes_made"]) == (["a.service"], ["/dev/x"])
    assert (made["good"], made["remarks"]) == (True, ["GPU 3 is silent"])


def test_what_is_not_good() -> None:
    trouble = to_json("x", Outcome(Result(DONE), troubles=("a daemon is down",)))
    assert (trouble["outcome"], trouble["good"]) == ("done", False)
    waits = to_json("x", Outcome(Result(REBOOT, "pending", "reboot the node")))
    assert (waits["good"], waits["problem"]) == (False, "pending")
    assert waits["next_step"] == "reboot the node"
