"""Hundreds of jobs, some with accidents: nothing is lost, doubled, shared or touched by mistake."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.cluster import hooking, roots
from tests.cluster.node import start_time
from tests.cluster.slurmconf import CONTROLLER
from tests.cluster.storm import driver
from tests.cluster.storm.driver import Storm

JOBS = 500
SEEN = ("prolog", "seen")
Slice = tuple[str, int]  # a node and a compute instance's minor
Interval = tuple[float, float]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", roots.GATING)
def test_a_storm_leaves_every_record_once_and_no_slice_shared(version: str, tmp_path: Path) -> None:
    with hooking.up(
        tmp_path / "c", driver.NODES, slurm=version, settings=driver.SETTINGS
    ) as cluster:
        storm = Storm(cluster)
        storm.prepare()
        watching = storm.bystanders(2)
        alive = {pid: start_time(pid) for pid in watching.values()}
        storm.break_out(JOBS, seed=3)
        storm.rage()
        assert {pid: start_time(pid) for pid in alive} == alive, "a bystander was touched"
        ends_of_left = {job: start_time(pid) for job, pid in storm.left.items()}
        cluster.exec(CONTROLLER, ["scancel", *map(str, watching)])
        storm.settle()

        check_drains(storm)
        check_records(storm)
        check_nothing_is_left(storm)
        check_probes(storm)
        check_intervals(storm)
        check_ends(storm)
        assert storm.left, "no job left anything: the storm was too mild"
        assert set(ends_of_left.values()) == {None}, f"processes that stayed: {ends_of_left}"


def check_drains(storm: Storm) -> None:
    """Only a hook that was killed before slurmd's eyes drains its node."""
    injected = Counter(
        (run.node, f"{run.kind.capitalize()} error") for run in storm.killed() if run.fate == "seen"
    )
    assert not storm.drains - injected, (storm.drains, injected)
    assert injected, "no drain was injected: the storm was too mild"


def check_records(storm: Storm) -> None:
    """A record for each time that a job ran on a node, and none besides.

    Where the prolog was killed before slurmd's eyes no job ran, but an epilog did.
    """
    for name in storm.cluster.names:
        found = Counter(record["job_id"] for record in hooking.records(storm.cluster, name))
        runs = [run for run in storm.runs() if run.node == name]
        came = Counter(run.job for run in runs if run.kind == "epilog")
        failed = Counter(
            run.job for run in storm.killed() if (run.node, run.kind, run.fate) == (name, *SEEN)
        )
        assert not came - failed - found, (name, came - failed - found)
        assert not found - came, (name, found - came)
        ids = [record["record_id"] for record in hooking.records(storm.cluster, name)]
        assert len(set(ids)) == len(ids)


def check_nothing_is_left(storm: Storm) -> None:
    """No binding and no open record stays."""
    for name in storm.cluster.names:
        assert hooking.bindings(storm.cluster, name) == []
        assert hooking.open_records(storm.cluster, name) == []


def minors(storm: Storm, node: str, record: hooking.Record) -> frozenset[int]:
    """The caps, of GPU and of compute instance, that a record's slices have."""
    caps = {
        (one["gpu_minor"], one["mig"]["gi_id"], one["mig"]["ci_id"]): one["mig"]
        for one in hooking.gres_map(storm.cluster, node)
    }
    found = [caps[one["gpu_minor"], one["gi_id"], one["ci_id"]] for one in record["slices"]]
    return frozenset(mig[key] for mig in found for key in ("gi_minor", "ci_minor"))


def sent_back(storm: Storm) -> set[int]:
    """The jobs whose prolog was killed before slurmd's eyes: they come twice, and end once."""
    return {run.job for run in storm.killed() if (run.kind, run.fate) == SEEN}


def check_probes(storm: Storm) -> None:
    """What a record says is what its job could open; less only where it says so."""
    twice = sent_back(storm)
    told = {
        (probe.job, probe.node): probe.caps - {1, 2}
        for probe in storm.probes()
        if probe.job not in twice
    }
    for name in storm.cluster.names:
        for record in hooking.records(storm.cluster, name):
            seen = told.get((record["job_id"], name))
            if seen is None:
                continue  # cancelled, or its prolog failed, before it could tell
            mine = minors(storm, name, record)
            assert mine <= seen, record
            assert mine == seen or not record["complete"], record


def check_intervals(storm: Storm) -> None:
    """No slice belongs to two jobs at a time, by the records nor by what the jobs saw."""
    by_record: dict[Slice, list[Interval]] = defaultdict(list)
    by_probe: dict[Slice, list[Interval]] = defaultdict(list)
    for name in storm.cluster.names:
        for record in hooking.records(storm.cluster, name):
            if record["start"] is not None and record["end"] is not None:
                for cap in minors(storm, name, record):
                    by_record[name, cap].append((started(record), record["end"]))
    for probe in storm.probes():
        for cap in probe.caps - {1, 2}:
            by_probe[probe.node, cap].append((probe.began, probe.ended))
    assert by_record and by_probe
    assert not [pair for held in by_record.values() for pair in overlaps(held)]
    assert not [pair for held in by_probe.values() for pair in overlaps(held)]


def started(record: hooking.Record) -> float:
    """When a job had its slices, at the latest."""
    start = float(record["start"])
    # Where a prolog was killed, the start is Slurm's own: whole seconds, cut off.
    return min(start + 1, record["end"]) if start.is_integer() else start


def overlaps(held: Iterable[Interval]) -> list[tuple[Interval, Interval]]:
    """Neighbours in time of which one begins before the other has ended."""
    return [pair for pair in itertools.pairwise(sorted(held)) if pair[1][0] < pair[0][1]]


def check_ends(storm: Storm) -> None:
    """Exit codes and signals are slurmctld's, as far as Slurm tells an epilog."""
    known = storm.ends()
    killed = {run.job for run in storm.killed()}
    twice = sent_back(storm)
    for name in storm.cluster.names:
        for record in hooking.records(storm.cluster, name):
            if record["job_id"] in twice:
                continue  # of the first time Slurm has a code of its own, and forgets it
            possible = {known[record["job_id"]].code}
            if record["job_id"] in killed:
                possible.add((None, None))
            if known[record["job_id"]].cancelled:
                possible.add((0, 0))  # the epilog is told before Slurm knows better
            assert (record["exit_code"], record["signal"]) in possible, record
