"""`--since` and `--until`: so long ago, or a date."""

import re
import time
from datetime import datetime

import click

_UNITS_S = {"h": 3600, "d": 86400, "w": 7 * 86400}
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
