"""All that the checks judge, as it was read; None is what could not be looked at."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from slurm_mig.doctor.monitor_facts import MonitorFacts, RecordFacts
from slurm_mig.model import Node
from slurm_mig.slurm.config.conf import Conf
from slurm_mig.slurm.version import SlurmVersion


class Script(NamedTuple):
    """A program that slurm.conf names. `ours` is whether slurm-mig stands in it."""

    path: str
    executable: bool
    ours: bool
    others_may_write: bool = False


class HookFacts(NamedTuple):
    """What the hooks' own settings come to: a mistake in them, and their longest waits."""

    problem: str | None = None
    prolog_wait_s: float = 0.0
    epilog_wait_s: float = 0.0


class Facts(NamedTuple):
    """One node. Times are in seconds since 1970.

    `scripts` has what stands behind Prolog=, Epilog=, TaskProlog= (keys in lower case); a
    setting that names nothing that is there has an empty tuple; `hook_folder` has slurm-mig's.
    `gres_map` is the map as it lies there ({} where there is none), `fresh_map` as it would be
    made now; `disagreements` says why none can be. `slurm_client` says how slurmctld is asked.
    """

    node_name: str
    conf: Conf | None = None
    cgroup: Conf | None = None
    gres_conf: str | None = None
    autodetect: str = "off"
    version: SlurmVersion | None = None
    node: Node | None = None
    scripts: Mapping[str, tuple[Script, ...]] = {}
    hooks: HookFacts = HookFacts()
    hook_folder: str = ""
    slurmd_start: float | None = None
    gres_conf_changed: float | None = None
    generation: int | None = None
    generation_changed: float | None = None
    boot_id: str | None = None
    gres_map: Mapping[str, Any] | None = None
    fresh_map: Mapping[str, Any] | None = None
    disagreements: tuple[str, ...] = ()
    nvml_plugin: bool | None = None
    nvml_link: bool | None = None
    slurm_client: str | None = None
    monitor: MonitorFacts | None = None
    records: RecordFacts | None = None
    now: float | None = None
    could_not_look: tuple[tuple[str, str], ...] = ()

    @property
    def slices(self) -> int:
        """How many slices there are."""
        return sum(len(gpu.mig_devices) for gpu in self.node.gpus) if self.node else 0

    @property
    def autodetects(self) -> bool:
        """Whether gres.conf says AutoDetect=nvml for this node."""
        return self.autodetect == "nvml"

    @property
    def ours(self) -> bool:
        """Whether slurm-mig's prolog is switched on."""
        return any(script.ours for script in self.scripts.get("prolog", ()))
