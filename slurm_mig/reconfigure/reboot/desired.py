"""What is wanted of nodes that are reached by Slurm's reboots: files that both sides see.

In `desired_dir`, which the machine that gives orders writes and the nodes only read:

    RUN.json          what is wanted: a whole mig.yaml and a label, or the way back
    nodes/NODE.json   which run wants it of this node, by which order

A folder on storage that all share, root's alone. No link in it is followed.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import HookError, SlurmMigError, UsageError
from slurm_mig.files import under, write_atomic
from slurm_mig.gpu.checked import Checked
from slurm_mig.gpu.config.migyaml import MAX_BYTES
from slurm_mig.slurm.records.types import misread_node
from slurm_mig.system import rootfiles

VERSION = 1
NODES = "nodes"
_ID = re.compile(r"[0-9a-f]{8}")
# All may read it: on a file system that squashes root, root is nobody.
_FOLDER_MODE, _MODE = 0o755, 0o644
_LIMIT = 8 * MAX_BYTES  # JSON takes more than one byte for some letters


class Wanted(NamedTuple):
    """What a run wants: `text` is a whole mig.yaml, `label` one of its configurations.

    `rollback`: each node is to get what it had before, and both are "". `smoke`: test jobs are to
    run, or not; None: as each node's site has chosen.
    """

    run: str
    label: str
    text: str
    nodes: tuple[str, ...] = ()
    time: float = 0.0
    rollback: bool = False
    smoke: bool | None = None

    @property
    def what(self) -> str:
        """What the node gets, for people."""
        return "what was before" if self.rollback else self.label


class Order(NamedTuple):
    """One order for one node.

    `order` tells it from the run's earlier ones. `theirs` is why somebody else had drained the
    node before (None: nobody had): Slurm's reboot overwrites that. `before` is what slurmctld had
    of the node's gpus, and `started` when its slurmd had started (0: unknown): by them it is seen
    afterwards that it changed.
    """

    run: str
    order: str
    theirs: str | None = None
    before: str = ""
    started: int = 0


class NotReadable(SlurmMigError):
    """What is wanted of the node cannot be read, or must not be believed."""


def write_wanted(root: Path, folder: str, wanted: Wanted) -> None:
    """Write down what a run wants, before its first order. Raises SlurmMigError."""
    found = {"run": wanted.run, "label": wanted.label, "config": wanted.text}
    more: dict[str, Any] = {"nodes": list(wanted.nodes), "time": wanted.time}
    if wanted.rollback:
        more["rollback"] = True
    if wanted.smoke is not None:
        more["smoke"] = wanted.smoke
    _write(root, folder, f"{_checked(wanted.run)}.json", {**found, **more})


def write_order(root: Path, folder: str, node: str, order: Order) -> None:
    """Write down an order, before it is given. Raises SlurmMigError."""
    _checked(order.run), _checked(order.order)
    _write(root, f"{folder}/{NODES}", f"{_node(node)}.json", {"node": node, **order._asdict()})


def withdraw(root: Path, folder: str, node: str, run: str) -> None:
    """Take back what the run wants of the node, if it does. Raises SlurmMigError."""
    found = order_of(root, folder, node)
    if found is not None and found.run == run:
        path = under(root, f"{folder}/{NODES}/{_node(node)}.json")
        try:
            path.unlink(missing_ok=True)
        except OSError as why:
            raise SlurmMigError(f"{path}: {why.strerror}: remove it") from None


def forget(root: Path, folder: str, run: str, nodes: Sequence[str]) -> None:
    """The run is over: remove all that it wanted. Raises SlurmMigError."""
    for node in nodes:
        withdraw(root, folder, node, run)
    path = under(root, f"{folder}/{_checked(run)}.json")
    try:
        path.unlink(missing_ok=True)
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}: remove it") from None


def order_of(root: Path, folder: str, node: str) -> Order | None:
    """The last order for a node; None where there is none. Raises NotReadable."""
    name = f"{_node(node)}.json"
    found = _read(root, f"{folder}/{NODES}", name)
    if found is None:
        return None
    top, problems = _top(found)
    made = Order(
        run=top.text("run"),
        order=top.text("order"),
        theirs=top.text_or_none("theirs"),
        before=top.text("before") if found.get("before") else "",
        started=top.number("started"),
    )
    if not problems and top.text("node") != node:
        top.note("node", f"this is {node}")
    for key in ("run", "order"):
        if not problems and not _ID.fullmatch(getattr(made, key)):
            top.note(key, "is no id of ours")
    _must_be_clean(f"{folder}/{NODES}/{name}", problems)
    return made


def wanted_by(root: Path, folder: str, run: str) -> Wanted:
    """What a run wants. Raises NotReadable, also where there is no such file."""
    name = f"{_checked(run)}.json"
    found = _read(root, folder, name)
    if found is None:
        raise NotReadable(f"{folder}/{name} is not there: nothing is known of what is wanted")
    top, problems = _top(found)
    text = found.get("config")
    if not isinstance(text, str):
        top.note("config", "is no text")
    back = "rollback" in top and top.flag("rollback")
    made = Wanted(
        run=top.text("run"),
        label="" if back else top.text("label"),
        text=str(text),
        nodes=top.texts("nodes"),
        rollback=back,
        smoke=top.flag("smoke") if "smoke" in top else None,
    )
    if not problems and made.run != run:
        top.note("run", f"is not {run}")
    _must_be_clean(f"{folder}/{name}", problems)
    return made


def _top(found: Mapping[str, Any]) -> tuple[Checked, list[str]]:
    problems: list[str] = []
    top = Checked(found, "", problems)
    if top.number("version") != VERSION and not problems:
        top.note("version", f"written by another slurm-mig; this one reads {VERSION}")
    return top, problems


def _must_be_clean(name: str, problems: Sequence[str]) -> None:
    if problems:
        raise NotReadable(f"{name}: {'; '.join(problems)}")


def _write(root: Path, folder: str, name: str, found: Mapping[str, Any]) -> None:
    try:
        os.close(rootfiles.open_folder(str(root), folder, make=_FOLDER_MODE))
        text = json.dumps({"version": VERSION, **found}) + "\n"
        write_atomic(under(root, f"{folder}/{name}"), text, _MODE)
    except OSError as why:
        raise SlurmMigError(f"{folder}/{name}: {why.strerror}: see to desired_dir") from None
    except HookError as why:
        raise SlurmMigError(str(why)) from None


def _read(root: Path, folder: str, name: str) -> dict[str, Any] | None:
    try:
        found = json.loads(rootfiles.read_in(str(root), folder, name, _LIMIT))
    except FileNotFoundError:
        return None
    except (OSError, HookError, ValueError, RecursionError) as why:
        raise NotReadable(f"{folder}/{name}: {why}") from None
    if not isinstance(found, dict):
        raise NotReadable(f"{folder}/{name}: not an object")
    return found


def _checked(one: str) -> str:
    if not _ID.fullmatch(one):
        raise UsageError(f"{one!a} is no id of a run")
    return one


def _node(name: str) -> str:
    """A node's name as a file's: no folder, nothing hidden."""
    if misread_node(name) or "/" in name or name.startswith("."):
        raise UsageError(f"{name!a} is no name of one node")
    return name
