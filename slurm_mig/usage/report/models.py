"""What each GPU model can be cut into, by the name that a record has for it (models.toml)."""

from functools import lru_cache
from typing import NamedTuple

from slurm_mig.gpu import profile as names
from slurm_mig.gpu.config import offline
from slurm_mig.usage.store.nouns import Slice
from slurm_mig.usage.store.rules import Shape as Shape


class Model(NamedTuple):
    """A GPU model; `shapes` from the smallest. `whole` is the GPU without MIG.

    `assumed` says what is not known of it from hardware, in a line each.
    """

    name: str
    whole: Shape
    shapes: tuple[Shape, ...]
    assumed: tuple[str, ...]


def models() -> tuple[Model, ...]:
    """All models that have MIG, each once, by name."""
    known = {gpu.info.name for gpu in map(offline.gpu, offline.keys())}
    return tuple(model for name in sorted(known) if (model := model_of(name)) is not None)


@lru_cache(maxsize=1024)
def model_of(gpu_name: str | None) -> Model | None:
    """The model of that name; None where it is not known, or has no MIG."""
    for key in offline.keys() if gpu_name else ():
        gpu = offline.gpu(key)
        if gpu.info.name == gpu_name and gpu.profiles:
            shapes = [
                Shape(one.profile, one.slices, one.memory_mib, one.placements[0].size)
                for one in gpu.profiles
            ]
            shapes.sort(key=lambda shape: (shape.compute, shape.memory_mib))
            largest = shapes[-1]
            memory_mib = gpu.info.memory_mib or largest.memory_mib
            whole = Shape("whole GPU", largest.compute, memory_mib, largest.units)
            return Model(gpu.info.name, whole, tuple(shapes), offline.unknown(key))
    return None


def shape_of(one: Slice) -> Shape | None:
    """What the slice is of its GPU; None for a model, or a profile, that is not known.

    A compute instance of several in one GPU instance has its own compute slices, and all of the
    memory, which it shares. The memory is what the record says, where it does.
    """
    shape = named(one.gpu_name, one.profile)
    if shape is None or one.memory_mib is None:
        return shape
    return shape._replace(memory_mib=one.memory_mib)


@lru_cache(maxsize=4096)
def named(gpu_name: str | None, profile: str | None) -> Shape | None:
    """The shape of that name, None being a whole GPU; None for one that is not known."""
    model = model_of(gpu_name)
    if model is None or profile is None:
        return None if model is None else model.whole
    try:
        compute = names.parse(profile).ci_slices
    except ValueError:  # a record can say anything
        return None
    for shape in model.shapes:
        if shape.profile == names.gi_profile(profile):
            return shape._replace(profile=profile, compute=compute)
    return None


def memory_of(one: Slice) -> float | None:
    """The slice's memory in MiB: what its record says, else its model's; None: unknown."""
    shape = shape_of(one) if one.memory_mib is None else None
    return one.memory_mib if shape is None else shape.memory_mib
