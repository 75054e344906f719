"""Which order a node has carried out, on its own disk: /var/lib/slurm-mig/reboot.json.

By it a plain reboot is told from the one that brought the order, whatever the shared folder says.
"""

import json
from pathlib import Path
from typing import NamedTuple

from slurm_mig.files import write_atomic
from slurm_mig.gpu.change import state_files

NAME = "reboot.json"
VERSION = 1


class Carried(NamedTuple):
    """The last order that came to an end here, and how: `outcome` as of a reconfigure."""

    run: str
    order: str
    outcome: str
    problem: str = ""


def read(root: Path) -> Carried | None:
    """The last one; None before the first. Raises JournalError."""
    found = state_files.read(root, NAME)
    if found is None:
        return None
    top, problems = state_files.checked(NAME, found, VERSION)
    made = Carried(
        top.text("run"), top.text("order"), top.text("outcome"), top.text_or_none("problem") or ""
    )
    state_files.must_be_clean(NAME, problems)
    return made


def write(root: Path, carried: Carried) -> None:
    """It came to its end. Raises JournalError."""
    found = {"version": VERSION, **carried._asdict(), "problem": carried.problem or None}
    path = state_files.path_of(root, NAME)
    state_files.ready(root)
    state_files.must(
        lambda: write_atomic(path, json.dumps(found) + "\n", state_files.MODE),
        "a reboot of this node may be taken for this order once more",
        "an order is carried out already",
    )


def is_over(root: Path, order: str) -> bool:
    """Whether this order is carried out. Raises JournalError."""
    last = read(root)
    return last is not None and last.order == order
