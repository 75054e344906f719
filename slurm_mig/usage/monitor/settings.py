"""/etc/slurm-mig/config.toml, table [monitor]: what a site may choose for the monitor.

All optional, and as strict as [partition]: every mistake refuses, all of them at once.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.settings import FILE, tables, text_of

TABLE = "monitor"
SHORTEST_S, LONGEST_S = 0.2, 600.0  # GPM needs 100 ms between two samples


class MonitorSettings(NamedTuple):
    """What a site may choose.

    `period_s` is the time from one sample to the next, while a job holds a slice. `gpm`: ask for
    activity, where the GPU has it. `device_check`: look once a job whether its cgroup admits
    exactly its slices. `command_names`: keep the names of the jobs' processes, in memory only.
    `chosen` names the settings that the site's file has.
    """

    period_s: float = 5.0
    gpm: bool = True
    device_check: bool = True
    command_names: bool = False
    chosen: frozenset[str] = frozenset()


def load(root: Path) -> MonitorSettings:
    """The site's settings, the defaults where it has none. Refused, with all that is wrong."""
    text = text_of(root)
    return MonitorSettings() if text is None else parse(text)


def parse(text: str) -> MonitorSettings:
    """The settings in `text`. Refused, with all that is wrong at once."""
    problems: list[str] = []
    table = tables(text, problems).get(TABLE, {})
    if not isinstance(table, dict):
        problems.append(f"{TABLE} is no table: write [{TABLE}] on a line of its own")
        table = {}
    values = _checked(table, problems)
    if problems:
        raise Refused(FILE, problems)
    return MonitorSettings()._replace(chosen=frozenset(values), **values)


def period_problem(value: object) -> str | None:
    """What is wrong with a period."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not SHORTEST_S <= value <= LONGEST_S:  # type: ignore[operator]
        return f"write a number of seconds from {SHORTEST_S:g} to {LONGEST_S:g}"
    return None


def _checked(table: Mapping[str, object], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in table.items():
        check = _CHECKS.get(name)
        why = "there is no such setting" if check is None else check(value)
        if why is not None:
            where = f"[{TABLE}] {name!a}" if check is None else name
            problems.append(f"{where}: {why}")
        else:
            values[name] = float(str(value)) if name.endswith("_s") else value
    return values


def _is_switch(value: object) -> str | None:
    return None if isinstance(value, bool) else "write true or false"


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "period_s": period_problem,
    "gpm": _is_switch,
    "device_check": _is_switch,
    "command_names": _is_switch,
}
