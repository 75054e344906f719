"""Jobs in the text that sacct prints on every release. Pure.

A comment can hold any letter, line ends too, so sacct is given a separator that nobody can know
beforehand. Times are in UTC.
"""

import re
from calendar import timegm
from collections.abc import Sequence
from time import strptime

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.controller.accounting import AccountedJob, HostFigures
from slurm_mig.slurm.records.fold import expand

FIELDS = (
    "JobIDRaw", "JobID", "Start", "End", "NodeList", "AllocTRES", "NCPUS", "TotalCPU",
    "TRESUsageInTot", "AdminComment",
)  # fmt: skip
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)")
_CPU_TIME = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")

Row = dict[str, str]


def jobs(text: str, separator: str) -> dict[int, AccountedJob]:
    """What `sacct --parsable` printed of FIELDS, jobs and their steps. Raises SlurmError."""
    words = text.split(separator)
    if (len(words) - 1) % len(FIELDS):
        raise SlurmError("`sacct` printed something that it was not asked for")
    rows = [_row(words[at : at + len(FIELDS)]) for at in range(0, len(words) - 1, len(FIELDS))]
    steps: dict[str, list[Row]] = {}
    for row in rows:
        steps.setdefault(row["JobIDRaw"].partition(".")[0], []).append(row)
    found = [row for row in rows if row["JobIDRaw"].isdecimal()]
    return {int(row["JobIDRaw"]): _job(row, steps[row["JobIDRaw"]]) for row in found}


def _row(words: Sequence[str]) -> Row:
    row = dict(zip(FIELDS, words, strict=True))
    row["JobIDRaw"] = row["JobIDRaw"].removeprefix("\n")
    if not re.fullmatch(r"\d+(\+\d+)?(\.\w+)*", row["JobIDRaw"]):
        raise SlurmError(f"`sacct` printed {row['JobIDRaw']!r} where it was asked for a job's id")
    return row


def _job(row: Row, its_rows: Sequence[Row]) -> AccountedJob:
    places = row["NodeList"]
    try:
        # "None assigned": it never started.
        nodes = tuple(expand(places)) if places and " " not in places else ()
    except ValueError as why:
        raise SlurmError(f"`sacct` printed of job {row['JobIDRaw']}: {why}") from None
    gpus = _tres(row["AllocTRES"]).get("gres/gpu", "")
    return AccountedJob(
        int(row["JobIDRaw"]),
        row["JobID"],
        _time(row["Start"]),
        _time(row["End"]),
        nodes,
        int(gpus) if gpus.isdecimal() else None,
        row["AdminComment"],
        _host(row, its_rows) if len(nodes) == 1 else None,
    )


def _host(row: Row, its_rows: Sequence[Row]) -> HostFigures:
    """Of the used memory, that of the largest step: what several had at once is not told."""
    used = [_bytes(_tres(each["TRESUsageInTot"]).get("mem", "")) for each in its_rows]
    return HostFigures(
        int(row["NCPUS"]) if row["NCPUS"].isdecimal() else None,
        _bytes(_tres(row["AllocTRES"]).get("mem", "")),
        max((each for each in used if each), default=None),
        _cpu_time(row["TotalCPU"]),
    )


def _tres(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in text.split(","))
    return {name: value for name, _, value in pairs}


def _bytes(text: str) -> int | None:
    found = _BYTES.fullmatch(text)
    return None if found is None else int(float(found[1]) * _UNITS[found[2]])


def _cpu_time(text: str) -> float | None:
    """[[days-]hours:]minutes:seconds, in seconds."""
    found = _CPU_TIME.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes = (int(word or 0) for word in found.groups()[:3])
    return ((days * 24 + hours) * 60 + minutes) * 60 + float(found[4])


def _time(text: str) -> float | None:
    if not _STAMP.fullmatch(text):
        return None
    return float(timegm(strptime(text, "%Y-%m-%dT%H:%M:%S")))
