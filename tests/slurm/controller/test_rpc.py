"""The pyslurm client over a stand-in of pyslurm; the real one is judged by `make system`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slurm_mig.errors import NoSuchNode, SlurmNotAnswering, SlurmRefused, UsageError
from slurm_mig.slurm.controller.client import GresCount
from slurm_mig.slurm.controller.patience import Patience
from slurm_mig.slurm.controller.rpc import RpcClient


class RPCError(Exception):
    """As pyslurm's."""

    def __init__(self, errno: int, text: str) -> None:
        super().__init__(text)
        self.errno = errno


NODE = {
    "name": "n1",
    "state": "MIXED+DRAIN+DYNAMIC_NORM",
    "reason": "slurm-mig: x",
    "reason_user": "root",
    "reason_time": 1795503611,
    "configured_gres": {"gpu:1g.10gb": 2, "gpu": 1},
    "slurm_version": "26.05.5",
    "slurmd_start_time": 1795503000,
    "total_cpus": 16,
    "available_features": [],
    "partitions": ["main"],
    "address": "127.0.0.1",
    "hostname": "n1",
}


class Module:
    """What RpcClient uses of pyslurm, and no more: anything else fails."""

    __version__ = "26.5.0"
    RPCError = RPCError

    def __init__(self) -> None:
        self.coming: list[Exception | None] = []  # what the next calls end with
        self.changes: list[Mapping[str, str]] = []
        self.nodes = {"n1": dict(NODE)}
        self.Nodes = SimpleNamespace(load=self._load)

    def Node(self, name: str | None = None, **changes: str) -> Any:  # noqa: N802
        return SimpleNamespace(modify=self._modify, name=name, changes=changes)

    def _load(self) -> dict[str, Any]:
        self._end()
        return {name: SimpleNamespace(**node) for name, node in self.nodes.items()}

    def _modify(self, changed: Any) -> None:
        self.changes.append(changed.changes)
        self._end()

    def _end(self) -> None:
        if self.coming and (why := self.coming.pop(0)):
            raise why


@pytest.fixture
def module() -> Module:
    return Module()


@pytest.fixture
def client(module: Module, tmp_path: Path) -> RpcClient:
    return RpcClient(module, Patience(sleep=lambda _: None), str(tmp_path))


LOST = RPCError(5004, "Socket timed out on send/recv operation")
DOWN = RPCError(1800, "Unable to contact slurm controller (connect failure)")
STATE = RPCError(2180, "Invalid node state transition")


def test_a_node(client: RpcClient) -> None:
    node = client.node("n1")
    assert node.state == {"MIXED", "DRAIN", "DYNAMIC_NORM"}
    assert (node.reason, node.reason_user) == ("slurm-mig: x", "root")
    assert (node.reason_time, node.slurmd_start) == (1795503611.0, 1795503000.0)
    assert node.gres == (GresCount("gpu", "1g.10gb", 2), GresCount("gpu", None, 1))
    assert node.gres_used is None  # it cannot tell
    assert (node.slurmd_version, node.cpus, node.partitions) == ("26.05.5", 16, ("main",))


def test_a_node_that_has_never_registered(client: RpcClient, module: Module) -> None:
    nothing = dict.fromkeys(("reason", "reason_user", "reason_time", "slurm_version"))
    module.nodes["n1"] |= {**nothing, "slurmd_start_time": None, "state": "UNKNOWN*"}
    node = client.node("n1")
    assert (node.reason, node.reason_user, node.reason_time) == ("", None, None)
    assert (node.slurmd_version, node.slurmd_start) == (None, None)
    assert node.state == {"UNKNOWN", "NOT_RESPONDING"}
    assert not node.answers


def test_which_nodes(client: RpcClient, module: Module) -> None:
    module.nodes["n2"] = {**NODE, "name": "n2"}
    assert [node.name for node in client.nodes(["n2", "n1"])] == ["n2", "n1"]
    assert len(client.nodes()) == 2
    with pytest.raises(NoSuchNode, match=r"no node x, y$"):
        client.nodes(["n1", "x", "y"])


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        (lambda client: client.drain("n1", "a\nb"), {"state": "DRAIN", "reason": "a b"}),
        (lambda client: client.down("n1", "a"), {"state": "DOWN", "reason": "a"}),
        (lambda client: client.set_reason("n1", "a"), {"reason": "a"}),
        (lambda client: client.resume("n1"), {"state": "RESUME"}),
    ],
)
def test_only_state_and_reason_are_ever_changed(
    client: RpcClient, module: Module, change: Callable[[RpcClient], None], sent: dict[str, str]
) -> None:
    change(client)
    assert module.changes == [sent]


def test_names_and_reasons_are_checked(client: RpcClient, module: Module) -> None:
    for wrong in (
        lambda: client.drain("ALL", "a"),
        lambda: client.resume("n[1-2]"),
        lambda: client.node("n1,n2"),
        lambda: client.drain("n1", ""),
    ):
        with pytest.raises(UsageError):
            wrong()
    assert module.changes == []


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        (RPCError(2018, "Invalid node name specified"), NoSuchNode),
        (STATE, SlurmRefused),
        (RPCError(2002, "Access/permission denied"), SlurmRefused),
    ],
)
def test_a_no_is_one_of_the_port_s(
    client: RpcClient, module: Module, why: Exception, kind: type[Exception]
) -> None:
    module.coming = [why]
    with pytest.raises(kind, match=str(why)):
        client.drain("n1", "a")
    assert len(module.changes) == 1


def test_it_asks_again(client: RpcClient, module: Module) -> None:
    module.coming = [DOWN, LOST, None]
    client.drain("n1", "a")
    assert len(module.changes) == 3
    module.coming = [DOWN, None]
    assert client.node("n1").name == "n1"


@pytest.mark.parametrize("said", [LOST, STATE])
def test_a_resume_that_was_carried_out_is_not_sent_twice(
    client: RpcClient, module: Module, said: Exception
) -> None:
    module.nodes["n1"]["state"] = "IDLE"
    module.coming = [said]
    client.resume("n1")
    assert module.changes == [{"state": "RESUME"}]


def test_a_resume_that_was_not_heard_is_sent_again(client: RpcClient, module: Module) -> None:
    module.coming = [LOST, None, STATE, None]
    with pytest.raises(SlurmRefused):  # it still drains: the no is meant
        client.resume("n1")
    assert len(module.changes) == 2


def test_patience_ends(module: Module, tmp_path: Path) -> None:
    time = iter(range(0, 1000, 30))
    patience = Patience(total_s=100, clock=lambda: float(next(time)), sleep=lambda _: None)
    module.coming = [DOWN] * 50
    with pytest.raises(SlurmNotAnswering, match="asked for 100 s") as told:
        RpcClient(module, patience, str(tmp_path)).drain("n1", "a")
    assert told.value.unsent


def test_it_says_what_it_is(client: RpcClient) -> None:
    assert client.about() == "pyslurm 26.5.0; for jobs Slurm's commands, text"
