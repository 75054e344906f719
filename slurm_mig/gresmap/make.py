"""`slurm-mig gres-map`: look, join, write; or take away what hooks must not trust any more."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.discover import discover
from slurm_mig.gpu.nvml import session
from slurm_mig.gresmap import store
from slurm_mig.gresmap.join import Head, gres_map, warnings
from slurm_mig.model import Node
from slurm_mig.slurm import scontrol
from slurm_mig.slurm.conf import find_slurm_conf, read_conf
from slurm_mig.slurm.constrained import constrained
from slurm_mig.slurm.slurmd_list import parse_slurmd_list
from slurm_mig.slurm.version import SlurmVersion


class Request(NamedTuple):
    """What to make the map from, where it is not the default.

    `node_name` and `slurm_conf` are what slurmd was started with (-N, -f); `slurmd_list` is
    what `slurmd -G` printed, `version` its version, where slurmd is not to be asked.
    """

    root: Path = Path("/")
    node_name: str | None = None
    slurm_conf: Path | None = None
    slurmd_list: str | None = None
    version: SlurmVersion | None = None


class Made(NamedTuple):
    """The map, and what an administrator should know though it could be made."""

    gres_map: dict[str, Any]
    warnings: tuple[str, ...]


def make(request: Request) -> Made:
    """The map of this machine as it stands. Raises SlurmMigError where there can be none."""
    conf = find_slurm_conf(request.root, request.slurm_conf)
    # Before all else: a change that begins while we look makes the map stale.
    generation = store.generation(request.root)
    version = request.version or scontrol.installed_version()
    listed = request.slurmd_list
    if listed is None:
        listed = scontrol.slurmd_list(request.node_name, conf)
    records, node = parse_slurmd_list(listed), _discover(request)
    head = Head(
        store.boot_id(request.root), generation, str(version), _constrained(conf), int(time.time())
    )
    return Made(gres_map(records, node, head), tuple(warnings(records, node)))


def renew(request: Request) -> tuple[Made, bool]:
    """Make the map and write it; also whether it had to be written.

    Where none can be made, an old one is taken away. Raises SlurmMigError.
    """
    try:
        made = make(request)
        return made, store.write(request.root, made.gres_map)
    except BaseException as why:
        if store.remove(request.root) and isinstance(why, SlurmMigError):
            why.add_note(f"{store.MAP} was removed: until it is made, GPU jobs are refused here")
        raise


def _discover(request: Request) -> Node:
    with session() as nvml:
        return discover(nvml, request.root, request.node_name)


def _constrained(slurm_conf: Path | None) -> bool | None:
    if slurm_conf is None:
        return None
    cgroup = slurm_conf.parent / "cgroup.conf"
    return constrained(read_conf(slurm_conf), read_conf(cgroup) if cgroup.exists() else None)
