"""The committed configuration: what was last applied with success, GPU by GPU.

No family keeps its geometry over a reboot, so this is what to make again at boot. It is written
after success only.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from slurm_mig.errors import JournalError
from slurm_mig.files import write_atomic
from slurm_mig.gpu.change import state_files
from slurm_mig.gpu.change.layout_json import layout_json, read_layout
from slurm_mig.gpu.partitioning import Layout

NAME = "committed.json"
VERSION = 1

Layouts = Mapping[str, Layout]  # by gpu_uuid


def encode(layouts: Layouts) -> str:
    """The file's text."""
    gpus = [{"uuid": uuid, **layout_json(layouts[uuid])} for uuid in sorted(layouts)]
    return json.dumps({"version": VERSION, "gpus": gpus}, indent=1) + "\n"


def decode(found: object) -> dict[str, Layout]:
    """What `encode` made, parsed from JSON. JournalError says all that is wrong with it."""
    top, problems = state_files.checked(NAME, found, VERSION)
    if problems:
        state_files.must_be_clean(NAME, problems)
    layouts: dict[str, Layout] = {}
    for gpu in top.children("gpus"):
        uuid = gpu.text("uuid")
        if uuid in layouts:
            gpu.note("uuid", "named twice")
        layouts[uuid] = read_layout(gpu)
    state_files.must_be_clean(NAME, problems)
    return layouts


def read(root: Path) -> dict[str, Layout]:
    """The layouts by GPU UUID; none where nothing was ever applied. Raises JournalError."""
    found = state_files.read(root, NAME)
    return {} if found is None else decode(found)


def save(root: Path, layouts: Layouts) -> None:
    """Commit these GPUs' layouts; those of others stay committed. Raises JournalError."""
    state_files.ready(root)
    path = state_files.path_of(root, NAME)
    try:
        write_atomic(path, encode({**read(root), **layouts}), state_files.MODE)
    except OSError as why:
        raise JournalError(f"{path}: {why.strerror}: not committed") from None
