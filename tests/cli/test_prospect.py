"""What a dry run tells."""

import json

import pytest

from slurm_mig.cli.prospect import show, to_json
from slurm_mig.gpu.planning.plan import plan
from slurm_mig.reconfigure.begin import Prospect
from slurm_mig.slurm.controller.client import GresCount, Job, NodeState
from slurm_mig.slurm.demand import Stranded
from tests.gpu.changing import wish
from tests.gpu.laidout import live_gpu

H100 = live_gpu("h100-80gb", "3g.40gb@4/2g.20gb@0")
L40S = live_gpu("l40s", gpu_index=1)
NODE = NodeState(
    *("n1", frozenset({"IDLE"}), "", None, None, (), None, "24.11.5", None, 16, (), ("main",)),
    *("127.0.0.1", "n1"),
)
JOB = Job(
    *(7, "7_3", "eva", "train", "RUNNING", "main", ("n1",), 60, 1_800_000_000.0),
    (GresCount("gpu", "2g.20gb", 1),),
)
LOST = Stranded("9", "bob", "gpu:2g.20gb:1", "no node has 2g.20gb", True)


def prospect(**changes: object) -> Prospect:
    wanted = wish("7x1g.10gb")
    made = Prospect(
        NODE, (plan(H100, wanted),), (L40S,), {H100.info.uuid: wanted}, (), {"way": "reconfigure"},
        (), True, {},
    )  # fmt: skip
    return made._replace(**changes)  # type: ignore[arg-type]


def told(capsys: pytest.CaptureFixture[str], found: Prospect) -> list[str]:
    show("n1", "seven", found, as_json=False)
    return capsys.readouterr().out.splitlines()


def test_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, prospect())
    assert lines[0].startswith("n1, seven: 1 GPU of 1 to change")
    assert lines[-2:] == [
        "waits for no job",
        "told to Slurm by: slurm.conf and `scontrol reconfigure`",
    ]


def test_who_is_waited_for_and_who_is_stranded(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, prospect(jobs=(JOB,), stranded=(LOST,)))
    waits, strands = lines[-3:-1]
    assert waits.startswith("waits for job 7_3 of eva (train), until 2027-01-1")
    assert strands.startswith("strands job 9 of bob, which waits for gpu:2g.20gb:1")
    assert "waits for no job" not in lines


def test_a_node_that_is_drained_already(capsys: pytest.CaptureFixture[str]) -> None:
    drained = NODE._replace(state=frozenset({"IDLE", "DRAIN"}), reason="a fan is loud")
    assert "drained already: a fan is loud" in told(capsys, prospect(node=drained))
    silent = drained._replace(reason="")
    assert "drained already: without a reason" in told(capsys, prospect(node=silent))


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("restart", "slurm.conf and a restart of slurmctld"),
        ("dynamic", "`scontrol delete` and `slurmd -Z --conf`"),
        ("another", "its way"),
    ],
)
def test_how_slurm_is_told(capsys: pytest.CaptureFixture[str], way: str, words: str) -> None:
    assert told(capsys, prospect(notes={"way": way}))[-1] == f"told to Slurm by: {words}"


def test_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    same = (plan(H100, wish("3g.40gb@4/2g.20gb@0")),)
    assert told(capsys, prospect(plans=same))[-1] == ("n1: nothing to do: Slurm has what is there")
    # The GPUs are as wanted, and Slurm does not know it.
    assert told(capsys, prospect(plans=same, right=False))[-2] == "waits for no job"


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = prospect(jobs=(JOB,), stranded=(LOST,))
    show("n1", "seven", found, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(to_json("n1", "seven", found)))
    assert (said["version"], said["node"], said["config"]) == (1, "n1", "seven")
    assert (said["changes"], said["left_alone"], said["way"]) == (True, [1], "reconfigure")
    assert said["jobs"] == [
        {
            "job_id": 7,
            "shown": "7_3",
            "user": "eva",
            "name": "train",
            "end_time": 1_800_000_000.0,
        }
    ]
    assert said["stranded"][0]["user"] == "bob"
    assert len(said["gpus"]) == 1
