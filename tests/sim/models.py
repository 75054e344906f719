"""What each simulated GPU model is: the tables of models/*.toml, checked and completed.

The files give every number with its source. `unknown` names the fields whose value is only a
stand-in, because no hardware source for it is known: a test must not take them for facts.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

FOLDER = Path(__file__).with_name("models")

# NVML's compute instance profile numbers, by slices (NVML_COMPUTE_INSTANCE_PROFILE_n_SLICE).
CI_ENUMS: Mapping[int, int] = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4}
# The slices of the compute instances that a GPU instance of n slices offers: published
# `nvidia-smi mig -lcip` outputs of A100s (a 4g has no 3c), and go-nvml's tables.
CI_SLICES: Mapping[int, tuple[int, ...]] = {
    1: (1,),
    2: (1, 2),
    3: (1, 2, 3),
    4: (1, 2, 4),
    7: (1, 2, 3, 4, 7),
}
# How many compute slices apart compute instances of n slices may start. A rule, not a
# measurement: the one of GPU instances. It gives the published maximum numbers (7, 3, 2 and 1
# of 1c, 2c, 3c and 4c in a 7g; 4 and 2 of 1c and 2c in a 4g; 3 and 1 in a 3g).
CI_STEPS: Mapping[int, int] = {1: 1, 2: 2, 3: 4, 4: 4}


@dataclass(frozen=True)
class CiProfile:
    """A compute instance profile inside one GPU instance profile.

    `name` is what the MIG device is then called ("1c.3g.40gb", or the GPU instance profile's
    own name when it takes all slices); `starts` and `size` are in compute slices.
    """

    name: str
    enum: int
    profile_id: int
    slices: int
    sm_count: int
    max_count: int
    starts: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class GiProfile:
    """A GPU instance profile; `starts` and `size` in memory units of the GPU."""

    name: str
    enum: int
    profile_id: int
    slices: int
    sm_count: int
    memory_mib: int
    max_count: int
    size: int
    starts: tuple[int, ...]
    copy_engines: int
    ci_profiles: tuple[CiProfile, ...]
    unknown: frozenset[str]


@dataclass(frozen=True)
class GpuModel:
    """A GPU as it is sold, and what its driver says of it.

    `units` is how many memory units MIG cuts it into (0 without MIG). `reset_for_mode`: a
    change of MIG mode waits for a reset. `pci_device_id` holds device and vendor, as NVML's.
    """

    key: str
    name: str
    family: str  # "ampere", "ada", "hopper" or "blackwell"
    mig: bool
    memory_mib: int
    units: int
    sm_count: int
    mig_sm_count: int
    pci_device_id: int
    pci_subsystem_id: int
    gpm: bool
    reset_for_mode: bool
    mode_survives_reboot: bool
    power_idle_w: int
    power_limit_w: int
    profiles: tuple[GiProfile, ...]
    unknown: frozenset[str]

    def profile(self, name: str) -> GiProfile:
        """The GPU instance profile of that name; KeyError when this GPU has none."""
        for profile in self.profiles:
            if profile.name == name:
                return profile
        raise KeyError(f"{self.key} has no profile {name}: it has {profile_names(self)}")


def profile_names(model: GpuModel) -> str:
    """The names of the profiles of one model, for a message."""
    return ", ".join(profile.name for profile in model.profiles) or "none"


def keys() -> tuple[str, ...]:
    """The models there are, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def mig_keys() -> tuple[str, ...]:
    """Those of the models that can do MIG."""
    return tuple(key for key in keys() if load(key).mig)


@cache
def load(key: str) -> GpuModel:
    """The model of that key; KeyError names those that there are."""
    if key not in keys():
        raise KeyError(f"no GPU model {key!r}: there are {', '.join(keys())}")
    table = tomllib.loads((FOLDER / f"{key}.toml").read_text())
    per_slice = table.pop("ci_slice_sm_count", 0)
    profiles = tuple(_gi_profile(row, per_slice) for row in table.pop("profile", ()))
    unknown = frozenset(table.pop("unknown", ()))
    return _checked(GpuModel, {**table, "key": key, "profiles": profiles, "unknown": unknown})


def _gi_profile(row: dict[str, Any], per_slice: int) -> GiProfile:
    given = row.pop("ci", None)
    if given is None:
        cis = _usual_ci_profiles(row["name"], row["slices"], row["sm_count"], per_slice)
    else:
        cis = tuple(_checked(CiProfile, {**ci, "starts": tuple(ci["starts"])}) for ci in given)
    unknown = frozenset(row.pop("unknown", ()))
    starts = tuple(row.pop("starts"))
    return _checked(GiProfile, {**row, "starts": starts, "ci_profiles": cis, "unknown": unknown})


def _usual_ci_profiles(
    gi_name: str, gi_slices: int, gi_sm_count: int, per_slice: int
) -> tuple[CiProfile, ...]:
    """The CI profiles of a GPU instance without peculiarities.

    The one with all slices has all multiprocessors of the GPU instance (60, not 48, on an
    H100 3g); a smaller one has so many a slice.
    """
    return tuple(
        _ci_profile(gi_name, gi_slices, slices, gi_sm_count, per_slice)
        for slices in CI_SLICES[gi_slices]
    )


def _ci_profile(
    gi_name: str, gi_slices: int, slices: int, gi_sm_count: int, per_slice: int
) -> CiProfile:
    whole = slices == gi_slices
    starts = (0,) if whole else tuple(range(0, gi_slices - slices + 1, CI_STEPS[slices]))
    return CiProfile(
        name=gi_name if whole else f"{slices}c.{gi_name}",
        enum=CI_ENUMS[slices],
        profile_id=CI_ENUMS[slices],
        slices=slices,
        sm_count=gi_sm_count if whole else slices * per_slice,
        max_count=len(starts),
        starts=starts,
        size=slices,
    )


_Row = TypeVar("_Row", CiProfile, GiProfile, GpuModel)


def _checked(row_type: type[_Row], values: Mapping[str, Any]) -> _Row:
    """A row of that type; ValueError names the fields that are missing or too many."""
    wanted = {field.name for field in fields(row_type)}
    if wrong := wanted ^ set(values):
        raise ValueError(f"{values.get('name')}: missing or unknown fields {sorted(wrong)}")
    return row_type(**values)
