"""What forbids a change, told at once and before it: on GPUs made on paper."""

import os
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.gpu.change import preflight
from slurm_mig.gpu.change.holders import Holder, Sight
from slurm_mig.gpu.change.preflight import Ground, blocking_units, in_the_way, needs_all_of_it
from slurm_mig.gpu.partitioning import LiveGpu, WantedGi, WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan, plan
from slurm_mig.model import CiId, GiId
from slurm_mig.settings import Settings
from tests.gpu.laidout import live_gpu

H100 = live_gpu("h100-80gb", "3g.40gb@4/1g.10gb@0")
A100 = live_gpu("a100-40gb", "off", gpu_index=1)
OFF = live_gpu("h100-80gb", "off")
BARE = live_gpu("h100-80gb", "mig")
SITE = Settings(reset_command=("true", "{bus_id}"))
MORE = WantedGpu(True, (WantedGi("3g.40gb", 4), WantedGi("1g.10gb", 0), WantedGi("1g.10gb", 1)))
ONE = WantedGpu(True, (WantedGi("3g.40gb", 4),))
WHOLE = WantedGpu(True, (WantedGi("7g.80gb"),))


def holder(
    gpu: LiveGpu,
    start: int | None = None,
    *,
    job: str | None = None,
    service: str | None = None,
    pid: int = 812,
) -> Holder:
    """A process of eva's on the instance at that start, or with the GPU open."""
    at = {gi.placement.start: gi for gi in gpu.instances}
    gi_id = None if start is None else at[start].gi_id
    ci_id = None if start is None else CiId(0)
    return Holder(pid, 5, 7, "eva", "python x.py", job, service, gpu.info.uuid, gi_id, ci_id)


def made(gpu: LiveGpu, wanted: WantedGpu, *holders: Holder) -> tuple[GpuPlan, Sight]:
    sight = Sight(holders)
    return plan(gpu, wanted, sight.busy(gpu)), sight


def told(
    tmp_path: Path, gpu: LiveGpu, wanted: WantedGpu, *holders: Holder, **ground: Any
) -> tuple[str, ...]:
    one, sight = made(gpu, wanted, *holders)
    full = Ground(tmp_path, SITE, sight)._replace(**ground)
    return preflight.problems([one], full)


def test_nobody_is_in_the_way(tmp_path: Path) -> None:
    for gpu, wanted in ((H100, MORE), (H100, WHOLE), (OFF, ONE), (BARE, WHOLE)):
        assert told(tmp_path, gpu, wanted) == ()
    assert told(tmp_path, A100, WantedGpu(True)) == ()


def test_who_is_on_an_instance_that_goes_is_named_with_all_that_is_known(tmp_path: Path) -> None:
    user = holder(H100, 0, job="17")
    gi_id = next(gi.gi_id for gi in H100.instances if gi.placement.start == 0)
    assert told(tmp_path, H100, ONE, user) == (
        "GPU 0 (NVIDIA H100 80GB HBM3): process 812 of eva (python x.py, Slurm job 17) is on "
        f"1g.10gb@0 (GPU instance {gi_id}), which is to go: end it, or wait for its end",
    )


def test_who_is_on_an_instance_that_stays_is_not_in_the_way(tmp_path: Path) -> None:
    assert told(tmp_path, H100, ONE, holder(H100, 4)) == ()
    assert told(tmp_path, H100, MORE, holder(H100, 4), holder(H100, 0)) == ()


def test_who_only_watches_is_not_in_the_way_of_an_instance(tmp_path: Path) -> None:
    assert told(tmp_path, H100, ONE, holder(H100)) == ()


def test_a_job_of_which_nobody_knows_where_it_is_is(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, H100, ONE, holder(H100, job="17"))
    assert "nobody can tell on which instance: wait for its job's end" in problem


@pytest.mark.parametrize(
    ("gpu", "wanted", "why"),
    [
        (OFF, WantedGpu(True), "its MIG mode is to change"),
        (H100, WantedGpu(False), "its MIG mode is to change"),
        (A100, WantedGpu(True), "it is to be reset"),
        (BARE, WHOLE, "its first GPU instance is to be made"),
        (H100, WHOLE, "its first GPU instance is to be made"),
    ],
)
def test_who_has_the_gpu_open_blocks_what_needs_all_of_it(
    gpu: LiveGpu, wanted: WantedGpu, why: str, tmp_path: Path
) -> None:
    problems = told(tmp_path, gpu, wanted, holder(gpu))
    assert len(problems) == 1
    assert f"process 812 of eva (python x.py) has this GPU open, and {why}: end it" in problems[0]
    assert "name its unit among clients in /etc/slurm-mig/config.toml" in problems[0]
    assert needs_all_of_it(made(gpu, wanted)[0]) == why


def test_what_needs_nothing_of_the_kind() -> None:
    assert needs_all_of_it(made(H100, MORE)[0]) is None
    assert needs_all_of_it(made(H100, ONE)[0]) is None


def test_a_job_is_waited_for_not_configured_away(tmp_path: Path) -> None:
    (problem,) = told(tmp_path, OFF, WantedGpu(True), holder(OFF, job="17"))
    assert problem.endswith("end it, or wait for its end")


def test_daemons_that_will_be_stopped_are_not_in_the_way(tmp_path: Path) -> None:
    dcgm = holder(OFF, service="nvidia-dcgm.service")
    other = holder(OFF, service="telegraf.service", pid=9)
    stopped = frozenset({"nvidia-dcgm.service"})
    assert told(tmp_path, OFF, WantedGpu(True), dcgm, stopped=stopped) == ()
    (problem,) = told(tmp_path, OFF, WantedGpu(True), dcgm, other, stopped=stopped)
    assert "process 9 of eva (python x.py, telegraf.service)" in problem


def test_blocking_units_are_those_with_a_process_in_the_way() -> None:
    unit = "nvidia-persistenced.service"
    one, sight = made(OFF, WantedGpu(True), holder(OFF, service=unit))
    assert blocking_units([one], sight, [unit, "other.service"]) == (unit,)
    one, sight = made(H100, MORE, holder(H100, service=unit))
    assert blocking_units([one], sight, [unit]) == ()
    assert in_the_way(one, sight) == ()


def test_others_gpus_have_nothing_to_do_with_it(tmp_path: Path) -> None:
    assert told(tmp_path, OFF, WantedGpu(True), holder(A100)) == ()


def test_what_cannot_fit_is_told_with_all_else(tmp_path: Path) -> None:
    wanted = WantedGpu(True, (WantedGi("7g.80gb"), WantedGi("1g.10gb")))
    problems = told(tmp_path, H100, wanted, uid=1000)
    assert problems[0] == "only root may change GPUs: run as root"
    assert any("7g.80gb" in problem for problem in problems[1:])


def test_could_not_look_is_not_nobody(tmp_path: Path) -> None:
    sight = Sight((), ("who has it open could not be seen: no /proc",))
    one, _ = made(H100, ONE)
    assert preflight.problems([one], Ground(tmp_path, SITE, sight)) == sight.unseen


def test_where_nothing_changes_nobody_needs_to_be_seen(tmp_path: Path) -> None:
    sight = Sight((holder(H100, 0), holder(H100, 4)), ("could not look",))
    here = WantedGpu(True, (WantedGi("3g.40gb"), WantedGi("1g.10gb", 0)))
    one = plan(H100, here, sight.busy(H100))
    assert one.steps == ()
    assert preflight.problems([one], Ground(tmp_path, SITE, sight)) == ()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((), "reset_command in /etc/slurm-mig/config.toml is empty"),
        (("no-such-tool", "{bus_id}"), "no-such-tool is not installed"),
    ],
)
def test_a_reset_without_a_command(command: tuple[str, ...], why: str, tmp_path: Path) -> None:
    settings = SITE._replace(reset_command=command)
    (problem,) = told(tmp_path, A100, WantedGpu(True), settings=settings)
    assert problem.startswith("GPU 1 (NVIDIA A100-SXM4-40GB): it needs a reset, and ")
    assert why in problem
    assert told(tmp_path, OFF, WantedGpu(True), settings=settings) == ()  # Hopper needs none


@pytest.mark.parametrize("folder", ["var/lib/slurm-mig", "run/slurm-mig", "var"])
def test_a_folder_that_others_may_write(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder).chmod(0o777)
    (problem,) = told(tmp_path, H100, ONE)
    assert "not root's alone: chown root, chmod go-w" in problem


@pytest.mark.parametrize("folder", ["var/lib/slurm-mig", "run/slurm-mig"])
def test_a_folder_that_is_a_link(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / folder).symlink_to(tmp_path / "elsewhere")
    (problem,) = told(tmp_path, H100, ONE)
    assert problem == f"/{folder}: it, or what leads there, is a link or no folder: remove it"


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, H100, ONE) == ()
    assert list(tmp_path.iterdir()) == []


def test_the_same_process_on_two_instances_is_told_for_each(tmp_path: Path) -> None:
    problems = told(tmp_path, H100, WHOLE, holder(H100, 0), holder(H100, 4))
    assert len(problems) == 2
    assert all("which is to go" in problem for problem in problems)


def test_a_watcher_that_is_also_on_what_goes_is_told_where() -> None:
    one, sight = made(H100, WHOLE, holder(H100, 0), holder(H100, pid=9))
    assert [each.pid for each in in_the_way(one, sight)] == [812, 9]
    assert in_the_way(one, sight)[0].gi_id == GiId(one.gpu.instances[0].gi_id)


def test_who_we_are() -> None:
    assert preflight.effective_uid() == os.geteuid()
