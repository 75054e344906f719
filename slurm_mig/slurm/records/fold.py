"""Host lists: equal nodes become one, and a host list becomes its nodes.

ClusterShell is loaded where it is first needed: for one node's file, it never is.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from slurm_mig.slurm.records.gres import GresGroup, NodeGres

if TYPE_CHECKING:
    from ClusterShell.NodeSet import NodeSet

Layout = tuple[tuple[tuple[str, int], ...], tuple[tuple[object, ...], ...]]


class Fold:
    """Collects nodes and keeps of each only its name: one set of records a layout.

    Time and memory grow with the number of nodes; host lists are made once a layout.
    """

    def __init__(self) -> None:
        self._names: dict[Layout, list[str]] = {}
        self._first: dict[Layout, NodeGres] = {}
        self._seen: set[str] = set()
        self.duplicates: list[str] = []

    def add(self, node: NodeGres) -> None:
        """Take a node in; a name seen before is noted in `duplicates` and left out."""
        if node.node_name in self._seen:
            self.duplicates.append(node.node_name)
            return
        self._seen.add(node.node_name)
        layout = _layout(node)
        self._first.setdefault(layout, node)
        self._names.setdefault(layout, []).append(node.node_name)

    def groups(self) -> tuple[GresGroup, ...]:
        """The nodes so far, equal ones together, in the order of their names."""
        groups = []
        for layout, names in self._names.items():
            first = self._first[layout]
            host_list = _host_list(names)
            # One order whatever the order of the files: that of the host list.
            ordered = tuple(host_list)
            groups.append(GresGroup(str(host_list), ordered, first.records, first.types))
        return tuple(sorted(groups, key=lambda group: group.nodes))


def fold(nodes: Iterable[NodeGres]) -> tuple[GresGroup, ...]:
    """Equal nodes together. The names must differ."""
    folding = Fold()
    for node in nodes:
        folding.add(node)
    return folding.groups()


def expand(host_list: str) -> list[str]:
    """The names in a host list, or the files in a list of files: "n[1-2],m" -> n1 n2 m.

    Raises ValueError where it is not one.
    """
    if "[" not in host_list:
        return host_list.split(",")
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet, NodeSetException

    try:
        return list(NodeSet(host_list, resolver=RESOLVER_NOGROUP))
    except NodeSetException as error:
        raise ValueError(f"not a host list: {host_list}") from error


def _host_list(names: Iterable[str]) -> "NodeSet":
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet

    # Slurm reads one pair of brackets a name everywhere, several not in every place, and no
    # steps ("[0-8/2]"), whatever a site's own ClusterShell defaults are.
    nodes = NodeSet.fromlist(names, resolver=RESOLVER_NOGROUP, autostep=None)
    nodes.fold_axis = [-1]
    return nodes


def _layout(node: NodeGres) -> Layout:
    return node.types, tuple((each.type, each.files, each.cores) for each in node.records)
