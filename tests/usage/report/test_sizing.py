"""What a smaller slice would have had to have, and when nothing is said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.usage.report.models import model_of, shape_of
from slurm_mig.usage.report.sizing import IDLE_MIB, MARGIN, Advice, advise
from slurm_mig.usage.store.nouns import Slice
from tests.usage.report import made


def read(one: made.Tree) -> Slice:
    return made.rows(made.one_record(one))[0].slice


def advice(
    profile: str | None, peak_mib: float, gpu: str = made.H100, sm: float = 0.05, **changes: Any
) -> Advice:
    """Of a slice of a Hopper that was hardly busy, unless said otherwise."""
    usage = {"activity": made.activity(sm), **changes}
    return advise(read(made.one_slice(profile, made.sampled(peak_mib, **usage), gpu)))


@pytest.mark.parametrize(
    ("profile", "peak_mib", "verdict", "would_do"),
    [
        ("3g.40gb", 3174.0, "smaller", "1g.10gb"),
        ("3g.40gb", 9900.0, "smaller", "1g.20gb"),  # 10% more does not fit into 1g.10gb
        ("3g.40gb", 20_000.0, "fits", None),
        ("3g.40gb", 40_000.0, "full", None),
        ("1g.10gb", 100.0, "fits", None),
        ("7g.80gb", 30_000.0, "smaller", "3g.40gb"),
        (None, 30_000.0, "smaller", "3g.40gb"),  # a whole GPU
        (None, 70_000.0, "fits", None),  # 7g.80gb is no less
    ],
)
def test_memory_decides(
    profile: str | None, peak_mib: float, verdict: str, would_do: str | None
) -> None:
    found = advice(profile, peak_mib)
    assert (found.verdict, found.profile) == (verdict, would_do)
    assert (found.by_memory_only, found.doubts) == (False, ())


@pytest.mark.parametrize(
    ("sm", "would_do"),
    [(0.05, "1g.10gb"), (0.30, "1g.10gb"), (0.31, "2g.20gb"), (0.60, "2g.20gb"), (0.61, None)],
)
def test_activity_decides_where_it_is_known(sm: float, would_do: str | None) -> None:
    assert advice("3g.40gb", 3000.0, sm=sm).profile == would_do


def test_a_job_that_is_bound_by_memory_bandwidth_keeps_its_units() -> None:
    found = advice("3g.40gb", 3000.0, activity=made.activity(0.05, bandwidth=0.4))
    assert found.profile == "1g.20gb"  # two of the four units
    assert advice("3g.40gb", 3000.0, activity=made.activity(0.05, bandwidth=0.9)).verdict == "fits"


@pytest.mark.parametrize("unknown", [None, made.activity(0.9, shared=True)])
def test_by_memory_alone_where_activity_is_not_its_own(unknown: made.Tree | None) -> None:
    found = advice("3g.20gb", 3174.0, made.A100, activity=unknown)
    assert (found.verdict, found.profile, found.by_memory_only) == ("smaller", "1g.5gb", True)


def test_a_slice_with_media_engines_is_replaced_by_such_a_one_only() -> None:
    assert advice("1g.10gb+me", 100.0).verdict == "fits"
    assert advice("2g.20gb", 100.0).profile == "1g.10gb"  # not 1g.10gb+me


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"coverage": 0.79}, "only 79% of its time was sampled"),
        ({"coverage": None}, "how much of its time was sampled is not known"),
        ({"gaps": 1}, "sampled with 1 gap"),
        ({"gaps": 2}, "sampled with 2 gaps"),
        ({"samples": 2}, "only 2 samples"),
        ({"samples": 1}, "only 1 sample"),
    ],
)
def test_doubts(changes: dict[str, Any], doubt: str) -> None:
    found = advice("3g.40gb", 3174.0, **changes)
    assert (found.verdict, found.doubts) == ("smaller", (doubt,))


def test_a_model_whose_numbers_are_assumed_is_doubted() -> None:
    found = advise(read(made.one_slice("7g.180gb", made.sampled(1000.0), "NVIDIA B200")))
    assert found.doubts == ("the model's numbers are partly assumed",)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (made.one_slice("3g.40gb", None), "nothing was sampled"),
        (made.one_slice("3g.40gb", made.sampled(1.0, samples=0)), "nothing was sampled"),
        (made.one_slice("3g.40gb", made.sampled(1.0, memory=None)), "its memory was not measured"),
        (made.one_slice("1c.3g.40gb", made.sampled(1.0)), "it is a compute instance"),
        (made.one_slice("3g.40gb", made.sampled(1.0), "Some GPU"), "profiles of this GPU model"),
        (made.one_slice("3g.41gb", made.sampled(1.0)), "profiles of this GPU model"),
    ],
)
def test_no_advice_without_figures(one: made.Tree, why: str) -> None:
    found = advise(read(one))
    assert (found.verdict, found.profile) == ("unknown", None)
    assert why in str(found.why)


def test_no_advice_on_a_slice_that_was_changed() -> None:
    record = made.one_record(made.one_slice("3g.40gb", made.sampled(1.0)))
    record["slices"][0]["repartitioned"] = True
    assert "changed" in str(advise(made.rows(record)[0].slice).why)


@given(
    st.sampled_from([*made.MEMORY, None]),
    st.floats(0, 90_000),
    st.sampled_from([made.H100, made.A100]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_what_would_have_done_is_enough_and_less(
    profile: str | None, peak_mib: float, gpu: str, sm: float, bandwidth: float
) -> None:
    usage = made.sampled(peak_mib, activity=made.activity(sm, bandwidth))
    one = read(made.one_slice(profile, usage, gpu))
    found, own, model = advise(one), shape_of(one), model_of(gpu)
    if found.verdict != "smaller":
        assert found.profile is None
        return
    assert own is not None
    assert model is not None
    (would_do,) = [shape for shape in model.shapes if shape.profile == found.profile]
    assert would_do.memory_mib >= peak_mib * (1 + MARGIN) + IDLE_MIB
    assert would_do.compute >= sm * own.compute
    assert would_do.units >= bandwidth * own.units
    assert (would_do.compute, would_do.units) < (own.compute + 1, own.units + 1)
    assert (would_do.compute, would_do.units) != (own.compute, own.units)
