"""What the test jobs of this node do, and what they tell: files in a folder of root's.

    /run/slurm-mig/smoke-RUN/JOB.said   what the check printed, the exit code, the last words

A job goes on holding its slice for as long as that file is there.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import slurm_mig
from slurm_mig.errors import HookError, SlurmMigError
from slurm_mig.files import under
from slurm_mig.gresmap import store
from slurm_mig.reconfigure.world import Place, Said
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER
from slurm_mig.system.printable import printable

_LIMIT = 1 << 16
_END = ".said"
_CHECK = Path(slurm_mig.__file__).with_name("hooks") / "trial.py"  # a script: no module of ours
_SCRIPT = """\
umask 077
said={folder}/$SLURM_JOB_ID
if {check} >"$said.new"
then {{ {command} 2>&1 >/dev/null; code=$?; echo; echo "exit $code"; }} | tail -n 3 | tail -c 500
else echo "exit 1"
fi >>"$said.new"
mv "$said.new" "$said{end}"
while [ -e "$said{end}" ]; do sleep 0.2; done
"""


class NodeTrials:
    """As world.Trials. `command` is what the site has every job run after our own check."""

    def __init__(self, root: Path, command: Sequence[str] = (), partition: str = "") -> None:
        self._root, self._command, self._partition = root, tuple(command), partition

    def places(self) -> Mapping[int, Place]:
        """As the port."""
        try:
            entries = store.read(self._root)["gres"]
            return {
                int(one["gres_index"]): Place(
                    one["type"], (one["mig"] or {"uuid": one["gpu_uuid"]})["uuid"]
                )
                for one in entries
            }
        except (KeyError, TypeError, ValueError) as why:
            raise SlurmMigError(f"{store.MAP} cannot be read: {why!r}") from None

    def partition(self, node: NodeState) -> str:
        """As the port."""
        if not self._partition and not node.partitions:
            raise SlurmMigError(f"{node.name} is in no partition: no test job can run")
        return self._partition or node.partitions[0]

    def begin(self, name: str) -> str:
        """As the port."""
        with _ours():
            os.close(rootfiles.open_folder(str(self._root), FOLDER, make=0o755))
            os.close(rootfiles.open_folder(str(self._root), _folder(name), make=0o700))
        check = [sys.executable, "-I", "-S", "-B", str(_CHECK), str(self._root)]
        return _SCRIPT.format(
            folder=shlex.quote(str(under(self._root, _folder(name)))),
            check=shlex.join(check),
            command=shlex.join(self._command) or ":",
            end=_END,
        )

    def said(self, name: str) -> Mapping[int, Said]:
        """As the port."""
        with _ours(), _opened(self._root, name) as folder:
            names = [each.partition(".") for each in os.listdir(folder)]  # noqa: PTH208
            return {
                int(job): parse(rootfiles.read_file(folder, f"{job}{_END}", _LIMIT).decode())
                for job, dot, end in names
                if dot + end == _END and job.isdecimal()
            }

    def end(self, name: str) -> None:
        """As the port."""
        with suppress(FileNotFoundError), _ours(), _opened(self._root, name) as folder:
            for each in os.listdir(folder):  # noqa: PTH208
                rootfiles.remove(folder, each)
            with suppress(OSError):  # a job that has not ended yet may put a file there
                under(self._root, _folder(name)).rmdir()


def parse(text: str) -> Said:
    """What one job has told."""
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    first, words, code = lines[0], lines[1:-1], lines[-1].removeprefix("exit ")
    try:
        found = json.loads(first)
        opened = tuple(int(place) for place in found["opened"])
        visible = tuple(str(word) for word in found["visible"])
    except (ValueError, TypeError, KeyError):
        return Said(1, (), (), printable(first))
    number = int(code) if code.isdecimal() else 1
    return Said(number, opened, visible, printable(words[-1] if words else ""))


def _folder(name: str) -> str:
    return f"{FOLDER}/smoke-{name}"


@contextmanager
def _opened(root: Path, name: str) -> Iterator[int]:
    folder = rootfiles.open_folder(str(root), _folder(name))
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _ours() -> Iterator[None]:
    """What stands in the way of files, as an error of ours; but not that there is none."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, HookError, ValueError) as why:
        raise SlurmMigError(f"test jobs: {why}") from None
