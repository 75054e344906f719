"""Pruning from afar: nodes remove what the database knows of them whole, by its marks."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slurm_mig.usage.store.collect import source_of
from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.fetch import Way, sent_by
from slurm_mig.usage.store.frames import Malformed, Order, Pruned, order, read_pruned
from slurm_mig.usage.store.insert import places
from slurm_mig.usage.store.piece import Mark
from slurm_mig.usage.store.prune import check_month, remove_files
from slurm_mig.usage.store.ship import USAGE
from slurm_mig.usage.store.tail import is_same


class NodePruned(NamedTuple):
    """What became of a node's files; `why` the node did not say, or None."""

    node: str
    files: tuple[Pruned, ...]
    why: str | None


def discard(root: Path, given: Order, now: float) -> Iterator[Pruned]:
    """The node's side: remove the files that are just as the marks say. Raises as remove_files."""

    def why_not(name: str, handle: int, size: int) -> str | None:
        mark = given.known.get(name)
        if mark is None:
            return "not all of it is in the database: run `slurm-mig usage collect --from` there"
        if mark.position != size or not is_same(handle, mark):
            return f"it was collected up to byte {mark.position} of {size}, or was another file"
        return None

    return remove_files(root, given.before, now, why_not, dry_run=given.dry_run)


def prune_nodes(
    store: Store, nodes: Sequence[str], way: Way, before: str, now: float, *, dry_run: bool
) -> list[NodePruned]:
    """The database's side: have these nodes remove what it knows whole.

    Raises UsageError, StoreError, or Refused for names that are none.
    """
    check_month(before, now)
    orders = {node: order(Order(before, _whole(store, node), dry_run)) for node in nodes}
    answers = way.reach.run(orders, way.words, timeout_s=way.timeout_s)
    done = []
    for node in nodes:
        try:
            done.append(NodePruned(node, read_pruned(sent_by(answers[node])), None))
        except Malformed as why:
            done.append(NodePruned(node, (), str(why)))
    return done


def _whole(store: Store, node: str) -> dict[str, Mark]:
    """The files of a node of which no line was left out."""
    prefix = source_of(node, f"{USAGE}/")
    known = places(store, prefix).items()
    return {name.removeprefix(prefix): at.mark for name, at in known if not at.unkept}
