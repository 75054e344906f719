"""An sshd on each node of a cluster, and root of the controller's machine, who may log in there.

Nothing is configured but root's own ~/.ssh, /run/root/.ssh on each machine: that is how most
sites have it. Every node has an address of its own, so the port is the usual one.
"""

import os
import shlex
import signal
from pathlib import Path

from tests.cluster import hooking, openssh
from tests.cluster.cluster import Cluster
from tests.cluster.node import environment, start_time
from tests.cluster.slurmconf import CONTROLLER

FOLDER = "ssh"  # in the cluster's
HOME = "run/root"
_CONFIG = """\
ListenAddress {address}
HostKey /run/sshd/key
PidFile /run/sshd/pid
PermitRootLogin yes
PasswordAuthentication yes
SetEnv {environment}
"""


class Sshds:
    """Those of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self._openssh = cluster, openssh.find()
        self._folder = cluster.folder / FOLDER
        self._folder.mkdir()
        self._addresses = {name: f"127.0.1.{at}" for at, name in enumerate(cluster.names, 1)}
        self._write_names()
        for name in (CONTROLLER, *cluster.names):
            cluster.exec(name, ["mount", "--bind", f"/run/cluster/{FOLDER}/passwd", "/etc/passwd"])
            self.home(name).mkdir(mode=0o700)
        self._keygen(CONTROLLER, f"/{HOME}/.ssh/id_ed25519")
        for name in cluster.names:
            self._configure(name)
            self.know(name)
            self.let_in(name)
            self.start(name)

    def home(self, name: str) -> Path:
        """Root's ~/.ssh on a machine."""
        made = self.cluster.node(name).root / HOME
        made.mkdir(mode=0o700, exist_ok=True)
        return made / ".ssh"

    def start(self, name: str) -> None:
        """Start a node's sshd."""
        conf, log = f"/run/cluster/{FOLDER}/{name}.conf", f"/run/cluster/log/sshd.{name}.log"
        words = [self._openssh.program("sshd"), "-f", conf, "-E", log]
        self.cluster.exec(name, words, env=self._openssh.env())

    def end(self, name: str) -> None:
        """Stop the one that listens."""
        pid = self._pid(name)
        os.kill(pid, signal.SIGTERM)
        hooking.wait_for(lambda: start_time(pid) is None, f"end of {name}'s sshd", self.cluster)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to the one that listens."""
        os.kill(self._pid(name), number)

    def sessions(self, name: str) -> list[int]:
        """The processes that hold a node's connections."""
        found = Path(f"/proc/{self._pid(name)}/task/{self._pid(name)}/children").read_text()
        return [int(pid) for pid in found.split()]

    def cut(self, name: str) -> int:
        """Break all of a node's connections, and tell nobody there; how many there were."""
        found = self.sessions(name)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return len(found)

    def know(self, *names: str, known: bool = True) -> None:
        """Let root of the controller's machine know the keys of nodes, or forget them."""
        file = self.home(CONTROLLER) / "known_hosts"
        lines = file.read_text().splitlines() if file.exists() else []
        left = [line for line in lines if line.split()[0] not in names]
        if known:
            keys = ((name, self.cluster.node(name).root / "run/sshd/key.pub") for name in names)
            left += [f"{name} {' '.join(key.read_text().split()[:2])}" for name, key in keys]
        file.write_text("".join(f"{line}\n" for line in left))

    def let_in(self, name: str, *, allowed: bool = True) -> None:
        """Let root of the controller's machine log in to a node, or only with a password."""
        key = (self.home(CONTROLLER) / "id_ed25519.pub").read_text()
        file = self.home(name) / "authorized_keys"
        file.write_text(key if allowed else "")
        file.chmod(0o600)

    def _pid(self, name: str) -> int:
        return int((self.cluster.node(name).root / "run/sshd/pid").read_text())

    def _write_names(self) -> None:
        hosts = [f"{address} {name}" for name, address in self._addresses.items()]
        text = "\n".join([f"127.0.0.1 localhost {CONTROLLER}", *hosts, ""])
        (self.cluster.folder / "hosts").write_text(text)  # the same file: it is mounted
        others = [
            line for line in Path("/etc/passwd").read_text().splitlines() if "root:" not in line
        ]
        root = f"root:x:0:0:root:/{HOME}:/bin/sh"
        sshd = "sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin"
        kept = [line for line in others if not line.startswith("sshd:")]
        (self._folder / "passwd").write_text("\n".join([root, *kept, sshd, ""]))
        program = self.cluster.folder / "bin/ssh"
        libraries = shlex.quote(self._openssh.env()["LD_LIBRARY_PATH"])
        ssh = shlex.quote(self._openssh.program("ssh"))
        program.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {ssh} "$@"\n')
        program.chmod(0o755)

    def _configure(self, name: str) -> None:
        (self.cluster.node(name).root / "run/sshd").mkdir(mode=0o755)
        self._keygen(name, "/run/sshd/key")
        wanted = ("PATH", "LD_LIBRARY_PATH", "MIGSIM_DIR")
        words = [f"{key}={environment()[key]}" for key in wanted]
        text = _CONFIG.format(address=self._addresses[name], environment=" ".join(words))
        (self._folder / f"{name}.conf").write_text(text)

    def _keygen(self, name: str, path: str) -> None:
        words = [self._openssh.program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", path]
        self.cluster.exec(name, words, env=self._openssh.env())
