"""What is on the disk of a reconfigure that is not at its end: /var/lib/slurm-mig/reconfigure.json.

Beside apply's own journal, which knows the steps inside PARTITION. Specs only, never instance ids
or MIG UUIDs. `last.json` beside it is the last one that ended, for `--rollback`.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from slurm_mig.errors import JournalError
from slurm_mig.files import sync_folder, write_atomic, write_new
from slurm_mig.gpu.change import state_files
from slurm_mig.gpu.change.layout_json import layout_json, read_layout, read_wanted, wanted_json
from slurm_mig.gpu.checked import Checked
from slurm_mig.gpu.partitioning import Layout, WantedGi, WantedGpu

NAME, LAST = "reconfigure.json", "reconfigure-last.json"
VERSION = 1
TARGET: Final = "target"  # on the way to what is wanted
FORMER: Final = "former"  # on the way back
GOALS = (TARGET, FORMER)
PHASES: Final = (
    *("DRAIN", "WAIT", "STOP", "PARTITION", "PUBLISH"),
    *("START", "VERIFY", "SMOKE", "RESUME", "COMMIT"),
)


class RecordGpu(NamedTuple):
    """One GPU: what it was cut into, and what it is to be."""

    gpu_uuid: str
    former: Layout
    target: WantedGpu


class Record(NamedTuple):
    """A reconfigure on its way.

    `run_id` tells it from others, and is in every reason that we give; `owner` is the process
    that goes on with it. `drained`: we drained the node, with `reason`, or are about to.
    `theirs` is why the node was drained by somebody else before; None: it was not. Then it stays
    so. `phase` is the one that is about to begin or under way; `ended`: it is over. `changed`:
    the GPUs, or what Slurm is told of them, may be other than before. `smoke`: test jobs are to
    run before the node takes others; `reserved`: it is reserved for them, or about to be.
    `notes` are for the publisher. `problem` says why it goes back. `fleet` is the run over many
    nodes that this is of, and `begun_on` the machine where that was begun; None: it is of none.
    """

    run_id: str
    owner: str
    boot_id: str
    node: str
    what: str
    goal: str
    phase: str
    reason: str
    gpus: tuple[RecordGpu, ...]
    ended: bool = False
    drained: bool = False
    theirs: str | None = None
    changed: bool = False
    smoke: bool = False
    reserved: bool = False
    problem: str | None = None
    notes: Mapping[str, str] = {}
    fleet: str | None = None
    begun_on: str | None = None

    def wanted(self, goal: str) -> dict[str, WantedGpu]:
        """What each GPU is to be at a goal, by UUID."""
        return {
            gpu.gpu_uuid: gpu.target if goal == TARGET else wanted_of(gpu.former)
            for gpu in self.gpus
        }


class Overtaken(JournalError):
    """Another reconfigure or recover goes on with it: this one must change nothing more."""


def wanted_of(layout: Layout) -> WantedGpu:
    """Exactly this layout, as a wish."""
    return WantedGpu(
        layout.mig,
        tuple(
            WantedGi(gi.profile, gi.placement.start, tuple(ci.ci_profile for ci in gi.cis), gi.cis)
            for gi in layout.instances
        ),
    )


def new_id() -> str:
    """A name that no other run, or process, has."""
    return os.urandom(4).hex()


def encode(record: Record) -> str:
    """The record as it is written."""
    gpus = [
        {
            "uuid": gpu.gpu_uuid,
            "former": layout_json(gpu.former),
            "target": wanted_json(gpu.target),
        }
        for gpu in record.gpus
    ]
    notes = dict(record.notes)
    return json.dumps({"version": VERSION, **record._asdict(), "gpus": gpus, "notes": notes}) + "\n"


def decode(found: object, name: str = NAME) -> Record:
    """What `encode` made, parsed from JSON. JournalError says all that is wrong with it."""
    top, problems = state_files.checked(name, found, VERSION)
    if problems:
        state_files.must_be_clean(name, problems)
    made = Record(
        run_id=top.text("run_id"),
        owner=top.text("owner"),
        boot_id=top.text("boot_id"),
        node=top.text("node"),
        what=top.text("what"),
        goal=top.text("goal"),
        phase=top.text("phase"),
        reason=top.text("reason"),
        gpus=tuple(_gpu(gpu) for gpu in top.children("gpus")),
        ended=top.flag("ended"),
        drained=top.flag("drained"),
        theirs=top.text_or_none("theirs"),
        changed=top.flag("changed"),
        smoke="smoke" in top and top.flag("smoke"),
        reserved="reserved" in top and top.flag("reserved"),
        problem=top.text_or_none("problem"),
        notes=_notes(found),
        fleet=top.text_or_none("fleet") if "fleet" in top else None,
        begun_on=top.text_or_none("begun_on") if "begun_on" in top else None,
    )
    for key, known in (("goal", GOALS), ("phase", PHASES)):
        if getattr(made, key) not in known and top.clean:
            top.note(key, f"is none of {', '.join(known)}")
    state_files.must_be_clean(name, problems)
    return made


def read(root: Path, name: str = NAME) -> Record | None:
    """The record of a reconfigure that is not at its end, or None. Raises JournalError."""
    found = state_files.read(root, name)
    return None if found is None else decode(found, name)


def begin(root: Path, record: Record) -> None:
    """Write the first entry. JournalError where one is open."""
    state_files.ready(root)
    _must(
        lambda: write_new(state_files.path_of(root, NAME), encode(record), state_files.MODE),
        "nothing was changed",
    )


def write(root: Path, record: Record) -> None:
    """Write what will be done next. JournalError where it cannot be: then it must not be done.

    Overtaken where the entry there is another's, or none: it is not overwritten.
    """
    there = read(root)
    if there is None or there.owner != record.owner:
        raise Overtaken(f"{state_files.path_of(root, NAME)}: another one goes on with it; stopping")
    _put(root, NAME, record, "stopping here")


def take_over(root: Path, record: Record) -> Record:
    """The same record as ours from now on: whoever wrote it, if it still lives, stops."""
    ours = record._replace(owner=new_id())
    _put(root, NAME, ours, "nothing was changed")
    return ours


def close(root: Path, record: Record) -> None:
    """It is at its end: keep it as the last one, and remove it."""
    _put(root, LAST, record, "it stays open: run `slurm-mig recover`")
    path = state_files.path_of(root, NAME)

    def remove() -> None:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    _must(remove, "it could not be removed; when it can, run `slurm-mig recover`")


def _put(root: Path, name: str, record: Record, consequence: str) -> None:
    path = state_files.path_of(root, name)
    _must(lambda: write_atomic(path, encode(record), state_files.MODE), consequence)


def _gpu(found: Checked) -> RecordGpu:
    return RecordGpu(
        found.text("uuid"), read_layout(found.child("former")), read_wanted(found.child("target"))
    )


def _notes(found: object) -> dict[str, str]:
    notes = found.get("notes") if isinstance(found, dict) else None
    if not isinstance(notes, dict):
        return {}
    return {str(key): str(value) for key, value in notes.items()}


def _must(act: Callable[[], Any], consequence: str) -> None:
    state_files.must(act, consequence, "a reconfigure is not at its end")
