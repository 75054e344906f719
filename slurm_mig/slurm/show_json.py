"""Nodes and jobs in the JSON of Slurm's data_parser v0.0.41 to v0.0.45. Pure.

A number is {"set", "infinite", "number"} there; where a version says it plainly, or names a
state by a word and not by a list of them, that is read too.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from slurm_mig.errors import SlurmError
from slurm_mig.slurm import gres_text
from slurm_mig.slurm.client import HeldGres, Job, NodeState
from slurm_mig.slurm.fold import expand

T = TypeVar("T")
Number = Mapping[str, Any] | int | None
# Best first: v0.0.42 is what the most releases have (24.11 to 26.05).
FORMATS = ("v0.0.42", "v0.0.43", "v0.0.44", "v0.0.45", "v0.0.41")
_WANTED = ("tres_per_job", "tres_per_node", "tres_per_socket", "tres_per_task")
# What squeue shows for a job in several states at once.
_FIRST = ("COMPLETING", "CONFIGURING", "STAGE_OUT", "RESIZING", "SIGNALING", "STOPPED")
_MINUTE_S = 60


def best_format(listed: str) -> str | None:
    """The format to ask for, of those that `--json=list` printed; None without a known one."""
    found = {word.rpartition("/")[2] for word in listed.split()}
    return next((name for name in FORMATS if name in found), None)


def nodes(text: str) -> tuple[NodeState, ...]:
    """What `scontrol show node --json` printed. Raises SlurmError."""
    return tuple(_read(_node, each) for each in _listed(text, "nodes"))


def jobs(text: str) -> tuple[Mapping[str, Any], ...]:
    """The jobs in what `squeue --json` printed, for job(). Raises SlurmError."""
    return tuple(_listed(text, "jobs"))


def job(found: Mapping[str, Any], node: str | None) -> Job:
    """One job, and what it holds on `node`. Raises SlurmError."""
    return _read(lambda each: _job(each, node), found)


def _listed(text: str, key: str) -> list[Any]:
    try:
        # Not strict: a job's name may have anything in it, whatever Slurm's writer does of it.
        found = json.loads(text, strict=False)[key]
    except (ValueError, KeyError, TypeError) as why:
        raise SlurmError(f"Slurm's JSON of its {key} cannot be read: {why!r}") from None
    if not isinstance(found, list):
        raise SlurmError(f"Slurm's JSON has no list of {key}")
    return found


def _read(read: Callable[[Mapping[str, Any]], T], found: Mapping[str, Any]) -> T:
    try:
        return read(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as why:
        raise SlurmError(f"Slurm's JSON is not as it was: {why!r}") from None


def _node(found: Mapping[str, Any]) -> NodeState:
    reason = found["reason"] or ""
    return NodeState(
        name=found["name"],
        state=frozenset(_words(found["state"])),
        reason=reason,
        # Without a reason these are uid 0's name and some time.
        reason_user=found["reason_set_by_user"] or None if reason else None,
        reason_time=_time(found["reason_changed_at"]) if reason else None,
        gres=gres_text.counts(found["gres"]),
        gres_used=gres_text.held(found["gres_used"], found["name"]),
        slurmd_version=found["version"] or None,
        slurmd_start=_time(found["slurmd_start_time"]),
        cpus=found["cpus"],
        features=tuple(_split(found["features"])),
        partitions=tuple(found["partitions"]),
        address=found["address"],
        host_name=found["hostname"],
    )


def _job(found: Mapping[str, Any], node: str | None) -> Job:
    states = _words(found["job_state"])
    limit = _number(found["time_limit"])
    wanted = filter(None, (gres_text.only_gres(found[key]) for key in _WANTED))
    return Job(
        job_id=found["job_id"],
        shown=_shown(found),
        user=found["user_name"] or str(found["user_id"]),
        name=found["name"],
        state=next((state for state in _FIRST if state in states), states[0]),
        partition=found["partition"],
        nodes=tuple(expand(found["nodes"])) if found["nodes"] else (),
        time_limit_s=None if limit is None else limit * _MINUTE_S,
        end_time=None if limit is None else _time(found["end_time"]),
        gres_wanted=gres_text.counts(",".join(wanted)),
        held=() if node is None else _held(found, node),
    )


def _shown(found: Mapping[str, Any]) -> str:
    if het := _number(found["het_job_id"]):
        return f"{het}+{_number(found['het_job_offset']) or 0}"
    array = _number(found["array_job_id"])
    if not array:
        return str(found["job_id"])
    task = _number(found["array_task_id"])
    return f"{array}_{task}" if task is not None else f"{array}_[{found['array_task_string']}]"


def _held(found: Mapping[str, Any], node: str) -> tuple[HeldGres, ...]:
    details = found["gres_detail"]
    if not details:
        return ()
    places = [each["name"] for each in found["job_resources"]["nodes"]["allocation"]]
    if len(places) != len(details):
        raise SlurmError(
            f"Slurm names {len(places)} nodes of job {_shown(found)}, but gres on {len(details)}"
        )
    return tuple(
        held
        for place, detail in zip(places, details, strict=True)
        if place == node
        for held in gres_text.held(detail, node)
    )


def _words(found: str | list[str]) -> list[str]:
    words = [found] if isinstance(found, str) else found
    return [word.upper() for word in words]


def _split(found: str | list[str]) -> list[str]:
    return [word for word in found.split(",") if word] if isinstance(found, str) else found


def _number(found: Number) -> int | None:
    if isinstance(found, Mapping):
        return int(found["number"]) if found["set"] and not found["infinite"] else None
    return None if found is None else int(found)


def _time(found: Number) -> float | None:
    return float(_number(found) or 0) or None
