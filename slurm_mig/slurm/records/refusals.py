"""Why a node's gres.conf must not be written as the node stands, and what to say beside it."""

from collections import Counter
from collections.abc import Iterable, Iterator

from slurm_mig.model import Gpu, MigDevice, Node
from slurm_mig.slurm.records import autodetect, types
from slurm_mig.slurm.records.gres import GresOptions, NodeGres, slice_type

# nvidia-smi's own words, so that they can be copied.
MAKE_SLICES = "make instances (`nvidia-smi mig -i {0} -cgi PROFILE,... -C`) or turn MIG off"


def problems(node: Node, made: NodeGres, options: GresOptions) -> list[str]:
    """Everything that forbids it, each with its remedy; empty when all is right.

    `made` is what node_gres() made of `node` under `options`.
    """
    found = [problem for gpu in node.gpus for problem in _gpu_problems(gpu, options)]
    found += _misread(made)
    found += same_to_slurm([name for name, _ in made.types], options)
    found += _shared_files(made)
    if options.autodetect:
        found += _mistaken_types(node, options)
    return list(dict.fromkeys(found))


def warnings(node: Node, made: NodeGres) -> list[str]:
    """What an administrator should know, though the lines are right."""
    of_gpus = [f"{_name(gpu)}: {warning}" for gpu in node.gpus for warning in gpu.warnings]
    return [*node.warnings, *of_gpus, *_blurred_types(made)]


def _gpu_problems(gpu: Gpu, options: GresOptions) -> Iterator[str]:
    if gpu.mig_mode is None or not gpu.mig_mode.current:
        yield from (f"{_name(gpu)}: {problem}" for problem in gpu.device_file.problems)
        return
    if not gpu.mig_devices:
        yield f"{_name(gpu)}: MIG is on but there is no slice: {_how_to_make_slices(gpu)}"
    for device in gpu.mig_devices:
        for file in device.device_files:
            yield from (f"{_name(gpu)}: {problem}" for problem in file.problems)
    if options.autodetect:
        yield from _unseen_by_autodetect(gpu, options)


def _how_to_make_slices(gpu: Gpu) -> str:
    if gpu.empty_gpu_instances:
        gi_ids = ",".join(str(empty.gi_id) for empty in gpu.empty_gpu_instances)
        return (
            f"its GPU instances have no compute instance"
            f" (`nvidia-smi mig -i {gpu.gpu_index} -gi {gi_ids} -cci`)"
        )
    return MAKE_SLICES.format(gpu.gpu_index)


def _unseen_by_autodetect(gpu: Gpu, options: GresOptions) -> Iterator[str]:
    # Slurm counts from 0 and stops at the first index without a slice, in every version.
    indices = sorted(device.mig_index for device in gpu.mig_devices)
    if indices != list(range(len(indices))):
        gap = next(at for at, index in enumerate(indices) if at != index)
        yield (
            f"{_name(gpu)}: MIG index {gap} is empty, and AutoDetect=nvml sees no slice after"
            " it: use --autodetect off, or make the slices again"
        )
    if not options.version.finds_caps_by_minor and int(gpu.gpu_index) != int(gpu.gpu_minor):
        yield (
            f"{_name(gpu)}: its minor is {gpu.gpu_minor}, and Slurm before 22.05.6 confuses the"
            " two: use --autodetect off"
        )


def _misread(made: NodeGres) -> Iterator[str]:
    for name, _ in made.types:
        why = types.misread_type(name)
        if why:
            yield f"type {name!r}: {why}"


def same_to_slurm(names: Iterable[str], options: GresOptions) -> list[str]:
    """Types of one cluster that Slurm takes for each other, however they are written."""
    by_id: dict[int, list[str]] = {}
    for name in dict.fromkeys(names):
        by_id.setdefault(types.type_id(name), []).append(name)
    remedy = "use --types full" if options.profile_types else "they cannot be in one cluster"
    return [
        f"types {' and '.join(same)} are one to Slurm, which knows types by the sum of their"
        f" letters: {remedy}"
        for same in by_id.values()
        if len(same) > 1
    ]


def _shared_files(made: NodeGres) -> Iterator[str]:
    for files, count in Counter(record.files for record in made.records).items():
        if count > 1:
            yield f"{count} devices have the same files ({', '.join(files)}): run discover again"


def _mistaken_types(node: Node, options: GresOptions) -> Iterator[str]:
    pairs = [pair for gpu in node.gpus for pair in _detected_and_wanted(gpu, options)]
    for detected, wanted, given in autodetect.mistaken_types(pairs):
        yield (f"AutoDetect=nvml would take {detected} for {given}, not {wanted}: use --types full")


def _detected_and_wanted(gpu: Gpu, options: GresOptions) -> Iterator[tuple[str, str]]:
    if gpu.mig_mode is None or not gpu.mig_mode.current:
        full = types.gpu_type(gpu)
        yield full, types.short_gpu_type(gpu) if options.profile_types else full
    for device in _live(gpu):
        yield types.full_slice_type(gpu, device, options.version), slice_type(gpu, device, options)


def _live(gpu: Gpu) -> tuple[MigDevice, ...]:
    return gpu.mig_devices if gpu.mig_mode is not None and gpu.mig_mode.current else ()


def _blurred_types(made: NodeGres) -> list[str]:
    """Types under which this version of Slurm cannot tell different slices apart."""
    profiles: dict[str, set[str]] = {}
    for record in made.records:
        profiles.setdefault(record.type, set()).add(record.profile or "a whole GPU")
    return [
        f"type {name} stands for {' and '.join(sorted(kinds))}: jobs cannot choose between them"
        for name, kinds in profiles.items()
        if len(kinds) > 1
    ]


def _name(gpu: Gpu) -> str:
    return f"GPU {gpu.gpu_index}"
