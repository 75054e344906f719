"""Which slices were too large, and which were idle, found by the database.

The same rules as in Python (report/sizing.py and report/idle.py), to the last bit: both compute
in IEEE doubles, in the same order. A test holds the two together.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from slurm_mig.usage.store.asking import Filters, IdleRows, Sizing
from slurm_mig.usage.store.database import Store, reading
from slurm_mig.usage.store.filters import chosen
from slurm_mig.usage.store.query import HELD, ORDER, as_held
from slurm_mig.usage.store.rules import IdleRule, Ladder, Shape, SizingRule
from slurm_mig.usage.store.schema import records, slices

_HOUR_S = 3600.0
_WORDS = ("fits", "full", "unknown")  # what a slice is called that no profile could replace
_s = slices.c
# report/figures.py: busy()
_busy = case((_s.activity_shared_gi.is_(False), func.coalesce(_s.sm_mean, _s.graphics_mean)))


def sizing(store: Store, filters: Filters, rule: SizingRule) -> list[Sizing]:
    """What is said of all slices, counted, in no order. Raises StoreError."""
    each = chosen(
        select(
            _s.gpu_name,
            _s.profile,
            _said(rule).label("said"),
            records.c.duration_s,
            _s.period_s,
            cast(_in_doubt(rule), Integer).label("doubt"),
            cast(_busy.is_(None), Integer).label("by_memory"),
        ),
        filters,
    ).subquery()
    one = each.c
    keys = (one.gpu_name, one.profile, one.said)
    sums = (
        func.count(),
        func.coalesce(func.sum(one.duration_s), 0.0) / _HOUR_S,
        func.sum(one.doubt),
        func.sum(one.by_memory),
        func.nullif(func.max(one.period_s), 0.0),
    )
    with reading(store) as connection:
        found = connection.execute(select(*keys, *sums).group_by(*keys)).all()
    return [_sizing(row) for row in found]


def _sizing(row: Sequence[Any]) -> Sizing:
    gpu_name, profile, said, count, hours, doubt, by_memory, period_s = row
    verdict, would_do = (said, None) if said in _WORDS else ("smaller", said)
    if verdict == "unknown":  # of which nothing is said, and so nothing in doubt
        doubt = by_memory = 0
    return Sizing(
        gpu_name, profile, verdict, would_do, count, hours, int(doubt), int(by_memory), period_s
    )


def idle(store: Store, filters: Filters, rule: IdleRule, most: int) -> IdleRows:
    """The idle slices. Raises StoreError."""
    hardly_used = or_(_s.processes_mean < rule.processes, _busy < rule.activity)
    was_idle = and_(_s.sampled_s >= rule.least_s, hardly_used)
    order = (func.coalesce(records.c.duration_s, 0.0).desc(), *ORDER)
    with reading(store) as connection:
        count = connection.execute(chosen(select(func.count()), filters).where(was_idle)).scalar()
        found = connection.execute(_first(chosen(_KEYS, filters).where(was_idle), most))
        keys = [tuple(row) for row in found]
        is_one = tuple_(_s.record, _s.position).in_(keys)
        asked = chosen(select(*HELD), Filters()).where(is_one).order_by(*order)
        rows = connection.execute(asked).all() if keys else []
    return IdleRows(count or 0, tuple(map(as_held, rows)))


# Offset 0: PostgreSQL would sort all records first, for the few that it hopes to need.
_KEYS = select(
    _s.record, _s.position, func.coalesce(records.c.duration_s, 0.0).label("held_s"),
    records.c.ended, records.c.job_id, records.c.record_id,
).offset(0)  # fmt: skip


def _first(asked: Select[Any], most: int) -> Select[Any]:
    """Record and position of the longest held."""
    one = asked.subquery().c
    order = (one.held_s.desc(), one.ended.nulls_last(), one.job_id, one.record_id, one.position)
    return select(one.record, one.position).order_by(*order).limit(most)


@lru_cache(maxsize=1)
def _said(rule: SizingRule) -> ColumnElement[str]:
    """A word of _WORDS, or the profile that would have done. Made once: it is large."""
    nothing_known = or_(
        func.coalesce(_s.samples, 0) == 0, _s.memory_peak_mib.is_(None), _s.repartitioned.is_(True)
    )
    by_model: dict[str, list[Ladder]] = {}
    for ladder in rule.ladders:
        by_model.setdefault(ladder.gpu_name, []).append(ladder)
    models = {name: _of_model(rule, ladders) for name, ladders in by_model.items()}
    known = case(models, value=_s.gpu_name, else_=_word("unknown"))
    return case((nothing_known, _word("unknown")), else_=known)


def _of_model(rule: SizingRule, ladders: Sequence[Ladder]) -> ColumnElement[str]:
    uncut = [(_s.profile.is_(None), _of(rule, one)) for one in ladders if one.profile is None]
    cut = [(_s.profile == one.profile, _of(rule, one)) for one in ladders if one.profile]
    return case(*uncut, *cut, else_=_word("unknown"))


def _of(rule: SizingRule, ladder: Ladder) -> ColumnElement[str]:
    memory_mib = func.coalesce(_s.memory_mib, ladder.own.memory_mib)
    is_full = _s.memory_peak_mib >= rule.full * memory_mib
    would_do = [(_is_enough(rule, ladder.own, one), _word(one.profile)) for one in ladder.smaller]
    return case((is_full, _word("full")), *would_do, else_=_word("fits"))


def _is_enough(rule: SizingRule, own: Shape, other: Shape) -> ColumnElement[bool]:
    """Whether `other` would have been enough for a slice that is `own`."""
    more = 1 + rule.margin
    compute = _busy * own.compute * more
    units = case((_busy.is_not(None), _s.dram_bandwidth_mean * own.units * more))
    return and_(
        _s.memory_peak_mib * more + rule.idle_mib <= other.memory_mib,
        func.coalesce(compute, 0.0) <= other.compute,
        func.coalesce(units, 0.0) <= other.units,
    )


def _in_doubt(rule: SizingRule) -> ColumnElement[bool]:
    return or_(
        _s.coverage.is_(None),
        _s.coverage < rule.covered,
        func.coalesce(_s.gaps, 0) > 0,
        func.coalesce(_s.samples, rule.few) < rule.few,
        _s.gpu_name.in_(rule.assumed),
    )


def _word(text: str) -> ColumnElement[str]:
    return literal(text, Text)
