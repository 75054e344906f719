"""A cluster whose nodes are reconfigured by Slurm's own reboots: nobody reaches them."""

import contextlib
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.cluster import fleets, hooking, site
from tests.cluster.cluster import Cluster
from tests.cluster.slurmconf import CONTROLLER

PROGRAM = f"{site.FOLDER}/reboot-program"
REALLY = f"{site.FOLDER}/really-reboot"
REBOOTED = "rebooted"  # in the cluster's folder: which nodes were, with what words
CONFIG = f"""\
{site.CONFIG}
desired_dir = "/run/cluster/desired"
reboot_command = ["{REALLY}", "now"]
"""
SETTINGS = {"RebootProgram": PROGRAM, "ResumeTimeout": "60"}
# slurmd may run in another Debian's root: out of it, into the node's own, then it is the stub.
_PROGRAM = """\
#!/bin/sh
case $(uname -n) in
{cases}
esac
export PATH=/run/cluster/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LD_LIBRARY_PATH=/run/cluster/lib MIGSIM_DIR=/run/sim
exec nsenter --target="$there" --mount -- {stub} "$@"
"""
_REALLY = f'#!/bin/sh\necho "$(uname -n) $*" >>/run/cluster/{REBOOTED}\n'


@contextlib.contextmanager
def up(
    folder: Path,
    count: int,
    *,
    slurm: str,
    dynamic: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """As fleets.up, with slurm-mig as RebootProgram."""
    every = {**SETTINGS, **(settings or {})}
    with fleets.up(
        folder, count, slurm=slurm, dynamic=dynamic, config=CONFIG, settings=every
    ) as cluster:
        _script(cluster, fleets.REACH, "#!/bin/sh\nexit 255\n")  # nobody is reached
        pids = {name: holder.pid for name, holder in cluster.holders.items()}
        cases = "\n".join(f"{name}) there={pid};;" for name, pid in pids.items())
        stub = shlex.quote(f"{hooking.HOOKS}/reboot")
        _script(cluster, PROGRAM, _PROGRAM.format(cases=cases, stub=stub))
        _script(cluster, REALLY, _REALLY)
        yield cluster


def _script(cluster: Cluster, place: str, text: str) -> None:
    file = cluster.folder / "site" / Path(place).name
    file.write_text(text)
    file.chmod(0o755)


def wish(nodes: str, label: str, *more: str) -> list[str]:
    """The words that give these nodes a layout."""
    return fleets.wish(nodes, label, "--by", "reboot", *more)


def run(cluster: Cluster, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run it to its end; how it went with the logs of the nodes."""
    done = fleets.run(cluster, words)
    print(done.stdout, done.stderr, *(log(cluster, name) for name in cluster.names), sep="\n")
    return done


def must_have(cluster: Cluster, names: Sequence[str], layout: Mapping[str, int]) -> None:
    """As fleets.must_have, when what runs on the nodes by itself is at its end."""
    for name in names:
        record = cluster.node(name).root / "var/lib/slurm-mig/reconfigure.json"
        hooking.wait_for(lambda record=record: not record.exists(), f"the end on {name}", cluster)
    fleets.must_have(cluster, names, layout)


def log(cluster: Cluster, name: str) -> str:
    """What RebootProgram says on a node."""
    file = cluster.node(name).root / "var/log/slurm-mig/reboot.log"
    return file.read_text() if file.exists() else ""


def rebooted(cluster: Cluster) -> list[str]:
    """Which machines were really rebooted, or would have been."""
    file = cluster.folder / REBOOTED
    return file.read_text().splitlines() if file.exists() else []


def desired(cluster: Cluster) -> list[str]:
    """What is wanted of nodes, by its files."""
    folder = cluster.folder / "desired"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))


def reason(cluster: Cluster, name: str) -> str:
    return hooking.node_field(cluster, name, "Reason")


def scontrol(cluster: Cluster, *words: str) -> None:
    """Somebody acts by hand."""
    cluster.exec(CONTROLLER, ["scontrol", *words])
