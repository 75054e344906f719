"""Device nodes of live instances, made and mended on simulated machines. Needs root."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import CommandError
from slurm_mig.gpu.change.capnodes import Made, make_node, make_nodes, modprobe_of
from slurm_mig.settings import Settings
from tests.gpu.live import live_gpus
from tests.sim.api import Sim
from tests.sim.truth import slices

NewSim = Callable[..., Sim]
LAYOUT = "h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0"
ACCESS = "DeviceFileMinor: {minor}\nDeviceFileMode: {mode}\nDeviceFileModify: {modify}\n"


@pytest.fixture(params=[0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def make(sim: Sim, modprobe: Callable[[str], object] | None = None, how: str = "auto") -> Made:
    return make_nodes(sim.root, live_gpus(sim), Settings(make_nodes=how), modprobe)


def needed(sim: Sim) -> set[str]:
    return {path for mig in slices(sim) for path in mig.files[1:]}


def found(sim: Sim, path: str) -> tuple[bool, tuple[int, int], int]:
    """Whether it is a character device, its numbers, its mode."""
    node = (sim.root / path.lstrip("/")).lstat()
    numbers = os.major(node.st_rdev), os.minor(node.st_rdev)
    return stat.S_ISCHR(node.st_mode), numbers, stat.S_IMODE(node.st_mode)


def all_right(sim: Sim) -> bool:
    """As the simulator's own nvidia-modprobe leaves them: it finds nothing to make."""
    return sim.make_nodes() == []


def access(sim: Sim, gi_id: int) -> Path:
    return sim.root / f"proc/driver/nvidia/capabilities/gpu0/mig/gi{gi_id}/access"


def no_modprobe(_: str) -> None:
    raise AssertionError("nvidia-modprobe must not be run")


@pytest.mark.usefixtures("umask")
def test_all_that_are_missing_are_made_whatever_the_umask(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT, "h100-80gb=7x1g.10gb", nodes=False)
    made = make(sim)
    assert made.problems == ()
    assert set(made.made) == needed(sim)
    sim.make_nodes()  # the machine's own two, config and monitor
    assert {found(sim, path)[2] for path in needed(sim)} == {0o444}
    assert stat.S_IMODE((sim.root / "dev/nvidia-caps").stat().st_mode) == 0o755
    assert all_right(sim)


def test_a_second_time_there_is_nothing_to_do(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT, nodes=False)
    make(sim)
    before = {path: (sim.root / path.lstrip("/")).lstat() for path in needed(sim)}
    assert make(sim) == Made((), ())
    assert {path: (sim.root / path.lstrip("/")).lstat() for path in needed(sim)} == before


def test_without_instances_nothing_is_looked_at(new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=mig", "l40s")
    (sim.root / "proc/devices").unlink()
    assert make(sim) == Made((), ())


@pytest.mark.parametrize(("major", "minor"), [(195, 0), (1, 3), (240, 0)])
def test_another_device_is_replaced(major: int, minor: int, new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT)
    path = slices(sim)[0].files[1]
    node = sim.root / path.lstrip("/")
    node.unlink()
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(major, minor))
    assert make(sim) == Made((path,), ())
    assert all_right(sim)


def test_a_link_is_replaced_and_not_followed(new_sim: NewSim, tmp_path: Path) -> None:
    sim = new_sim(LAYOUT)
    (tmp_path / "precious").write_text("keep")
    path = slices(sim)[0].files[1]
    node = sim.root / path.lstrip("/")
    node.unlink()
    node.symlink_to(tmp_path / "precious")
    assert make(sim) == Made((path,), ())
    assert (tmp_path / "precious").read_text() == "keep"
    assert all_right(sim)


def test_a_regular_file_is_replaced(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT)
    path = slices(sim)[1].files[2]
    node = sim.root / path.lstrip("/")
    node.unlink()
    node.write_text("")
    assert make(sim) == Made((path,), ())


def test_the_mode_is_the_driver_s(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT)
    path = slices(sim)[0].files[1]
    (sim.root / path.lstrip("/")).chmod(0o666)
    assert make(sim) == Made((path,), ())
    assert found(sim, path)[2] == 0o444


def test_a_folder_in_the_way_is_a_problem_and_the_others_are_made(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT, nodes=False)
    path = slices(sim)[0].files[1]
    (sim.root / path.lstrip("/") / "something").mkdir(parents=True)
    made = make(sim)
    assert set(made.made) == needed(sim) - {path}
    (problem,) = made.problems
    assert "Is a directory" in problem or "File exists" in problem


def test_a_folder_of_nodes_that_others_may_write_is_not_used(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT, nodes=False)
    (sim.root / "dev/nvidia-caps").mkdir(mode=0o755)
    (sim.root / "dev/nvidia-caps").chmod(0o777)
    made = make(sim)
    assert made.made == ()
    assert "not root's alone" in made.problems[0]
    assert list((sim.root / "dev/nvidia-caps").iterdir()) == []


def test_a_folder_of_nodes_that_is_a_link_is_not_followed(new_sim: NewSim, tmp_path: Path) -> None:
    sim = new_sim(LAYOUT, nodes=False)
    (tmp_path / "elsewhere").mkdir()
    (sim.root / "dev/nvidia-caps").symlink_to(tmp_path / "elsewhere")
    assert make(sim).made == ()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_nvidia_modprobe_makes_them_where_it_is(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT, nodes=False)
    asked: list[str] = []

    def modprobe(path: str) -> None:
        asked.append(path)
        sim.make_nodes()

    made = make(sim, modprobe)
    assert made.problems == ()
    assert asked == [f"/proc/driver/nvidia/capabilities/gpu0/mig/gi{slices(sim)[0].gi_id}/access"]
    assert made.made == (slices(sim)[0].files[1],)  # the first call made the others too
    assert all_right(sim)


def broken(_: str) -> None:
    raise CommandError("`nvidia-modprobe` failed with 1: no such luck")


@pytest.mark.parametrize("modprobe", [broken, lambda _: None])
def test_where_nvidia_modprobe_fails_we_make_them(
    modprobe: Callable[[str], object], new_sim: NewSim
) -> None:
    sim = new_sim(LAYOUT, nodes=False)
    made = make(sim, modprobe)
    assert (set(made.made), made.problems) == (needed(sim), ())


def test_a_site_that_wants_nvidia_modprobe_only_is_told(new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=7g.80gb", nodes=False)
    made = make(sim, broken, how="nvidia-modprobe")
    assert made.made == ()
    assert made.problems[0] == "`nvidia-modprobe` failed with 1: no such luck"
    assert "is missing: make it with `nvidia-modprobe -f " in made.problems[1]


def test_a_site_that_wants_none_is_told_what_is_missing(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT, nodes=False)
    made = make(sim, no_modprobe, how="off")
    assert made.made == ()
    assert len(made.problems) == len(needed(sim))
    assert not (sim.root / "dev/nvidia-caps").exists()


def test_device_file_modify_0_is_obeyed(new_sim: NewSim) -> None:
    """nvidia-modprobe would make nothing: it is not run; a mode that is there is not changed."""
    sim = new_sim("h100-80gb=7g.80gb")
    mig = slices(sim)[0]
    minor = int(mig.files[1].removeprefix("/dev/nvidia-caps/nvidia-cap"))
    access(sim, mig.gi_id).write_text(ACCESS.format(minor=minor, mode=0o440, modify=0))
    assert make(sim, no_modprobe) == Made((), ())
    (sim.root / mig.files[1].lstrip("/")).unlink()
    assert make(sim, no_modprobe) == Made((mig.files[1],), ())
    assert found(sim, mig.files[1])[2] == 0o440


def test_what_the_driver_contradicts_is_not_made(new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=7g.80gb", nodes=False)
    mig = slices(sim)[0]
    access(sim, mig.gi_id).write_text(ACCESS.format(minor=57, mode=0o444, modify=1))
    made = make(sim)
    assert made.made == (mig.files[2],)
    assert "says minor 57" in made.problems[0]
    assert not (sim.root / "dev/nvidia-caps/nvidia-cap57").exists()


def test_without_a_major_nothing_is_made(new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=7g.80gb", nodes=False)
    (sim.root / "proc/devices").unlink()
    (sim.root / "proc/devices").write_text("Character devices:\n  1 mem\n")
    made = make(sim)
    assert made.made == ()
    assert all("has no nvidia-caps" in problem for problem in made.problems)


def test_absurd_files_of_the_driver_are_told(new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=7g.80gb", nodes=False)
    access(sim, slices(sim)[0].gi_id).write_text("rubbish\n")
    assert "not a name and a number" in make(sim).problems[0]
    (sim.root / "proc/driver/nvidia-caps/mig-minors").unlink()
    (problem,) = make(sim).problems
    assert "mig-minors is missing" in problem


def test_a_draft_of_a_killed_process_is_no_hindrance(new_sim: NewSim) -> None:
    sim = new_sim(LAYOUT)
    draft = sim.root / f"dev/nvidia-caps/.nvidia-cap12.{os.getpid()}"
    draft.write_text("")
    make_node(sim.root, "/dev/nvidia-caps/nvidia-cap12", (240, 12), 0o444)
    assert not draft.exists()


def test_nvidia_modprobe_is_run_on_the_machine_itself_only(tmp_path: Path) -> None:
    assert modprobe_of(Settings(), tmp_path) is None
    assert modprobe_of(Settings(make_nodes="mknod"), Path("/")) is None
    run = modprobe_of(Settings(make_nodes="nvidia-modprobe"), Path("/"))
    assert run is not None
    with pytest.raises(CommandError):  # not installed here, or not of this GPU
        run("/proc/driver/nvidia/capabilities/gpu99/mig/gi0/access")
