"""The way of every kind of node under every Slurm, and what each way needs."""

import pytest

from slurm_mig.errors import Refused
from slurm_mig.slurm.version import SlurmVersion
from slurm_mig.slurm.ways import Cluster, Kind, Subject, Way, way_of

CONFIG = {
    "selecttype": "select/cons_tres",
    "maxnodecount": "8",
    "slurmdport": "6818",
    "treewidth": "50",
    "topologyplugin": "topology/none",
}
STATIC = frozenset({"IDLE", "DRAIN"})
DYNAMIC = STATIC | {"DYNAMIC_NORM"}
RELEASES = ("22.05.8", "23.02.8", "23.11.0", "24.05.8", "24.11.5", "25.05.8", "25.11.3", "26.05.5")


def cluster(version: str, **more: object) -> Cluster:
    """Of two nodes, with a command that restarts slurmctld, but for what `more` says."""
    can_restart, nodes = bool(more.pop("can_restart", True)), int(str(more.pop("nodes", 2)))
    config = {**CONFIG, **{key: str(value) for key, value in more.items()}}
    return Cluster(SlurmVersion.parse(version), config, nodes, can_restart)


def way(version: str, state: frozenset[str], **more: object) -> Way:
    return way_of(Subject("n1", state), cluster(version, **more))


def refusal(version: str, subject: Subject, **more: object) -> tuple[str, ...]:
    with pytest.raises(Refused) as refused:
        way_of(subject, cluster(version, **more))
    assert str(refused.value).startswith("the GRES of n1 cannot be changed")
    return refused.value.problems


@pytest.mark.parametrize("version", RELEASES)
def test_the_way_of_each_kind_of_node(version: str) -> None:
    old = version < "23.11"
    static, dynamic = way(version, STATIC), way(version, DYNAMIC)
    assert static == Way(Kind.RESTART if old else Kind.RECONFIGURE)
    assert dynamic.kind is Kind.DYNAMIC
    assert (static.edits_slurm_conf, static.deletes_node) == (True, False)
    assert (dynamic.edits_slurm_conf, dynamic.deletes_node) == (False, True)
    assert "loses what was set by `scontrol update`" in dynamic.warnings[0]


@pytest.mark.parametrize("state", [STATIC, DYNAMIC])
@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("23.02.2", "ignores changed GRES even when slurmctld starts"),
        ("23.02.3", "mended in 23.02.4"),
        ("25.11.0", "can crash slurmctld at a reconfigure"),
        ("25.11.2", "mended in 25.11.3"),
    ],
)
def test_the_bad_releases(version: str, why: str, state: frozenset[str]) -> None:
    (found,) = refusal(version, Subject("n1", state))
    assert why in found
    assert found.startswith(f"Slurm {version} ")


@pytest.mark.parametrize("version", ["23.02.1", "23.02.4", "25.05.8", "25.11.3", "25.11"])
def test_their_neighbours_are_good(version: str) -> None:
    assert way(version, STATIC)


def test_without_a_command_that_restarts_slurmctld() -> None:
    (why,) = refusal("22.05.8", Subject("n1", STATIC), can_restart=False)
    assert "slurmctld_restart_command in [reconfigure]" in why
    way_of(Subject("n1", STATIC), cluster("23.11.0", can_restart=False))
    way_of(Subject("n1", DYNAMIC), cluster("22.05.8", can_restart=False))


@pytest.mark.parametrize("state", ["CLOUD", "FUTURE", "DYNAMIC_FUTURE", "EXTERNAL"])
def test_nodes_that_have_no_way(state: str) -> None:
    (why,) = refusal("24.11.5", Subject("n1", frozenset({"IDLE", state})))
    assert why.startswith(f"{state}: ")


@pytest.mark.parametrize(
    ("version", "more", "why"),
    [
        ("24.11.5", {"selecttype": "select/linear"}, "SelectType=select/linear"),
        ("24.11.5", {"maxnodecount": "1"}, "MaxNodeCount=1 with 2 nodes"),
        ("23.02.8", {"treewidth": "16", "nodes": 17, "maxnodecount": "99"}, "TreeWidth=16"),
        ("22.05.8", {"slurmctldparameters": "x, Cloud_DNS"}, "cloud_dns"),
        ("22.05.8", {"topologyplugin": "topology/tree"}, "TopologyPlugin=topology/tree"),
        (
            "24.11.5",
            {"topologyplugin": "topology/tree", "topologyparam": "RouteTree"},
            "RouteTree",
        ),
    ],
)
def test_what_dynamic_nodes_need(version: str, more: dict[str, object], why: str) -> None:
    (found,) = refusal(version, Subject("n1", DYNAMIC), **more)
    assert why in found
    static = way_of(Subject("n1", STATIC), cluster(version, **more))
    assert not static.warnings


@pytest.mark.parametrize(
    ("version", "more"),
    [
        ("24.11.5", {"treewidth": "1", "slurmctldparameters": "cloud_dns"}),
        ("23.02.8", {"topologyplugin": "topology/tree"}),
        ("25.05.8", {"topologyplugin": "topology/tree", "topologyparam": "RouteTree"}),
        ("24.11.5", {"topologyplugin": "topology/flat", "topologyparam": "RouteTree"}),
        ("24.11.5", {"maxnodecount": "(null)"}),
    ],
)
def test_what_other_versions_do_not_need(version: str, more: dict[str, object]) -> None:
    assert way(version, DYNAMIC, **more).kind is Kind.DYNAMIC


@pytest.mark.parametrize(
    ("version", "warning"),
    [
        ("23.02.8", "only after a reconfigure"),
        ("24.05.8", "must stand in topology.conf"),
        ("25.11.3", "only if its --conf has topology="),
    ],
)
def test_what_a_topology_wants(version: str, warning: str) -> None:
    assert warning in way(version, DYNAMIC, topologyplugin="topology/block").warnings[1]
    assert len(way(version, DYNAMIC).warnings) == 1


def test_all_problems_at_once() -> None:
    subject = Subject("n1", DYNAMIC | {"CLOUD"})
    assert len(refusal("23.02.2", subject, selecttype="", maxnodecount="1")) == 4
