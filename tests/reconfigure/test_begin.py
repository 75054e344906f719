"""What is known, and refused, before the node is drained; and the ways in."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from slurm_mig.errors import JournalError, Refused
from slurm_mig.gpu.change import apply
from slurm_mig.gpu.change.bounded import here
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.partitioning import CiSpec, GiSpec, Layout, LiveGpu, WantedGpu
from slurm_mig.gpu.present.discover import discover
from slurm_mig.model import GpuIndex, Placement
from slurm_mig.reconfigure import begin, entry, paper
from slurm_mig.reconfigure import record as records
from slurm_mig.settings import Settings
from slurm_mig.slurm.records.gres import GresOptions, node_gres
from slurm_mig.slurm.version import SlurmVersion
from tests.gpu.changing import BOOT_ID, wish
from tests.reconfigure.worlds import FORMER_TYPES, MIXED, NODE, TARGET_TYPES, Bench
from tests.sim.api import Sim

Open = Callable[..., Sim]
OTHERS = Layout(
    True, tuple(GiSpec("3g.40gb", Placement(at, 4), (CiSpec("3g.40gb"),)) for at in (0, 4))
)


@pytest.fixture
def bench(open_nvml: Open) -> Bench:
    """The fake cluster's node is also a simulated machine, with the same slices."""
    sim = open_nvml("h100-80gb=7x1g.10gb")
    boot = sim.root / BOOT_ID
    boot.parent.mkdir(parents=True, exist_ok=True)
    boot.write_text("boot-0\n")
    return Bench(sim.root)


def request_of(bench: Bench) -> Request:
    return Request(bench.root, Settings(lock_timeout_s=0.2), run=here)


def choose(wanted: WantedGpu) -> Callable[[Sequence[LiveGpu]], Mapping[GpuIndex, WantedGpu]]:
    return lambda gpus: {GpuIndex(0): wanted}


def look(bench: Bench, wanted: WantedGpu = MIXED) -> begin.Prospect:
    return begin.look(bench.world(), request_of(bench), NODE, choose(wanted))


def test_a_prospect(bench: Bench) -> None:
    held = bench.slurm.submit("gpu:1g.10gb:1", NODE)
    bench.slurm.submit("", NODE)
    found = look(bench)
    assert [job.job_id for job in found.jobs] == [held.job_id]
    assert not found.nothing
    assert "drain" not in bench.calls


def test_the_one_before_is_known_by_its_id(bench: Bench) -> None:
    first = begin.open_record(bench.world(), NODE, "mixed", look(bench))
    assert begin.PREVIOUS not in first.notes
    records.close(bench.root, first)
    second = begin.open_record(bench.world(), NODE, "mixed", look(bench))
    assert second.notes[begin.PREVIOUS] == first.run_id


def test_what_could_not_be_published(bench: Bench) -> None:
    """Told before, and only where there is something to publish."""
    bench.hindrances = ["slurm.conf is not here", "gres.conf neither"]
    with pytest.raises(Refused) as refused:
        look(bench)
    assert refused.value.problems == tuple(bench.hindrances)
    assert "drain" not in bench.calls
    seven = wish("7x1g.10gb")
    assert look(bench, seven).nothing
    node = bench.slurm.nodes[NODE]  # the GPUs are right, but Slurm is wrong
    node.flags, node.gres = {"DRAIN"}, "gpu:1g.10gb:6"
    with pytest.raises(Refused, match="is not here"):
        look(bench, seven)


def test_nothing_to_do(bench: Bench) -> None:
    assert look(bench, wish("7x1g.10gb")).nothing
    assert (
        entry.start(
            bench.world(), request_of(bench), NODE, "seven", choose(wish("7x1g.10gb"))
        ).outcome
        == "nothing"
    )
    assert records.read(bench.root) is None


def test_slurm_has_something_else(bench: Bench) -> None:
    """The GPUs are as wanted, and Slurm was never told: there is something to do."""
    bench.slurm.nodes[NODE].gres = "gpu:3g.40gb:1"
    bench.slurm.nodes[NODE].flags.add("DRAIN")
    assert not look(bench, wish("7x1g.10gb")).nothing


def test_all_that_forbids_it_at_once(bench: Bench) -> None:
    bench.slurm.nodes[NODE].down = True
    with pytest.raises(Refused) as why:
        look(bench, wish("2x3g.40gb/1g.10gb"))
    assert len(why.value.problems) == 2
    assert "n1 is DOWN" in str(why.value)
    assert "what fits" in str(why.value)


def test_a_node_that_nobody_knows(bench: Bench) -> None:
    with pytest.raises(Refused, match="knows no node n9"):
        begin.look(bench.world(), request_of(bench), "n9", choose(MIXED))


def test_who_would_be_stranded(bench: Bench) -> None:
    bench.slurm.submit("gpu:1g.10gb:7", NODE)
    waiting = bench.slurm.submit("gpu:1g.10gb:4", user="eva")
    (lost,) = look(bench).stranded
    assert (lost.job, lost.user) == (waiting.shown, "eva")


def test_there_and_back_by_the_ways_in(bench: Bench) -> None:
    """The GPUs of the bench are not the simulator's: what is planned is the simulator's."""
    world, request = bench.world(), request_of(bench)
    assert entry.start(world, request, NODE, "mixed", choose(MIXED)).outcome == "done"
    assert bench.is_right(TARGET_TYPES)
    last = records.read(bench.root, records.LAST)
    assert last is not None
    assert [gpu.former.mig for gpu in last.gpus] == [True]
    assert entry.recover(world, request).outcome == "nothing"


def test_no_other_one_begins_meanwhile(bench: Bench) -> None:
    bench.record()
    with pytest.raises(JournalError, match=r"to mixed is not at its end \(DRAIN\)"):
        entry.start(bench.world(), request_of(bench), NODE, "mixed", choose(MIXED))


def test_a_rollback_ends_what_was_cut_short(bench: Bench) -> None:
    bench.record()
    assert entry.rollback(bench.world(), request_of(bench), NODE).outcome == "former"
    assert bench.is_right(FORMER_TYPES)


def test_a_rollback_of_nothing(bench: Bench) -> None:
    with pytest.raises(Refused, match="no reconfigure of this node is known"):
        entry.rollback(bench.world(), request_of(bench), NODE)


def test_one_at_a_time(bench: Bench) -> None:
    with only_one(bench.root, 0.1, *entry.LOCK), pytest.raises(Refused, match="is under way"):
        entry.recover(bench.world(), request_of(bench))


@pytest.mark.parametrize(
    "layout", ["3g.40gb/2g.20gb/2x1g.10gb", "4g.40gb:2c.4g.40gb:2c.4g.40gb/1g.20gb"]
)
@pytest.mark.parametrize("version", ["22.05.8", "24.11.5"])
@pytest.mark.parametrize("short", [False, True])
def test_on_paper_as_in_life(bench: Bench, layout: str, version: str, short: bool) -> None:
    """The names of slices that are planned are those that they will have."""
    plans = look(bench, wish(layout)).plans
    options = GresOptions(SlurmVersion.parse(version), profile_types=short)
    with session() as nvml:
        planned = node_gres(paper.after(discover(nvml, bench.root, NODE), plans), options).types
    apply.run(request_of(bench)._replace(choose=choose(wish(layout))))
    with session() as nvml:
        made = node_gres(discover(nvml, bench.root, NODE), options).types
    assert planned == made


def test_a_root_that_others_write_to(tmp_path: Path) -> None:
    (tmp_path / "run/slurm-mig").mkdir(parents=True)
    (tmp_path / "run/slurm-mig").chmod(0o777)
    with pytest.raises(Refused, match="root's alone"), only_one(tmp_path, 0.1, *entry.LOCK):
        pass


def test_a_rollback_that_failed_is_tried_again(bench: Bench) -> None:
    """Not taken for what was to be undone."""
    world, request = bench.world(), request_of(bench)
    assert entry.start(world, request, NODE, "mixed", choose(MIXED)).outcome == "done"
    last = entry.last_one(bench.root)
    (gpu,) = last.gpus
    # The simulator's GPU was not touched: as if it had become seven slices of others.
    swapped = gpu._replace(former=OTHERS, target=records.wanted_of(gpu.former))
    records.close(bench.root, last._replace(gpus=(swapped,)))
    bench.broken["publish"] = 1
    assert entry.rollback(world, request, NODE).outcome == "former"
    assert entry.rollback(world, request, NODE).outcome == "done"
    assert bench.live == {"3g.40gb": 2}


def test_what_a_rollback_would_do_changes_nothing(bench: Bench) -> None:
    world, request = bench.world(), request_of(bench)
    with pytest.raises(Refused, match="no reconfigure of this node is known"):
        entry.prospect(world, request, NODE, None)
    assert entry.start(world, request, NODE, "mixed", choose(MIXED)).outcome == "done"
    bench.calls.clear()
    assert not any(each.steps for each in entry.prospect(world, request, NODE, None).plans)
    assert not {"drain", "stop", "change", "publish"} & set(bench.calls)
