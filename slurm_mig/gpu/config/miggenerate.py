"""The usual configurations for the GPUs that are there, named as mig-parted names them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.migexport import OFF, Described, config_text, counts_text
from slurm_mig.gpu.partitioning import GiProfile, LiveGpu

# How many GPU instances of 1, 2 and 3 slices make a GPU of 7 or 4 slices "balanced".
_BALANCED = {7: {1: 2, 2: 1, 3: 1}, 4: {1: 2, 2: 1}}


class _Model(NamedTuple):
    """GPUs of one kind: their device-filter and what they offer."""

    device_filter: str
    profiles: tuple[GiProfile, ...]


def generate(gpus: Sequence[LiveGpu]) -> str:
    """A file with all-disabled, all-enabled, all-balanced and an all-PROFILE for each profile.

    With GPUs of several models, each entry names the models that it is for. Raises Refused
    when no GPU can do MIG, or one tells no profiles.
    """
    models = _models(gpus)
    labels: dict[str, list[Described]] = {
        "all-disabled": [((), OFF)],
        "all-enabled": [((), counts_text({}))],
    }
    balanced = [(model, _balanced(model)) for model in models]
    some: list[Described] = [
        ((model.device_filter,), counts_text(counts)) for model, counts in balanced if counts
    ]
    if some:
        labels["all-balanced"] = some
    for name in sorted({profile.profile for model in models for profile in model.profiles}):
        labels[f"all-{name.replace('+', '.')}"] = [
            (filters, counts_text({name: count})) for count, filters in _by_count(name, models)
        ]
    return config_text(labels, with_filters=len(models) > 1)


def _models(gpus: Sequence[LiveGpu]) -> list[_Model]:
    able = [gpu for gpu in gpus if gpu.info.mig_mode is not None]
    if not able:
        raise Refused("nothing to generate", ["no GPU here can do MIG"])
    silent = [gpu for gpu in able if not gpu.profiles]
    if silent:
        raise Refused(
            "cannot generate",
            [
                f"GPU {gpu.info.gpu_index} ({gpu.info.name}) tells no profiles: switch MIG on, "
                "or take --gpu MODEL"
                for gpu in silent
            ],
        )
    found = {gpu.pci_device_id: gpu.profiles for gpu in able}
    return [_Model(f"0x{number:08X}", found[number]) for number in sorted(found)]


def _most(profile: GiProfile) -> int:
    """How many fit: NVML's number, but no more than lie beside each other (an A30's is wrong).

    With MIG off a driver tells no places; then its number must do.
    """
    end = count = 0
    for place in sorted(profile.placements):
        if place.start >= end:
            end, count = place.start + place.size, count + 1
    return min(profile.max_count, count) if profile.placements else profile.max_count


def _by_count(name: str, models: Sequence[_Model]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """How many of a profile fit, with the models on which so many do; fewest first."""
    groups: dict[int, list[str]] = {}
    for model in models:
        for profile in model.profiles:
            if profile.profile == name:
                groups.setdefault(_most(profile), []).append(model.device_filter)
    for count in sorted(groups):
        yield count, tuple(sorted(groups[count]))


def _balanced(model: _Model) -> Mapping[str, int]:
    """Empty where the model has no balanced layout."""
    plain = [profile for profile in model.profiles if not set("+-") & set(profile.profile)]
    formula = _BALANCED.get(max((profile.slices for profile in plain), default=0), {})
    best: dict[str, int] = {}
    for slices, count in formula.items():
        alike = [profile for profile in plain if profile.slices == slices]
        if not alike:
            return {}
        # The one with the least memory, of which the most fit.
        best[max(alike, key=_most).profile] = count
    return best
