"""The steps of `up`: folders, machines, configuration, daemons."""

import hashlib
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import (
    accounting,
    cgroups,
    conffiles,
    roots,
    simulated,
    site,
    slurmconf,
    wrappers,
)
from tests.cluster.conffiles import Files, GresOf, ask_slurm_mig
from tests.cluster.machines import Machines
from tests.cluster.node import Holder, start_time
from tests.cluster.slurmconf import CONTROLLER


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen for a cluster; `settings` are further lines of its slurm.conf.

    `dynamic` nodes are in no slurm.conf: they come by `slurmd -Z`. One at most, because Slurm
    22.05 lets none have a port of its own. `cgroup` is the version that the machines have,
    `files` says where Slurm's files lie.
    """

    slurm: str = "22.05"
    cpus: int = 16
    settings: Mapping[str, str] = field(default_factory=dict)
    gres: GresOf = ask_slurm_mig
    make_machine: simulated.MakeMachine = simulated.simulate
    accounting: bool = False
    dynamic: str | None = None
    cgroup: int = cgroups.V1
    files: Files = Files.OWN


def start(folder: Path, nodes: Mapping[str, Sequence[str]], options: Options) -> Machines:
    """Start all of a cluster in a folder that is not there or empty. Raises ClusterError.

    `nodes` are names and their GPUs. What was started before an error stays until `down`.
    """
    slurm = roots.find(options.slurm)
    machines = Machines(folder, slurm, tuple(nodes))
    folder.mkdir(parents=True, exist_ok=True)
    machines.save()  # first: from now on `down` knows it as a cluster's
    _make_folders(folder)
    for name, gpus in nodes.items():
        machine = options.make_machine(machines.node(name).folder, gpus)
        simulated.copy_library(machine, folder / "lib")
    shutil.copytree(slurm.nvml, folder / "plugins")
    first = cgroups.before_slurmd(options.cgroup, folder / "lib", "/run/cluster/lib")
    wrappers.write(slurm, folder / "bin", first)
    (folder / "hosts").write_text(slurmconf.hosts(machines.names))
    if options.files is Files.SHARED:
        conffiles.share(machines)
    _start_machines(machines, options.cgroup)
    _configure(machines, options)
    site.write(machines)
    _start_daemons(machines, accounted=options.accounting)
    return machines


def _make_folders(folder: Path) -> None:
    for name in (".", "log", "lib", "state", "munge", "nodes"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o755)
    key = folder / "munge/munge.key"
    key.touch(0o400)
    key.write_bytes(secrets.token_bytes(64))


def _start_machines(machines: Machines, cgroup: int) -> None:
    group, first = group_of(machines.folder), None
    for name in (CONTROLLER, *machines.names):
        pid = machines.node(name).start(group, first, cgroup)
        machines.holders[name] = Holder(pid, start_time(pid) or 0)
        first = first or machines.holders[name]
        machines.save()


def _configure(machines: Machines, options: Options) -> None:
    gres = {name: options.gres(machines, name) for name in machines.names}
    confs = {}
    for number, name in enumerate(machines.names):
        port = slurmconf.FIRST_SLURMD_PORT + number
        confs[name] = slurmconf.NodeConf(name, gres[name].line, options.cpus, port)
    dynamic = confs.pop(options.dynamic) if options.dynamic else None
    settings = {
        **(accounting.SETTINGS if options.accounting else {}),
        **(slurmconf.DYNAMIC if dynamic else {}),
        **(slurmconf.CONFIGLESS if options.files is Files.CONFIGLESS else {}),
        **options.settings,
    }
    conffiles.write(machines, gres, options.files, confs, settings, options.cgroup)
    if dynamic:
        own = machines.node(dynamic.name).folder / site.OPTIONS
        own.write_text(slurmconf.dynamic_options(dynamic))


def _start_daemons(machines: Machines, *, accounted: bool) -> None:
    munge = "/run/munge"
    files = {"key": "key", "pid": "pid", "log": "log", "seed": "seed"}
    options = [f"--{kind}-file={munge}/munge.{end}" for kind, end in files.items()]
    munged = ["munged", "--num-threads=10", f"--socket={munge}/munge.socket.2", *options]
    machines.exec(CONTROLLER, munged)
    if accounted:
        accounting.start(machines)
    machines.exec(CONTROLLER, ["slurmctld"])
    for name in machines.names:
        machines.exec(name, [site.SLURMD_START])


def group_of(folder: Path) -> str:
    """The cgroup of the cluster in a folder: known before, and after, anything else is."""
    return f"slurm-mig-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}"
