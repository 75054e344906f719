"""A machine to be made: which GPUs at which addresses, as the text that parse.c reads. Pure."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from tests.sim.errors import SimError
from tests.sim.models import GpuModel, load

FAMILIES = {"ampere": 0, "ada": 1, "hopper": 2, "blackwell": 3}
MAX_GPUS = 16
_UUIDS = uuid.UUID("6d696773-696d-4000-8000-000000000000")


@dataclass(frozen=True)
class Options:
    """How this machine differs from an ordinary one.

    `numbering` "b" swaps the ids of the two halves (both were seen on hardware); `gap` leaves
    MIG index 1 empty; `reversed_minors` makes the device minor differ from the NVML index;
    `cpus` are the CPUs near each GPU (default: all of this machine's); `seed` goes into the
    GPUs' UUIDs.
    """

    numbering: str = "a"
    gap: bool = False
    reversed_minors: bool = False
    cpus: Sequence[Sequence[int]] | None = None
    seed: str = ""
    driver: str = "570.133.20"
    cuda: int = 12080


@dataclass(frozen=True)
class Place:
    """One GPU of the machine, before it gets a layout."""

    index: int
    minor: int
    model: GpuModel
    bus: int
    uuid: str

    @property
    def proc_bus_id(self) -> str:
        """Its address as /proc/driver/nvidia/gpus spells it."""
        return f"0000:{self.bus:02x}:00.0"


def places(keys: Sequence[str], options: Options) -> tuple[Place, ...]:
    """The GPUs in bus order, which is NVML's. SimError for an unknown model."""
    if not 1 <= len(keys) <= MAX_GPUS:
        raise SimError(f"a machine has 1 to {MAX_GPUS} GPUs, not {len(keys)}")
    return tuple(_place(index, key, len(keys), options) for index, key in enumerate(keys))


def _place(index: int, key: str, count: int, options: Options) -> Place:
    try:
        model = load(key)
    except KeyError as error:
        raise SimError(error.args[0]) from None
    name = uuid.uuid5(_UUIDS, f"{options.seed}/{index}")
    minor = count - 1 - index if options.reversed_minors else index
    return Place(index, minor, model, bus=0x0B + 0x0F * index, uuid=f"GPU-{name}")


def describe(gpus: Sequence[Place], options: Options, cpu_count: int) -> str:
    """The whole text for migsim_new."""
    if options.numbering not in ("a", "b"):
        raise SimError(f"numbering is a or b, not {options.numbering!r}")
    if options.cpus is not None and len(options.cpus) != len(gpus):
        raise SimError(f"CPUs for {len(options.cpus)} GPUs given, and there are {len(gpus)}")
    models = list(dict.fromkeys(gpu.model for gpu in gpus))
    swapped = int(options.numbering == "b")
    nvml = f"12.{options.driver}"
    lines = [f"system {options.driver} {nvml} {options.cuda} {swapped} {int(options.gap)}"]
    for model in models:
        lines += _model(model)
    for gpu in gpus:
        near = options.cpus[gpu.index] if options.cpus else range(cpu_count)
        lines.append(
            f"gpu {models.index(gpu.model)} {gpu.minor} 0 {gpu.bus} 0 {gpu.uuid} "
            f"{1320000000000 + uuid.UUID(gpu.uuid[4:]).int % 10**9} {_words(near)}"
        )
    return "\n".join(lines)


def _words(cpus: Sequence[int]) -> str:
    mask = sum(1 << cpu for cpu in cpus)
    words = [f"{mask >> shift & (1 << 64) - 1:x}" for shift in range(0, 1024, 64)]
    return " ".join(words)


def _model(m: GpuModel) -> list[str]:
    numbers: tuple[int, ...] = (
        FAMILIES[m.family], m.mig, m.memory_mib, m.units, m.sm_count, m.mig_sm_count,
        m.pci_device_id, m.pci_subsystem_id, m.gpm, m.reset_for_mode, m.mode_survives_reboot,
        m.power_idle_w, m.power_limit_w,
    )  # fmt: skip
    lines = [f"model {_row(numbers)} {m.name}"]
    for gi in m.profiles:
        numbers = (
            gi.enum, gi.profile_id, gi.slices, gi.sm_count, gi.memory_mib, gi.max_count,
            gi.size, gi.copy_engines,
        )  # fmt: skip
        lines.append(f"gi {_row(numbers)} {gi.name} {_row(gi.starts)}")
        for ci in gi.ci_profiles:
            numbers = (ci.enum, ci.profile_id, ci.slices, ci.sm_count, ci.max_count, ci.size)
            lines.append(f"ci {_row(numbers)} {ci.name} {_row(ci.starts)}")
    return lines


def _row(numbers: Sequence[int]) -> str:
    return " ".join(str(int(number)) for number in numbers)
