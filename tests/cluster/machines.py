"""The running machines of a cluster, and programs run on them."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slurm_mig.files import write_atomic
from tests.cluster import roots
from tests.cluster.node import ClusterError, Holder, Node, command, environment
from tests.cluster.slurmconf import CONTROLLER

STATE = "cluster.json"  # what another process needs to find the machines


@dataclass(slots=True)
class Machines:
    """A cluster's folder and its machines. Every method may raise ClusterError."""

    folder: Path
    slurm: roots.Slurm
    names: tuple[str, ...]  # of the nodes: the controller's machine comes besides
    holders: dict[str, Holder] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Machines":
        """Those that some process started in a folder."""
        try:
            state = json.loads((folder / STATE).read_text())
        except FileNotFoundError as error:
            raise ClusterError(f"there is no cluster in {folder}") from error
        holders = {name: Holder(*pair) for name, pair in state["holders"].items()}
        return cls(folder, roots.find(state["slurm"]), tuple(state["nodes"]), holders)

    def save(self) -> None:
        """Let others find them."""
        holders = {name: [holder.pid, holder.start] for name, holder in self.holders.items()}
        state = {"slurm": self.slurm.version, "nodes": self.names, "holders": holders}
        write_atomic(self.folder / STATE, json.dumps(state, indent=1) + "\n")

    def node(self, name: str) -> Node:
        """A node, or the controller's machine (`ctl`)."""
        if name not in (*self.names, CONTROLLER):
            raise ClusterError(f"no node {name} here: there are {', '.join(self.names)}")
        return Node(name, self.folder, self.slurm)

    @property
    def conf(self) -> Path:
        """The folder of slurm.conf and cgroup.conf, which every node reads."""
        return self.node(CONTROLLER).root / "etc/slurm"

    def command(self, name: str, words: Sequence[str]) -> list[str]:
        """The command line that runs `words` on a node, for the caller to start."""
        self.node(name)
        if name not in self.holders:
            raise ClusterError(f"{name} was never started: `down` the cluster, then `up`")
        return command(self.holders[name], words)

    def exec(
        self,
        name: str,
        words: Sequence[str],
        *,
        check: bool = True,
        timeout_s: float = 60,
        env: Mapping[str, str] | None = None,
        uid: int | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program on a node, as root or, where Slurm's own files are in view, as `uid`.

        With `check`, a failure is a ClusterError.
        """
        become = [] if uid is None else self.node(name).become(uid)
        done = subprocess.run(
            self.command(name, [*become, *words]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=environment(env),
        )
        if check and done.returncode != 0:
            raise ClusterError(f"{' '.join(words)} on {name}: {done.stderr.strip() or done.stdout}")
        return done
