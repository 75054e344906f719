"""Which way new GRES of a node reach Slurm, by its version and the kind of node. Pure.

    static, 23.11 and later   slurm.conf and gres.conf, then `scontrol reconfigure`
    static, before            the same files, then a restart of slurmctld: reconfigure would be
                              silent and change nothing
    dynamic                   `scontrol delete`, then `slurmd -Z --conf "... Gres=..."`

All was seen in runs (22.05.8, 24.11.5, 25.11.7, 26.05.5), but for the known bad releases, which
are from Slurm's changelog.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.slurm.version import SlurmVersion

RELOADS = SlurmVersion(23, 11, 0)  # reconfigure starts the daemons anew, with new GRES
_NO_FANOUT_DOCUMENTED = SlurmVersion(23, 11, 0)
_FLAT = {"", "none", "flat", "default", "(null)"}
_BAD = (
    (
        SlurmVersion(23, 2, 2),
        SlurmVersion(23, 2, 3),
        "ignores changed GRES even when slurmctld starts (mended in 23.02.4)",
    ),
    (
        SlurmVersion(25, 11, 0),
        SlurmVersion(25, 11, 2),
        "can crash slurmctld at a reconfigure after gres.conf has changed (mended in 25.11.3)",
    ),
)
# Nodes whose GRES nobody can change by any of the ways.
_NO_WAY = {
    "CLOUD": "slurmctld itself makes the GRES of cloud nodes",
    "FUTURE": "a FUTURE node is no node yet",
    "DYNAMIC_FUTURE": "it came by `slurmd -F`, which takes its GRES from a FUTURE line",
    "EXTERNAL": "an external node has no slurmd",
}


class Kind(Enum):
    """The ways, as journals name them."""

    RECONFIGURE = "reconfigure"
    RESTART = "restart"
    DYNAMIC = "dynamic"


class Cluster(NamedTuple):
    """What is asked about the cluster.

    `config` is slurmctld's configuration in force, keys in lower case. `can_restart`: the site
    has given a command that restarts slurmctld.
    """

    version: SlurmVersion
    config: Mapping[str, str]
    node_count: int
    can_restart: bool = False


class Subject(NamedTuple):
    """What is asked about the node: its name, and state words as `scontrol` shows them."""

    name: str
    state: frozenset[str]


class Way(NamedTuple):
    """What has to be done, and what a person should know beforehand."""

    kind: Kind
    warnings: tuple[str, ...] = ()

    @property
    def edits_slurm_conf(self) -> bool:
        """Whether `Gres=` stands in slurm.conf; else in `slurmd --conf`, if anywhere."""
        return self.kind in (Kind.RECONFIGURE, Kind.RESTART)

    @property
    def deletes_node(self) -> bool:
        """Whether the node must be deleted from slurmctld before its slurmd starts anew."""
        return not self.edits_slurm_conf


def way_of(subject: Subject, cluster: Cluster) -> Way:
    """The node's way. Refused where there is none, or one whose needs are not met, with all why."""
    problems = [f"{state}: {_NO_WAY[state]}" for state in sorted(subject.state & _NO_WAY.keys())]
    problems += _bad_release(cluster.version)
    kind = _kind(subject, cluster)
    if kind is Kind.DYNAMIC:
        problems += _dynamic_problems(cluster)
        warnings = tuple(_dynamic_warnings(cluster))
    else:
        problems += _static_problems(cluster, kind)
        warnings = ()
    if problems:
        raise Refused(f"the GRES of {subject.name} cannot be changed", problems)
    return Way(kind, warnings)


def _kind(subject: Subject, cluster: Cluster) -> Kind:
    if "DYNAMIC_NORM" in subject.state:
        return Kind.DYNAMIC
    return Kind.RECONFIGURE if cluster.version >= RELOADS else Kind.RESTART


def _bad_release(version: SlurmVersion) -> Iterator[str]:
    for first, last, why in _BAD:
        if first <= version <= last:
            yield f"Slurm {version} {why}: update Slurm"


def _static_problems(cluster: Cluster, kind: Kind) -> Iterator[str]:
    if kind is Kind.RESTART and not cluster.can_restart:
        yield (
            f"Slurm {cluster.version} takes new GRES only when slurmctld starts: set"
            " slurmctld_restart_command in [reconfigure] of config.toml"
        )


def _dynamic_problems(cluster: Cluster) -> Iterator[str]:
    config = cluster.config
    select = config.get("selecttype", "")
    if select != "select/cons_tres":
        yield f"SelectType={select or '?'}: only with select/cons_tres are nodes deleted"
    limit = config.get("maxnodecount", "")
    if limit.isdecimal() and int(limit) < cluster.node_count:
        yield (
            f"MaxNodeCount={limit} with {cluster.node_count} nodes: a deleted one could not come"
            " back: raise it"
        )
    yield from _fanout_problems(cluster)
    yield from _topology_problems(cluster)


def _fanout_problems(cluster: Cluster) -> Iterator[str]:
    """Before 23.11 slurmds that forward messages do not know where dynamic nodes are."""
    if cluster.version >= _NO_FANOUT_DOCUMENTED:
        return
    width = cluster.config.get("treewidth", "50")
    if width.isdecimal() and int(width) < cluster.node_count:
        yield f"TreeWidth={width}: Slurm {cluster.version} wants 65533 with dynamic nodes"
    if "cloud_dns" in _words(cluster.config.get("slurmctldparameters", "")):
        yield f"SlurmctldParameters=cloud_dns: not in Slurm {cluster.version} with dynamic nodes"


def _topology_problems(cluster: Cluster) -> Iterator[str]:
    topology = _topology(cluster)
    if topology in _FLAT:
        return
    if cluster.version < SlurmVersion(23, 2, 0):
        plugin = f"TopologyPlugin=topology/{topology}"
        yield f"{plugin}: not in Slurm {cluster.version} with dynamic nodes"
    if "routetree" in _words(cluster.config.get("topologyparam", "")) and (
        SlurmVersion(24, 11, 0) <= cluster.version < SlurmVersion(25, 5, 0)
    ):
        yield f"TopologyParam=RouteTree: not in Slurm {cluster.version} with dynamic nodes"


def _dynamic_warnings(cluster: Cluster) -> Iterator[str]:
    yield (
        "deleting the node loses what was set by `scontrol update` (weight, comment, extra) and"
        " its place in reservations"
    )
    if _topology(cluster) in _FLAT:
        return
    if cluster.version < SlurmVersion(23, 11, 0):
        yield f"Slurm {cluster.version} sees the node in its topology only after a reconfigure"
    elif cluster.version < SlurmVersion(25, 5, 0):
        yield "the node must stand in topology.conf"
    else:
        yield "the node is in the topology only if its --conf has topology="


def _topology(cluster: Cluster) -> str:
    return cluster.config.get("topologyplugin", "").removeprefix("topology/").lower()


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}
