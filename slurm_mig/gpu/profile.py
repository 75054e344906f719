"""The grammar of profile names: `[Cc.]Gg.Ngb[+attribute|-attribute]`. Pure.

"3g.20gb" is a GPU instance of three slices; "1c.3g.20gb" a compute instance with one of them.
"""

import re
from math import ceil
from typing import NamedTuple

_MIB_PER_GIB = 1024
_NAME = re.compile(
    r"(?:(?P<ci>[1-9][0-9]?)c\.)?(?P<gi>[1-9][0-9]?)g\.(?P<gb>[1-9][0-9]{0,4})gb"
    r"(?P<attribute>[+-][a-z][a-z0-9.]*)?"
)


class Profile(NamedTuple):
    """A profile name taken apart. `attribute` is "", "+me", "+me.all", "+gfx" or "-me" today.

    `memory_gb` is the number in the name, which is rounded and differs between drivers:
    never a measure of memory.
    """

    gi_slices: int
    ci_slices: int
    memory_gb: int
    attribute: str = ""

    def __str__(self) -> str:
        compute = "" if self.ci_slices == self.gi_slices else f"{self.ci_slices}c."
        return f"{compute}{self.gi_slices}g.{self.memory_gb}gb{self.attribute}"


def parse(text: str) -> Profile:
    """`text` as a Profile; ValueError when it is no profile name."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no MIG profile, such as 3g.40gb, 1c.3g.40gb or 1g.10gb+me")
    gi_slices = int(match["gi"])
    ci_slices = int(match["ci"] or gi_slices)
    if ci_slices > gi_slices:
        raise ValueError(f"{text!r} has more compute slices than its GPU instance")
    return Profile(gi_slices, ci_slices, int(match["gb"]), match["attribute"] or "")


def gi_profile(profile: str) -> str:
    """The GPU instance's part of a MIG device's profile: "1c.3g.20gb" lies in a "3g.20gb"."""
    return re.sub(r"^[0-9]+c\.", "", profile)


def after_mig(name: str) -> str:
    """What follows the word MIG in NVML's names: "MIG 1g.5gb" -> "1g.5gb"."""
    return name.rpartition("MIG ")[2]


def device_profile(name: str, *, gi_slices: int, ci_slices: int, memory_mib: int) -> str:
    """The profile of a MIG device called `name` ("NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb").

    Where a driver's name does not say, it is put together from the attributes, as Slurm's
    own plugin does: then an attribute such as +me is lost.
    """
    if "MIG " in name:
        return after_mig(name)
    return str(Profile(gi_slices, ci_slices, ceil(memory_mib / _MIB_PER_GIB)))
