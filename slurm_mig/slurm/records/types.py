"""The gres types of GPUs and slices, as each Slurm version's AutoDetect=nvml names them.

Source: Slurm's gpu/nvml plugin (22.05.8, 24.11.5, 26.05.3). Types are lower case, with '_' for
' '; a slice's begin with the GPU's name up to its first '-'.
"""

import re

from slurm_mig.model import Gpu, MigDevice
from slurm_mig.slurm.version import SlurmVersion

MIB_PER_GIB = 1024

# What Slurm's parsers read back as one word: no ':' ',' '=' '#' quotes, brackets, spaces.
_WORD = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+])?", re.ASCII)
_COUNT = re.compile(r"[0-9]+[kmgtp]?", re.ASCII | re.IGNORECASE)


def gpu_type(gpu: Gpu) -> str:
    """A whole GPU's full type: "nvidia_a100-sxm4-40gb"."""
    return _normal(gpu.name)


def short_gpu_type(gpu: Gpu) -> str:
    """A whole GPU's model alone: "a100", "h100", "gh200", "rtx_pro_6000"."""
    words = [word for word in re.split(r"[^a-z0-9]+", gpu.name.lower()) if word]
    words = [word for word in words if word not in ("nvidia", "tesla")]
    ends = next((at for at, word in enumerate(words) if any(map(str.isdigit, word))), len(words))
    return "_".join(words[: ends + 1])


def full_slice_type(gpu: Gpu, device: MigDevice, version: SlurmVersion) -> str:
    """A slice's full type: "nvidia_a100_1g.5gb+me"; before 23.02.6 "nvidia_a100_1g.5gb"."""
    return f"{_normal(gpu.name).partition('-')[0]}_{detected_profile(gpu, device, version)}"


def detected_profile(gpu: Gpu, device: MigDevice, version: SlurmVersion) -> str:
    """What AutoDetect=nvml puts after the GPU's name: "1c.3g.40gb", before 23.02.6 "3g.39gb"."""
    if not version.names_slices_as_nvml:
        # C's roundl: halves go up. No "+me", no "1c." in these versions.
        rounded = (device.memory_mib + MIB_PER_GIB // 2) // MIB_PER_GIB
        return f"{device.gi_slices}g.{rounded}gb"
    if len(f"{gpu.name} MIG {device.profile}") < version.name_buffer:
        return device.profile
    # The name does not fit Slurm's buffer, so Slurm falls back to slices and memory.
    part = f"{device.ci_slices}c." if device.ci_slices != device.gi_slices else ""
    rounded_up = -(-device.memory_mib // MIB_PER_GIB)
    return f"{part}{device.gi_slices}g.{rounded_up}gb"


def type_id(name: str) -> int:
    """The number by which Slurm knows a type: its letters, added up in four columns.

    Names may share it: 1g.11gb and 2g.10gb do, and 1g.23gb (B200) and 4g.20gb (A100). Source:
    gres_build_id in Slurm's gres.c.
    """
    return sum(ord(letter) << place % 4 * 8 for place, letter in enumerate(name)) % (1 << 32)


def misread_type(name: str) -> str | None:
    """Why Slurm would read this type differently, or None."""
    if not _WORD.fullmatch(name):
        return "only ASCII letters, digits and . _ + - survive Slurm's parser"
    if _COUNT.fullmatch(name):
        return "Slurm reads it as a count"
    return None


def misread_node(name: str) -> str | None:
    """Why Slurm would read this node name differently, or None."""
    if not _WORD.fullmatch(name) or "+" in name:
        return "only ASCII letters, digits and . _ - survive Slurm's parser"
    if name.upper() == "DEFAULT":
        return "NodeName=DEFAULT is not a node to Slurm"
    return None


def _normal(name: str) -> str:
    return name.lower().replace(" ", "_")
