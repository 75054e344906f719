"""Reading all that the checks judge. What cannot be read is told, never guessed."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from slurm_mig.doctor import monitor_look, record_look
from slurm_mig.doctor.facts import Facts, HookFacts
from slurm_mig.doctor.scripts import find_scripts, own_hooks
from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.files import under
from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.nvml.link import found_without_version
from slurm_mig.gpu.present.discover import discover
from slurm_mig.gresmap import store
from slurm_mig.gresmap.make import Request, make
from slurm_mig.model import Node
from slurm_mig.slurm import scontrol
from slurm_mig.slurm.config.conf import Conf, is_handed_out, read_conf
from slurm_mig.slurm.config.drift import autodetect_of
from slurm_mig.slurm.controller.choose import choose_client
from slurm_mig.slurm.daemon import host_name, slurmd_start
from slurm_mig.system import epoch

T = TypeVar("T")
_PLUGIN_DIRS = (
    "/usr/lib64/slurm",
    "/usr/lib/slurm",
    "/usr/lib/x86_64-linux-gnu/slurm-wlm",
    "/usr/lib/aarch64-linux-gnu/slurm-wlm",
    "/usr/local/lib/slurm",
    "/opt/slurm/lib/slurm",
)


class _Looker:
    """Calls what reads, and keeps why it could not."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, str]] = []

    def ask(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (SlurmMigError, OSError, UnicodeDecodeError) as why:
            self.failed.append((what, str(why)))
        return None


def look(request: Request, hooks: HookFacts) -> Facts:
    """Everything about this node. Raises nothing: what could not be looked at stands in it."""
    looker, root = _Looker(), request.root
    name = request.options.node_name or host_name()
    conf = looker.ask("slurm.conf", lambda: _slurm_conf(request))
    folder = conf.path.parent if conf else None
    gres_conf = looker.ask("gres.conf", lambda: _gres_conf(folder))
    start = slurmd_start(root, conf, name)
    if start is None:
        looker.failed.append(("slurmd", "no running slurmd was found: how old it is, is unknown"))
    facts = Facts(
        node_name=name,
        conf=conf,
        cgroup=looker.ask("cgroup.conf", lambda: _cgroup_conf(folder)),
        gres_conf=gres_conf,
        autodetect=looker.ask("AutoDetect", lambda: autodetect_of(gres_conf or "", name)) or "off",
        version=looker.ask(
            "Slurm's version", lambda: request.version or scontrol.installed_version()
        ),
        node=looker.ask("GPUs", lambda: _node(request)),
        scripts=find_scripts(root, conf) if conf else {},
        hooks=hooks,
        hook_folder=str(own_hooks()),
        slurmd_start=start,
        gres_conf_changed=_gres_conf_changed(root, conf, name, start),
        generation=looker.ask("generation", lambda: epoch.generation(str(root))),
        generation_changed=_changed(under(root, f"{epoch.FOLDER}/{epoch.GENERATION}")),
        boot_id=looker.ask("boot id", lambda: epoch.boot_id(str(root))),
        gres_map=looker.ask("gres map", lambda: store.read(root)),
        nvml_plugin=_nvml_plugin(root, conf),
        nvml_link=found_without_version(),
        monitor=looker.ask("monitor", lambda: monitor_look.look(root)),
        records=looker.ask("usage records", lambda: record_look.look(root)),
        now=time.time(),
        slurm_client=looker.ask("Slurm's commands", lambda: choose_client(root).told()),
    )
    fresh, why = _fresh(request, looker)
    return facts._replace(
        fresh_map=fresh, disagreements=why, could_not_look=tuple(dict(looker.failed).items())
    )


def _slurm_conf(request: Request) -> Conf:
    path = request.slurm_conf()
    if path is None:
        raise SlurmMigError("not found: name it with --slurmd-options '-f FILE', or SLURM_CONF")
    return read_conf(path)


def _cgroup_conf(folder: Path | None) -> Conf | None:
    path = folder / "cgroup.conf" if folder else None
    return read_conf(path) if path and path.exists() else None


def _gres_conf(folder: Path | None) -> str | None:
    path = folder / "gres.conf" if folder else None
    return path.read_bytes().decode() if path and path.exists() else None


def _gres_conf_changed(
    root: Path, conf: Conf | None, name: str, start: float | None
) -> float | None:
    """None too where slurmd has read all of it that is for this node."""
    if conf is None or is_handed_out(conf.path):
        return None  # configless: slurmd itself wrote it, and read it then
    path = conf.path.parent / "gres.conf"
    return None if store.holds(root, path, name, start) else _changed(path)


def _node(request: Request) -> Node:
    with session() as nvml:
        return discover(nvml, request.root, request.options.node_name)


def _fresh(request: Request, looker: _Looker) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The map as it would be made now, or why the two sides do not agree."""
    try:
        return make(request).gres_map, ()
    except Refused as why:
        return None, why.problems
    except (SlurmMigError, OSError) as why:
        looker.failed.append(("slurmd's list", str(why)))
    return None, ()


def _nvml_plugin(root: Path, conf: Conf | None) -> bool | None:
    """Whether Slurm's plugins have NVML's; None where no folder of plugins was found."""
    own = conf.get("PluginDir") if conf else None
    places = own.split(":") if own else _PLUGIN_DIRS
    found = [folder for place in places if (folder := under(root, place)).is_dir()]
    return any((folder / "gpu_nvml.so").exists() for folder in found) if found else None


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
