"""`slurm-mig gres-map`: look, join, write; or take away what hooks must not trust any more."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import Refused, SlurmError, SlurmMigError
from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.present.discover import discover
from slurm_mig.gresmap import store
from slurm_mig.gresmap.join import Head, gres_map, missing_files, warnings
from slurm_mig.model import Node
from slurm_mig.slurm import scontrol
from slurm_mig.slurm.config.conf import (
    find_slurm_conf,
    handed_out,
    is_handed_out,
    read_conf,
)
from slurm_mig.slurm.config.constrained import constrained
from slurm_mig.slurm.config.slurmd_options import SlurmdOptions
from slurm_mig.slurm.daemon import host_name, newer_than_slurmd, slurmd_start
from slurm_mig.slurm.records.slurmd_list import parse_slurmd_list
from slurm_mig.slurm.version import SlurmVersion
from slurm_mig.system import epoch


class Request(NamedTuple):
    """What to make the map from.

    `options` are those that slurmd was started with; `slurmd_list` is what `slurmd -G`
    printed, and `version` its version, where slurmd is not to be asked.
    """

    root: Path = Path("/")
    options: SlurmdOptions = SlurmdOptions()
    slurmd_list: str | None = None
    version: SlurmVersion | None = None

    def slurm_conf(self) -> Path | None:
        """The file that slurmd reads; None where it is not to be found."""
        given = self.options.conf
        if given is not None:
            return Path(given)
        fetched = handed_out(self.root) if self.options.conf_server is not None else None
        return fetched or find_slurm_conf(self.root)


class Made(NamedTuple):
    """The map, and what an administrator should know though it could be made."""

    gres_map: dict[str, Any]
    warnings: tuple[str, ...]


def make(request: Request) -> Made:
    """The map of this machine as it stands. Raises SlurmMigError where there can be none."""
    # Before all else: a change that begins while we look makes the map stale.
    generation = epoch.generation(str(request.root))
    version = request.version or scontrol.installed_version()
    node = _discover(request)
    missing = missing_files(node)
    if missing:  # slurmd would wait 20 s for the first of them, and give up
        raise Refused(f"no gres map: slices of {node.name} lack device files", missing)
    records = parse_slurmd_list(_list(request))
    head = Head(
        boot_id=epoch.boot_id(str(request.root)),
        generation=generation,
        slurm_version=str(version),
        constrained=_constrained(request.slurm_conf()),
        made_at=int(time.time()),
        gres_conf=_gres_conf(request, node.name),
    )
    return Made(gres_map(records, node, head), tuple(warnings(records, node)))


def renew(request: Request) -> tuple[Made, bool]:
    """Make the map and write it; also whether it had to be written.

    Where none can be made, an old one is taken away. Raises SlurmMigError; where slurmd has
    not read gres.conf as it is now, the old one is still the right one, and stays.
    """
    _must_be_loaded(request)
    try:
        made = make(request)
        return made, store.write(request.root, made.gres_map)
    except (SlurmMigError, OSError) as why:
        if store.remove(request.root):
            why.add_note(f"{store.MAP} was removed: until it is made, GPU jobs are refused here")
        raise


def _list(request: Request) -> str:
    if request.slurmd_list is not None:
        return request.slurmd_list
    words, conf = request.options.words, request.slurm_conf()
    if conf is not None and "-f" not in words:
        # slurmd in configless mode keeps its files where it would not look for them itself.
        words = ("-f", str(conf), *words)
    return scontrol.slurmd_list(words)


def _must_be_loaded(request: Request) -> None:
    """Raises SlurmError where `slurmd -G` would read another gres.conf than the running slurmd."""
    path = request.slurm_conf()
    if path is None or request.slurmd_list is not None or is_handed_out(path):
        return  # or slurmd itself has written it, and only then read it
    gres_conf = path.parent / "gres.conf"
    node = request.options.node_name or host_name()
    start = slurmd_start(request.root, read_conf(path), node)
    changed = newer_than_slurmd(gres_conf, start)
    if changed and not store.holds(request.root, gres_conf, node, start):  # other nodes' lines
        raise SlurmError(
            f"{gres_conf} was changed after slurmd started: restart slurmd, then the map is made"
            " (until then nothing was changed)"
        )


def _gres_conf(request: Request, node: str) -> dict[str, int | str] | None:
    """The state of the file that slurmd's list was made from; None where slurmd was not asked."""
    path = request.slurm_conf()
    if path is None or request.slurmd_list is not None:
        return None
    return store.state_of(path.parent / "gres.conf", node)


def _discover(request: Request) -> Node:
    with session() as nvml:
        return discover(nvml, request.root, request.options.node_name)


def _constrained(slurm_conf: Path | None) -> bool | None:
    if slurm_conf is None:
        return None
    cgroup = slurm_conf.parent / "cgroup.conf"
    return constrained(read_conf(slurm_conf), read_conf(cgroup) if cgroup.exists() else None)
