"""Nodes in memory behind the port Reach, held to tests/contract/test_reach.py."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from slurm_mig.slurm.reach import Answer, Tell, must_be_names


class Ran(NamedTuple):
    """How a program in memory ended; `code` None: it does not end, or the node is not there."""

    code: int | None
    out: bytes = b""
    err: bytes = b""


Say = Callable[[bytes], object]
Program = Callable[[str, bytes, Sequence[str], Say], Ran]


def _quiet(_: str, __: bytes) -> None:
    return None


class FakeReach:
    """Each node runs `program` (node, its standard input, the words, what tells a line)."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.ran: list[tuple[str, tuple[str, ...]]] = []

    def run(
        self,
        orders: Mapping[str, bytes],
        words: Sequence[str],
        *,
        timeout_s: float | None = None,
        tell: Tell = _quiet,
    ) -> dict[str, Answer]:
        """As the port; one node after the other."""
        must_be_names(orders)
        return {node: self._one(node, given, words, tell) for node, given in orders.items()}

    def _one(self, node: str, given: bytes, words: Sequence[str], tell: Tell) -> Answer:
        self.ran.append((node, tuple(words)))
        said = bytearray()

        def say(line: bytes) -> None:
            said.extend(line + b"\n")
            tell(node, line)

        done = self._program(node, given, words, say)
        for line in done.out.splitlines():
            say(line)
        err = done.err or (b"not reached\n" if done.code is None else b"")
        return Answer(node, done.code, bytes(said), err)
