"""slurmctld is killed at any moment, and comes back with what it had some seconds before.

No job may start on what it did not ask for, whatever it has forgotten; and what is left can be
recovered.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from slurm_mig.gpu.change.prepare import Request
from slurm_mig.reconfigure import entry, loop
from slurm_mig.reconfigure import record as records
from slurm_mig.settings import Settings
from tests.reconfigure.fleet.fleets import GPUS
from tests.reconfigure.worlds import FORMER_TYPES, TARGET_TYPES, Bench, Saved, gres

KINDS: dict[str, dict[str, Any]] = {
    "24.11, static": {"release": "24.11.5", "dynamic": False},
    "24.11, dynamic": {"release": "24.11.5", "dynamic": True},
    "22.05, dynamic": {"release": "22.05.8", "dynamic": True},
}
Chooses = Callable[[Sequence[Saved]], Saved]


def oldest(saved: Sequence[Saved]) -> Saved:
    return saved[0]


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_at_every_call(memory: Path, kind: str, seed: int | None) -> None:
    """With the oldest that it can have, and with others."""
    chooses: Chooses = oldest if seed is None else Random(seed).choice
    number = 0
    while True:
        number += 1
        one = made(memory / str(number), kind, chooses)
        one.crash_at = number
        loop.forward(one.run())
        if len(one.calls) < number:
            assert number > 40
            return
        settle(one)


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_when_all_is_over(memory: Path, kind: str, seed: int | None) -> None:
    one = made(memory / "one", kind, oldest if seed is None else Random(seed).choice)
    assert loop.forward(one.run()).outcome == "done"
    one.crash()
    one.must_be_sound()
    settle(one)
    assert one.is_right(TARGET_TYPES)


@pytest.mark.parametrize("kind", list(KINDS)[1:])
def test_a_dynamic_node_is_not_stopped_before_its_drain_is_saved(memory: Path, kind: str) -> None:
    one = made(memory / "one", kind, oldest)
    began = one.now
    one.slurm.submit("gpu:1g.10gb:1", one.name)
    one.after(60, lambda: one.slurm.end(1))
    seen: list[float] = []
    one.at["stop"] = lambda: seen.append(one.now - began)
    assert loop.forward(one.run()).outcome == "done"
    assert seen[0] >= 60 + one.world().options.saved_s - 1


def test_the_time_for_jobs_is_not_for_that(memory: Path) -> None:
    one = made(memory / "one", "24.11, dynamic", oldest)
    assert loop.forward(one.run(timeout_s=1.0, cancel_after_s=1.0)).outcome == "done"


def test_nor_does_a_static_one_wait(memory: Path) -> None:
    one = made(memory / "one", "24.11, static", oldest)
    began, seen = one.now, list[float]()
    one.at["stop"] = lambda: seen.append(one.now - began)
    assert loop.forward(one.run()).outcome == "done"
    assert seen == [0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_drain_without_a_reason_gets_one(memory: Path, kind: str) -> None:
    """A dynamic node of 22.05 comes back without: whoever dies then leaves one all the same."""
    one = made(memory / "one", kind, oldest)
    seen: list[str] = []
    one.at["map"] = lambda: seen.append(one.reason)
    loop.forward(one.run())
    assert seen[0].endswith("if it stopped: slurm-mig recover")


@pytest.mark.parametrize("kind", list(KINDS)[1:])
def test_what_came_back_just_before_the_resume_is_drained_again(memory: Path, kind: str) -> None:
    one = made(memory / "one", kind, oldest)

    def forget() -> None:
        node = one.slurm.nodes[one.name]
        node.gres = gres({**TARGET_TYPES, "3g.40gb": 2, "1g.10gb": 1})
        one.lenient = True

    one.at["RESUME begins"] = lambda: one.at.update(resume=forget)
    ended = loop.forward(one.run())
    assert ended.outcome == "done"
    assert one.calls.count("resume") == 2
    assert one.is_right(TARGET_TYPES)


def made(folder: Path, kind: str, chooses: Chooses) -> Bench:
    folder.mkdir()
    bench = Bench(folder, **KINDS[kind])
    bench.chooses = chooses
    return bench


def settle(bench: Bench) -> None:
    """What an administrator would do, who is told of what is left: one command."""
    if records.read(bench.root) is not None:
        loop.recover(bench.again())
    gpus = (GPUS[gres(bench.live)],)
    request = Request(bench.root, Settings(), run=lambda work, watch: gpus)  # type: ignore[arg-type]
    entry.recover(bench.world(), request)
    right = bench.is_right(TARGET_TYPES) or bench.is_right(FORMER_TYPES)
    assert right, (bench.slurm.nodes, bench.live, bench.loaded, records.read(bench.root))
