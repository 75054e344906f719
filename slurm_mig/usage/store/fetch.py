"""The collecting side: nodes are asked again and again until they have no more to send."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from slurm_mig.slurm.reach import Answer, Reach
from slurm_mig.system.printable import printable
from slurm_mig.usage.store.collect import Collected, Watch, source_of, take
from slurm_mig.usage.store.database import Store
from slurm_mig.usage.store.frames import Malformed, Sent, question, read_answer
from slurm_mig.usage.store.insert import place_of, places
from slurm_mig.usage.store.piece import Mark, Piece
from slurm_mig.usage.store.ship import USAGE

_AT_ONCE = 32  # nodes whose answers are held at a time: a few MiB each
_MOST_ROUNDS = 500  # some GiB of one node: one that never ends is not waited for
_TIMEOUT_S = 300.0


class Way(NamedTuple):
    """How nodes are asked: `words` run `slurm-mig usage ship` there."""

    reach: Reach
    words: Sequence[str] = ("slurm-mig", "usage", "ship")
    timeout_s: float = _TIMEOUT_S


def fetch(
    store: Store, nodes: Sequence[str], way: Way, *, watch: Watch = lambda _: None
) -> Collected:
    """Store what is new on these nodes; the records of each must name it.

    A node that does not answer, or not sensibly, is told and counted in `unread`; the others go
    on. Raises StoreError where the database fails, and Refused for names that are none.
    """
    done, seen = Collected(), set[str]()
    for at in range(0, len(nodes), _AT_ONCE):
        asked = list(nodes[at : at + _AT_ONCE])
        for _ in range(_MOST_ROUNDS):
            if not asked:
                break
            asked, part = _round(store, asked, way, seen)
            done = done.and_also(part)
            watch(done)
        done = done.and_also(_unread(asked, "it had no end: run the same command again"))
    return done


def _round(
    store: Store, nodes: Sequence[str], way: Way, seen: set[str]
) -> tuple[list[str], Collected]:
    """Ask each once: those that have more, and what came of it. `seen` are sources so far."""
    orders = {node: question(_known(store, node)) for node in nodes}
    answers = way.reach.run(orders, way.words, timeout_s=way.timeout_s)
    done, more = Collected(), []
    for node in nodes:
        try:
            sent = read_answer(sent_by(answers[node]))
            for part in _take_all(store, node, sent, seen):
                done = done.and_also(part)
        except Malformed as why:
            done = done.and_also(_unread([node], str(why)))
            continue
        if sent.more:
            more.append(node)
    return more, done


def _known(store: Store, node: str) -> Mapping[str, Mark]:
    prefix = source_of(node, f"{USAGE}/")
    return {name.removeprefix(prefix): at.mark for name, at in places(store, prefix).items()}


def sent_by(answer: Answer) -> bytes:
    """What a node printed. Raises Malformed where its command failed."""
    if answer.code != 0:
        words = printable(answer.err[-2000:].decode("utf-8", "backslashreplace"))
        raise Malformed(words or "it did not answer")
    return answer.out


def _take_all(store: Store, node: str, sent: Sent, seen: set[str]) -> Iterator[Collected]:
    """What came of each piece. Raises Malformed at one that does not follow what is known."""
    if sent.more and not sent.pieces:
        raise Malformed("it says that there is more, and sends nothing")
    names = tuple(dict.fromkeys((node, node.partition(".")[0])))
    for file, piece in sent.pieces:
        source = source_of(node, f"{USAGE}/{file}")
        yield Collected(files=int(source not in seen))
        seen.add(source)
        part = _take_one(store, source, piece, names)
        if part is not None:  # else another collect was faster
            yield part


def _take_one(store: Store, source: str, piece: Piece, names: Sequence[str]) -> Collected | None:
    before = place_of(store, source)
    if piece.begin not in (0, before.mark.position):
        return None
    return take(store, source, before, piece, names)


def _unread(nodes: Sequence[str], why: str) -> Collected:
    return Collected(unread=len(nodes), told=tuple(f"{node}: {why}" for node in nodes))
