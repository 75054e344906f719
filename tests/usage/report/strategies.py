"""Valid records of every kind, for hypothesis: anything may be unknown, names may be hostile."""

from typing import Any

from hypothesis import strategies as st

from tests.usage.report import made

NAMES = st.sampled_from(
    ["alice", "bob", "=1+1", "<b>x</b>", "a\x1b[31mb", "Ärger", "x" * 300, "a\nb", "%s{{x}}"]
)
PROFILES = st.sampled_from([*made.MEMORY, None, "99c.3g.40gb", "3g.41gb", "no profile"])
GPUS = st.sampled_from([made.H100, made.A100, "NVIDIA H200", "NVIDIA L40S", "some other", None])
RATIOS = st.floats(0, 1)
SECONDS = st.floats(0, 1e7)
MIB = st.floats(0, 90_000)


def maybe(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | one


@st.composite
def measures(draw: st.DrawFn) -> dict[str, float]:
    low, mean, high = sorted(draw(st.tuples(RATIOS, RATIOS, RATIOS)))
    return made.measure(low, mean, high)


@st.composite
def curves(draw: st.DrawFn) -> dict[str, Any]:
    steps = draw(st.integers(1, 48))

    def some(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return maybe(st.lists(maybe(one), min_size=steps, max_size=steps))

    return {
        "from_s": draw(maybe(SECONDS)),
        "bucket_s": draw(st.floats(0.4, 1e6)),
        "memory_peak_mib": draw(some(st.integers(0, 90_000))),
        "sm_mean": draw(some(RATIOS)),
    }


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    low, mean, peak = sorted(draw(st.tuples(MIB, MIB, MIB)))
    memory = {"method": "nvml-processes", "min_mib": low, "mean_mib": mean, "peak_mib": peak}
    processes = {"method": "nvml-processes", "mean": draw(st.floats(0, 9)), "peak": 9}
    activity = {
        "method": "gpm-gi",
        "shared_gi": draw(st.booleans()),
        "sampled_s": draw(SECONDS),
        **{name: draw(maybe(measures())) for name in ("graphics", "sm", "dram_bandwidth")},
    }
    return made.sampled(
        1.0,
        period_s=draw(maybe(st.floats(0.1, 60))),
        samples=draw(st.integers(0, 10_000)),
        sampled_s=draw(SECONDS),
        coverage=draw(maybe(RATIOS)),
        gaps=draw(st.integers(0, 9)),
        gap_s=draw(SECONDS),
        memory=draw(maybe(st.just(memory))),
        curve=draw(maybe(curves())),
        processes=draw(maybe(st.just(processes))),
        activity=draw(maybe(st.just(activity))),
        energy=draw(maybe(st.fixed_dictionaries({"joules": SECONDS}))),
    )


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    slices = [
        made.one_slice(
            draw(PROFILES),
            draw(maybe(usages())),
            repartitioned=draw(maybe(st.booleans())),
            gpu_name=draw(GPUS),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    return made.one_record(
        *slices,
        job_id=draw(st.integers(1, 4)),
        restarts=draw(st.integers(0, 2)),
        uid=draw(maybe(st.integers(0, 3))),
        user=draw(maybe(NAMES)),
        account=draw(maybe(NAMES)),
        node=draw(maybe(st.sampled_from(["n1", "n2"]))),
        cluster=draw(maybe(st.sampled_from(["c", "d"]))),
        end=draw(maybe(st.floats(0, 4e9))),
        start=draw(maybe(st.floats(0, 4e9))),
        duration_s=draw(maybe(SECONDS)),
        exit_code=draw(maybe(st.integers(0, 255))),
        signal=draw(maybe(st.integers(0, 64))),
        complete=draw(maybe(st.booleans())),
    )


MANY = st.lists(records(), max_size=6)
