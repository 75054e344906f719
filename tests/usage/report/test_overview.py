"""What many jobs used, in one pass."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm_mig.usage.report import overview as module
from slurm_mig.usage.report.overview import BY, overview
from slurm_mig.usage.report.rows import Rows
from tests.usage.report import made
from tests.usage.report.strategies import MANY

IDLE = {"processes": {"method": "nvml-processes", "mean": 0.1, "peak": 1}}


def test_equal_advice_is_one_row() -> None:
    same = made.one_slice("3g.40gb", made.sampled(3000.0, activity=made.activity(0.1)))
    doubtful = made.one_slice("3g.40gb", made.sampled(3000.0, gaps=1, period_s=30.0))
    rows = made.rows(
        made.one_record(same, same, doubtful),
        made.one_record(made.one_slice("3g.40gb", made.sampled(30_000.0)), duration_s=None),
        made.one_record(made.one_slice("1g.10gb", None)),
    )
    found = overview(Rows(rows), "user").sizing
    assert [(one.profile, one.verdict, one.would_do, one.slices) for one in found] == [
        ("1g.10gb", "unknown", None, 1),
        ("3g.40gb", "smaller", "1g.10gb", 3),
        ("3g.40gb", "fits", None, 1),
    ]
    assert (found[1].uncertain, found[1].by_memory_only, found[1].period_s) == (1, 1, 30.0)
    assert (found[1].slice_hours, found[2].slice_hours) == (0.5, 0.0)


def test_the_longest_idle_holders_are_named_and_all_counted() -> None:
    rows = made.rows(
        *(
            made.one_record(
                made.one_slice("3g.40gb", made.sampled(9.0, **IDLE)), duration_s=float(s)
            )
            for s in range(module.MOST_HOLDERS + 10)
        )
    )
    found = overview(Rows(rows), "user")
    assert found.idle_count == module.MOST_HOLDERS + 10
    held = [one.row.job.duration_s for one in found.holders]
    assert held == [float(s) for s in range(module.MOST_HOLDERS + 9, 9, -1)]


def test_nothing() -> None:
    found = overview(Rows([]), "node")
    assert (found.total, found.groups, found.days, found.sizing) == (None, (), (), ())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MANY, st.sampled_from(BY))
def test_the_parts_add_up_to_the_whole(records: list[made.Tree], by: str) -> None:
    rows = made.rows(*records)
    found = overview(Rows(rows), by)
    slices = 0 if found.total is None else found.total.slices
    assert slices == len(rows)
    for parts in (found.groups, found.days, found.sizing):
        assert sum(part.slices for part in parts) == slices
    if found.total is not None:
        hours = sum(group.slice_hours for group in found.groups)
        assert abs(hours - found.total.slice_hours) < 1e-6
        assert sum(group.hours_unknown for group in found.groups) == found.total.hours_unknown
        shares = [
            one.memory_mean_share for one in found.groups if one.memory_mean_share is not None
        ]
        if found.total.memory_mean_share is not None:
            share = found.total.memory_mean_share
            assert min(shares) - 1e-9 <= share <= max(shares) + 1e-9
    assert len(found.holders) <= found.idle_count <= slices
