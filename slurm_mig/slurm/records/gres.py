"""A node's gres.conf records, in the order in which slurmd counts them.

Without AutoDetect slurmd takes the types in the order of slurm.conf's Gres=, and within a type
the lines in the order of gres.conf; with AutoDetect it sorts (autodetect.py). The
place in that list is the gres_index: what SLURM_JOB_GPUS tells a job's prolog.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from slurm_mig.model import Cores, Gpu, GresIndex, MigDevice, Node
from slurm_mig.slurm.records.autodetect import gpu_key, slice_key
from slurm_mig.slurm.records.types import (
    detected_profile,
    full_slice_type,
    gpu_type,
    short_gpu_type,
)
from slurm_mig.slurm.version import SlurmVersion

FLAGS = "nvidia_gpu_env"

# Named tuples: to make a frozen dataclass costs a command a millisecond of its start.


class GresOptions(NamedTuple):
    """For which Slurm, and in which form, the records are made.

    `autodetect`: lines that AutoDetect=nvml will match, else lines that stand alone.
    `profile_types`: "1g.10gb" for "nvidia_h100_80gb_hbm3_1g.10gb".
    """

    version: SlurmVersion
    autodetect: bool = False
    profile_types: bool = False


class GresRecord(NamedTuple):
    """One line of gres.conf and the GPU or slice that it stands for.

    `files` is one file for a whole GPU (profile None); for a slice its GPU's, its GPU
    instance's and its compute instance's, in this order, which AutoDetect wants.
    """

    gres_index: GresIndex
    type: str
    files: tuple[str, ...]
    uuid: str
    profile: str | None
    cores: str | None


class NodeGres(NamedTuple):
    """What Slurm must be told about one node. `types` is in the order of `Gres=`."""

    node_name: str
    records: tuple[GresRecord, ...]
    types: tuple[tuple[str, int], ...]

    @property
    def gres(self) -> str:
        """The value of `Gres=` on the node's line of slurm.conf."""
        return gres_value(self.types)


class GresGroup(NamedTuple):
    """Nodes that want the same lines: `nodes` one by one, `node_names` as a host list.

    `node_names` is None for the lines of a node's own file. The records are the first
    node's: of the others only the UUIDs differ.
    """

    node_names: str | None
    nodes: tuple[str, ...]
    records: tuple[GresRecord, ...]
    types: tuple[tuple[str, int], ...]

    @property
    def gres(self) -> str:
        """The value of `Gres=` for each of the nodes."""
        return gres_value(self.types)


def gres_value(types: Sequence[tuple[str, int]]) -> str:
    """Types and counts as slurm.conf has them: "gpu:a100:1,gpu:1g.5gb:7"."""
    return ",".join(f"gpu:{name}:{count}" for name, count in types)


def node_gres(node: Node, options: GresOptions) -> NodeGres:
    """The records of a node, whatever may be wrong with it (slurm_mig.slurm.records.refusals)."""
    found = sorted(_candidates(node, options), key=lambda each: each.rank)
    rank_of_type: dict[str, int] = {}
    for each in found:
        rank_of_type.setdefault(each.type, len(rank_of_type))
    if options.autodetect:
        ordered = sorted(found, key=lambda each: each.merge_key)
    else:
        # Stable: within a type the rank's order stays.
        ordered = sorted(found, key=lambda each: rank_of_type[each.type])
    counts = Counter(each.type for each in found)
    return NodeGres(
        node_name=node.name,
        records=tuple(each.record(GresIndex(at)) for at, each in enumerate(ordered)),
        types=tuple((name, counts[name]) for name in rank_of_type),
    )


def line(record: GresRecord, node_names: str | None = None) -> str:
    """The record as a line of gres.conf, for this node or for those named."""
    words = [f"NodeName={node_names}"] if node_names else []
    words += ["Name=gpu", f"Type={record.type}"]
    key = "File" if len(record.files) == 1 else "MultipleFiles"
    words.append(f"{key}={','.join(record.files)}")
    if record.cores:
        words.append(f"Cores={record.cores}")
    # Without it Slurm also sets AMD's and Intel's variables in every job.
    words.append(f"Flags={FLAGS}")
    return " ".join(words)


class _Candidate(NamedTuple):
    """A record before its place is known.

    `rank` puts whole GPUs first, then large slices before small ones; `merge_key` is the
    place in AutoDetect's list.
    """

    rank: tuple[int | str, ...]
    merge_key: tuple[int, ...]
    type: str
    files: tuple[str, ...]
    uuid: str
    profile: str | None
    cores: str | None

    def record(self, gres_index: GresIndex) -> GresRecord:
        return GresRecord(gres_index, self.type, self.files, self.uuid, self.profile, self.cores)


def _candidates(node: Node, options: GresOptions) -> Iterator[_Candidate]:
    for gpu in node.gpus:
        cores = _cores(gpu.cores, options)
        if gpu.mig_mode is None or not gpu.mig_mode.current:
            yield _whole_gpu(gpu, cores, options)
            continue
        for device in gpu.mig_devices:
            yield _slice(gpu, device, cores, options)


def _whole_gpu(gpu: Gpu, cores: str | None, options: GresOptions) -> _Candidate:
    name = short_gpu_type(gpu) if options.profile_types else gpu_type(gpu)
    return _Candidate(
        rank=(0, -gpu.memory_mib, 0, 0, name, gpu.gpu_minor),
        merge_key=gpu_key(gpu, options.version),
        type=name,
        files=(gpu.device_file.path,),
        uuid=gpu.uuid,
        profile=None,
        cores=cores,
    )


def _slice(gpu: Gpu, device: MigDevice, cores: str | None, options: GresOptions) -> _Candidate:
    name = slice_type(gpu, device, options)
    minors = (gpu.gpu_minor, device.gi_minor, device.ci_minor)
    return _Candidate(
        rank=(1, -device.gi_slices, -device.memory_mib, -device.ci_slices, name, *minors),
        merge_key=slice_key(gpu, device, options.version),
        type=name,
        files=tuple(file.path for file in device.device_files),
        uuid=device.uuid,
        profile=device.profile,
        cores=cores,
    )


def slice_type(gpu: Gpu, device: MigDevice, options: GresOptions) -> str:
    """The type that a slice is given under these options."""
    if not options.profile_types:
        return full_slice_type(gpu, device, options.version)
    if options.autodetect:
        # It must be a part of what this version detects, right or wrong ("3g.39gb").
        return detected_profile(gpu, device, options.version)
    return device.profile


def _cores(cores: Cores | None, options: GresOptions) -> str | None:
    # AutoDetect fills them in, and drops a device whose line has others.
    if cores is None or options.autodetect:
        return None
    if options.version.wants_whole_sockets and not cores.fill_sockets:
        return None
    ranges = cores.first_to_last
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
