"""The node's own side: its GPUs by `slurm-mig apply`, its slurmd by the site's commands."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.gpu.change import apply, journal
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.change.sitecommand import filled, must
from slurm_mig.gpu.change.transaction import REBOOT, STUCK, Result
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.gresmap import make
from slurm_mig.model import GpuIndex
from slurm_mig.slurm.config.conf import read_conf
from slurm_mig.slurm.config.slurmd_options import SlurmdOptions, parse_slurmd_options
from slurm_mig.slurm.daemon import Slurmd, running
from slurm_mig.slurm.daemon_log import last_words

_PAUSE_S = 0.05
_LOOKS, _LOOK_AGAIN_S = 4, 0.1


class NodeGpus:
    """As world.Gpus, by an apply."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def change(self, wanted: Mapping[str, WantedGpu], *, back: bool) -> Result:
        """As the port."""
        if journal.read(self._request.root) is not None:
            cut_short = _result(apply.run_recover(self._request, undo=back))
            if cut_short.outcome in (STUCK, REBOOT):
                return cut_short

        def choose(gpus: Sequence[LiveGpu]) -> Mapping[GpuIndex, WantedGpu]:
            there = {gpu.info.uuid: gpu.info.gpu_index for gpu in gpus}
            missing = [f"{uuid} does not answer" for uuid in wanted if uuid not in there]
            if missing:
                raise Refused("the GPUs were not changed", missing)
            return {there[uuid]: each for uuid, each in wanted.items()}

        return _result(apply.run(self._request._replace(choose=choose)))


def _result(outcome: apply.Outcome) -> Result:
    remarks = (*outcome.result.remarks, *outcome.troubles)
    return outcome.result._replace(remarks=remarks)


class Commands:
    """The site's words that stop and start slurmd, and how long each may take."""

    def __init__(
        self, stop: Sequence[str], start: Sequence[str], stop_s: float, start_s: float
    ) -> None:
        self.stop, self.start = tuple(stop), tuple(start)
        self.stop_s, self.start_s = stop_s, start_s


class NodeSlurmd:
    """As world.Slurmd."""

    def __init__(
        self,
        root: Path,
        slurm_conf: Path,
        node: str,
        commands: Commands,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root, self._conf, self._node = root, slurm_conf, node
        self._commands = commands
        self._sleep = sleep

    def runs(self) -> bool:
        """As the port. From 24.11 on a reconfigure replaces the process: it may hide a moment."""
        for _ in range(_LOOKS - 1):
            if self._running() is not None:
                return True
            self._sleep(_LOOK_AGAIN_S)
        return self._running() is not None

    def started(self) -> float | None:
        """As the port."""
        found = self._running()
        return None if found is None else found.started

    def last_words(self) -> str:
        """As the port."""
        return last_words(self._root, read_conf(self._conf), self._node)

    def stop(self) -> None:
        """As the port. One that is being replaced (24.11) loses the signal: it gets another."""
        if self.runs():
            for limit_s in (self._commands.stop_s / 4, self._commands.stop_s):
                must(self._commands.stop, self._commands.stop_s)
                if self._is_there(False, limit_s):
                    return
            raise SlurmMigError("slurmd runs on, though it was stopped: see its log")

    def start(self, words: Mapping[str, str]) -> None:
        """As the port."""
        if self._running() is None:
            command = self._commands.start
            for place, value in words.items():
                command = filled(command, place, value)
            must(command, self._commands.start_s)
            if not self._is_there(True, self._commands.start_s):
                raise SlurmMigError("slurmd does not run, though it was started: see its log")

    def renew_map(self) -> Sequence[str]:
        """As the port."""
        made, _ = make.renew(make.Request(self._root, self._options()))
        return made.warnings

    def _options(self) -> SlurmdOptions:
        found = self._running()
        words = () if found is None else found.words[1:]
        options = parse_slurmd_options(shlex.join(words))
        if options.node_name is None:
            options = options._replace(
                words=("-N", self._node, *options.words), node_name=self._node
            )
        return options

    def _running(self) -> Slurmd | None:
        return running(self._root, read_conf(self._conf), self._node)

    def _is_there(self, wanted: bool, limit_s: float) -> bool:
        """Wait for it to come, or to go; whether it did."""
        end = time.monotonic() + limit_s
        while (self._running() is not None) != wanted:
            if time.monotonic() > end:
                return False
            time.sleep(_PAUSE_S)
        return True
