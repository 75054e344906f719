"""Which nodes are out of service together: the next wave, and all that would come. Pure."""

from collections.abc import Collection, Iterator, Sequence

from slurm_mig.errors import UsageError
from slurm_mig.reconfigure.fleet.record import ENDED, WAITING, NodeEntry, RunRecord, failures
from slurm_mig.slurm.controller.client import NodeState

_BUSY = frozenset({"ALLOCATED", "MIXED", "COMPLETING"})


def size_of(text: str, count: int) -> int:
    """How many of `count` nodes "8" or "25%" are: one at least. Raises UsageError."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    if not number.isdecimal() or not number.isascii() or int(number) < 1:
        raise UsageError(f"{text!a}: say how many nodes, such as 8 or 25%")
    if percent and int(number) > 100:
        raise UsageError(f"{text!a}: at most 100%")
    return max(1, count * int(number) // 100) if percent else int(number)


def order(nodes: Collection[NodeState]) -> tuple[str, ...]:
    """Those without jobs first, since a wave's nodes wait for each other; else as they are."""
    return tuple(node.name for node in sorted(nodes, key=lambda node: bool(node.state & _BUSY)))


def planned(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """The waves, when nothing goes wrong."""
    for at in range(0, len(names), size):
        yield tuple(names[at : at + size])


def begun(record: RunRecord) -> tuple[str, ...]:
    """The nodes whose wave has begun and that are not at their end."""
    return tuple(one.name for one in record.nodes if one.stage not in (WAITING, ENDED))


def following(record: RunRecord) -> tuple[str, ...]:
    """The nodes of the next wave; none where none may begin, or none is left.

    Those that failed and stay out of service count: never more than `max_unavailable` are out.
    """
    room = record.options.max_unavailable - sum(one.out for one in record.nodes)
    if record.problem or failures(record.nodes) >= record.options.max_failures or room < 1:
        return ()
    return tuple(one.name for one in record.nodes if one.stage == WAITING)[:room]


def why_none(record: RunRecord) -> str:
    """Why no further wave begins, though nodes are left; "" where none is."""
    left = [one for one in record.nodes if one.stage == WAITING]
    if not left or following(record):
        return ""
    if record.problem:
        return record.problem
    failed, most = failures(record.nodes), record.options.max_failures
    nodes = f"{len(left)} node{'s' * (len(left) != 1)} not begun"
    if failed >= most:
        return f"{failed} failed, of which there may be {most}: {nodes}"
    return f"{record.options.max_unavailable} are out of service, as many as may be: {nodes}"


def numbered(nodes: Sequence[NodeEntry]) -> int:
    """The number of the next wave."""
    return 1 + max((one.wave for one in nodes), default=0)
