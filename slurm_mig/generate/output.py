"""Where the lines go: into a file that is also others', into a comparison, into JSON."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.files import write_atomic
from slurm_mig.generate.build import Generated, Request
from slurm_mig.slurm.config import block
from slurm_mig.slurm.config.parse import ConfError
from slurm_mig.slurm.records.gres import GresGroup, GresRecord

VERSION = 1


def write(path: Path, made: Generated) -> bool:
    """Put the block into `path`, whose other lines stay; true if it had to be written.

    Raises Refused where its marks are damaged, or where other lines speak of the same GPUs;
    SlurmMigError where it cannot be read or written, or is a link.
    """
    from slurm_mig.slurm.config.drift import drift

    if path.is_symlink():
        # Neither choice is ours: a new file here, or a change to what others link to as well.
        raise SlurmMigError(f"{path} is a link: name {path.resolve()} itself, or remove the link")
    old = _read(path)
    with _named(path):
        new = block.replace(old, made.text, made.label)
        differs = drift(new, made.text, made.nodes, str(path))
    if differs:
        theirs = [line[1:] for line in differs if line.startswith("-") and line[:3] != "---"]
        what = f"{path}: lines outside the marked block speak of the same GPUs; remove them"
        raise Refused(what, theirs or differs)
    try:
        return write_atomic(path, new)
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}: nothing was changed") from why


def check(path: Path, made: Generated) -> list[str]:
    """How `path` differs from what is wanted, as a unified diff; empty when Slurm sees none.

    Raises SlurmMigError where it cannot be read: that is neither same nor different.
    """
    from slurm_mig.slurm.config.drift import drift, named_nodes

    text = _read(path)
    with _named(path):
        # A node that left the inventory, but not the block, has drifted too.
        nodes = dict.fromkeys([*made.nodes, *named_nodes(block.extract(text, made.label))])
        return drift(text, made.text, nodes, str(path))


def to_json(made: Generated, request: Request) -> dict[str, Any]:
    """What `gen-gres --json` prints: `node`, `gres` and `records` of one node.

    Of an inventory instead `groups`, each with `nodes` (a host list), `gres` and `records`.
    """
    head = {
        "version": VERSION,
        "slurm_version": str(request.options.version),
        "autodetect": "nvml" if request.options.autodetect else "off",
        "warnings": list(made.warnings),
    }
    if not made.of_inventory:
        (group,) = made.groups
        return {**head, "node": group.nodes[0], **_group(group)}
    return {
        **head,
        "groups": [{"nodes": group.node_names, **_group(group)} for group in made.groups],
    }


def _group(group: GresGroup) -> dict[str, Any]:
    # Equal nodes are equal but for their UUIDs.
    alone = len(group.nodes) == 1
    return {
        "gres": group.gres,
        "records": [
            {**_record(record), "uuid": record.uuid if alone else None} for record in group.records
        ],
    }


def _record(record: GresRecord) -> dict[str, Any]:
    return {
        "gres_index": record.gres_index,
        "type": record.type,
        "files": list(record.files),
        "profile": record.profile,
        "cores": record.cores,
    }


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong in it."""
    try:
        yield
    except Refused as why:
        raise Refused(f"{path}: {why.what}", why.problems) from why
    except ConfError as why:
        raise ConfError(f"{path}: {why}") from why


def _read(path: Path) -> str:
    """The file's text, its line ends as they are; "" where there is none.

    Raises SlurmMigError where it cannot be read.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}") from why
    except UnicodeDecodeError as why:
        raise SlurmMigError(f"{path}: not UTF-8 text (byte {why.start})") from why
