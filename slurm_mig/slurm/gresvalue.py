"""Values of `Gres=` as texts: "gpu:1g.5gb:7,nic:2". Pure."""

import re
from collections.abc import Iterator

# What a `Gres=` may hold that Slurm reads back as one word.
_ITEM = re.compile(r"[A-Za-z0-9_]+(:[A-Za-z0-9_.+-]+)*", re.ASCII)
_GPUS = re.compile(r"gpu(:[A-Za-z0-9_.+-]+){1,2}", re.ASCII)
_SHARES = {"mps", "shard"}


def items(value: str) -> list[str]:
    """The resources, one by one. What `scontrol` prints for none, or of sockets, is left out."""
    value = re.sub(r"\([^()]*\)", "", value)
    return [item for item in value.split(",") if item]


def with_gpus(present: str, gpus: str) -> str:
    """`present` with other gpus ("" for none), its other resources as they are.

    Raises ValueError.
    """
    wrong = list(_wrong(present, gpus))
    if wrong:
        raise ValueError("; ".join(wrong))
    old = items(present)
    first = next((at for at, item in enumerate(old) if _is_gpu(item)), 0)
    others = [item for item in old if not _is_gpu(item)]
    return ",".join(filter(None, [*others[:first], gpus, *others[first:]]))


def gpus_of(value: str) -> str:
    """Only the gpus of a `Gres=`, as they are written there."""
    return ",".join(item for item in items(value) if _is_gpu(item))


def _wrong(present: str, gpus: str) -> Iterator[str]:
    if gpus and not all(_GPUS.fullmatch(item) for item in gpus.split(",")):
        yield f"{gpus!r} is no list of gpus such as gpu:1g.10gb:7"
    for item in items(present):
        if not _ITEM.fullmatch(item):
            yield f"Gres= holds {item!r}, which Slurm reads otherwise"
        elif item.split(":")[0].lower() in _SHARES:
            yield f"Gres= holds {item}, which counts on the GPUs as they are: take it out"


def _is_gpu(item: str) -> bool:
    return item.split(":")[0].lower() == "gpu"
