import pickle

import pytest

from slurm_mig.errors import NoSuchNode, SlurmError, SlurmNotAnswering, SlurmRefused
from slurm_mig.slurm.complaints import failure


@pytest.mark.parametrize(
    ("said", "unsent"),
    [
        ("slurm_load_node error: Unable to contact slurm controller (connect failure)", True),
        ("slurm_update error: Unable to contact slurm controller (connect failure)", True),
        ("slurm_load_jobs error: Slurm backup controller in standby mode", True),
        ("scontrol: error: connect: Connection refused", True),
        ('error: Munge encode failed: Failed to access "/run/munge/munge.socket.2"', True),
        ("slurm_load_node error: Socket timed out on send/recv operation", False),
        ("slurm_update error: Unable to contact slurm controller (receive failure)", False),
        ("slurm_update error: Zero Bytes were transmitted or received", False),
        ("slurm_reconfigure error: Protocol authentication error", False),
        ("slurm_load_jobs error: Transport endpoint is not connected", False),
    ],
)
def test_nobody_answered(said: str, unsent: bool) -> None:
    why = failure("scontrol show node", 1, said)
    assert isinstance(why, SlurmNotAnswering)
    assert why.unsent == unsent
    assert str(why) == f"`scontrol show node` failed with 1: {said}"


@pytest.mark.parametrize(
    "said",
    [
        "Node nope not found",
        "slurm_update error: Invalid node name specified",
        "squeue: error: Invalid node name nope",
        "scontrol: error: failed to delete nodes zz\ndelete_node nodename=zz: "
        "Invalid node name specified",
    ],
)
def test_there_is_no_such_node(said: str) -> None:
    assert type(failure("c", 1, said)) is NoSuchNode


@pytest.mark.parametrize(
    "said",
    [
        "slurm_update error: Invalid node state specified",
        "slurm_update error: Invalid node state transition",
        "You must specify a reason when DOWNING or DRAINING a node. Request denied",
        "delete_node nodename=n2: Requested nodes are busy",
        "slurm_update error: Access/permission denied",
        "slurm_update error: Invalid generic resource (gres) specification",
        "",
    ],
)
def test_all_else_is_a_no(said: str) -> None:
    why = failure("scontrol update", 1, said)
    assert type(why) is SlurmRefused
    assert isinstance(why, SlurmError)


def test_the_reason_stands_before_the_last_line() -> None:
    said = "a\nscontrol: error: Only State=FUTURE and State=CLOUD allowed\n\nError creating\n"
    told = str(failure("scontrol create", 1, said))
    assert told.endswith(
        "1: scontrol: error: Only State=FUTURE and State=CLOUD allowed; Error creating"
    )
    assert str(failure("scontrol create", 7, " \n")).endswith("failed with 7: it said nothing")


def test_it_comes_whole_from_another_process() -> None:
    why = pickle.loads(pickle.dumps(SlurmNotAnswering("no answer", unsent=True)))
    assert (str(why), why.unsent, why.exit_code) == ("no answer", True, 1)
