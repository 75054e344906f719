"""The curves in a record's line, read again from its text: no table has columns for them. Pure.

Sums need none of them, and a page those of one job only. A curve that is not of its shape, which
nodes' root could have written, is as none: unknown.
"""

import json
from typing import Any

from slurm_mig.usage.store.nouns import Curve, Curves
from slurm_mig.usage.sums import BUCKETS

_LONGEST_S = 1e9
_MOST_MIB = 1e9


def curves_of(line: str | bytes) -> Curves:
    """Those of a line that is a record already."""
    tree = json.loads(line)
    return {
        (tree["record_id"], position): curve
        for position, one in enumerate(tree["slices"])
        if (curve := _curve((one.get("usage") or {}).get("curve"))) is not None
    }


def _curve(found: object) -> Curve | None:
    if not isinstance(found, dict) or not {*Curve._fields} <= found.keys():
        return None
    from_s, bucket_s = found["from_s"], found["bucket_s"]
    lists = [found["memory_peak_mib"], found["sm_mean"]]
    known = [one for one in lists if one is not None]
    is_one = (
        (from_s is None or _is_number(from_s, _LONGEST_S))
        and (_is_number(bucket_s, _LONGEST_S) and bucket_s > 0)
        and all(isinstance(one, list) and 0 < len(one) <= BUCKETS for one in known)
        and len({len(one) for one in known}) == 1
        and all(_are_numbers(*one) for one in zip(lists, (_MOST_MIB, 1.0), strict=True))
    )
    if not is_one:
        return None
    memory, busy = (None if one is None else tuple(one) for one in lists)
    return Curve(from_s, float(bucket_s), memory, busy)


def _are_numbers(values: list[Any] | None, most: float) -> bool:
    return all(value is None or _is_number(value, most) for value in values or ())


def _is_number(value: object, most: float) -> bool:
    return type(value) in (int, float) and 0 <= value <= most  # type: ignore[operator]
