"""Times on a command line: a length such as 12h, a moment such as 7d (ago) or 2026-11-01."""

import re
from calendar import timegm
from time import strptime

from slurm_mig.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LENGTH = re.compile(r"([0-9]{1,6})([smhdw])")
_FORMS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")


def length_s(text: str) -> float:
    """Seconds: "30m", "12h", "7d". Raises UsageError."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no length of time: write 90s, 30m, 12h, 7d or 2w")
    return float(int(found[1]) * _UNITS[found[2]])


def moment(text: str, now: float) -> float:
    """Unix seconds: a length before `now`, or a date and perhaps time in UTC. UsageError."""
    if _LENGTH.fullmatch(text):
        return now - length_s(text)
    for form in _FORMS:
        try:
            return float(timegm(strptime(text, form)))
        except ValueError:
            continue
    raise UsageError(f"{text!r} is no time: write 12h or 7d (ago), 2026-11-01, 2026-11-01T12:00")
