"""A slice's curve as a plot: what it used, step by step of the job's time. Pure."""

from collections.abc import Iterator, Sequence

from slurm_mig.usage.report.page import Column, Line, Table, TimePlot
from slurm_mig.usage.report.words import UNKNOWN, duration, memory, percent
from slurm_mig.usage.store.nouns import Curve

_COLUMNS = (
    Column("from", is_number=True),
    Column("memory, highest", is_number=True),
    Column("SMs busy, mean", is_number=True),
)


def time_plot(
    curve: Curve, size_mib: float | None, duration_s: float | None, where: str
) -> TimePlot:
    """The plot; `where` names the slice, `size_mib` is its memory, the job took `duration_s`."""
    title = f"Use of {where} over time"
    lines = tuple(_lines(curve, size_mib))
    span_s = _span_s(curve, duration_s)
    return TimePlot(title, lines, duration(span_s), _told(curve, span_s), _table(title, curve))


def _lines(curve: Curve, size_mib: float | None) -> Iterator[Line]:
    if curve.memory_peak_mib is not None:
        used = curve.memory_peak_mib
        top = _highest(used)
        height = max(top, size_mib or 0.0) or 1.0
        ratios = tuple(None if mib is None else mib / height for mib in used)
        level = None if size_mib is None else size_mib / height
        yield Line(
            "memory over time", ratios, f"0 to {memory(top)}", level, f"of {memory(size_mib)}"
        )
    if curve.sm_mean is not None:
        told = f"0 to {percent(_highest(curve.sm_mean))}"
        yield Line("SMs over time", curve.sm_mean, told, 1.0, "of 100%")


def _highest(values: Sequence[float | None]) -> float:
    return max((value for value in values if value is not None), default=0.0)


def _steps(curve: Curve) -> int:
    return len(curve.memory_peak_mib or curve.sm_mean or ())


def _began_s(curve: Curve) -> float:
    """When it begins, after the job did; 0 where the job was sampled from its start on."""
    from_s = curve.from_s or 0.0
    return from_s if from_s >= curve.bucket_s else 0.0


def _span_s(curve: Curve, duration_s: float | None) -> float:
    """How long it is; its last step may go on for longer than the job did."""
    span_s = _steps(curve) * curve.bucket_s
    return span_s if duration_s is None else max(0.0, min(span_s, duration_s - _began_s(curve)))


def _told(curve: Curve, span_s: float) -> str:
    lists = (curve.memory_peak_mib, curve.sm_mean)
    names = ("its highest memory", "its mean of SMs")
    known = [name for name, one in zip(names, lists, strict=True) if one is not None]
    began_s = _began_s(curve)
    after = f" from {duration(began_s)} after the job's start on" if began_s else ""
    blank = "; blank: not sampled" if any(None in one for one in lists if one is not None) else ""
    step = duration(curve.bucket_s)
    return f"time: {duration(span_s)}{after}, a step is {step}: {' and '.join(known)}{blank}"


def _table(title: str, curve: Curve) -> Table:
    nothing = (None,) * _steps(curve)
    pairs = zip(curve.memory_peak_mib or nothing, curve.sm_mean or nothing, strict=True)
    rows = tuple(
        (
            duration(_began_s(curve) + at * curve.bucket_s),
            UNKNOWN if mib is None else memory(mib),
            percent(busy),
        )
        for at, (mib, busy) in enumerate(pairs)
    )
    return Table(f"{title}, in figures", _COLUMNS, rows)
