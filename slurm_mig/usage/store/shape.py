"""A record's line, checked: lines come from other machines, and from disks that lost power. Pure.

What the database has columns for must be of its type, finite and not negative; keys that are
not known here are left alone (they stay in the text). A key that is missing is not known: null.
"""

import json
from collections.abc import Mapping
from typing import Any

from slurm_mig.usage.record import VERSION
from slurm_mig.usage.store.nouns import Job, Parsed, Slice

MAX_LINE = 1 << 20  # bytes; the hooks write no longer one
_MAX_TEXT = 1024
_MAX_SLICES = 1024
_MAX_WHOLE = 1 << 63
_MAX_NUMBER = 1e300
_ACTIVITIES = (
    "graphics", "sm", "occupancy", "tensor", "fp64", "fp32", "fp16", "dram_bandwidth",
)  # fmt: skip
_CHECKED = {"exact", "differs", "unknown"}
_NOT_SAMPLED = (None,) * (len(Slice._fields) - Slice._fields.index("period_s"))

Tree = Mapping[str, Any]


class Damaged(Exception):
    """The line is no record; the text says why, and where in it."""


class Newer(Damaged):
    """The line is of a later version: a newer slurm-mig can read it."""


def parse(line: bytes) -> Parsed:
    """The record that a line holds. Raises Damaged, or Newer."""
    if len(line) > MAX_LINE:
        raise Damaged(f"longer than {MAX_LINE} bytes")
    try:
        tree = _DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        raise Damaged("not JSON: damaged or cut off") from None
    if not isinstance(tree, dict):
        raise Damaged("no JSON object")
    _check_version(tree)
    try:
        return Parsed(_job(tree), _slices(tree))
    except _Wrong as why:
        raise Damaged(str(why)) from None


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _check_version(tree: Tree) -> None:
    version = tree.get("version")
    if type(version) is not int or version < 1:
        raise Damaged("version: no number of a version")
    if version > VERSION:
        raise Newer(f"version {version}: this slurm-mig reads {VERSION}; update it here")


class _Wrong(ValueError):
    """One value of a record is not what it must be."""


def _job(tree: Tree) -> Job:
    record_id = _text(tree, "record_id")
    job_id = _whole(tree, "job_id")
    if not record_id or job_id is None:
        raise _Wrong("it has no record_id or no job_id")
    return Job(
        record_id,
        tree["version"],
        job_id,
        _whole(tree, "restarts"),
        _whole(tree, "uid"),
        _text(tree, "user"),
        _text(tree, "account"),
        _text(tree, "partition"),
        _text(tree, "cluster"),
        _text(tree, "node"),
        _number(tree, "start"),
        _number(tree, "end"),
        _number(tree, "duration_s"),
        _whole(tree, "exit_code"),
        _whole(tree, "signal"),
        _text(tree, "exit_unknown_why"),
        _truth(tree, "complete"),
        _whole(tree, "leftovers"),
        _device_check(tree),
    )


def _device_check(tree: Tree) -> str | None:
    found = _within(tree, "device_check")
    if found is None:
        return None
    result = found.get("result")
    if result not in _CHECKED:
        raise _Wrong(f"device_check.result: none of {', '.join(sorted(_CHECKED))}")
    return str(result)


def _slices(tree: Tree) -> tuple[Slice, ...]:
    slices = tree.get("slices")
    if not isinstance(slices, list) or len(slices) > _MAX_SLICES:
        raise _Wrong(f"slices: no list, or of more than {_MAX_SLICES}")
    return tuple(_slice(position, one) for position, one in enumerate(slices))


def _slice(position: int, one: Tree) -> Slice:
    if not isinstance(one, dict):
        raise _Wrong(f"slices[{position}]: no object")
    placement: Tree = _within(one, "placement") or {}
    usage = _within(one, "usage")
    return Slice(
        position,
        _text(one, "gpu_uuid"),
        _whole(one, "gpu_minor"),
        _text(one, "gpu_name"),
        _text(one, "type"),
        _whole(one, "gres_index"),
        _whole(one, "gi_id"),
        _whole(one, "ci_id"),
        _text(one, "profile"),
        _whole(placement, "start"),
        _whole(placement, "size"),
        _text(one, "mig_uuid"),
        _whole(one, "memory_mib"),
        _whole(one, "sm_count"),
        _text(one, "boot_id"),
        _whole(one, "generation"),
        _truth(one, "repartitioned"),
        *(_NOT_SAMPLED if usage is None else _sampled(usage)),
    )


def _sampled(usage: Tree) -> tuple[Any, ...]:
    """The fields of a Slice from `period_s` on."""
    memory: Tree = _within(usage, "memory") or {}
    processes: Tree = _within(usage, "processes") or {}
    energy: Tree = _within(usage, "energy") or {}
    return (
        _number(usage, "period_s"),
        _whole(usage, "samples"),
        _number(usage, "sampled_s"),
        _number(usage, "coverage"),
        _whole(usage, "gaps"),
        _number(usage, "gap_s"),
        _text(memory, "method"),
        _number(memory, "min_mib"),
        _number(memory, "mean_mib"),
        _number(memory, "peak_mib"),
        _number(processes, "mean"),
        _whole(processes, "peak"),
        *_activity(_within(usage, "activity") or {}),
        _number(energy, "joules"),
        _number(energy, "share"),
        *_errors(_within(usage, "errors") or {}),
    )


def _activity(activity: Tree) -> tuple[Any, ...]:
    found: list[Any] = [_truth(activity, "shared_gi"), _number(activity, "sampled_s")]
    for name in _ACTIVITIES:
        one: Tree = _within(activity, name) or {}
        found += (_number(one, "mean"), _number(one, "max"))
    return tuple(found)


def _errors(errors: Tree) -> tuple[int | None, int | None]:
    xids = errors.get("xids")
    if xids is None:
        return None, _whole(errors, "ecc_sram_uncorrected")
    if not isinstance(xids, list) or not all(isinstance(one, dict) for one in xids):
        raise _Wrong("xids: no list of objects")
    count = sum(_whole(one, "count") or 0 for one in xids)
    return _whole({"count": count}, "count"), _whole(errors, "ecc_sram_uncorrected")


def _within(tree: Tree, key: str) -> dict[str, Any] | None:
    value = tree.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise _Wrong(f"{key}: no object")


def _text(tree: Tree, key: str) -> str | None:
    value = tree.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _Wrong(f"{key}: no text, or longer than {_MAX_TEXT}")
    # No database takes the first, and UTF-8 has no half of a pair.
    if "\0" in value or not (value.isascii() or _has_whole_letters(value)):
        raise _Wrong(f"{key}: a text with a letter that does not exist")
    return value


def _has_whole_letters(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _whole(tree: Tree, key: str) -> int | None:
    value = tree.get(key)
    if value is None or (type(value) is int and 0 <= value < _MAX_WHOLE):
        return value
    raise _Wrong(f"{key}: no whole number from 0 on")


def _number(tree: Tree, key: str) -> float | None:
    value = tree.get(key)
    if value is None:
        return None
    if type(value) is float and 0 <= value < _MAX_NUMBER:
        return value
    if type(value) is int and 0 <= value < _MAX_WHOLE:
        return float(value)
    raise _Wrong(f"{key}: no number from 0 on")


def _truth(tree: Tree, key: str) -> bool | None:
    value = tree.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise _Wrong(f"{key}: neither true nor false")
