"""The pyslurm client inside a cluster's own Debian, driven from outside.

pyslurm is built for that Debian's Python and Slurm, which do not run beside ours: a process in
there has it, and is told what to call through a pipe, each message a pickle behind its length.
"""

import contextlib
import os
import pickle
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from slurm_mig.errors import SlurmMigError
from slurm_mig.slurm.controller import rpc
from slurm_mig.slurm.controller.client import SlurmClient
from slurm_mig.slurm.controller.patience import Patience
from tests.cluster import pyslurm_build
from tests.cluster.cluster import Cluster
from tests.cluster.node import VIEW, environment

_PYTHON = "/usr/bin/python3"  # the view's own


class _Remote:
    """Every method of the port, called over there."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: object, **named: object) -> Any:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            _send(self._process.stdin, (name, arguments, named))
            answer = _receive(self._process.stdout)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


@contextlib.contextmanager
def client(cluster: Cluster) -> Iterator[SlurmClient]:
    """The RpcClient of a cluster whose Slurm pyslurm was built for."""
    place = cluster.folder / "pyslurm"
    shutil.copytree(pyslurm_build.find(cluster.slurm.version), place)
    paths = "PYTHONPATH=/run/cluster/pyslurm:/run/checkout"
    inside = f"cd /run/checkout && exec env {paths} {_PYTHON} -B -m tests.contract.remote"
    command = cluster.command("ctl", ["chroot", VIEW, "/bin/sh", "-c", inside])
    env = environment()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    ) as process:
        try:
            yield cast(SlurmClient, _Remote(process))
        finally:
            process.kill()


def _send(stream: IO[bytes], what: object) -> None:
    data = pickle.dumps(what, protocol=4)
    stream.write(struct.pack("!I", len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError("the process with pyslurm has ended")
    return pickle.loads(stream.read(*struct.unpack("!I", head)))


def main() -> None:
    """Answer until the pipe is closed."""
    # What Slurm's library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = rpc.RpcClient(rpc.load(), Patience(total_s=60, call_s=20), "/usr/bin:/bin")
    with contextlib.suppress(EOFError):
        while True:
            name, arguments, named = _receive(sys.stdin.buffer)
            try:
                _send(answers, getattr(asked, name)(*arguments, **named))
            except SlurmMigError as why:
                _send(answers, why)


if __name__ == "__main__":
    main()
