"""Figures in words. What is not known is UNKNOWN, in words too. Pure."""

from datetime import datetime, tzinfo

from slurm_mig.system.printable import printable

UNKNOWN = "?"
_GIB = 1024
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_WH_J = 3600.0


def text(value: str | None) -> str:
    """A name that others chose, on one line; UNKNOWN for none."""
    return printable(value, 80) if value else UNKNOWN


def memory(mib: float | None) -> str:
    """512 MiB, 3.1 GiB."""
    if mib is None:
        return UNKNOWN
    return f"{mib:.0f} MiB" if mib < _GIB else f"{mib / _GIB:.1f} GiB"


def memory_of(used_mib: float | None, size_mib: float | None) -> str:
    """3.1 of 39.6 GiB; without the size 3.1 GiB."""
    if used_mib is None or size_mib is None:
        return memory(used_mib)
    used, size = memory(used_mib), memory(size_mib)
    same_unit = used.rpartition(" ")[2] == size.rpartition(" ")[2]
    return f"{used.rpartition(' ')[0] if same_unit else used} of {size}"


def percent(ratio: float | None) -> str:
    """12%; what is not 0 is not called 0, nor what is less than all 100%."""
    if ratio is None:
        return UNKNOWN
    if 0 < ratio < 0.01:
        return "<1%"
    return "99%" if 0.99 < ratio < 1 else f"{ratio:.0%}"


def hours(value: float | None) -> str:
    """12.3"""
    return UNKNOWN if value is None else f"{value:.2f}" if 0 < value < 10 else f"{value:.1f}"


def number(value: float | None) -> str:
    """1.5, and 2 rather than 2.0."""
    return UNKNOWN if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def energy(joules: float | None) -> str:
    """0.4 Wh, 1.25 kWh."""
    if joules is None:
        return UNKNOWN
    wh = joules / _WH_J
    return f"{wh:.1f} Wh" if wh < 1000 else f"{wh / 1000:.2f} kWh"


def duration(seconds: float | None) -> str:
    """45 s, 12 min, 1 h 23 min, 2 d 3 h."""
    if seconds is None:
        return UNKNOWN
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{seconds:.1f} s" if 0 < seconds < 10 else f"{whole} s"
    if whole < _HOUR_S:
        return _two(whole, _MINUTE_S, "min", 1, "s")
    if whole < _DAY_S:
        return _two(whole, _HOUR_S, "h", _MINUTE_S, "min")
    return _two(whole, _DAY_S, "d", _HOUR_S, "h")


def _two(whole: int, unit: int, name: str, smaller: int, smaller_name: str) -> str:
    rest = whole % unit // smaller
    return f"{whole // unit} {name}" + (f" {rest} {smaller_name}" if rest else "")


def when(moment: float | None, zone: tzinfo) -> str:
    """2026-11-20 10:00:05"""
    if moment is None:
        return UNKNOWN
    try:
        return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):  # no year of this calendar
        return UNKNOWN


def count(value: int, thing: str, many: str | None = None) -> str:
    """1 slice, 2 slices."""
    return f"{value} {thing if value == 1 else many or thing + 's'}"
