"""Where the lines go: into a file that is also others', into a comparison, into JSON."""

from pathlib import Path
from typing import Any

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.files import write_atomic
from slurm_mig.generate.build import Generated, Request
from slurm_mig.slurm import block
from slurm_mig.slurm.gres import GresRecord

VERSION = 1


def write(path: Path, made: Generated) -> bool:
    """Put the block into `path`, whose other lines stay; true if it had to be written.

    Raises Refused where its marks are damaged, or where other lines speak of the same GPUs;
    SlurmMigError where it cannot be read or written.
    """
    from slurm_mig.slurm.drift import drift

    try:
        old = _read(path)
        new = block.replace(old, made.text, made.label)
        differs = drift(new, made.text, made.nodes, f"{path} with the block in it")
        if differs:
            raise Refused(f"{path}: lines outside the marked block speak of the same GPUs", differs)
        return write_atomic(path, new)
    except OSError as why:
        raise SlurmMigError(f"{why.filename or path}: {why.strerror}") from why


def check(path: Path, made: Generated) -> list[str]:
    """How `path` differs from what is wanted, as a unified diff; empty when Slurm sees none.

    Raises SlurmMigError where it cannot be read: that is neither same nor different.
    """
    from slurm_mig.slurm.drift import drift

    try:
        return drift(_read(path), made.text, made.nodes, str(path))
    except OSError as why:
        raise SlurmMigError(f"{why.filename or path}: {why.strerror}") from why


def to_json(made: Generated, request: Request) -> dict[str, Any]:
    """What `gen-gres --json` prints."""
    return {
        "version": VERSION,
        "slurm_version": str(request.options.version),
        "autodetect": "nvml" if request.options.autodetect else "off",
        "nodes": [
            {
                "nodes": group.node_names or group.nodes[0],
                "gres": group.gres,
                "records": [_record(record, len(group.nodes) == 1) for record in group.records],
            }
            for group in made.groups
        ],
        "warnings": list(made.warnings),
    }


def _record(record: GresRecord, alone: bool) -> dict[str, Any]:
    return {
        "gres_index": record.gres_index,
        "type": record.type,
        "files": list(record.files),
        "profile": record.profile,
        "cores": record.cores,
        # Equal nodes are equal but for these.
        "uuid": record.uuid if alone else None,
    }


def _read(path: Path) -> str:
    """The file's text; "" where there is none. Raises OSError."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
