"""The texts in which Slurm's answers name gres. Pure.

gpu:1g.10gb:2,gpu:3g.40gb:1(S:0-1)              Gres= of a node
gpu:1g.10gb:2(IDX:0,2),gpu:3g.40gb:0(IDX:N/A)   GresUsed= of a node, GRES= of a job on one
gres:gpu:1g.10gb:1                              asked for by a job, 22.05
gres/gpu:1g.10gb:1   gres/gpu:1g.10gb=1         the same, later
"""

import re
from collections.abc import Iterator

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.client import GresCount, HeldGres

NOTHING = frozenset({"", "(null)", "N/A", "NONE"})
# A comma may stand in an index list: only those outside parentheses part.
_ITEM = re.compile(r"(?:[^,(]|\([^)]*\))+")
_COUNT = re.compile(r"\d+[KMGTP]?", re.IGNORECASE)
_POWERS = " KMGTP"
_INDICES = re.compile(r"\(IDX:([^)]*)\)")


def counts(text: str) -> tuple[GresCount, ...]:
    """What a node has, or a job asks for. Raises SlurmError where it is no list of gres."""
    return tuple(_count(item) for item in _items(text))


def held(text: str, node: str) -> tuple[HeldGres, ...]:
    """What is taken on a node, without what none is taken of. Raises SlurmError."""
    found = ((_count(item), item) for item in _items(text))
    return tuple(HeldGres(node, *one, _indices(item)) for one, item in found if one.number)


def only_gres(text: str) -> str:
    """What a job asks for, without the licenses and the like that may stand between (24.11)."""
    return ",".join(item for item in _items(text) if item.startswith(("gres/", "gres:")))


def _items(text: str) -> Iterator[str]:
    if text.strip() not in NOTHING:
        yield from (match[0].strip() for match in _ITEM.finditer(text))


def _count(item: str) -> GresCount:
    bare = re.sub(r"\([^)]*\)", "", item)
    words = re.split("[:=]", bare.removeprefix("gres:").removeprefix("gres/"))
    if not words[0] or len(words) > 3:
        raise SlurmError(f"Slurm said {item!r} where a gres was expected")
    # A word alone at the end is a count, if it looks like one: Slurm reads it so itself.
    number = _number(words.pop()) if len(words) > 1 and _COUNT.fullmatch(words[-1]) else 1
    return GresCount(words[0], words[1] if len(words) > 1 else None, number)


def _number(word: str) -> int:
    power = _POWERS.find(word[-1].upper())
    return int(word) if power < 0 else int(word[:-1]) * 1024**power


def _indices(item: str) -> tuple[int, ...] | None:
    found = _INDICES.search(item)
    if found is None or found[1] in NOTHING:
        return None
    return tuple(number for part in found[1].split(",") for number in _range(part, item))


def _range(part: str, item: str) -> range:
    first, _, last = part.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise SlurmError(f"Slurm said {item!r} where the indices of a gres were expected")
    return range(int(first), int(last or first) + 1)
