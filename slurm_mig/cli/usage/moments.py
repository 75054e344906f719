"""`--since` and `--until`: so long ago, or a date; and lengths of time."""

import re
import time
from datetime import datetime

import click

_UNITS_S = {"h": 3600, "d": 86400, "w": 7 * 86400}
_LENGTHS_S = {"s": 1, "m": 60, **_UNITS_S}
_LENGTH = re.compile(r"([0-9]{1,6})([smhdw])")
_AGO = re.compile(r"([1-9][0-9]{0,5})([hdw])")


class Moment(click.ParamType[float]):
    """Unix seconds, of `12h`, `7d`, `4w` (ago), `2026-11-01` or `2026-11-01T10:00` (local time)."""

    name = "moment"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        ago = _AGO.fullmatch(value)
        if ago is not None:
            return time.time() - int(ago[1]) * _UNITS_S[ago[2]]
        try:
            return datetime.fromisoformat(value).astimezone().timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is neither like 7d, 12h or 4w, nor a date like 2026-11-01")


class Length(click.ParamType[float]):
    """Seconds, of `30m`, `12h`, `7d`; `0h` is none."""

    name = "length"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = _LENGTH.fullmatch(value)
        if found is None:
            self.fail(f"{value!r} is no length of time, like 30m, 12h or 7d")
        return float(int(found[1]) * _LENGTHS_S[found[2]])
