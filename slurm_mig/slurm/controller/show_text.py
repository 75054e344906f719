"""Nodes and jobs in the text that Slurm's commands print on every release. Pure.

What users may write (a job's name) can hold line ends, and words that look like Slurm's own.
So squeue is given a separator that nobody can know beforehand, and in `scontrol show job`
nothing is believed before the job's name, known from squeue, is over. Times are in UTC.
"""

import re
from calendar import timegm
from collections.abc import Iterator
from time import strptime

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.controller import gres_text
from slurm_mig.slurm.controller.client import HeldGres, Job, NodeState, Reservation
from slurm_mig.slurm.records.fold import expand

_FIELD = re.compile(r"(?:^| )([A-Za-z]\w*)=(\S*)")
_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
# Slurm puts the stamp behind a reason's first line, and what was a line end became spaces.
_REASON = re.compile(
    rf"(.*?) \[([^@\[\]]+)@({_STAMP}|Unknown)\]( {{8,}}.*?)?(?: Comment=.*| Extra=.*)?$"
)
# What sinfo and scontrol put behind a state's first word.
_MARKS = {"*": "NOT_RESPONDING"}
_HOLDS = re.compile(r"(?:^| )Nodes=(\S+) CPU_IDs=\S* Mem=\S* GRES=(\S*)")
_RESERVATION = re.compile(
    rf"ReservationName=(\S+) StartTime=({_STAMP}) EndTime=({_STAMP}) .*?\bNodes=(\S+) .*"
    r"\bState=(\S+)"
)
_LIMIT = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")

JOB_FIELDS = "iATuPNleb"  # of squeue -o; the job's name comes behind them
WANTED_FIELDS = ("tres-per-job", "tres-per-node", "tres-per-socket", "tres-per-task")
WIDTH = 512  # of one of these; what a job asks for beyond is not told


def nodes(text: str) -> tuple[NodeState, ...]:
    """What `scontrol show node -d -o` printed. Raises SlurmError."""
    records = re.split(r"(?:\A|\n)(?=NodeName=)", text.strip())
    return tuple(_node(" ".join(record.splitlines())) for record in records if record.strip())


def _node(record: str) -> NodeState:
    # Free text comes last, the reason first of it: what stands in one is no field.
    head, key, tail = [*re.split(r" (Reason|Comment|Extra)=", record, maxsplit=1), "", ""][:3]
    values = dict(_FIELD.findall(head))
    try:
        name, cpus = values["NodeName"], int(values["CPUTot"])
        state, gres = values["State"], values["Gres"]
    except (KeyError, ValueError) as why:
        raise SlurmError(f"`scontrol show node` is not as it was: {why!r}") from None
    return NodeState(
        name,
        states(state),
        *_reason(tail if key == "Reason" else ""),
        gres=gres_text.counts(gres),
        gres_used=gres_text.held(values.get("GresUsed", ""), name),
        slurmd_version=values.get("Version") or None,
        slurmd_start=_time(values.get("SlurmdStartTime", "")),
        cpus=cpus,
        features=_list(values.get("AvailableFeatures", "")),
        partitions=_list(values.get("Partitions", "")),
        address=values.get("NodeAddr", ""),
        host_name=values.get("NodeHostName", ""),
    )


def reservations(text: str) -> tuple[Reservation, ...]:
    """What `scontrol show reservation -o` printed. Raises SlurmError."""
    lines = [line for line in text.splitlines() if line.startswith("ReservationName=")]
    return tuple(_reservation(line) for line in lines)


def _reservation(line: str) -> Reservation:
    found = _RESERVATION.match(line)
    if found is None:
        raise SlurmError(f"`scontrol show reservation` is not as it was: {line[:200]!a}")
    name, start, end, nodes_text, state = found.groups()
    names = () if nodes_text == "(null)" else tuple(expand(nodes_text))
    return Reservation(name, names, state == "ACTIVE", _time(start), _time(end))


def states(text: str) -> frozenset[str]:
    """A node's state in one word, "IDLE*+DRAIN", as its parts."""
    marks = {word for mark, word in _MARKS.items() if mark in text}
    return frozenset(re.findall(r"[A-Z_]+", text.upper())) | marks


def _reason(tail: str) -> tuple[str, str | None, float | None]:
    found = _REASON.match(tail)
    if found is None:
        return tail.strip(), None, None
    text = " ".join(filter(None, (found[1], (found[4] or "").strip())))
    return text, found[2], _time(found[3])


def job_format(separator: str) -> str:
    """What to give to squeue -o."""
    return separator.join(["", *(f"%{letter}" for letter in JOB_FIELDS), "%j"]) + separator


def jobs(text: str, separator: str) -> tuple[Job, ...]:
    """What squeue printed in that format: `held` and most of `gres_wanted` are yet to come."""
    words = text.split(separator)
    size = len(JOB_FIELDS) + 2  # the name, and the line end behind the last separator
    if (len(words) - 1) % size:
        raise SlurmError("`squeue` printed something that it was not asked for")
    return tuple(_job(words[at : at + size - 1]) for at in range(1, len(words) - 1, size))


def _job(words: list[str]) -> Job:
    shown, number, state, user, partition, places, limit, end, per_node, name = words
    if not number.isdecimal():
        raise SlurmError(f"`squeue` printed {number!r} where it was asked for a job's number")
    limit_s = _limit(limit)
    return Job(
        job_id=int(number),
        shown=shown,
        user=user,
        name=name,
        state=state.upper(),
        partition=partition,
        nodes=tuple(expand(places)) if places else (),
        time_limit_s=limit_s,
        end_time=None if limit_s is None else _time(end),
        gres_wanted=gres_text.counts(gres_text.only_gres(per_node)),
    )


def wanted_format(separator: str) -> str:
    """What to give to squeue -O; the separator must begin with a letter."""
    fields = ("JobID", *WANTED_FIELDS)
    return ",".join(f"{field}:{WIDTH if at else 20}{separator}" for at, field in enumerate(fields))


def wanted(text: str, separator: str) -> dict[int, str]:
    """By job_id all that it asks for, out of what squeue printed in that format."""
    words = [word.strip() for word in text.split(separator)]
    size = 1 + len(WANTED_FIELDS)
    if (len(words) - 1) % size:
        raise SlurmError("`squeue` printed something that it was not asked for")
    rows = [words[at : at + size] for at in range(0, len(words) - 1, size)]
    if not all(row[0].isdecimal() for row in rows):
        raise SlurmError("`squeue` printed no number where it was asked for a job's")
    return {int(row[0]): ",".join(map(_whole, row[1:])) for row in rows}


def _whole(field: str) -> str:
    """A field that was cut off, less its last word, which may not be whole."""
    return field.rpartition(",")[0] if len(field) >= WIDTH else field


def held(text: str, job: Job, node: str) -> tuple[HeldGres, ...] | None:
    """What `scontrol show job -d -o` says that the job holds on the node.

    None where it is not the job that squeue told of. Raises SlurmError.
    """
    start = re.match(rf"JobId={job.job_id} (?:\w+=\S* )*?JobName=", text)
    rest = text[start.end() :] if start else ""
    # 26.05 has SLUID= first.
    if not rest.startswith((f"{job.name} UserId=", f"{job.name} SLUID=")):
        return None
    detail = rest[len(job.name) :].partition(" JOB_GRES=")[2].partition(" MinCPUsNode=")[0]
    return tuple(
        one
        for places, found in _HOLDS.findall(" ".join(detail.splitlines()))
        if node in expand(places)
        for one in gres_text.held(found, node)
    )


def config(text: str) -> Iterator[tuple[str, str]]:
    """The settings that `scontrol show config` printed."""
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and key.strip() and value.strip() not in ("", "(null)"):
            yield key.strip().lower(), value.strip()


def _list(text: str) -> tuple[str, ...]:
    return () if text in gres_text.NOTHING else tuple(text.split(","))


def _limit(text: str) -> int | None:
    found = _LIMIT.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(word or 0) for word in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _time(text: str) -> float | None:
    if not re.fullmatch(_STAMP, text):
        return None
    return float(timegm(strptime(text, "%Y-%m-%dT%H:%M:%S")))
