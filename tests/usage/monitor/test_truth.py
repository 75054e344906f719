"""Hundreds of random jobs whose every figure is known: what is recorded is as true as it can be.

The bounds, with L the longest time between two samples that follow each other, and V the sum of
all ups and downs of a quantity while it was sampled:
- a peak is no higher than the true one, and no lower than what lasted longer than L;
- a mean over the sampled time is off by V * L / 2 / sampled time at most;
- activity and energy come from counters, and are exact;
- in a curve the same holds for the peak of each bucket. The mean of a bucket, where no time of it
  is missing, is off by at most L / 2 / width times the range of the activity, since what GPM says
  of a time that lies in two buckets is shared out evenly.
"""

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slurm_mig.usage import sums
from tests.fake_usage import Load, Step, energy_j, ratios
from tests.usage.monitor.scene import Scene

PERIOD_S, JITTER_S, SEEN_AFTER_S = 1.0, 0.3, 0.2
LONGEST_S = PERIOD_S + 2 * JITTER_S
ROUNDED = 2e-3
A100 = ["a100-40gb=3g.20gb@4/2g.10gb@0:1c:1c/2x1g.5gb", "a100-40gb=7x1g.5gb"]
H100 = ["h100-80gb=3g.40gb@4:2c:1c/2g.20gb@0/1g.10gb", "h100-80gb"]
Value = Callable[[float], float]


class Run(NamedTuple):
    """A job: its slice, its processes, when it ends, and what holds for its record."""

    job_id: int
    place: int
    loads: list[Load]
    ends_s: float
    shared: bool


class Done(NamedTuple):
    """A run that ended: what was recorded, and when it was first and last sampled."""

    run: Run
    record: dict[str, Any]
    first_s: float
    last_s: float


class Storm:
    """Jobs that come and go on a node, a round every period or so."""

    def __init__(self, node: Scene, seed: int) -> None:
        self.node, self.random = node, random.Random(seed)
        self.running: list[Run] = []
        self.done: list[Done] = []
        self._ids = iter(range(1, 10_000))
        self._left = 0
        counts = [(one["gpu_minor"], (one["mig"] or {}).get("gi_id")) for one in node.gres]
        self._shared = [counts.count(one) > 1 for one in counts]

    def rage(self, jobs: int) -> None:
        """So many jobs, until the last one has ended."""
        self._left = jobs
        while self._left or self.running:
            until_s = self.node.clock.now_s + self._jittered()
            self._go_on(until_s)
            self.node.look()
            self.node.monitor.round()

    def _jittered(self) -> float:
        return PERIOD_S + self.random.uniform(-JITTER_S, JITTER_S)

    def _go_on(self, until_s: float) -> None:
        """What happens before the next round: ends, and a beginning that is seen soon."""
        for run in sorted(self.running, key=lambda run: run.ends_s):
            if run.ends_s <= until_s:
                self.node.clock.now_s = max(self.node.clock.now_s, run.ends_s)
                self._end(run)
        free = set(range(len(self.node.gres))) - {run.place for run in self.running}
        if self._left and free and self.random.random() < 0.7:
            self._left -= 1
            self._begin(self.random.choice(sorted(free)))
            self.node.clock.now_s += self.random.uniform(0, SEEN_AFTER_S)
            self.node.look()
        self.node.clock.now_s = max(self.node.clock.now_s, until_s)

    def _begin(self, place: int) -> None:
        job_id, clock = next(self._ids), self.node.clock
        kinds = (0.3, 2.0, 10.0, 30.0) * 2 + (110.0,)  # the last outgrows a curve's buckets
        seconds = self.random.choice(kinds) * self.random.uniform(0.5, 1.5)
        self.node.begin(job_id, place)
        loads = [
            self.node.run(job_id, place, *self._steps(seconds), for_s=seconds)
            for _ in range(self.random.choice((0, 1, 1, 3)))
        ]
        shared = self._shared[place]
        self.running.append(Run(job_id, place, loads, clock.now_s + seconds, shared))

    def _steps(self, seconds: float) -> list[Step]:
        times = sorted(self.random.uniform(0, seconds) for _ in range(self.random.randrange(4)))
        # Few enough processes and activity that the GPU instance is never wholly busy.
        return [
            Step(at, float(self.random.randrange(1, 3000)), self.random.uniform(0, 0.15))
            for at in (0.0, *times)
        ]

    def _end(self, run: Run) -> None:
        rows = self.node.monitor.jobs
        (track,) = [track for track in rows.values() if track.job.job_id == run.job_id]
        row = track.sums.slices[0]
        last_s, sampled_s = row[sums.LAST_S], row[sums.SAMPLED_S]
        record = self.node.end(run.job_id)
        self.running.remove(run)
        self.done.append(Done(run, record, last_s - sampled_s, last_s))
        self.node.look()


@pytest.fixture(scope="module", params=["a100", "h100"])
def storm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Storm:
    """A hundred jobs, all over."""
    layouts = A100 if request.param == "a100" else H100
    node = Scene(tmp_path_factory.mktemp("storm") / "n", *layouts, period_s=PERIOD_S)
    made = Storm(node, seed=5)
    made.rage(100)
    return made


def usage(done: Done) -> dict[str, Any]:
    (one,) = done.record["slices"]
    found: dict[str, Any] = one["usage"]
    return found


def check(
    done: Done, told: dict[str, Any], names: tuple[str, ...], value: Value, changes: list[float]
) -> None:
    """Least (if told), mean and peak against the truth; `changes`: when the value may change."""
    inner = [at for at in changes if done.first_s < at <= done.last_s]
    points = sorted({done.first_s, *inner, done.last_s})
    levels = [(value(a), b - a) for a, b in itertools.pairwise(points)]
    seen = [level for level, _ in levels] + [value(done.last_s)]
    *low, mean, peak = (told[name] for name in names)
    assert peak <= max(seen) + ROUNDED
    lasting = [level for level, seconds in levels if seconds > LONGEST_S]
    assert peak >= max(lasting, default=0) - ROUNDED
    if low:
        assert low[0] >= min(seen) - ROUNDED
        assert low[0] <= min(lasting, default=low[0]) + ROUNDED
    sampled_s = done.last_s - done.first_s
    if sampled_s:
        truth = sum(level * seconds for level, seconds in levels) / sampled_s
        ups_and_downs = sum(abs(b - a) for a, b in itertools.pairwise(seen))
        bound = ups_and_downs * min(LONGEST_S, sampled_s) / 2 / sampled_s
        assert mean == pytest.approx(truth, abs=bound + ROUNDED)


def memory_of(run: Run, idle_mib: float) -> Value:
    """What a job's memory truly was."""
    idle = 0.0 if run.shared else idle_mib

    def value(now_s: float) -> float:
        return idle + sum(step.memory_mib for one in run.loads if (step := one.step(now_s)))

    return value


def processes_of(run: Run) -> Value:
    """How many processes a job truly had."""
    return lambda now_s: float(sum(one.step(now_s) is not None for one in run.loads))


def changes(run: Run) -> list[float]:
    return [one.began_s + step.at_s for one in run.loads for step in one.steps]


def test_nothing_that_was_sampled_is_left_out(storm: Storm) -> None:
    assert len(storm.done) >= 100
    for done in storm.done:
        found = usage(done)
        assert found["samples"] > 0  # the shortest too
        assert found["gaps"] == 0
        assert found["sampled_s"] == pytest.approx(done.last_s - done.first_s, abs=ROUNDED)
        assert found["coverage"] <= 1
        if done.record["duration_s"] > 5:
            missed_s = LONGEST_S + SEEN_AFTER_S
            assert found["coverage"] >= 1 - missed_s / done.record["duration_s"] - ROUNDED


def test_memory_is_as_true_as_the_period_lets_it_be(storm: Storm) -> None:
    idle = {"1g": 9.0, "2g": 17.0, "3g": 26.0, "gpu": 1.0}
    for done in storm.done:
        told, run = usage(done)["memory"], done.run
        kind = storm.node.gres[run.place]["type"].split(".")[0]
        by = "nvml-processes" if run.shared else "nvml-memory-info"
        assert told["method"] == by
        value = memory_of(run, idle.get(kind, 0.0))
        ends = [one.ends_s for one in run.loads]
        check(done, told, ("min_mib", "mean_mib", "peak_mib"), value, [*changes(run), *ends])


def test_processes_are_counted(storm: Storm) -> None:
    for done in storm.done:
        told, run = usage(done)["processes"], done.run
        ends = [one.ends_s for one in run.loads]
        check(done, told, ("mean", "peak"), processes_of(run), [*changes(run), *ends])


def test_activity_is_exact_or_not_known(storm: Storm) -> None:
    node = storm.node
    if not node.machine.models[0].gpm:
        assert all(usage(done)["activity"] is None for done in storm.done)
        return
    told_of = 0
    for done in storm.done:
        told = usage(done)["activity"]
        if told is None:
            assert done.last_s - done.first_s < 2 * LONGEST_S
            continue
        told_of += 1
        entry = node.gres[done.run.place]
        gi_id = (entry["mig"] or {}).get("gi_id")
        assert told["method"] == ("gpm-gpu" if gi_id is None else "gpm-gi")
        assert told["shared_gi"] is done.run.shared
        from_s = done.last_s - told["sampled_s"]
        truth = ratios(node.machine, entry["gpu_index"], gi_id, from_s, done.last_s)
        for name, expected in zip(sums.ACTIVITIES, truth, strict=True):
            assert told[name]["mean"] == pytest.approx(expected, abs=ROUNDED), name
            assert 0 <= told[name]["min"] <= told[name]["mean"] <= told[name]["max"] <= 1
    assert told_of > 40


def test_curves_are_as_true_as_they_say(storm: Storm) -> None:
    idle = {"1g": 9.0, "2g": 17.0, "3g": 26.0, "gpu": 1.0}
    widths = set()
    for done in storm.done:
        told, run = usage(done)["curve"], done.run
        kind = storm.node.gres[run.place]["type"].split(".")[0]
        value = memory_of(run, idle.get(kind, 0.0))
        tops = told["memory_peak_mib"]
        assert max(tops) == round(usage(done)["memory"]["peak_mib"])
        assert None not in tops
        widths.add(told["bucket_s"])
        for at, top in enumerate(tops):
            check_top(done, top, at, told["bucket_s"], value)
        if told["sm_mean"] is not None:
            check_means(storm.node, done, told)
    assert widths >= {2 * PERIOD_S, 4 * PERIOD_S}
    known = any(usage(done)["curve"]["sm_mean"] for done in storm.done)
    assert known == storm.node.machine.models[0].gpm


def check_top(done: Done, top: float, at: int, width_s: float, value: Value) -> None:
    """The highest of a bucket against what the memory truly was then."""
    begin_s = done.first_s + at * width_s
    end_s = min(begin_s + width_s, done.last_s)
    moments = [*changes(done.run), *(one.ends_s for one in done.run.loads)]
    points = sorted({begin_s, *(one for one in moments if begin_s < one <= end_s), end_s})
    seen = [value(point) for point in points]
    lasting = [value(a) for a, b in itertools.pairwise(points) if b - a > LONGEST_S]
    assert max(lasting, default=0) - 0.5 <= top <= max(seen) + 0.5


def check_means(node: Scene, done: Done, told: dict[str, Any]) -> None:
    """The means of a curve's buckets against the truth."""
    entry, width_s = node.gres[done.run.place], told["bucket_s"]
    at_gi = entry["gpu_index"], (entry["mig"] or {}).get("gi_id")
    from_s = done.last_s - usage(done)["activity"]["sampled_s"]
    for at, mean in enumerate(told["sm_mean"]):
        begin_s = max(from_s, done.first_s + at * width_s)
        end_s = min(done.last_s, done.first_s + (at + 1) * width_s)
        if end_s - begin_s > ROUNDED:  # else before GPM's first sample, or behind its last
            truth = ratios(node.machine, *at_gi, begin_s, end_s)[sums.ACTIVITIES.index("sm")]
            span = spread(node, at_gi, begin_s - LONGEST_S, end_s + LONGEST_S)
            bound = span * LONGEST_S / 2 / (end_s - begin_s)
            assert mean == pytest.approx(truth, abs=bound + 0.005 + ROUNDED)


def spread(node: Scene, at_gi: tuple[int, int | None], from_s: float, to_s: float) -> float:
    """How far the activity of a GPU instance ranges in that time."""
    loads = [one for one in node.machine.loads if (one.gpu_index, one.gi_id) == at_gi]
    moments = [one.began_s + step.at_s for one in loads for step in one.steps]
    moments += [moment for one in loads for moment in (one.began_s, one.ends_s)]
    points = sorted({from_s, *(one for one in moments if from_s < one < to_s), to_s})
    sm = sums.ACTIVITIES.index("sm")
    levels = [ratios(node.machine, *at_gi, a, b)[sm] or 0.0 for a, b in itertools.pairwise(points)]
    return max(levels) - min(levels)


def test_energy_is_shared_out_and_never_more_than_the_gpus(storm: Storm) -> None:
    node = storm.node
    given: dict[int, float] = {}
    for done in storm.done:
        told, (power,) = usage(done)["energy"], done.record["power"]
        gpu = node.gres[done.run.place]["gpu_index"]
        spent = energy_j(node.machine, gpu, done.last_s) - energy_j(node.machine, gpu, done.first_s)
        if told is None:
            assert done.last_s == done.first_s  # one look at a counter tells nothing
            assert power["joules"] is None
            continue
        if told["joules"]:
            assert told["joules"] == pytest.approx(told["share"] * spent, rel=1e-3, abs=0.5)
            assert power["joules"] == pytest.approx(spent, rel=1e-3, abs=0.5)
        given[gpu] = given.get(gpu, 0.0) + told["joules"]
    for gpu, joules in given.items():
        assert joules <= energy_j(node.machine, gpu, node.clock.now_s)


def test_a_day_takes_no_more_memory_than_an_hour(tmp_path: Path) -> None:
    import gc

    node = Scene(tmp_path / "n", "h100-80gb=7x1g.10gb", period_s=300.0)
    node.machine.loads.clear()
    counts = []
    for hour in range(24):
        for job in range(7):
            node.begin(100 * hour + job + 1, job)
            node.process(50_000 + job, 100 * hour + job + 1, start=hour)
        node.tick(300.0, times=12)
        for job in range(7):
            node.end(100 * hour + job + 1)
        node.look()
        node.monitor.notes.clear()
        gc.collect()
        counts.append(sum(1 for one in gc.get_objects() if type(one).__module__ != "builtins"))
    assert node.files == []
    assert max(counts[2:]) - min(counts[2:]) < 200, counts
