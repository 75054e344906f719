"""A publication: what is to be said to Slurm about nodes, in which files; as data and as JSON.

It holds what is wanted (so that it can be applied to a file that another node's reconfigure has
changed meanwhile) and the text of every file that changes, before and after (so that one edited
by hand is noticed, and that all can be undone).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from slurm_mig.errors import JournalError, Refused, SlurmMigError
from slurm_mig.slurm.block import wrap
from slurm_mig.slurm.confedit import describe, read_files, set_gpus
from slurm_mig.slurm.drift import node_lines
from slurm_mig.slurm.gresedit import with_block
from slurm_mig.slurm.gresvalue import gpus_of
from slurm_mig.slurm.lines import ConfError

VERSION = 1
Result = TypeVar("Result")


class ConfWish(NamedTuple):
    """slurm.conf, and which gpus it shall give to which nodes ("gpu:1g.10gb:7", "" for none)."""

    path: str
    gpus: Mapping[str, str]


class GresWish(NamedTuple):
    """A gres.conf, and the block that it shall have for a node (slurm_mig.slurm.gresedit)."""

    path: str
    node: str
    block: str
    label: str = ""


class Change(NamedTuple):
    """One file's text before and after. `old` is None where there is no such file."""

    path: str
    old: str | None
    new: str


class Publication(NamedTuple):
    """What is wanted, and what it changes in the files as they were when it was made.

    `undo_conf` and `undo_gres` want for the same nodes what they had before.
    """

    conf: ConfWish | None
    gres: tuple[GresWish, ...]
    undo_conf: ConfWish | None
    undo_gres: tuple[GresWish, ...]
    changes: tuple[Change, ...]


def prepare(conf: ConfWish | None, gres: Sequence[GresWish]) -> Publication:
    """Look at the files and say what would change; files that stay as they are, are left out.

    A path that is a link stands for the file that it leads to; but what slurm.conf includes, Slurm
    looks for beside the link.
    Raises Refused or ConfError where it cannot be done; nothing is written.
    """
    if conf is not None:
        conf = conf._replace(path=str(Path(conf.path).absolute()))
    wishes = tuple(wish._replace(path=real(wish.path)) for wish in gres)
    undo_gres = tuple(_former(wish) for wish in wishes if wish.label)
    changes = [*(_conf_changes(conf) if conf else ()), *_gres_changes(wishes)]
    return Publication(conf, wishes, _former_conf(conf), undo_gres, tuple(changes))


def again(publication: Publication) -> tuple[Change, ...]:
    """What it changes in the files as they are now. Raises as prepare()."""
    return prepare(publication.conf, publication.gres).changes


def undone(publication: Publication) -> tuple[Change, ...]:
    """What gives its nodes back what they had, in files that others may have changed since.

    Not of a node's own gres.conf: nobody else writes into that. Raises as prepare().
    """
    return prepare(publication.undo_conf, publication.undo_gres).changes


def text_of(path: str) -> str | None:
    """A file's text; None where there is none. Raises SlurmMigError."""
    try:
        return Path(path).read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}") from why


def digest(text: str | None) -> str:
    """What tells one text from another; "" for a file that is not there."""
    if text is None:
        return ""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def to_json(publication: Publication) -> dict[str, Any]:
    """As a record or a journal holds it."""
    return {
        "version": VERSION,
        "conf": publication.conf and publication.conf._asdict(),
        "gres": [wish._asdict() for wish in publication.gres],
        "undo_conf": publication.undo_conf and publication.undo_conf._asdict(),
        "undo_gres": [wish._asdict() for wish in publication.undo_gres],
        "changes": [change._asdict() for change in publication.changes],
    }


def from_json(found: Mapping[str, Any]) -> Publication:
    """What to_json() made. Raises JournalError for anything else."""
    try:
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']}; this slurm-mig reads {VERSION}")
        conf, undo_conf = (found[key] and ConfWish(**found[key]) for key in ("conf", "undo_conf"))
        gres, undo_gres = (
            tuple(GresWish(**wish) for wish in found[key]) for key in ("gres", "undo_gres")
        )
        changes = tuple(Change(**change) for change in found["changes"])
    except (ValueError, KeyError, TypeError) as why:
        raise JournalError(f"the record of a publication cannot be read: {why!r}") from None
    return Publication(conf, gres, undo_conf, undo_gres, changes)


def real(path: str) -> str:
    """The file that a path leads to."""
    return str(Path(path).resolve())


def _conf_changes(wish: ConfWish) -> list[Change]:
    files = read_files(Path(wish.path))
    new = set_gpus(files, wish.gpus)
    # A link among the included files is followed too: it is the file that has the text.
    return [Change(real(str(path)), files.texts[path], text) for path, text in new.items()]


def _gres_changes(wishes: Sequence[GresWish]) -> list[Change]:
    old: dict[str, str | None] = {}
    new: dict[str, str] = {}
    for wish in wishes:
        if wish.path not in old:
            old[wish.path] = text_of(wish.path)
            new[wish.path] = old[wish.path] or ""
        text = new[wish.path]
        new[wish.path] = _named(
            wish.path, partial(with_block, text, wish.node, wish.block, wish.label)
        )
    return [Change(path, old[path], text) for path, text in new.items() if text != old[path]]


def _former_conf(wish: ConfWish | None) -> ConfWish | None:
    if wish is None:
        return None
    nodes = describe(read_files(Path(wish.path)).conf)
    former = {node: gpus_of(nodes.get(node, {}).get("gres", "")) for node in wish.gpus}
    return wish._replace(gpus=former)


def _former(wish: GresWish) -> GresWish:
    lines = _named(wish.path, lambda: node_lines(text_of(wish.path) or "", wish.node))
    return wish._replace(block=wrap("\n".join(lines), wish.label))


def _named(path: str, read: Callable[[], Result]) -> Result:
    """Put the file's name before what is wrong in it."""
    try:
        return read()
    except Refused as why:
        raise Refused(f"{path}: {why.what}", why.problems) from why
    except ConfError as why:
        raise ConfError(f"{path}: {why}") from why
