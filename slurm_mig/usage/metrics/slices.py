"""The metrics of slices, jobs and GPUs, out of a snapshot. Pure.

Their labels are those of NVIDIA's DCGM exporter, so that both join without relabelling: gpu (NVML
index), UUID (the GPU's), GPU_I_ID, GPU_I_PROFILE, hpc_job; mig_uuid comes besides.
(Source: dcgm-exporter d5e5f51, internal/pkg/rendermetrics/render_metrics.go.)
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from slurm_mig.gpu.profile import gi_profile
from slurm_mig.usage.metrics.series import COUNTER, GAUGE, Series, series
from slurm_mig.usage.metrics.sources import MapSlice, MapState
from slurm_mig.usage.monitor.snapshot import SliceNow, Snapshot

GPU = ("gpu", "UUID")
SLICE = (*GPU, "GPU_I_ID", "GPU_I_PROFILE", "mig_uuid")
HELD = (*SLICE, "hpc_job")
INFO = (*SLICE, "slice", "type", "gres_index", "device", "model_name")
_MIB = 1 << 20
_OLD_PERIODS, _OLD_S = 3, 5.0

# field of ActivityNow -> (metric, help)
_ACTIVITY = {
    "graphics": ("graphics_activity", "Share of the time in which its engines were busy"),
    "sm": ("sm_activity", "Share of the time in which its multiprocessors had a warp, their mean"),
    "occupancy": ("sm_occupancy", "Share of the warps that its multiprocessors can hold"),
    "tensor": ("tensor_activity", "Share of the time in which its tensor pipes were busy"),
    "fp64": ("fp64_activity", "Share of the time in which its FP64 pipes were busy"),
    "fp32": ("fp32_activity", "Share of the time in which its FP32 pipes were busy"),
    "fp16": ("fp16_activity", "Share of the time in which its FP16 pipes were busy"),
    "dram_bandwidth": ("dram_bandwidth", "Share of its memory bandwidth that was used"),
}


class View(NamedTuple):
    """A snapshot and the map, looked at when `now_s` is what CLOCK_BOOTTIME says."""

    snapshot: Snapshot
    map: MapState
    now_s: float

    def is_old(self, read_s: float | None) -> bool:
        """Whether what was read then says nothing of now any more."""
        limit_s = _OLD_PERIODS * self.snapshot.period_s + _OLD_S
        return read_s is None or self.now_s - read_s > limit_s


def slice_series(view: View) -> Iterator[Series]:
    """All of the slices. Values that are old are not shown; sums and times are."""
    places = _places(view)
    held = [(places(one), one) for one in view.snapshot.slices]
    yield _info(view, places)
    yield _allocated(view, held)
    yield _memory_total(view, held)
    now = [(labels, one) for labels, one in held if not view.is_old(one.sampled_s)]
    yield _of(now, "memory_used_bytes", GAUGE, "Memory in use, what the driver keeps included",
              lambda one: None if one.memory_mib is None else one.memory_mib * _MIB)  # fmt: skip
    yield _of(now, "processes", GAUGE, "Processes of the job on the slice",
              lambda one: None if one.processes is None else len(one.processes))  # fmt: skip
    yield from _activities(now)
    yield _of(held, "energy_estimate_joules", COUNTER,
              "The GPU's energy by the slice's share of it, since the job was first seen",
              lambda one: one.energy_j)  # fmt: skip
    yield _ecc(held)
    yield _xids(held)
    yield _of(held, "gone", GAUGE, "1: the slice that the job holds is no more",
              lambda one: float(one.gone))  # fmt: skip
    snapshot = view.snapshot
    yield _of(held, "sample_timestamp_seconds", GAUGE, "When the slice's values were read",
              lambda one: None if one.sampled_s is None
              else snapshot.taken_s - (snapshot.boottime_s - one.sampled_s))  # fmt: skip


def gpu_series(view: View) -> Iterator[Series]:
    """What only a whole GPU has: once a GPU, never copied onto its slices."""
    gpus = view.snapshot.gpus
    rows = [((str(gpu.gpu_index), gpu.gpu_uuid), gpu) for gpu in gpus]
    old = view.is_old(view.snapshot.boottime_s)
    yield series("gpu_power_watts", GAUGE, "Power of the whole GPU, all tenants together", GPU,
                 [(labels, None if old else gpu.power_w) for labels, gpu in rows])  # fmt: skip
    yield series("gpu_energy_joules", COUNTER, "Energy of the whole GPU since its driver came", GPU,
                 [(labels, gpu.energy_j) for labels, gpu in rows])  # fmt: skip


def job_series(snapshot: Snapshot, *, users: bool) -> Iterator[Series]:
    """The jobs that hold slices; whose they are only with `users`."""
    names = ("hpc_job", "partition", *(("user", "account") if users else ()))
    rows = []
    for job in snapshot.jobs:
        whose = (job.user or "", job.account or "") if users else ()
        rows.append(((str(job.job_id), job.partition or "", *whose), 1.0))
    yield series("job_info", GAUGE, "A job that holds slices of this node", names, rows)
    begun = [((str(job.job_id),), job.start_s) for job in snapshot.jobs]
    text = "When the job began on this node"
    yield series("job_start_timestamp_seconds", GAUGE, text, ("hpc_job",), begun)


_Held = list[tuple[tuple[str, ...], SliceNow]]
_Places = Callable[[SliceNow | MapSlice], tuple[str, ...]]


def _of(
    held: _Held, name: str, kind: str, text: str, value: Callable[[SliceNow], float | None]
) -> Series:
    rows = [((*labels, str(one.job_id)), value(one)) for labels, one in held]
    return series(f"slice_{name}", kind, text, HELD, rows)


def _places(view: View) -> _Places:
    """The labels of a slice."""
    known: Mapping[str, int] = {
        **{one.gpu_uuid: one.gpu_index for one in view.map.slices},
        **{gpu.gpu_uuid: gpu.gpu_index for gpu in view.snapshot.gpus},
    }

    def labels(one: SliceNow | MapSlice) -> tuple[str, ...]:
        index = known.get(one.gpu_uuid)
        instance = "" if one.gi_id is None else str(one.gi_id)
        profile = "" if one.profile is None else gi_profile(one.profile)
        gpu = "" if index is None else str(index)
        return gpu, one.gpu_uuid, instance, profile, one.mig_uuid or ""

    return labels


def _key(one: SliceNow | MapSlice) -> tuple[str, int | None, int | None]:
    return one.gpu_uuid, one.gi_id, one.ci_id


def _free(view: View) -> list[MapSlice]:
    held = {_key(one) for one in view.snapshot.slices}
    return [one for one in view.map.slices if _key(one) not in held]


def _info(view: View, places: _Places) -> Series:
    every: list[SliceNow | MapSlice] = [*view.snapshot.slices, *_free(view)]
    rows = [((*places(one), *_about(one)), 1.0) for one in every]
    return series("slice_info", GAUGE, "A slice, or whole GPU, that Slurm schedules", INFO, rows)


def _about(one: SliceNow | MapSlice) -> tuple[str, ...]:
    device = f"nvidia{one.gpu_minor}"
    return _name(one), one.type, str(one.gres_index), device, one.gpu_name or ""


def _name(one: SliceNow | MapSlice) -> str:
    """As the hooks' log names it."""
    inner = "" if one.gi_id is None else f".gi{one.gi_id}.ci{one.ci_id}"
    return f"gpu{one.gpu_minor}{inner}"


def _allocated(view: View, held: _Held) -> Series:
    places = _places(view)
    rows = [((*labels, str(one.job_id)), 1.0) for labels, one in held]
    rows += [((*places(one), ""), 0.0) for one in _free(view)]
    return series("slice_allocated", GAUGE, "1: a job holds the slice; 0: it is free", HELD, rows)


def _memory_total(view: View, held: _Held) -> Series:
    places = _places(view)
    rows = [((*labels, str(one.job_id)), one.memory_total_mib) for labels, one in held]
    rows += [((*places(one), ""), one.memory_mib) for one in _free(view)]
    sizes = [(labels, None if mib is None else mib * _MIB) for labels, mib in rows]
    return series("slice_memory_total_bytes", GAUGE, "Memory of the slice", HELD, sizes)


def _activities(now: _Held) -> Iterator[Series]:
    """Of slices that share a GPU instance once, as the instance's: it is no one job's."""
    own: dict[tuple[str, ...], SliceNow] = {}
    for labels, one in now:
        own[(*labels[:4], "", "") if one.shared_gi else (*labels, str(one.job_id))] = one
    for field, (name, text) in _ACTIVITY.items():
        rows = [(labels, getattr(one.activity, field, None)) for labels, one in own.items()]
        yield series(f"slice_{name}_ratio", GAUGE, text, HELD, rows)


def _ecc(held: _Held) -> Series:
    """Without the job: the driver's counter is the slice's own, whoever holds it."""
    text = "Uncorrectable ECC errors of the slice's SRAM since the driver came"
    rows = [(labels, one.sram_uncorrected) for labels, one in held]
    return series("slice_ecc_sram_uncorrected_errors", COUNTER, text, SLICE, rows)


def _xids(held: _Held) -> Series:
    text = "Xid errors since the job was first seen; not attributed: of the whole GPU"
    rows = [
        ((*labels, str(one.job_id), str(xid), "true" if attributed else "false"), count)
        for labels, one in held
        for xid, count, attributed in one.xids
    ]
    return series("slice_xid_errors", COUNTER, text, (*HELD, "xid", "attributed"), rows)
