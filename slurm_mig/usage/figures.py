"""The figures of a record, made of a job's sums. Pure, and light: hooks use it.

Unknown is None, never 0. Ratios are 0..1.
"""

from slurm_mig.usage import sums
from slurm_mig.usage.record import Record
from slurm_mig.usage.sums import JobSums, Row, Stat, key_of

_METHODS = {sums.BY_MEMORY_INFO: "nvml-memory-info", sums.BY_PROCESSES: "nvml-processes"}
_POWER = {sums.BY_COUNTER: "nvml-total-energy", sums.BY_POWER: "nvml-power-integrated"}
_ACTIVITY = {sums.ACTIVITY_OF_GI: "gpm-gi", sums.ACTIVITY_OF_GPU: "gpm-gpu"}


def usage(
    job: JobSums, slices: list[Record], duration_s: float | None, since_s: float | None = None
) -> list[Record | None]:
    """The `usage` of each of a record's slices, in their order; None where nothing was sampled.

    `since_s` is when the job began, on CLOCK_BOOTTIME.
    """
    rows: dict[tuple[object, object, object], Row] = {key_of(row): row for row in job.slices}
    period_s = job.numbers[sums.PERIOD_S]
    return [_slice(rows.get(_key(one)), period_s, duration_s, since_s) for one in slices]


def power(job: JobSums, slices: list[Record]) -> list[Record]:
    """What whole GPUs used meanwhile, each once, with all their tenants."""
    uuids: dict[object, object] = {one["gpu_minor"]: one["gpu_uuid"] for one in slices}
    return [_gpu(row, uuids[row[0]]) for row in job.gpus if row[0] in uuids and row[sums.POWER_BY]]


def _key(one: Record) -> tuple[object, object, object]:
    gi_id, ci_id = one["gi_id"], one["ci_id"]
    return one["gpu_minor"], -1 if gi_id is None else gi_id, -1 if ci_id is None else ci_id


def _slice(
    row: Row | None, period_s: float, duration_s: float | None, since_s: float | None
) -> Record | None:
    if row is None or not row[sums.SAMPLES]:
        return None
    sampled_s = row[sums.SAMPLED_S]
    return {
        "source": "monitor",
        "period_s": period_s,
        "samples": int(row[sums.SAMPLES]),
        "sampled_s": round(sampled_s, 3),
        "coverage": round(min(1.0, sampled_s / duration_s), 4) if duration_s else None,
        "gaps": int(row[sums.GAPS]),
        "gap_s": round(row[sums.GAP_S], 3),
        "memory": _memory(row),
        "processes": _processes(row),
        "activity": _activity(row),
        "energy": _energy(row),
        "errors": _errors(row),
        "curve": _curve(row, since_s),
    }


def _memory(row: Row) -> Record | None:
    stat = row.stat(sums.MEMORY)
    if not stat.seen:
        return None
    return {
        "method": _METHODS[row[sums.METHOD]],
        "min_mib": round(stat.low, 3),
        "mean_mib": round(stat.mean, 3),
        "peak_mib": round(stat.high, 3),
    }


def _processes(row: Row) -> Record | None:
    stat = row.stat(sums.PROCESSES)
    if not stat.seen:
        return None
    return {"method": "nvml-processes", "mean": round(stat.mean, 3), "peak": int(stat.high)}


def _activity(row: Row) -> Record | None:
    if not row[sums.ACTIVITY_IS]:
        return None
    stats = enumerate(sums.ACTIVITIES)
    return {
        "method": _ACTIVITY[row[sums.ACTIVITY_IS]],
        "shared_gi": bool(row[sums.SHARED_GI]),
        "sampled_s": round(row[sums.ACTIVITY_S], 3),
        **{name: _ratio(row.stat(sums.ACTIVITY + sums.STAT * at)) for at, name in stats},
    }


def _ratio(stat: Stat) -> Record | None:
    if not stat.seen:
        return None
    return {"min": round(stat.low, 4), "mean": round(stat.mean, 4), "max": round(stat.high, 4)}


def _energy(row: Row) -> Record | None:
    if not row[sums.ENERGY_IS]:
        return None
    return {
        "method": "gpu-energy-by-slices",
        "estimate": row[sums.GI_ID] >= 0,  # a whole GPU's energy is measured
        "share": round(row[sums.SHARE], 6),
        "joules": round(row[sums.JOULES], 3),
    }


def _errors(row: Row) -> Record | None:
    if not row[sums.ECC_IS] and not row[sums.XIDS_ARE]:
        return None
    return {
        "xids": _xids(row) if row[sums.XIDS_ARE] else None,
        "ecc_sram_uncorrected": int(row[sums.ECC]) if row[sums.ECC_IS] else None,
    }


def _curve(row: Row, since_s: float | None) -> Record | None:
    """As far as there is anything; its numbers are short, since there are many."""
    tops, busy, busy_s = (
        row.part(place, sums.BUCKETS) for place in (sums.TOPS, sums.BUSY, sums.BUSY_S)
    )
    known = [at for at in range(sums.BUCKETS) if tops[at] or busy_s[at]]
    if not known:
        return None
    length = known[-1] + 1
    memory = [round(top - 1) if top else None for top in tops[:length]]
    means = [
        round(one / seconds, 2) if seconds else None
        for one, seconds in zip(busy[:length], busy_s[:length], strict=True)
    ]
    return {
        "from_s": None if since_s is None else round(max(0.0, row[sums.CURVE_FROM_S] - since_s), 3),
        "bucket_s": round(row[sums.BUCKET_S], 3),
        "memory_peak_mib": memory if any(tops) else None,
        "sm_mean": means if any(busy_s) else None,
    }


def _xids(row: Row) -> list[Record]:
    places = [sums.XIDS + 3 * number for number in range(sums.MOST_XIDS)]
    return [
        {"xid": int(row[at]), "count": int(row[at + 1]), "attributed": bool(row[at + 2])}
        for at in places
        if row[at + 1]
    ]


def _gpu(row: Row, gpu_uuid: object) -> Record:
    stat = row.stat(sums.POWER)
    known = stat.seconds > 0
    return {
        "gpu_uuid": gpu_uuid,
        "method": _POWER[row[sums.POWER_BY]],
        "joules": round(stat.integral, 3) if known else None,
        "mean_w": round(stat.mean, 3) if known else None,
        "max_w": round(stat.high, 3) if stat.seen else None,
    }
