"""RebootProgram repartitions, or reboots, or does neither: never the one for the other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import Refused, SlurmMigError, SlurmNotAnswering
from slurm_mig.reconfigure import drained
from slurm_mig.reconfigure.reboot import desired, orders
from slurm_mig.reconfigure.reboot.desired import Order, Wanted
from slurm_mig.reconfigure.reboot.orders import Carried
from slurm_mig.reconfigure.reboot.program import Named, Task, decide, node_name
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.slurm.daemon import host_name
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient

FOLDER = "/desired"
CHOSEN = ReconfigureSettings(desired_dir=FOLDER, config_file="/etc/mig.yaml")
RUN, ORDER = "0a1b2c3d", "4e5f6071"
WANTED = Wanted(RUN, "mixed", "version: v1\n", ("n1",))
OURS = f"{drained.reason(RUN, 'mixed')} : reboot issued"


class Ask:
    """slurmctld, which has the node with this reason; whether it was asked."""

    def __init__(self, reason: str) -> None:
        self.slurm = FakeSlurm(SlurmVersion(24, 11, 5))
        node = self.slurm.add("n1", "gpu:1g.10gb:7")
        node.down, node.reason, node.flags = True, reason, {"DRAIN", "REBOOT_ISSUED"}
        self.asked = 0

    def __call__(self) -> NodeState:
        self.asked += 1
        return FakeSlurmClient(self.slurm).node("n1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def order(root: Path) -> Order:
    """One that waits for n1."""
    made = Order(RUN, ORDER)
    desired.write_wanted(root, FOLDER, WANTED)
    desired.write_order(root, FOLDER, "n1", made)
    return made


def over(root: Path) -> None:
    orders.write(root, Carried(RUN, ORDER, "done"))


def test_an_order_that_slurmctld_confirms_is_carried_out(root: Path, order: Order) -> None:
    assert decide(root, "n1", CHOSEN, Ask(OURS)) == Task(order, WANTED)


def test_one_that_was_cut_short_goes_on(root: Path, order: Order) -> None:
    ask = Ask(f"slurm-mig recover [{RUN}]: PUBLISH failed: no : reboot issued")
    assert decide(root, "n1", CHOSEN, ask) == Task(order, WANTED)


@pytest.mark.parametrize("reason", ["", "reboot requested", OURS])
def test_where_nothing_is_wanted_it_is_a_reboot(root: Path, reason: str) -> None:
    ask = Ask(reason)
    assert decide(root, "n1", CHOSEN, ask) is None
    assert ask.asked == 0  # a reboot needs no slurmctld


def test_what_is_wanted_of_others_is_not_of_this_node(root: Path, order: Order) -> None:
    assert decide(root, "n2", CHOSEN, Ask(OURS)) is None


def test_an_order_is_carried_out_once(root: Path, order: Order) -> None:
    """24.11 leaves the reason of the last order on a node that is in service again."""
    over(root)
    assert decide(root, "n1", CHOSEN, Ask(OURS)) is None
    again = Order(RUN, "ffffffff")
    desired.write_order(root, FOLDER, "n1", again)
    assert decide(root, "n1", CHOSEN, Ask(OURS)) == Task(again, WANTED)


@pytest.mark.parametrize(
    "reason",
    ["", "a fan is loud", "Reboot ASAP : reboot issued", "slurm-mig reconfigure [ffffffff] to x"],
)
def test_an_order_that_nobody_confirms_is_neither(root: Path, order: Order, reason: str) -> None:
    with pytest.raises(Refused, match="neither repartitioned nor rebooted") as why:
        decide(root, "n1", CHOSEN, Ask(reason))
    assert f"{FOLDER}/nodes/n1.json" in str(why.value)
    assert "--resume" in str(why.value)


def test_an_order_that_nobody_can_confirm_is_neither(root: Path, order: Order) -> None:
    def ask() -> NodeState:
        raise SlurmNotAnswering("Unable to contact slurm controller")

    with pytest.raises(SlurmNotAnswering):
        decide(root, "n1", CHOSEN, ask)


SPOIL: dict[str, Callable[[Path], object]] = {
    "the order": lambda root: (root / "desired/nodes/n1.json").write_text("{"),
    "what is wanted": lambda root: (root / f"desired/{RUN}.json").unlink(),
    "the node's record": lambda root: _own(root).write_text("{"),
    "who may write": lambda root: (root / "desired").chmod(0o777),
}


def _own(root: Path) -> Path:
    over(root)
    return root / "var/lib/slurm-mig/reboot.json"


@pytest.mark.parametrize("what", SPOIL)
def test_what_cannot_be_read_is_neither(root: Path, order: Order, what: str) -> None:
    SPOIL[what](root)
    with pytest.raises(SlurmMigError):
        decide(root, "n1", CHOSEN, Ask(OURS))


def test_a_named_action_needs_no_other_word(root: Path, order: Order) -> None:
    ask = Ask("whatever")
    assert decide(root, "n1", CHOSEN, ask, Named("mixed")) == Task(order, WANTED)
    assert ask.asked == 0


def test_another_action_than_the_run_s_is_neither(root: Path, order: Order) -> None:
    for named in (Named("seven"), Named(rollback=True)):
        with pytest.raises(Refused, match="run 0a1b2c3d wants mixed"):
            decide(root, "n1", CHOSEN, Ask(OURS), named)


def test_the_way_back_is_carried_out_and_no_label(root: Path, order: Order) -> None:
    back = Wanted(RUN, "", "", ("n1",), rollback=True)
    desired.write_wanted(root, FOLDER, back)
    for named in (None, Named(rollback=True)):
        assert decide(root, "n1", CHOSEN, Ask(OURS), named) == Task(order, back)
    with pytest.raises(Refused, match="run 0a1b2c3d wants what was before"):
        decide(root, "n1", CHOSEN, Ask(OURS), Named("mixed"))


@pytest.mark.parametrize("ordered", [False, True])
def test_an_action_by_hand_takes_the_site_s_file(
    root: Path, request: pytest.FixtureRequest, ordered: bool
) -> None:
    if ordered:
        request.getfixturevalue("order")
        over(root)
    (root / "etc").mkdir()
    (root / "etc/mig.yaml").write_text("version: v1\n# ours\n")
    task = decide(root, "n1", CHOSEN, Ask(""), Named("seven"))
    assert task is not None
    assert (task.wanted.label, task.wanted.text) == ("seven", "version: v1\n# ours\n")
    assert task.order.theirs is None


def test_an_action_by_hand_without_a_file_never_reboots(root: Path) -> None:
    with pytest.raises(Refused, match=r"mig\.yaml"):
        decide(root, "n1", CHOSEN, Ask(""), Named("seven"))


def test_an_action_by_hand_goes_back_without_a_file(root: Path) -> None:
    task = decide(root, "n1", CHOSEN, Ask(""), Named(rollback=True))
    assert task is not None
    assert (task.wanted.rollback, task.wanted.label, task.wanted.text) == (True, "", "")
    assert task.wanted.what == "what was before"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"SLURM_NODE_NAME": "n7"}, "n7"),
        ({"SLURMD_NODENAME": "n8"}, "n8"),
        ({}, host_name()),
        ({"SLURM_NODE_NAME": ""}, host_name()),
    ],
)
def test_who_this_node_is(variables: dict[str, str], name: str) -> None:
    assert node_name(variables) == name
