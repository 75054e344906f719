"""What a change of nodes' GRES means for pending jobs: who would wait for ever. Pure.

A job's type is taken word for word: `--gres=gpu:1g.10gb` is never served by `1g.10gb+me`. (That
types are parts of each other matters to AutoDetect=nvml alone.) A job that asks for no type
takes any. Jobs that wait for a type that no node has any more stay PENDING, with BadConstraints
at first; new ones are refused when they are submitted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

GPU = "gpu"


class Gres(Protocol):
    """So many of a gres; `type` is None where none was said."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str | None: ...
    @property
    def number(self) -> int: ...


class Node(Protocol):
    """A node with what slurmctld believes it has."""

    @property
    def name(self) -> str: ...
    @property
    def gres(self) -> Sequence[Gres]: ...
    @property
    def partitions(self) -> Sequence[str]: ...


class Waiting(Protocol):
    """A pending job; `partition` may name several, `gres_wanted` is all that it asks for."""

    @property
    def shown(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def partition(self) -> str: ...
    @property
    def gres_wanted(self) -> Sequence[Gres]: ...


class Stranded(NamedTuple):
    """A pending job that could run now and could not after the change, and why.

    Not `certain`: it may take from several nodes what none of them has alone.
    """

    job: str
    user: str
    gres: str
    why: str
    certain: bool


def stranded(
    jobs: Iterable[Waiting], nodes: Sequence[Node], after: Mapping[str, Sequence[Gres]]
) -> tuple[Stranded, ...]:
    """The pending jobs that the change would leave without a node.

    `nodes` is every node of the cluster as it is, `after` what those that change will have.
    """
    return tuple(
        Stranded(job.shown, job.user, text(gres), *verdict)
        for job in jobs
        for gres in job.gres_wanted
        if gres.name.lower() == GPU
        for verdict in _verdicts(gres, _of_partition(nodes, job.partition), after)
    )


def text(gres: Gres) -> str:
    """As people write it: "gpu:1g.10gb:2"."""
    return ":".join(filter(None, [gres.name, gres.type, str(gres.number)]))


def _of_partition(nodes: Sequence[Node], partition: str) -> list[Node]:
    """The nodes that the job may get; all, where its partition is unknown."""
    names = {name for name in partition.split(",") if name}
    known = {name for node in nodes for name in node.partitions}
    if not names & known:
        return list(nodes)
    return [node for node in nodes if names & set(node.partitions)]


def _verdicts(
    gres: Gres, nodes: Sequence[Node], after: Mapping[str, Sequence[Gres]]
) -> Iterator[tuple[str, bool]]:
    now = [_count(node.gres, gres) for node in nodes]
    then = [_count(after.get(node.name, node.gres), gres) for node in nodes]
    what = f"{GPU}:{gres.type}" if gres.type else GPU
    if not gres.number or sum(now) < gres.number:
        return  # it waits in vain already
    if not sum(then):
        yield f"no node that it may use will have {what}", True
    elif sum(then) < gres.number:
        yield f"the nodes that it may use will have {sum(then)} of {what} in all", True
    elif max(then) < gres.number <= max(now):
        yield f"no node will have more than {max(then)} of {what}", False


def _count(gres: Iterable[Gres], asked: Gres) -> int:
    return sum(
        one.number
        for one in gres
        if one.name.lower() == GPU and (asked.type is None or one.type == asked.type)
    )
