"""A plan as JSON: all that a program needs, in words that stay."""

import json

from slurm_mig.gpu.partitioning import GiSpec, Layout
from slurm_mig.gpu.planning.plan import plan, to_json, toward
from slurm_mig.model import Placement
from tests.gpu.papergpu import UUID, paper, want


def test_all_of_a_plan() -> None:
    live = paper("a100-40gb", "3g.20gb@4:1c/1g.5gb@0:none").live()
    made = plan(live, want("3g.20gb", "2g.10gb@0:none"), frozenset({Placement(4, 4)}))
    ci = {"ci_profile": "1c.3g.20gb", "ci_profile_id": 0, "start": 0}
    whole = {"ci_profile": "3g.20gb", "ci_profile_id": None, "start": None}
    high, low = {"start": 4, "size": 4}, {"start": 0, "size": 1}
    three = {"gi_id": 101, "profile": "3g.20gb", "placement": high}
    written = json.loads(json.dumps(to_json([made])))
    assert written == {
        "version": 1,
        "gpus": [
            {
                "gpu_index": 0,
                "uuid": UUID,
                "name": "NVIDIA A100-SXM4-40GB",
                "pci_bus_id": "00000000:07:00.0",
                "former": {
                    "mig": True,
                    "instances": [
                        {"profile": "1g.5gb", "placement": low, "cis": []},
                        {"profile": "3g.20gb", "placement": high, "cis": [ci]},
                    ],
                },
                "target": {
                    "mig": True,
                    "instances": [
                        {"profile": "2g.10gb", "placement": {"start": 0, "size": 2}, "cis": []},
                        {"profile": "3g.20gb", "placement": high, "cis": [whole]},
                    ],
                },
                "keep": [three],
                "steps": [
                    {"step": "destroy-ci", "profile": "3g.20gb", "placement": high, "ci": ci},
                    {"step": "destroy-gi", "profile": "1g.5gb", "placement": low},
                    {"step": "create-ci", "placement": high, "ci": whole},
                    {
                        "step": "create-gi",
                        "profile": "2g.10gb",
                        "placement": {"start": 0, "size": 2},
                    },
                ],
                "needs_reset": False,
                "first_gi": False,
                "unsolved": False,
                "problems": list(made.problems),
                "in_the_way": [three],
                "impossible": None,
            }
        ],
    }
    assert len(made.problems) == 1


def test_modes_and_resets() -> None:
    made = plan(paper("a100-40gb", "off").live(), want())
    (gpu,) = to_json([made])["gpus"]
    assert gpu["steps"] == [{"step": "set-mode", "on": True}, {"step": "reset"}]
    assert gpu["needs_reset"]


def test_why_it_is_impossible() -> None:
    live = paper("a100-40gb").live()
    made = plan(live, want("2g.10gb@6", "1g.5gb:none", "3g.20gb:1c"))
    (gpu,) = json.loads(json.dumps(to_json([made])))["gpus"]
    assert gpu["impossible"] == {
        "reasons": [
            {
                "why": "no-such-start",
                "text": "2g.10gb cannot start at 6, only at 0, 2, 4",
                "profiles": ["2g.10gb"],
                "blocked_by": [],
            }
        ],
        "nearest": [
            {"profile": "2g.10gb", "start": None, "cis": None},
            {"profile": "1g.5gb", "start": None, "cis": []},
            {"profile": "3g.20gb", "start": None, "cis": ["1c.3g.20gb"]},
        ],
    }
    assert gpu["steps"] == []


def test_who_blocks() -> None:
    """A damaged journal: what is to come lies on what is to stay."""
    live = paper("a100-40gb", "3g.20gb@4").live()
    new = GiSpec("1g.5gb", Placement(5, 1), ())
    made = toward(live, Layout(True, (*live.layout.instances, new)))
    (gpu,) = to_json([made])["gpus"]
    (reason,) = gpu["impossible"]["reasons"]
    assert reason["why"] == "blocked"
    assert reason["blocked_by"] == [
        {"profile": "3g.20gb", "placement": {"start": 4, "size": 4}},
    ]
    assert gpu["impossible"]["nearest"] == [{"profile": "1g.5gb", "start": None, "cis": None}]


def test_no_gpus() -> None:
    assert to_json([]) == {"version": 1, "gpus": []}
