"""Sums over the slices that jobs held, made by the database."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, case, cast, distinct, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from slurm_mig.errors import UsageError
from slurm_mig.usage.store.asking import Total as Total
from slurm_mig.usage.store.database import Store, reading
from slurm_mig.usage.store.filters import Filters, chosen
from slurm_mig.usage.store.query import ALL
from slurm_mig.usage.store.schema import records, slices

_DAY_S = 86400
_HOUR_S = 3600.0


class _Day(FunctionElement[int]):
    """A moment's number of days since 1970, in UTC: each database cuts a fraction its own way."""

    type = BigInteger()
    inherit_cache = True


@compiles(_Day)
def _day_elsewhere(element: _Day, compiler: SQLCompiler, **more: object) -> str:
    return f"CAST(FLOOR({compiler.process(element.clauses, **more)} / {_DAY_S}) AS BIGINT)"


@compiles(_Day, "sqlite")
def _day_in_sqlite(element: _Day, compiler: SQLCompiler, **more: object) -> str:
    return f"CAST({compiler.process(element.clauses, **more)} / {_DAY_S} AS INTEGER)"


_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "user": records.c.user_name,
    "account": records.c.account,
    "partition": records.c.partition,
    "profile": slices.c.profile,
    "node": records.c.node,
    "day": _Day(records.c.ended),
    "gpu_name": slices.c.gpu_name,
    "cluster": records.c.cluster,
}
BY = tuple(_COLUMNS)


def totals(store: Store, filters: Filters = ALL, by: Sequence[str] = ()) -> list[Total]:
    """One Total for each combination of `by` (names of BY); most slice hours first, then by key.

    Without `by` one for all, or none where nothing matches. Raises StoreError, or UsageError.
    """
    unknown = [name for name in by if name not in _COLUMNS]
    if unknown:
        raise UsageError(f"by {', '.join(unknown)}: one of {', '.join(BY)}")
    keys = [_COLUMNS[name] for name in by]
    asked = chosen(select(*keys, *_SUMS), filters).group_by(*keys)
    with reading(store) as connection:
        found = connection.execute(asked.having(func.count() > 0)).all()
    made = [_total(by, row) for row in found]
    return sorted(made, key=lambda one: (-one.slice_hours, [key or "" for key in one.key]))


def _total(by: Sequence[str], row: Sequence[Any]) -> Total:
    keys = tuple(_day(key) if name == "day" else key for name, key in zip(by, row, strict=False))
    return Total(keys, *row[len(by) :])


def _day(number: int | None) -> str | None:
    if number is None:
        return None
    return datetime.fromtimestamp(number * _DAY_S, UTC).date().isoformat()


def _hours(seconds: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(seconds), 0.0) / _HOUR_S


def _mean(value: ColumnElement[Any], weight: ColumnElement[Any]) -> ColumnElement[Any]:
    """Weighted, over the rows where both are known; NULL where no weight is."""
    known = case((value.is_not(None), weight))
    return func.sum(value * weight) / func.nullif(func.sum(known), 0)


def _where(condition: ColumnElement[bool], value: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((condition, value))


_s = slices.c
_activity_s = _where(_s.activity_shared_gi.is_(False), _s.activity_sampled_s)
_owned = func.nullif(_s.memory_mib, 0)
_with_processes = _where(_s.processes_mean.is_not(None), _s.sampled_s)
_idle_share = case((_s.processes_mean < 1, 1 - _s.processes_mean), else_=0.0)
_job = func.coalesce(records.c.cluster, "") + "/" + cast(records.c.job_id, Text)

# In the order of Total's fields.
_SUMS: tuple[ColumnElement[Any], ...] = (
    func.count(distinct(_job)),
    func.count(distinct(records.c.id)),
    func.count(),
    _hours(records.c.duration_s),
    func.count() - func.count(records.c.duration_s),
    _hours(_s.sampled_s),
    _mean(_s.memory_mean_mib / _owned, _s.sampled_s),
    func.max(_s.memory_peak_mib / _owned),
    func.max(_s.memory_peak_mib),
    _mean(_s.graphics_mean, _activity_s),
    _mean(_s.sm_mean, _activity_s),
    _mean(_s.tensor_mean, _activity_s),
    _mean(_s.dram_bandwidth_mean, _activity_s),
    _hours(_activity_s),
    func.sum(_idle_share * _with_processes) / _HOUR_S,
    _hours(_with_processes),
    func.sum(_s.energy_joules),
    _hours(_where(_s.energy_joules.is_not(None), records.c.duration_s)),
)
