"""Values of `Gres=` as texts: "gpu:1g.5gb:7,nic:2". Pure."""

import re
from collections.abc import Iterator

# What a `Gres=` may hold that Slurm reads back as one word.
_ITEM = re.compile(r"[A-Za-z0-9_]+(:[A-Za-z0-9_.+-]+)*", re.ASCII)
_GPUS = re.compile(r"gpu(:[A-Za-z0-9_.+-]+){1,2}", re.ASCII)
_COUNT = re.compile(r"(\d+)([kmgtp]?)", re.ASCII | re.IGNORECASE)
_SHARES = {"mps", "shard"}
_SCALE = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}


def items(value: str) -> list[str]:
    """The resources, one by one. What `scontrol` prints for none, or of sockets, is left out."""
    value = re.sub(r"\([^()]*\)", "", value)
    return [item for item in value.split(",") if item]


def gpu_counts(value: str) -> dict[str, int]:
    """Type -> count of the gpus in a `Gres=`; "" is the type of those that have none.

    Raises ValueError for a count that is none.
    """
    counts: dict[str, int] = {}
    for item in items(value):
        words = item.split(":")
        if words[0].lower() != "gpu":
            continue
        name, count = _type_and_count(words[1:])
        counts[name] = counts.get(name, 0) + count
    return counts


def with_gpus(present: str, gpus: str) -> str:
    """`present` with other gpus, its other resources as they are. Raises ValueError."""
    wrong = list(_wrong(present, gpus))
    if wrong:
        raise ValueError("; ".join(wrong))
    old = items(present)
    first = next((at for at, item in enumerate(old) if _is_gpu(item)), 0)
    others = [item for item in old if not _is_gpu(item)]
    return ",".join([*others[:first], gpus, *others[first:]])


def _wrong(present: str, gpus: str) -> Iterator[str]:
    if not gpus or not all(_GPUS.fullmatch(item) for item in gpus.split(",")):
        yield f"{gpus!r} is no list of gpus such as gpu:1g.10gb:7"
    for item in items(present):
        if not _ITEM.fullmatch(item):
            yield f"Gres= holds {item!r}, which Slurm reads otherwise"
        elif item.split(":")[0].lower() in _SHARES:
            yield f"Gres= holds {item}, which counts on the GPUs as they are: take it out"


def _is_gpu(item: str) -> bool:
    return item.split(":")[0].lower() == "gpu"


def _type_and_count(words: list[str]) -> tuple[str, int]:
    words = [word for word in words if word.lower() != "no_consume"]
    if words and (found := _COUNT.fullmatch(words[-1])):
        count = int(found[1]) * _SCALE[found[2].lower()]
        words = words[:-1]
    else:
        count = 1
    if len(words) > 1:
        raise ValueError(f"not a gres: {':'.join(['gpu', *words])}")
    return (words[0] if words else ""), count
