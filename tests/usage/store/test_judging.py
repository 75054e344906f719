"""What SQLite and PostgreSQL find by the rules of reports is what Python finds, at every edge."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slurm_mig.usage.report.idle import LIMITS
from slurm_mig.usage.report.rows import Rows
from slurm_mig.usage.report.sizing import FULL, IDLE_MIB, MARGIN, rule
from slurm_mig.usage.store import judging
from slurm_mig.usage.store.asking import Filters
from slurm_mig.usage.store.database import Store, reading
from slurm_mig.usage.store.nouns import Held
from slurm_mig.usage.store.query import rows
from slurm_mig.usage.store.rules import Ladder
from tests.usage.report.test_judging import same_sizing
from tests.usage.store.made import activity, memory, record, slice_, stored, usage

ALL = Filters()


def about(edge: float) -> tuple[float, ...]:
    """An edge, and the next numbers on both sides of it."""
    return tuple(value for value in (math.nextafter(edge, 0), edge, math.nextafter(edge, math.inf)))


def judged(ladder: Ladder) -> Iterator[dict[str, Any]]:
    """Slices at every edge between the answers that a slice of this kind can get."""
    own = ladder.own
    for peak in about(FULL * own.memory_mib):
        yield like(ladder, peak, 0.5)
    for rung in ladder.smaller:
        edge = (rung.memory_mib - IDLE_MIB) / (1 + MARGIN)
        yield from (like(ladder, peak, 0.01) for peak in about(edge))
        for sm in about(rung.compute / own.compute / (1 + MARGIN)):
            yield like(ladder, edge / 2, sm)
        for bandwidth in about(rung.units / own.units / (1 + MARGIN)):
            yield like(ladder, edge / 2, 0.01, bandwidth)
        yield like(ladder, edge / 2, None)


def like(
    ladder: Ladder, peak_mib: float, sm: float | None, bandwidth: float = 0.01
) -> dict[str, Any]:
    busy = None
    if sm is not None:
        busy = activity(sm)
        busy["dram_bandwidth"] = {"min": 0.0, "mean": bandwidth, "max": 1.0}
    return slice_(
        gpu_name=ladder.gpu_name,
        profile=ladder.profile,
        memory_mib=None if ladder.profile is None else int(ladder.own.memory_mib),
        usage=usage(memory=memory(peak_mib), activity=busy),
    )


def held(store: Store) -> Rows:
    return Rows(rows(store))


def test_every_edge_of_every_profile(store: Store, tmp_path: Path) -> None:
    every = [one for ladder in rule().ladders for one in judged(ladder)]
    pieces = [every[at : at + 100] for at in range(0, len(every), 100)]
    stored(store, tmp_path, *(record(at, slices=some) for at, some in enumerate(pieces, 1)))
    found = judging.sizing(store, ALL, rule())
    assert {one.verdict for one in found} == {"smaller", "fits", "full"}
    same_sizing(found, held(store).sizing())


def test_what_is_not_known_is_unknown(store: Store, tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {"usage": None},
        {"usage": usage(samples=0)},
        {"usage": usage(memory=None)},
        {"repartitioned": True},
        {"profile": "1c.3g.40gb"},
        {"profile": "3g.41gb"},
        {"profile": None, "gpu_name": None},
        {"gpu_name": "Some GPU"},
    ]
    stored(store, tmp_path, record(slices=[slice_(**one) for one in changes]))
    found = judging.sizing(store, ALL, rule())
    assert {(one.verdict, one.would_do) for one in found} == {("unknown", None)}
    assert {(one.uncertain, one.by_memory_only) for one in found} == {(0, 0)}
    same_sizing(found, held(store).sizing())


def test_doubts_are_counted(store: Store, tmp_path: Path) -> None:
    usages = [
        usage(coverage=0.8),
        usage(coverage=math.nextafter(0.8, 0)),
        usage(coverage=None),
        usage(gaps=1),
        usage(samples=2),
        usage(samples=3),
        usage(activity=None),
        usage(activity=activity(0.1, shared_gi=True)),
        usage(gaps=None, period_s=60.0),
    ]
    stored(store, tmp_path, record(slices=[slice_(usage=one) for one in usages]))
    (one,) = judging.sizing(store, ALL, rule())
    assert (one.slices, one.uncertain, one.by_memory_only, one.period_s) == (9, 4, 2, 60.0)
    same_sizing([one], held(store).sizing())


def test_only_what_matches_is_judged(store: Store, tmp_path: Path) -> None:
    stored(store, tmp_path, record(1), record(2, user="grace", slices=[slice_(), slice_()]))
    (one,) = judging.sizing(store, Filters(users=("grace",)), rule())
    assert one.slices == 2
    assert judging.sizing(store, Filters(users=("nobody",)), rule()) == []


def test_idle_ones_the_longest_first_and_equal_ones_in_order(store: Store, tmp_path: Path) -> None:
    nobody = {"processes": {"method": "nvml-processes", "mean": 0.1, "peak": 1}}
    idle = slice_(usage=usage(**nobody))
    stored(
        store,
        tmp_path,
        record(1, slices=[idle, idle], duration_s=50.0, end=None),
        record(2, slices=[idle], duration_s=None),
        record(3, slices=[idle, slice_()], duration_s=50.0),
        record(4, slices=[idle], duration_s=90.0),
        record(5, slices=[slice_(usage=usage(**nobody, sampled_s=299.9))]),
        record(6, slices=[slice_(usage=usage(activity=activity(0.009)))], duration_s=10.0),
        record(7, slices=[slice_(usage=usage(activity=activity(0.0, shared_gi=True)))]),
    )
    found = judging.idle(store, ALL, LIMITS, 5)
    assert (found.slices, [place(row) for row in found.longest]) == (
        6,
        [(4, 0), (3, 0), (1, 0), (1, 1), (6, 0)],
    )
    for most in range(1, 7):
        assert judging.idle(store, ALL, LIMITS, most) == held(store).idle(most)


def place(row: Held) -> tuple[int, int]:
    return row.job.job_id, row.slice.position


def test_the_server_compiles_no_question(store: Store) -> None:
    with reading(store) as connection:
        if not store.is_sqlite:
            assert connection.exec_driver_sql("SHOW jit").scalar() == "off"
