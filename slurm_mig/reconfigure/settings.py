"""/etc/slurm-mig/config.toml, table [reconfigure]: what a site may choose for whole reconfigures.

All optional, and as strict as [partition]: with a typo the wrong daemon would be restarted.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from slurm_mig.settings import (
    Check,
    Words,
    command_problem,
    seconds_problem,
    switch_problem,
    text_of,
    values_of,
)
from slurm_mig.slurm.reach import NODE, WORKERS

TABLE = "reconfigure"
_LONGEST_WAIT_S = 30 * 86400.0
_LONGEST_S = 3600.0
_MOST_AT_ONCE = 1024


class ReconfigureSettings(NamedTuple):
    """What a site may choose.

    `slurmctld_restart_command` restarts slurmctld, where this Slurm takes new GRES only so;
    empty: the site has none. `slurmd_stop_command` and `slurmd_start_command` are for this node's
    slurmd; the last gets a dynamic node's words for {conf}, should one of its own have that.
    `shared_conf` is the slurm.conf to edit, "" for the one that this machine's Slurm reads;
    `shared_gres_conf` a gres.conf of many nodes, "" for the node's own beside its slurm.conf.
    `timeout_s` bounds the wait for jobs, `answer_timeout_s` the wait for slurmctld,
    `register_timeout_s` that for slurmd's registration, `publish_timeout_s` that for others who
    write to the same files. After `state_save_s` slurmctld has saved what it was told. Nodes are
    reached by `remote_worker` of ClusterShell, or else by
    `remote_command`, which has the node for {node} and gets the command line as one more word, as
    ssh does; at most `fanout` at a time. `remote_slurm_mig` is slurm-mig on the nodes.
    Where Slurm's own reboots are the way: `desired_dir` is a folder that all nodes see, in which
    it stands what is wanted of them; `config_file` has the configurations that a PowerAction
    names; `reboot_command` really reboots; a node is waited for `reboot_timeout_s`, from when it
    is empty.
    `smoke`: a test job on each slice before the node takes others; `smoke_command` is what each
    runs besides our own check, `smoke_partition` where they are submitted ("": the node's first),
    `smoke_timeout_s` until all have told.
    `chosen` names the settings that the site's file has.
    """

    slurmctld_restart_command: Words = ()
    slurmd_stop_command: Words = ("systemctl", "stop", "slurmd.service")
    slurmd_start_command: Words = ("systemctl", "start", "slurmd.service")
    shared_conf: str = ""
    shared_gres_conf: str = ""
    timeout_s: float = 86400.0
    answer_timeout_s: float = 60.0
    register_timeout_s: float = 120.0
    state_save_s: float = 8.0
    publish_timeout_s: float = 60.0
    command_timeout_s: float = 120.0
    remote_worker: str = "ssh"
    remote_command: Words = ()
    remote_slurm_mig: Words = ("slurm-mig",)
    fanout: int = 64
    desired_dir: str = "/etc/slurm-mig/desired"
    config_file: str = "/etc/slurm-mig/mig.yaml"
    reboot_command: Words = ("systemctl", "reboot")
    reboot_timeout_s: float = 900.0
    smoke: bool = False
    smoke_command: Words = ()
    smoke_partition: str = ""
    smoke_timeout_s: float = 120.0
    chosen: frozenset[str] = frozenset()


def load(root: Path) -> ReconfigureSettings:
    """The site's settings, the defaults where it has none. Refused, with all that is wrong."""
    text = text_of(root)
    return ReconfigureSettings() if text is None else parse(text)


def parse(text: str) -> ReconfigureSettings:
    """The settings in `text`. Refused, with all that is wrong at once."""
    values = values_of(text, TABLE, _CHECKS)
    return ReconfigureSettings()._replace(chosen=frozenset(values), **values)


def _is_path(value: object) -> str | None:
    if not isinstance(value, str) or not value.isprintable():
        return "write a path as a text"
    if value and (not value.startswith("/") or value.endswith("/")):
        return f"{value!a} is no path of a file from /"
    return None


def _is_there(value: object) -> str | None:
    return _is_path(value) or (None if value else "write a path from /")


def _is_worker(value: object) -> str | None:
    return None if value in WORKERS else f"one of {', '.join(WORKERS)}, or set remote_command"


def _is_fanout(value: object) -> str | None:
    right = type(value) is int and 0 < value <= _MOST_AT_ONCE
    return None if right else f"write a whole number from 1 to {_MOST_AT_ONCE}"


def _is_word(value: object) -> str | None:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]*", value) and value[:1] != "-":
        return None
    return "write the name of one partition"


def _command(*, may_be_empty: bool, place: str | None = None) -> Check:
    return lambda value: command_problem(value, place, may_be_empty=may_be_empty, must=False)


_CHECKS: Mapping[str, Check] = {
    "slurmctld_restart_command": _command(may_be_empty=True),
    "slurmd_stop_command": _command(may_be_empty=False),
    "slurmd_start_command": _command(may_be_empty=False, place="{conf}"),
    "remote_worker": _is_worker,
    "remote_command": lambda value: command_problem(value, NODE, may_be_empty=True),
    "remote_slurm_mig": _command(may_be_empty=False),
    "fanout": _is_fanout,
    "desired_dir": _is_there,
    "config_file": _is_there,
    "reboot_command": _command(may_be_empty=False),
    "reboot_timeout_s": lambda value: seconds_problem(value, _LONGEST_WAIT_S),
    "shared_conf": _is_path,
    "shared_gres_conf": _is_path,
    "timeout_s": lambda value: seconds_problem(value, _LONGEST_WAIT_S),
    "answer_timeout_s": lambda value: seconds_problem(value, _LONGEST_S),
    "register_timeout_s": lambda value: seconds_problem(value, _LONGEST_S),
    "state_save_s": lambda value: seconds_problem(value, _LONGEST_S),
    "publish_timeout_s": lambda value: seconds_problem(value, _LONGEST_S),
    "command_timeout_s": lambda value: seconds_problem(value, _LONGEST_S),
    "smoke": switch_problem,
    "smoke_command": _command(may_be_empty=True),
    "smoke_partition": _is_word,
    "smoke_timeout_s": lambda value: seconds_problem(value, _LONGEST_S),
}
