"""What `slurmd -G` prints: its merged list of GPUs, in the order of the gres indices. Pure.

One line a record ("slurmd-n1: Gres Name=gpu Type=1g.5gb Count=1 Index=13 File=/dev/nvidia0,...";
of 26.05 the time in brackets stands for the name and the colon).
Its `Index=` is the last digits of the last file, not the gres index: the place in the list is.
"""

import re
from typing import NamedTuple

from slurm_mig.errors import SlurmError
from slurm_mig.model import GresIndex
from slurm_mig.slurm.records.fold import expand

_RECORD = re.compile(r"(?:^|[:\]] )Gres Name=gpu (.*)")
_NOTHING = ("", "(null)")


class SlurmdGres(NamedTuple):
    """One GPU or slice as slurmd has it; `type` is None where the record has none."""

    gres_index: GresIndex
    type: str | None
    files: tuple[str, ...]


def parse_slurmd_list(output: str) -> tuple[SlurmdGres, ...]:
    """The records for gpu, each with its gres index; none where slurmd printed none.

    Raises SlurmError for a record that no index can be given: one without files, or with a
    count that its files do not explain.
    """
    made: list[SlurmdGres] = []
    for line in output.splitlines():
        found = _RECORD.search(line)
        if found is None:
            continue
        kind, each = _record(found[1])
        made += [
            SlurmdGres(GresIndex(len(made) + at), kind, files) for at, files in enumerate(each)
        ]
    return tuple(made)


def _record(fields: str) -> tuple[str | None, list[tuple[str, ...]]]:
    """The type, and the files of each device that the record stands for."""
    values = dict(word.partition("=")[::2] for word in fields.split())
    kind, count, listed = values.get("Type", ""), values.get("Count", ""), values.get("File", "")
    if listed in _NOTHING:
        raise SlurmError(
            f"`slurmd -G` has a gpu without device files (Type={kind}): "
            "write gres.conf with `slurm-mig gen-gres --output`, then restart slurmd"
        )
    files = _expand(listed)
    return None if kind in _NOTHING else kind, _devices(files, count, fields)


def _devices(files: list[str], count: str, fields: str) -> list[tuple[str, ...]]:
    # MultipleFiles= is one device; File=/dev/nvidia[0-3] is four, and its count says so.
    if count == "1":
        return [tuple(files)]
    if count == str(len(files)):
        return [(file,) for file in files]
    raise SlurmError(f"`slurmd -G` printed a record whose count and files differ: {fields.strip()}")


def _expand(listed: str) -> list[str]:
    try:
        return expand(listed)
    except ValueError as why:
        raise SlurmError(f"`slurmd -G` printed files that cannot be read: {why}") from why
