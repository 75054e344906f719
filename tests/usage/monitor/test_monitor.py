"""The monitor on a fake machine: what it measures, and what it lives through."""

import shutil

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.codes import DRIVER_NOT_LOADED, nvml_error
from slurm_mig.gpu.nvml.usage_port import GpuEvent
from slurm_mig.model import CiId, GiId, GpuIndex
from tests.fake_usage import Step
from tests.usage.monitor.scene import MakeScene, Scene

SHARED = "h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0"
BROKEN = nvml_error("this machine", DRIVER_NOT_LOADED, "Driver Not Loaded")


def single(scene: Scene) -> int:
    """The place of the slice that has its GPU instance to itself."""
    return next(at for at, one in enumerate(scene.gres) if "c." not in one["type"])


def test_a_job_is_sampled_as_soon_as_it_is_seen(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.look()
    usage = node.usage(7)
    assert (usage["samples"], usage["sampled_s"], usage["gaps"]) == (1, 0.0, 0)
    assert usage["memory"] == {
        "method": "nvml-memory-info", "min_mib": 9.0, "mean_mib": 9.0, "peak_mib": 9.0,
    }  # fmt: skip
    assert usage["activity"] is None
    assert usage["coverage"] is None  # it took no time at all


def test_what_a_job_used_is_in_its_record(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.run(7, 0, Step(0, 1000, 0.5), Step(5, 3000, 0.5))
    node.look()
    node.tick(times=10)
    record = node.end(7)
    usage = record["slices"][0]["usage"]
    assert (usage["samples"], usage["sampled_s"], usage["coverage"]) == (11, 10.0, 1.0)
    assert usage["memory"]["peak_mib"] == 3009
    assert usage["memory"]["min_mib"] == 1009
    assert usage["memory"]["mean_mib"] == pytest.approx(2009, abs=200)
    assert usage["processes"] == {"method": "nvml-processes", "mean": 1.0, "peak": 1}
    assert usage["activity"]["method"] == "gpm-gi"
    assert usage["activity"]["sm"] == {"min": 0.5, "mean": 0.5, "max": 0.5}
    assert usage["activity"]["sampled_s"] == 10.0
    (power,) = record["power"]
    assert usage["energy"]["share"] == pytest.approx(1 / 7, abs=1e-6)
    assert usage["energy"]["joules"] == pytest.approx(power["joules"] / 7, abs=0.01)
    assert usage["energy"]["estimate"] is True
    assert power["method"] == "nvml-total-energy"
    assert power["mean_w"] == pytest.approx(power["joules"] / 10, abs=0.01)
    assert usage["errors"] == {"xids": [], "ecc_sram_uncorrected": 0}
    assert node.files == []


def test_before_hopper_activity_is_not_known(scene: MakeScene) -> None:
    node = scene("a100-40gb=2x1g.5gb")
    node.begin(7, 0)
    node.tick(times=3)
    usage = node.usage(7)
    assert usage["activity"] is None
    assert usage["memory"]["peak_mib"] == 9


def test_a_job_on_a_whole_gpu(scene: MakeScene) -> None:
    node = scene("h100-80gb")
    node.begin(7, 0)
    node.run(7, 0, Step(0, 1000, 1.0))
    node.tick(times=3)
    record = node.end(7)
    usage = record["slices"][0]["usage"]
    assert usage["memory"]["peak_mib"] == 1001
    assert usage["activity"]["method"] == "gpm-gpu"
    assert (usage["energy"]["share"], usage["energy"]["estimate"]) == (1.0, False)
    assert usage["energy"]["joules"] == record["power"][0]["joules"] > 0


def test_where_compute_instances_share_memory_is_the_processes(scene: MakeScene) -> None:
    node = scene(SHARED)
    one, other = (at for at in range(3) if at != single(node))
    node.begin(7, one)
    node.begin(8, other)
    for job, place in ((7, one), (8, other)):
        node.run(job, place, Step(0, 100.0 * job, 0.25))
        node.run(job, place, Step(0, 50.0, 0.0))
    node.tick(times=4)
    seven, eight = node.usage(7), node.usage(8)
    assert seven["memory"]["method"] == eight["memory"]["method"] == "nvml-processes"
    assert (seven["memory"]["peak_mib"], eight["memory"]["peak_mib"]) == (750, 850)
    assert seven["processes"]["peak"] == 2
    assert seven["activity"]["shared_gi"] is eight["activity"]["shared_gi"] is True
    assert seven["activity"]["graphics"] == eight["activity"]["graphics"]


def test_only_the_jobs_own_processes_count(scene: MakeScene) -> None:
    node = scene(SHARED)
    place = next(at for at in range(3) if at != single(node))
    node.begin(7, place)
    node.run(7, place, Step(0, 100))
    node.run(6, place, Step(0, 1000))  # left over by another job
    node.run(None, place, Step(0, 5000))  # of nobody
    node.tick(times=2)
    usage = node.usage(7)
    assert usage["processes"]["peak"] == 1
    assert usage["memory"]["peak_mib"] == 100


def test_without_cgroups_the_user_tells_whose_a_process_is(scene: MakeScene) -> None:
    node = scene(SHARED)
    for folder in ("slurm", ""):
        (node.root / "sys/fs/cgroup/devices" / folder).rmdir()
    place = next(at for at in range(3) if at != single(node))
    node.begin(7, place)
    load = node.run(None, place, Step(0, 100))
    node.tick()
    assert node.monitor.snapshot().slices[0].processes == ()  # root's
    import os

    os.chown(node.root / f"proc/{load.pid}", 1001, 1001)
    node.tick()
    assert node.usage(7)["processes"]["peak"] == 1


def test_a_number_that_is_another_process_now(scene: MakeScene) -> None:
    node = scene(SHARED)
    place = next(at for at in range(3) if at != single(node))
    node.begin(7, place)
    load = node.run(7, place, Step(0, 100))
    node.tick()
    node.process(load.pid, 6, start=load.pid % 1000 + 1)
    node.tick()
    (one,) = node.monitor.snapshot().slices
    assert one.processes == ()


def test_a_monitor_that_is_killed_goes_on_after_a_gap(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.run(7, 0, Step(0, 5000, 1.0), Step(4, 100, 1.0))
    node.tick(times=3)
    node.clock.now_s += 20
    node.start()  # of the first nothing was closed
    node.tick(times=4)
    record = node.end(7)
    usage = record["slices"][0]["usage"]
    assert usage["memory"]["peak_mib"] == 5009
    assert (usage["gaps"], usage["gap_s"]) == (1, 21.0)
    assert usage["sampled_s"] == 5.0
    assert usage["coverage"] == pytest.approx(5 / 27, abs=1e-3)
    assert usage["activity"]["sampled_s"] == 5.0
    # The GPU's counter went on meanwhile.
    assert record["power"][0]["joules"] == pytest.approx(
        26 * record["power"][0]["mean_w"], rel=0.01
    )


def test_a_curve_has_the_ups_and_downs_of_the_job(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.clock.now_s += 0.25
    node.begin(7, 0)
    node.run(7, 0, Step(0, 100, 0.0), Step(10, 5000, 1.0), Step(20, 200, 0.5))
    node.clock.now_s += 0.5
    node.look()
    node.tick(times=30)
    assert node.usage(7)["curve"] == {
        "from_s": 0.5,
        "bucket_s": 2.0,
        "memory_peak_mib": [*[109] * 5, *[5009] * 5, *[209] * 6],
        "sm_mean": [*[0.0] * 4, 0.25, *[1.0] * 4, 0.88, *[0.5] * 5, None],
    }


def test_a_monitor_that_is_killed_leaves_a_hole_in_the_curve(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.run(7, 0, Step(0, 5000, 1.0), Step(12, 100, 0.5))
    node.tick(times=3)
    node.clock.now_s += 20
    node.start()  # of the first nothing was closed
    node.tick(times=4)
    found = node.usage(7)["curve"]
    assert found["memory_peak_mib"] == [5009, 5009, *[None] * 9, 109, 109, 109]
    assert found["sm_mean"] == [1.0, *[None] * 10, 0.5, 0.5, None]


def test_before_hopper_a_curve_is_of_memory_alone(scene: MakeScene) -> None:
    node = scene("a100-40gb=2x1g.5gb")
    node.begin(7, 0)
    node.tick(times=3)
    found = node.usage(7)["curve"]
    assert (found["memory_peak_mib"], found["sm_mean"]) == ([9, 9], None)


def test_nvml_that_fails_for_a_while_is_a_gap(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.tick(times=3)
    node.machine.failing["memory_used_mib"] = BROKEN
    node.tick(times=4)
    assert node.monitor.snapshot().state == "failing"
    assert "Driver Not Loaded" in (node.monitor.snapshot().why or "")
    del node.machine.failing["memory_used_mib"]
    node.tick(times=3)
    assert node.monitor.snapshot().state == "sampling"
    usage = node.usage(7)
    assert (usage["gaps"], usage["gap_s"], usage["sampled_s"]) == (1, 5.0, 4.0)


def test_nvml_that_does_not_open_is_asked_ever_later(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.machine.failing["session"] = BROKEN
    node.begin(7, 0)
    asked = 0

    def opening() -> object:
        nonlocal asked
        asked += 1
        return node.machine.session()

    node.start(opening)  # type: ignore[arg-type]
    node.tick(times=100)
    assert 6 <= asked <= 10
    assert [note for note in node.monitor.notes if "failing" in note]
    del node.machine.failing["session"]
    node.tick(times=61)
    assert node.usage(7)["samples"] > 0


def test_a_lost_gpu_does_not_blind_the_others(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb", "h100-80gb=1g.10gb")
    node.begin(7, 0)
    node.begin(8, 1)
    node.tick(times=3)
    node.machine.lost.add(0)
    node.tick(times=20)
    seven, eight = node.usage(7), node.usage(8)
    assert (seven["samples"], seven["sampled_s"]) == (4, 2.0)
    assert (eight["sampled_s"], eight["gaps"]) == (22.0, 0)


def test_a_repartition_drops_handles_and_pairs(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.run(7, 0, Step(0, 100, 1.0))
    node.tick(times=3)
    sessions = node.machine.sessions
    (node.root / "run/slurm-mig/generation").write_text("1\n")
    node.tick(times=3)
    assert node.machine.sessions == sessions + 1
    assert node.machine.opened == 1
    usage = node.usage(7)
    assert usage["sampled_s"] == 5.0
    assert usage["activity"]["sampled_s"] == 4.0  # no pair goes over the change


def test_a_slice_that_is_gone_is_sampled_no_more(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.tick(times=3)
    node.machine.partition(0, "7g.80gb")  # whose GI has the number 0 as well
    (node.root / "run/slurm-mig/generation").write_text("1\n")
    node.tick(times=6)
    assert node.monitor.snapshot().slices[0].gone
    node.machine.partition(0, "2x1g.10gb")
    (node.root / "run/slurm-mig/generation").write_text("22\n")
    node.tick(times=6)
    usage = node.usage(7)
    assert (usage["samples"], usage["memory"]["peak_mib"]) == (4, 9.0)
    assert usage["curve"]["memory_peak_mib"] == [9, 9]


def test_while_the_gpus_are_partitioned_nvml_is_closed(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.tick(times=2)
    journal = node.root / "var/lib/slurm-mig/journal.json"
    journal.parent.mkdir(parents=True)
    journal.write_text("{}")
    node.tick(times=5)
    assert node.machine.opened == 0
    assert node.monitor.snapshot().state == "paused"
    journal.unlink()
    node.tick(times=2)
    assert node.usage(7)["gaps"] == 1


def test_without_jobs_nvml_is_closed(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.tick(times=2)
    assert node.machine.sessions == 0
    node.begin(7, 0)
    node.tick(times=2)
    assert node.machine.opened == 1
    node.end(7)
    node.tick()
    assert node.machine.opened == 0
    assert node.monitor.snapshot().state == "asleep"


def test_a_suspend_is_a_gap(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb", period_s=60.0)
    node.begin(7, 0)
    node.run(7, 0, Step(0, 100, 1.0))
    node.tick(60.0, times=2)
    node.clock.sleep(50.0)  # shorter than a period: the clocks tell it all the same
    node.clock.wall_s -= 7200  # and the wall clock tells nothing
    node.tick(10.0)
    node.tick(60.0)
    usage = node.usage(7)
    assert (usage["gaps"], usage["gap_s"], usage["sampled_s"]) == (1, 60.0, 120.0)
    assert usage["activity"]["sampled_s"] == 120.0
    assert usage["curve"] == {
        "from_s": 60.0, "bucket_s": 120.0, "memory_peak_mib": [109, 109], "sm_mean": [1.0, 1.0],
    }  # fmt: skip


def test_errors_are_counted_where_they_belong(scene: MakeScene) -> None:
    node = scene(SHARED)
    one, other = (at for at in range(3) if at != single(node))
    for job, place in ((7, one), (8, other), (9, single(node))):
        node.begin(job, place)
    node.tick()
    gi, ci = (node.gres[one]["mig"][name] for name in ("gi_id", "ci_id"))
    gpu = GpuIndex(0)
    node.machine.events += [
        GpuEvent(gpu, 13, GiId(gi), CiId(ci)),
        GpuEvent(gpu, 13, GiId(gi), CiId(ci)),
        GpuEvent(gpu, 31, GiId(gi), None),
        GpuEvent(gpu, 79, None, None),
    ]
    node.tick()
    told = {job: node.usage(job)["errors"]["xids"] for job in (7, 8, 9)}
    mine = [{"xid": 13, "count": 2, "attributed": True}]
    unclear = [{"xid": 31, "count": 1, "attributed": False}]
    everyones = [{"xid": 79, "count": 1, "attributed": False}]
    assert told == {7: mine + unclear + everyones, 8: unclear + everyones, 9: everyones}


def test_memory_errors_are_counted_from_the_first_look_on(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    (device,) = node.machine.mig_devices(0)
    from slurm_mig.gpu.nvml.usage_port import Place

    place = Place(GpuIndex(0), device.mig_index)
    node.machine.sram[place] = 5
    node.begin(7, 0)
    node.tick()
    node.machine.sram[place] = 8
    node.tick()
    node.machine.sram[place] = 2  # the driver was loaded again
    node.tick()
    assert node.usage(7)["errors"]["ecc_sram_uncorrected"] == 3


def test_power_alone_is_integrated(scene: MakeScene) -> None:
    node = scene("h100-80gb=1g.10gb")
    node.machine.counters = False
    node.begin(7, 0)
    node.tick(times=11)
    node.clock.now_s += 100  # nobody knows what it took meanwhile
    node.tick(times=1)
    (power,) = node.end(7)["power"]
    assert power["method"] == "nvml-power-integrated"
    assert (power["joules"], power["mean_w"]) == (700.0, 70.0)


def test_a_job_that_gets_a_further_slice_keeps_its_sums(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0, complete=False)
    node.run(7, 0, Step(0, 500), Step(2, 100))
    node.tick(times=4)
    content = node.opened(7)
    from slurm_mig.usage import record
    from tests.usage.monitor.scene import BOOT_ID

    more = record.slice_identity(node.gres[1], BOOT_ID, 0)
    content["record"]["slices"] = [more, *content["record"]["slices"]]
    content["record"]["complete"] = True
    node.rewrite(7, content)
    node.tick(times=2)
    first, second = (one["usage"] for one in node.end(7)["slices"])
    assert (second["memory"]["peak_mib"], second["samples"], second["gaps"]) == (509.0, 7, 0)
    assert (first["samples"], first["sampled_s"]) == (2, 1.0)
    assert second["curve"]["memory_peak_mib"] == [509, 109, 109]
    assert (first["curve"]["from_s"], first["curve"]["memory_peak_mib"]) == (5.0, [9])


def test_a_record_that_is_completed_is_no_gap(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0, complete=False)
    node.tick(times=2)
    content = node.opened(7)
    content["record"]["complete"] = True
    node.rewrite(7, content)
    node.tick(times=2)
    assert node.usage(7)["gaps"] == 0


def test_a_requeued_job_is_another_run(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    first = node.begin(7, 0)
    node.run(7, 0, Step(0, 5000), for_s=3)
    node.tick(times=2)
    assert node.files == [first]
    assert node.usage(7)["memory"]["peak_mib"] == 5009
    node.clock.now_s += 5
    second = node.begin(7, 0, restarts=1)
    node.tick(times=2)
    assert node.files == [second]
    assert node.usage(7)["memory"]["peak_mib"] == 9


def test_names_are_kept_only_when_asked_for(scene: MakeScene) -> None:
    for asked in (False, True):
        node = scene("h100-80gb=1g.10gb", command_names=asked)
        node.begin(7, 0)
        node.run(7, 0, name="secret")
        node.tick()
        (one,) = node.monitor.snapshot().slices
        assert one.processes is not None
        assert one.processes[0].name == ("secret" if asked else None)


def test_a_change_that_another_tool_made_is_heard_of(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.begin(7, 0)
    node.tick(times=2)
    sessions = node.machine.sessions
    node.machine.events.append(GpuEvent(GpuIndex(0), None, None, None))
    node.tick(times=3)
    assert node.machine.sessions == sessions + 1


def test_nothing_is_raised_by_what_is_unknown(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb")
    node.machine.failing["processes"] = NvmlError("no list", 3)
    node.begin(7, 0)
    node.tick(times=3)
    usage = node.usage(7)
    assert usage["processes"] is None
    assert usage["memory"]["peak_mib"] == 9


def test_what_cannot_be_written_is_told_once_and_stops_nothing(scene: MakeScene) -> None:
    node = scene("h100-80gb=2x1g.10gb", device_check=True)
    node.begin(7, 0)
    node.tick()
    (node.root / "run/slurm-mig/usage").rename(node.root / "elsewhere")
    shutil.rmtree(node.root / "elsewhere")
    node.begin(8, 1)
    node.tick(times=5)
    unmeasured = [note for note in node.monitor.notes if "job 8 is not measured" in note]
    assert len(unmeasured) == 1
    assert len(node.monitor.jobs) == 1
