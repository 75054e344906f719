"""The journal: what an apply is about to do and how to go back, on the disk before it is done.

It is there exactly as long as an apply is not at its end. It holds specs and the boot's id, never
MIG UUIDs or instance ids: after a crash the driver is asked anew what is there.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from slurm_mig.errors import JournalError
from slurm_mig.files import sync_folder, write_atomic, write_new
from slurm_mig.gpu.change import state_files
from slurm_mig.gpu.change.layout_json import layout_json, read_layout, read_wanted, wanted_json
from slurm_mig.gpu.checked import Checked
from slurm_mig.gpu.partitioning import Layout, WantedGpu

NAME = "journal.json"
VERSION = 1
APPLYING: Final = "applying"  # on the way to the targets
RESTORING: Final = "restoring"  # on the way back
STATES = (APPLYING, RESTORING)


class JournalGpu(NamedTuple):
    """One GPU that an apply changes: what it was cut into, and is to be.

    `wanted`, while nobody knows where it fits (MIG was off): then `target` is only MIG on.
    """

    gpu_uuid: str
    former: Layout
    target: Layout
    wanted: WantedGpu | None = None


class Journal(NamedTuple):
    """What is on the disk before each change.

    `apply_id` tells one apply from another. `reboot`: a MIG mode waits for a reboot. `about`
    and `last` are the change about to be made and the last one made, in words: what is really
    there, the driver knows.
    """

    apply_id: str
    boot_id: str
    state: str
    gpus: tuple[JournalGpu, ...]
    reboot: bool = False
    about: str | None = None
    last: str | None = None


class Overtaken(JournalError):
    """Another apply or recover took the journal over: this one must change nothing more."""


def new_id() -> str:
    """An apply_id that no other apply has."""
    return os.urandom(8).hex()


def encode(journal: Journal) -> str:
    """The journal as it is written."""
    gpus = [
        {
            "uuid": gpu.gpu_uuid,
            "former": layout_json(gpu.former),
            "target": layout_json(gpu.target),
            "wanted": None if gpu.wanted is None else wanted_json(gpu.wanted),
        }
        for gpu in journal.gpus
    ]
    made = {"version": VERSION, **journal._asdict(), "gpus": gpus}
    return json.dumps(made) + "\n"


def decode(found: object) -> Journal:
    """What `encode` made, parsed from JSON. JournalError says all that is wrong with it."""
    top, problems = state_files.checked(NAME, found, VERSION)
    if problems:
        state_files.must_be_clean(NAME, problems)
    journal = Journal(
        apply_id=top.text("apply_id"),
        boot_id=top.text("boot_id"),
        state=top.text("state"),
        gpus=tuple(_gpu(gpu) for gpu in top.children("gpus")),
        reboot=top.flag("reboot"),
        about=top.text_or_none("about"),
        last=top.text_or_none("last"),
    )
    if journal.state not in STATES and top.clean:
        top.note("state", f"is none of {', '.join(STATES)}")
    if len({gpu.gpu_uuid for gpu in journal.gpus}) != len(journal.gpus):
        top.note("gpus", "one is named twice")
    state_files.must_be_clean(NAME, problems)
    return journal


def read(root: Path) -> Journal | None:
    """The journal of an apply that is not at its end, or None. Raises JournalError."""
    found = state_files.read(root, NAME)
    return None if found is None else decode(found)


def begin(root: Path, journal: Journal) -> None:
    """Write the first entry. JournalError where one is open: of two at once, one begins."""
    state_files.ready(root)
    _must(lambda: write_new(_path(root), encode(journal), state_files.MODE), "nothing was changed")


def write(root: Path, journal: Journal) -> None:
    """Write what will be done next. JournalError where it cannot be: then it must not be done.

    Overtaken where the entry there is another's, or none: it is not overwritten.
    """
    there = read(root)
    if there is None or there.apply_id != journal.apply_id:
        raise Overtaken(f"{_path(root)}: no longer this apply's: another one runs; stopping")
    _must(lambda: write_atomic(_path(root), encode(journal), state_files.MODE), "stopping here")


def take_over(root: Path, journal: Journal) -> Journal:
    """The same journal as ours from now on: whoever wrote it, if it still lives, stops.

    Raises JournalError.
    """
    ours = journal._replace(apply_id=new_id())
    _must(lambda: write_atomic(_path(root), encode(ours), state_files.MODE), "nothing was changed")
    return ours


def close(root: Path) -> None:
    """It is at its end: remove the journal, and what killed processes left of it.

    Raises JournalError; then the journal is still there, and `recover` will find all done.
    """
    path = _path(root)
    sweep(root)

    def remove() -> None:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    _must(remove, "it could not be removed; when it can, run `slurm-mig recover`")


def sweep(root: Path) -> None:
    """Remove the drafts of processes that were killed, as far as that can be."""
    with suppress(OSError):
        for draft in _path(root).parent.glob(".*.json.*"):
            draft.unlink(missing_ok=True)


def _gpu(found: Checked) -> JournalGpu:
    former, target = read_layout(found.child("former")), read_layout(found.child("target"))
    wanted = None if found.is_null("wanted") else read_wanted(found.child("wanted"))
    return JournalGpu(found.text("uuid"), former, target, wanted)


def _path(root: Path) -> Path:
    return state_files.path_of(root, NAME)


def _must(act: Callable[[], Any], consequence: str) -> None:
    state_files.must(act, consequence, "an apply is not at its end")
