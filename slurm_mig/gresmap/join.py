"""slurmd's list and what discover saw, joined by device files. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.model import DeviceFile, Gpu, MigDevice, Node
from slurm_mig.slurm.records.slurmd_list import SlurmdGres

VERSION = 1
REMEDY = "compare with `slurm-mig gen-gres --check`, mend gres.conf or slurm.conf, restart slurmd"


class Head(NamedTuple):
    """What the map says of itself; `constrained` is None where it could not be told."""

    boot_id: str
    generation: int
    slurm_version: str
    constrained: bool | None
    made_at: int  # seconds since 1970
    # By it a hook sees that slurmd may have read another gres.conf since, without a restart.
    gres_conf: dict[str, int | str] | None = None


def gres_map(records: Sequence[SlurmdGres], node: Node, head: Head) -> dict[str, Any]:
    """The map as it is written. Raises Refused where the two sides do not fit together."""
    things = dict(_things(node))
    problems = [*_unknown(records, things), *_twice(records), *_unnamed(records, things)]
    problems += [problem for record in records for problem in _files_wrong(record, things)]
    if problems:
        what = f"no gres map: slurmd and the slices of {node.name} do not agree ({REMEDY})"
        raise Refused(what, list(dict.fromkeys(problems)))
    return {
        "version": VERSION,
        "node": node.name,
        **head._asdict(),
        "gres": [_entry(record, *things[_key(record.files)]) for record in records],
    }


def missing_files(node: Node) -> list[str]:
    """Device files of slices that are not there, with their remedies."""
    files = (file for gpu in node.gpus for each in gpu.mig_devices for file in each.device_files)
    missing = (file for file in files if file.mode is None)
    return list(dict.fromkeys(problem for file in missing for problem in file.problems))


def warnings(records: Sequence[SlurmdGres], node: Node) -> list[str]:
    """What does not forbid a map: whole GPUs that Slurm was not told of."""
    named = {_key(record.files) for record in records}
    return [
        f"GPU {gpu.gpu_index} ({gpu.device_file.path}) is not in slurmd's list: "
        "no job is given it, and every job can open it"
        for key, (gpu, device) in _things(node)
        if device is None and key not in named
    ]


_Thing = tuple[Gpu, MigDevice | None]
_Key = frozenset[str]


def _key(files: Sequence[str]) -> _Key:
    return frozenset(files)


def _things(node: Node) -> Iterator[tuple[_Key, _Thing]]:
    """Every whole GPU and every slice, by its files: in whatever order gres.conf has them."""
    for gpu in node.gpus:
        if gpu.mig_mode is None or not gpu.mig_mode.current:
            yield _key([gpu.device_file.path]), (gpu, None)
            continue
        for device in gpu.mig_devices:
            yield _key([file.path for file in device.device_files]), (gpu, device)


def _unknown(records: Sequence[SlurmdGres], things: dict[_Key, _Thing]) -> Iterator[str]:
    for record in records:
        if _key(record.files) not in things:
            yield (
                f"slurmd's gres {record.gres_index} ({record.type or 'no type'}) has "
                f"{','.join(record.files)}: no slice or whole GPU has these files"
            )


def _twice(records: Sequence[SlurmdGres]) -> Iterator[str]:
    for key, count in Counter(_key(record.files) for record in records).items():
        if count > 1:
            yield f"slurmd has {','.join(sorted(key))} {count} times"


def _unnamed(records: Sequence[SlurmdGres], things: dict[_Key, _Thing]) -> Iterator[str]:
    named = {_key(record.files) for record in records}
    for key, (gpu, device) in things.items():
        if device is not None and key not in named:
            yield (
                f"slice {device.profile} of GPU {gpu.gpu_index} (GI {device.gi_id}, CI "
                f"{device.ci_id}) is not in slurmd's list: every job can open it"
            )


def _files_wrong(record: SlurmdGres, things: dict[_Key, _Thing]) -> Iterator[str]:
    gpu, device = things.get(_key(record.files), (None, None))
    if gpu is not None:
        for file in _files(gpu, device):
            yield from file.problems


def _files(gpu: Gpu, device: MigDevice | None) -> tuple[DeviceFile, ...]:
    return (gpu.device_file,) if device is None else device.device_files


def _entry(record: SlurmdGres, gpu: Gpu, device: MigDevice | None) -> dict[str, Any]:
    return {
        "gres_index": record.gres_index,
        "type": record.type or "",
        "gpu_index": gpu.gpu_index,
        "gpu_minor": gpu.gpu_minor,
        "gpu_uuid": gpu.uuid,
        "gpu_name": gpu.name,
        "files": [
            {"path": file.path, "major": file.major, "minor": file.minor}
            for file in _files(gpu, device)
        ],
        "mig": None if device is None else _mig(device),
    }


def _mig(device: MigDevice) -> dict[str, Any]:
    place = device.spec.placement
    return {
        "uuid": device.uuid,
        "profile": device.profile,
        "gi_id": device.gi_id,
        "ci_id": device.ci_id,
        "gi_minor": device.gi_minor,
        "ci_minor": device.ci_minor,
        "mig_index": device.mig_index,
        "placement": None if place is None else place._asdict(),
        "memory_mib": device.memory_mib,
        "sm_count": device.sm_count,
    }
