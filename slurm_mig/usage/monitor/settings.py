"""/etc/slurm-mig/config.toml, table [monitor]: what a site may choose for the monitor.

All optional, and as strict as [partition]: every mistake refuses, all of them at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from slurm_mig.settings import Check, switch_problem, text_of, values_of
from slurm_mig.usage.monitor import listening

TABLE = "monitor"
SHORTEST_S, LONGEST_S = 0.2, 600.0  # GPM needs 100 ms between two samples


class MonitorSettings(NamedTuple):
    """What a site may choose.

    `period_s` is the time from one sample to the next, while a job holds a slice. `gpm`: ask for
    activity, where the GPU has it. `device_check`: look once a job whether its cgroup admits
    exactly its slices. `command_names`: keep the names of the jobs' processes, in memory only.
    `listen`: the address and port of the metrics, "" for none; `textfile_dir`: the folder of
    node_exporter's textfile collector, "" for none; `labels_user`: metrics say whose a job is.
    `chosen` names the settings that the site's file has.
    """

    period_s: float = 5.0
    gpm: bool = True
    device_check: bool = True
    command_names: bool = False
    listen: str = "127.0.0.1:9835"
    textfile_dir: str = ""
    labels_user: bool = False
    chosen: frozenset[str] = frozenset()


def load(root: Path) -> MonitorSettings:
    """The site's settings, the defaults where it has none. Refused, with all that is wrong."""
    text = text_of(root)
    return MonitorSettings() if text is None else parse(text)


def parse(text: str) -> MonitorSettings:
    """The settings in `text`. Refused, with all that is wrong at once."""
    values = values_of(text, TABLE, _CHECKS)
    return MonitorSettings()._replace(chosen=frozenset(values), **values)


def period_problem(value: object) -> str | None:
    """What is wrong with a period."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not SHORTEST_S <= value <= LONGEST_S:  # type: ignore[operator]
        return f"write a number of seconds from {SHORTEST_S:g} to {LONGEST_S:g}"
    return None


_CHECKS: Mapping[str, Check] = {
    "period_s": period_problem,
    "gpm": switch_problem,
    "device_check": switch_problem,
    "command_names": switch_problem,
    **listening.CHECKS,
}
