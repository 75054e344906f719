"""How commands reach nodes: ClusterShell, over ssh or by a site's own command.

What a node prints is data of a machine that may be ill: it comes back as bytes, and not more of
it than `KEPT_BYTES`, the end of it.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from slurm_mig.errors import Refused

if TYPE_CHECKING:
    from ClusterShell.Task import Task

Words = tuple[str, ...]
Tell = Callable[[str, bytes], object]
NODE: Final = "{node}"
WORKERS: Final = ("ssh", "rsh")
KEPT_BYTES: Final = 1 << 22
_NOT_REACHED = 255  # ssh's own code, and that of a program that cannot be started
_CONNECT_S = 10
# So that a node that is gone is noticed; what a site's ClusterShell says comes before it.
_SSH_OPTIONS = "-oServerAliveInterval=15 -oServerAliveCountMax=8"
# No option of ssh, no host list, nothing that a shell would read.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}")


class Answer(NamedTuple):
    """What became of a node's command.

    `code` is None where the node was not reached, or the command had not ended when its time was
    up (it may run on there): `err` says which. `out` and `err` are the ends of what it printed.
    """

    node: str
    code: int | None
    out: bytes
    err: bytes


def _quiet(_: str, __: bytes) -> None:
    return None


class Reach(Protocol):
    """Runs one command on many nodes at once."""

    def run(
        self,
        orders: Mapping[str, bytes],
        words: Sequence[str],
        *,
        timeout_s: float | None = None,
        tell: Tell = _quiet,
    ) -> dict[str, Answer]:
        """Run `words` on the nodes of `orders`, which has the standard input of each.

        A node that cannot be reached, or fails, stops no other. `tell` gets each line that a node
        prints on stdout, without its end, as it comes. Whatever `tell` raises ends it, and so
        does KeyboardInterrupt: then nothing more is waited for, and what was started on the nodes
        goes on there. Raises Refused for a name that is none of a node's.
        """


class ClusterShellReach:
    """As the port, by a worker of ClusterShell ("ssh"), or by `command` on this machine.

    `command` has the node's name for {node} and gets one more word: the command line, quoted for
    the shell that reads it, as ssh takes it. At most `fanout` nodes at a time.
    """

    def __init__(self, worker: str = "ssh", fanout: int = 64, command: Words = ()) -> None:
        self._worker, self._fanout, self._command = worker, fanout, command

    def run(
        self,
        orders: Mapping[str, bytes],
        words: Sequence[str],
        *,
        timeout_s: float | None = None,
        tell: Tell = _quiet,
    ) -> dict[str, Answer]:
        """As the port."""
        must_be_names(orders)
        handler = _Handler(timeout_s, tell)
        task = _task(self._fanout)
        try:
            for node, given in orders.items():
                handler.made[node] = _Made()
                worker = self._make(node, shlex.join(words), handler, timeout_s)
                worker.write(given)
                worker.set_write_eof()
                task.schedule(worker)
            task.resume()
        finally:
            task.abort(kill=True)  # whatever still runs here is ended; the next one begins anew
        for node in handler.unreached:
            handler.made[node].add("stderr", f"(`{self._try(node)}` must work here)".encode())
        return {node: made.answer(node) for node, made in handler.made.items()}

    def _try(self, node: str) -> str:
        """What an administrator runs to see for himself why a node is not reached."""
        plain = (self._worker, *(["-oBatchMode=yes"] if self._worker == "ssh" else []), NODE)
        words = [word.replace(NODE, node) for word in self._command or plain]
        return shlex.join([*words, "true"])

    def _make(self, node: str, line: str, handler: "_Handler", timeout_s: float | None) -> Any:  # noqa: ANN401
        from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet
        from ClusterShell.Worker import Exec, Rsh, Ssh

        kinds = {"ssh": Ssh.WORKER_CLASS, "rsh": Rsh.WORKER_CLASS}
        kind = Exec.WORKER_CLASS if self._command else kinds[self._worker]
        if self._command:
            filled = [word.replace(NODE, node) for word in self._command]
            # This worker has a shell of its own, and takes % for its own places. The shell must
            # become the command, or it alone would be ended when it is time.
            line = f"exec {shlex.join([*filled, line])}".replace("%", "%%")
        nodes = NodeSet(node, resolver=RESOLVER_NOGROUP)
        return kind(nodes, handler=handler, timeout=timeout_s, command=line, stderr=True)


def must_be_names(nodes: Iterable[str]) -> None:
    """Raises Refused, with all that are no names of nodes."""
    if wrong := [f"{node!a} is no name of a node" for node in nodes if not _NAME.fullmatch(node)]:
        raise Refused("no node was reached", wrong)


class _Made:
    """What is known of one node's command so far."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.out, self.err = bytearray(), bytearray()

    def add(self, name: str, line: bytes) -> None:
        kept = self.err if name == "stderr" else self.out
        kept += line + b"\n"
        del kept[:-KEPT_BYTES]

    def answer(self, node: str) -> Answer:
        return Answer(node, self.code, bytes(self.out), bytes(self.err))


class _Handler:
    """What ClusterShell tells of its workers, one of which there is for each node."""

    def __init__(self, timeout_s: float | None, tell: Tell) -> None:
        self.made: dict[str, _Made] = {}
        self.unreached: list[str] = []
        self._timeout_s, self._tell = timeout_s, tell

    def ev_start(self, worker: Any) -> None:  # noqa: ANN401
        """It has been started."""

    def ev_pickup(self, worker: Any, node: str) -> None:  # noqa: ANN401
        """It is this node's turn."""

    def ev_written(self, worker: Any, node: str, sname: str, size: int) -> None:  # noqa: ANN401
        """Some of its standard input was taken."""

    def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:  # noqa: ANN401
        """A line came."""
        self.made[str(node)].add(sname, msg)
        if sname == "stdout":
            self._tell(str(node), msg)

    def ev_hup(self, worker: Any, node: str, rc: int) -> None:  # noqa: ANN401
        """It has ended."""
        made = self.made[str(node)]
        made.code = None if rc == _NOT_REACHED else rc
        if made.code is None:
            self.unreached.append(str(node))
        if made.code is None and not made.err:
            made.add("stderr", b"not reached")

    def ev_close(self, worker: Any, timedout: bool) -> None:  # noqa: ANN401
        """There is nothing more to come."""
        if timedout:
            told = f"it had not ended after {self._timeout_s:g} s"
            self.made[str(worker.nodes)].add("stderr", told.encode())


def _task(fanout: int) -> "Task":
    """A task of our own: a site's topology, and what others scheduled, is not for us."""
    import logging

    from ClusterShell.Task import task_self

    logging.getLogger("ClusterShell").setLevel(logging.ERROR)
    task = task_self()
    for name in ("stdout_msgtree", "stderr_msgtree"):  # else all is kept once more
        task.set_default(name, False)
    task.set_info("fanout", fanout)
    task.set_info("connect_timeout", _CONNECT_S)
    options = [task.info("ssh_options") or "", _SSH_OPTIONS]
    task.set_info("ssh_options", " ".join(options).strip())
    return task
