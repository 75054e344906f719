"""An order is carried out on the node: in service as wanted, or drained with why. Nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import Refused
from slurm_mig.gpu.change.bounded import here
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.partitioning import CiSpec, GiSpec, Layout
from slurm_mig.gpu.present.survey import survey
from slurm_mig.model import Placement
from slurm_mig.reconfigure import loop
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.entry import LOCK
from slurm_mig.reconfigure.reboot import orders, worker
from slurm_mig.reconfigure.reboot.desired import Order, Wanted
from slurm_mig.reconfigure.reboot.program import Task
from slurm_mig.reconfigure.record import RecordGpu, wanted_of
from slurm_mig.reconfigure.run import Run
from slurm_mig.settings import Settings
from tests.gpu.changing import BOOT_ID
from tests.reconfigure.fleet.runs import TEXT
from tests.reconfigure.worlds import FORMER_TYPES, NODE, RUN, TARGET_TYPES, Bench, Killed
from tests.reconfigure.worlds import SEVEN as SEVEN_SLICES
from tests.sim.api import Sim

Open = Callable[..., Sim]
SEVEN = (
    TEXT
    + "  seven:\n    - devices: all\n      mig-enabled: true\n      mig-devices: {1g.10gb: 7}\n"
)
ORDER = Order(RUN, "4e5f6071")


@pytest.fixture
def bench(open_nvml: Open) -> Bench:
    """The node is also a simulated machine, with the same slices; Slurm has issued its reboot."""
    sim = open_nvml("h100-80gb=7x1g.10gb")
    boot = sim.root / BOOT_ID
    boot.parent.mkdir(parents=True, exist_ok=True)
    boot.write_text("boot-0\n")
    return Bench(sim.root, reboot=True)


def work(bench: Bench, label: str = "mixed", order: Order = ORDER, text: str = SEVEN) -> str:
    """How it ended; the node's own record says the same."""
    request = Request(bench.root, Settings(lock_timeout_s=0.2), run=here)
    world = bench.world(keep_what_failed=True)
    ended = worker.work(world, request, NODE, Task(order, Wanted(RUN, label, text)))
    carried = orders.read(bench.root)
    assert carried is not None
    assert (carried.run, carried.order, carried.outcome) == (RUN, order.order, ended.outcome)
    assert orders.is_over(bench.root, order.order)
    return ended.outcome


def test_as_wanted_and_in_service(bench: Bench) -> None:
    assert work(bench) == "done"
    assert bench.is_right(TARGET_TYPES)
    last = records.read(bench.root, records.LAST)
    assert last is not None
    assert last.run_id == RUN


def test_as_it_was_wanted_already(bench: Bench) -> None:
    assert work(bench, "seven") == "nothing"
    assert bench.is_right(FORMER_TYPES)
    assert "drain" not in bench.calls


def test_a_drain_of_somebody_else_is_given_back(bench: Bench) -> None:
    order = ORDER._replace(theirs="a fan is loud")
    assert work(bench, order=order) == "done"
    assert bench.node == {"IDLE", "DRAIN"}
    assert bench.reason == "a fan is loud"


def test_the_same_where_nothing_is_to_be_done(bench: Bench) -> None:
    order = ORDER._replace(theirs="a fan is loud")
    assert work(bench, "seven", order) == "nothing"
    assert bench.node == {"IDLE", "DRAIN"}
    assert bench.reason == "a fan is loud"


@pytest.mark.parametrize(
    ("label", "text", "why"),
    [
        ("mixed", "version: v1\nmig-configs: {mixed: 1}\n", "is not a MIG configuration"),
        ("nope", SEVEN, "nope"),
        ("mixed", SEVEN.replace("3g.40gb: 1", "3g.40gb: 3"), "3g.40gb"),
    ],
)
def test_what_cannot_be_had_is_the_node_s_reason(
    bench: Bench, label: str, text: str, why: str
) -> None:
    assert work(bench, label, text=text) == "refused"
    assert bench.node == {"IDLE", "DRAIN"}
    assert bench.reason.startswith(f"slurm-mig reconfigure [{RUN}] not done, as before: ")
    carried = orders.read(bench.root)
    assert carried is not None
    assert why in carried.problem
    assert bench.live == FORMER_TYPES
    assert records.read(bench.root) is None


def test_what_went_back_is_the_node_s_reason(bench: Bench) -> None:
    bench.broken["publish"] = 1
    assert work(bench) == "former"
    assert bench.node == {"IDLE", "DRAIN"}
    assert bench.reason == (f"slurm-mig reconfigure [{RUN}] not done, as before: publish is broken")
    assert bench.live == FORMER_TYPES
    assert records.read(bench.root) is None


def test_the_reason_of_somebody_else_is_not_lost_then(bench: Bench) -> None:
    bench.broken["publish"] = 1
    assert work(bench, order=ORDER._replace(theirs="a fan is loud")) == "former"
    assert bench.reason.endswith("publish is broken (drained before: a fan is loud)")


def test_what_could_not_go_back_is_to_be_recovered(bench: Bench) -> None:
    bench.broken["start slurmd"] = 9
    assert work(bench) == "drained"
    assert bench.reason.startswith(f"slurm-mig recover [{RUN}]")
    assert "REBOOT_ISSUED" not in bench.node


def test_another_one_is_at_it(bench: Bench) -> None:
    with only_one(bench.root, 1.0, *LOCK):
        assert work(bench) == "refused"
    assert "under way" in bench.reason
    assert bench.live == FORMER_TYPES


@pytest.mark.parametrize("undo_first", [False, True])
def test_what_was_cut_short_is_ended_first(bench: Bench, undo_first: bool) -> None:
    """Of an order before, whose worker was killed: then this one is as wanted, or is done anew."""
    record = bench.record()
    if undo_first:
        records.write(bench.root, record._replace(goal="former", problem="no"))
    assert work(bench) in ("done", "nothing")
    assert records.read(bench.root) is None


def test_killed_at_every_call_and_carried_out_again(open_nvml: Open) -> None:
    """The next one ends what the last one left."""
    sim = open_nvml("h100-80gb=7x1g.10gb")
    (sim.root / BOOT_ID).parent.mkdir(parents=True, exist_ok=True)
    (sim.root / BOOT_ID).write_text("boot-0\n")
    number = 0
    while True:
        number += 4  # each of them is in test_loop
        bench = Bench(sim.root, reboot=True)
        bench.kill_at = number
        try:
            assert work(bench) == "done"
            break
        except Killed:
            bench.kill_at = None
            again = ORDER._replace(order="ffffffff")
            must = work(bench, order=again)
            assert must in ("done", "nothing"), (number, bench.reason)
            _forget(sim.root)
    assert number > 40


def _forget(root: Path) -> None:
    for path in (root / "var/lib/slurm-mig").glob("re*.json"):
        path.unlink()


def test_a_wish_is_held_against_its_format() -> None:
    with pytest.raises(Refused, match="run a1b2c3d4 is not a MIG configuration"):
        worker.chooser(Path("/"), Wanted(RUN, "x", "version: v1\nmig-configs: 7\n"))


OLD = "11111111"
MIXED_BEFORE = Layout(
    True,
    tuple(
        GiSpec(profile, Placement(start, size), (CiSpec(profile),))
        for profile, start, size in (
            ("2g.20gb", 0, 2),
            ("1g.10gb", 2, 1),
            ("1g.10gb", 3, 1),
            ("3g.40gb", 4, 4),
        )
    ),
)
BEFORE_TYPES = {"2g.20gb": 1, "1g.10gb": 2, "3g.40gb": 1}  # in their order
BACK = Wanted(RUN, "", "", rollback=True)


def kept(bench: Bench, **changes: Any) -> None:
    """The last reconfigure here made seven slices of four."""
    with Request(bench.root, Settings()).session() as nvml:
        uuid = survey(nvml)[0].info.uuid
    gpu = RecordGpu(uuid, MIXED_BEFORE, wanted_of(SEVEN_SLICES))
    made = bench.record()._replace(run_id=OLD, what="seven", gpus=(gpu,))
    records.close(bench.root, made._replace(**changes))


def roll_back(bench: Bench, order: Order = ORDER) -> str:
    """How it ended."""
    request = Request(bench.root, Settings(lock_timeout_s=0.2), run=here)
    world = bench.world(keep_what_failed=True)
    return worker.work(world, request, NODE, Task(order, BACK)).outcome


def test_back_to_what_was_before(bench: Bench) -> None:
    kept(bench)
    assert roll_back(bench) == "done"
    assert bench.is_right(BEFORE_TYPES)
    last = records.read(bench.root, records.LAST)
    assert last is not None
    assert (last.run_id, last.what) == (RUN, "what was before")


def test_back_where_nothing_is_kept_is_refused(bench: Bench) -> None:
    assert roll_back(bench) == "refused"
    assert bench.node == {"IDLE", "DRAIN"}
    assert bench.reason.endswith("not done, as before: nothing was changed: "
                                 "no reconfigure of this node is known")  # fmt: skip
    assert bench.live == FORMER_TYPES


def test_back_gives_somebody_his_drain_again(bench: Bench) -> None:
    kept(bench)
    assert roll_back(bench, ORDER._replace(theirs="a fan is loud")) == "done"
    assert (bench.node, bench.reason) == ({"IDLE", "DRAIN"}, "a fan is loud")
    assert bench.live == TARGET_TYPES


def test_back_is_not_forth_when_it_is_ordered_again(bench: Bench) -> None:
    kept(bench)
    assert roll_back(bench) == "done"
    assert roll_back(bench, ORDER._replace(order="ffffffff")) == "nothing"
    assert bench.is_right(BEFORE_TYPES)


def test_back_that_failed_is_tried_again(bench: Bench) -> None:
    kept(bench)
    bench.broken["publish"] = 1
    assert roll_back(bench) == "former"
    assert "not done, as before: publish is broken" in bench.reason
    assert bench.live == FORMER_TYPES
    assert roll_back(bench, ORDER._replace(order="ffffffff")) == "done"
    assert bench.is_right(BEFORE_TYPES)


def test_back_by_a_later_run_after_one_that_failed(bench: Bench) -> None:
    """Not a look at the failed one alone: what was to be undone still is."""
    kept(bench)
    bench.broken["publish"] = 1
    assert roll_back(bench) == "former"
    request = Request(bench.root, Settings(lock_timeout_s=0.2), run=here)
    later = Task(Order("22222222", "33333333"), BACK._replace(run="22222222"))
    assert worker.work(bench.world(), request, NODE, later).outcome == "done"
    assert bench.is_right(BEFORE_TYPES)


@pytest.mark.parametrize("phase", ["WAIT", "PARTITION", "RESUME"])
def test_back_undoes_what_was_cut_short(bench: Bench, phase: str) -> None:
    """Not what was before that one: its record is open."""
    kept(bench)
    ran = bench.record()._replace(run_id=OLD)
    records.write(bench.root, ran)
    run = Run(bench.world(), records.take_over(bench.root, ran))
    bench.at[f"{phase} begins"] = _killed
    with pytest.raises(Killed):
        loop.forward(run)
    assert roll_back(bench, ORDER._replace(theirs=None)) == "done"
    assert bench.is_right(FORMER_TYPES)


def test_back_that_cannot_undo_is_to_be_recovered(bench: Bench) -> None:
    ran = bench.record()._replace(run_id=OLD)
    records.write(bench.root, ran)
    bench.at["PUBLISH begins"] = _killed
    with pytest.raises(Killed):
        loop.forward(Run(bench.world(), records.take_over(bench.root, ran)))
    bench.broken["start slurmd"] = 9
    assert roll_back(bench) == "drained"
    assert bench.reason.startswith(f"slurm-mig recover [{OLD}]")


def test_back_that_was_cut_short_itself_goes_on(bench: Bench) -> None:
    kept(bench)
    bench.at["PUBLISH begins"] = _killed
    with pytest.raises(Killed):
        roll_back(bench)
    assert roll_back(bench, ORDER._replace(order="ffffffff")) == "nothing"
    assert bench.is_right(BEFORE_TYPES)


def _killed() -> None:
    raise Killed("now")


@pytest.mark.parametrize(
    ("site", "wanted", "tested"),
    [(False, True, True), (True, False, False), (True, None, True), (False, None, False)],
)
def test_test_jobs_as_the_run_wants_them_or_else_the_site(
    bench: Bench, site: bool, wanted: bool | None, tested: bool
) -> None:
    request = Request(bench.root, Settings(lock_timeout_s=0.2), run=here)
    world = bench.world(keep_what_failed=True, smoke=site)
    task = Task(ORDER, Wanted(RUN, "mixed", SEVEN, smoke=wanted))
    assert worker.work(world, request, NODE, task).outcome == "done"
    assert ("SMOKE ended" in bench.calls) == tested
    assert bench.is_right(TARGET_TYPES)
