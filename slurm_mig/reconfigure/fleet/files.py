"""The records of runs on the disk of the machine that conducts them: /var/lib/slurm-mig/fleet.

One file a run, there from before its first order; the last ones that ended are kept.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from slurm_mig.errors import HookError, JournalError
from slurm_mig.files import sync_folder, under, write_atomic, write_new
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.fleet.record import (
    OUTCOMES,
    STAGES,
    NodeEntry,
    RunOptions,
    RunRecord,
    WaveTook,
)
from slurm_mig.reconfigure.record import GOALS, Overtaken
from slurm_mig.reconfigure.run import Took
from slurm_mig.system import rootfiles

FOLDER: Final = "/var/lib/slurm-mig/fleet"
LOCK: Final = ("fleet.lock", "reconfigure of many nodes")
VERSION = 1
KEPT = 20
_LIMIT = 1 << 26
_MODE = 0o600
_ID = re.compile(r"[0-9a-f]{8}")


def begin(root: Path, record: RunRecord) -> None:
    """Write the first entry. Raises JournalError: then nothing was changed."""
    try:
        os.close(rootfiles.open_folder(str(root), FOLDER, make=0o700))
        sync_folder(under(root, FOLDER).parent)
        write_new(_path(root, record.run_id), encode(record), _MODE)
    except OSError as why:
        raise JournalError(f"{FOLDER}: {why.strerror}: nothing was changed") from None
    except HookError as why:
        raise JournalError(str(why)) from None
    _forget_old_ones(root)


def write(root: Path, record: RunRecord) -> None:
    """Write what will be done next. JournalError where it cannot be: then it must not be done.

    Overtaken where the entry there is another process's, or none.
    """
    there = _load(root, record.run_id)
    if there is None or there.get("owner") != record.owner:
        raise Overtaken(f"{_path(root, record.run_id)}: another one goes on with it; stopping")
    _put(root, record)


def take_over(root: Path, record: RunRecord) -> RunRecord:
    """The same as ours from now on: whoever wrote it, if it still lives, stops."""
    ours = record._replace(owner=records.new_id())
    _put(root, ours)
    return ours


def read(root: Path, run_id: str) -> RunRecord | None:
    """The record of a run; None where there is none. Raises JournalError."""
    if not _ID.fullmatch(run_id):
        raise JournalError(f"{run_id!a} is no id of a run")
    found = _load(root, run_id)
    return None if found is None else decode(found, str(_path(root, run_id)))


def runs(root: Path) -> tuple[RunRecord, ...]:
    """All that are kept, the newest first. Raises JournalError."""
    found = (read(root, run_id) for run_id in _ids(root))
    return tuple(sorted(filter(None, found), key=lambda run: -run.begun))


def encode(record: RunRecord) -> str:
    """The record as it is written."""
    nodes = [
        {**one._asdict(), "took": [took._asdict() for took in one.took]} for one in record.nodes
    ]
    took = [one._asdict() for one in record.took]
    plain = {**record._asdict(), "options": record.options._asdict(), "nodes": nodes, "took": took}
    return json.dumps({"version": VERSION, **plain}) + "\n"


def decode(found: Mapping[str, Any], name: str) -> RunRecord:
    """What `encode` made, parsed from JSON. Raises JournalError for anything else."""
    try:
        plain = dict(found)
        if (version := plain.pop("version")) != VERSION:
            raise ValueError(f"version {version}; this slurm-mig reads {VERSION}")
        plain["options"] = RunOptions(**plain["options"])
        plain["nodes"] = tuple(_node(one) for one in plain["nodes"])
        plain["took"] = tuple(WaveTook(**one) for one in plain["took"])
        made = RunRecord(**plain)
        _must_be_right(made)
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        problem = f"{name}: no record of a run ({why!r}): move it away"
        raise JournalError(problem) from None
    return made


def _node(found: Mapping[str, Any]) -> NodeEntry:
    return NodeEntry(**{**found, "took": tuple(Took(**one) for one in found["took"])})


def _must_be_right(made: RunRecord) -> None:
    """What is acted upon; it is root's own file, so the rest is believed."""
    for one in made.nodes:
        known = (
            one.stage in STAGES
            and one.outcome in ("", *OUTCOMES)
            and one.goal in GOALS
            and one.published in ("", *GOALS)
        )
        if not known or not isinstance(one.name, str):
            raise ValueError(f"{one.name}: {one.stage}, {one.outcome}, {one.goal}")
    if len({one.name for one in made.nodes}) < len(made.nodes):
        raise ValueError("a node comes twice")
    if not isinstance(made.text, str) or made.options.max_unavailable < 1:
        raise ValueError("text, max_unavailable")


def _load(root: Path, run_id: str) -> dict[str, Any] | None:
    where = f"{FOLDER}/{run_id}.json"
    try:
        found = json.loads(rootfiles.read_in(str(root), FOLDER, f"{run_id}.json", _LIMIT))
    except FileNotFoundError:
        return None
    except (OSError, HookError, ValueError, RecursionError) as why:
        raise JournalError(f"{where}: {why}: move it away") from None
    if not isinstance(found, dict):
        raise JournalError(f"{where}: no record of a run: move it away")
    return found


def _ids(root: Path) -> Iterator[str]:
    try:
        handle = rootfiles.open_folder(str(root), FOLDER)
        try:
            names = os.listdir(handle)  # noqa: PTH208 - of the folder that was checked
        finally:
            os.close(handle)
    except FileNotFoundError:
        return
    except (OSError, HookError) as why:
        raise JournalError(f"{FOLDER}: {why}") from None
    for name in names:
        run_id = name.removesuffix(".json")
        if name.endswith(".json") and _ID.fullmatch(run_id):
            yield run_id


def _forget_old_ones(root: Path) -> None:
    with suppress(JournalError, OSError):
        for old in [run for run in runs(root) if run.ended][KEPT:]:
            _path(root, old.run_id).unlink()


def _put(root: Path, record: RunRecord) -> None:
    path = _path(root, record.run_id)
    _must(lambda: write_atomic(path, encode(record), _MODE), path)


def _must(act: Callable[[], object], path: Path) -> None:
    try:
        act()
    except OSError as why:
        raise JournalError(f"{path}: {why.strerror}: stopping here") from None


def _path(root: Path, run_id: str) -> Path:
    return under(root, f"{FOLDER}/{run_id}.json")
