"""A snapshot of what the monitor remembers. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from slurm_mig.usage import sums
from slurm_mig.usage.monitor.adding import xids_of
from slurm_mig.usage.monitor.clock import Clock
from slurm_mig.usage.monitor.settings import MonitorSettings
from slurm_mig.usage.monitor.snapshot import GpuLayout, GpuNow, JobNow, SliceNow, Snapshot
from slurm_mig.usage.monitor.track import JobTrack, SliceTrack


class State(NamedTuple):
    """How the monitor itself fares; the words are snapshot.py's."""

    word: str
    why: str | None = None
    rounds: int = 0
    failures: int = 0
    round_s: float | None = None


def shown(
    state: State,
    jobs: Mapping[str, JobTrack],
    gpus: Mapping[str, GpuNow],
    clock: Clock,
    settings: MonitorSettings,
    layout: tuple[GpuLayout, ...] = (),
) -> Snapshot:
    """All of it, as it is now."""
    tracks = sorted(jobs.values(), key=lambda track: track.job.job_id)
    slices = [_slice(job, track) for job in tracks for track in job.slices]
    return Snapshot(
        taken_s=clock.unix_s(),
        boottime_s=clock.boottime_s(),
        node=next((track.job.node for track in tracks), None),
        period_s=settings.period_s,
        state=state.word,
        why=state.why,
        rounds=state.rounds,
        failures=state.failures,
        round_s=state.round_s,
        gpus=tuple(sorted(gpus.values())),
        jobs=tuple(_job(track) for track in tracks),
        slices=tuple(slices),
        layout=layout,
    )


def _job(track: JobTrack) -> JobNow:
    job = track.job
    return JobNow(
        job.job_id, job.record_id, job.uid, job.user, job.account, job.partition, job.start_s
    )


def _slice(job: JobTrack, track: SliceTrack) -> SliceNow:
    one, row, now = track.slice, track.row, track.before
    sampled = row[sums.SAMPLES] > 0
    return SliceNow(
        name=one.name,
        gpu_uuid=one.gpu_uuid,
        gpu_minor=one.gpu_minor,
        gpu_name=one.gpu_name,
        gi_id=one.gi_id,
        ci_id=one.ci_id,
        profile=one.profile,
        type=one.type,
        gres_index=one.gres_index,
        mig_uuid=one.mig_uuid,
        memory_total_mib=one.memory_mib,
        job_id=job.job.job_id,
        sampled_s=row[sums.LAST_S] if sampled and now else None,
        memory_mib=now.memory_mib if now else None,
        memory_method=_method(track),
        processes=track.processes if now else None,
        activity=track.activity,
        shared_gi=track.found.shared if track.found else None,
        sram_uncorrected=now.sram if now else None,
        xids=xids_of(row),
        energy_j=row[sums.JOULES] if row[sums.ENERGY_IS] else None,
        gone=track.is_gone,
    )


def _method(track: SliceTrack) -> str | None:
    if track.before is None:
        return None
    return "nvml-processes" if track.before.by_processes else "nvml-memory-info"


_LISTS = ("gpus", "jobs", "slices", "layout")


def as_json_value(snapshot: Snapshot) -> dict[str, object]:
    """A snapshot as JSON holds it, version 1: snapshot.py says what each field is."""
    told = snapshot._asdict()
    lists = {name: [_plain(one) for one in told.pop(name)] for name in _LISTS}
    return {"version": 1, **told, **lists}


def _plain(value: object) -> object:
    if hasattr(value, "_asdict"):
        return {name: _plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value
