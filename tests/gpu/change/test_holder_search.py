"""Who is on a simulated machine's GPUs: real processes, by NVML's lists and by their open files."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable

import pytest

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.change.holder_search import look
from slurm_mig.gpu.change.holders import Holder, Sight
from slurm_mig.gpu.nvml.processes import GpuProcess, PynvmlProcesses
from slurm_mig.model import GpuIndex, Placement
from tests.gpu.holding import holding
from tests.gpu.live import live_gpus
from tests.sim import library, proc
from tests.sim.api import Sim
from tests.sim.truth import Slice, slices

Open = Callable[..., Sim]
TWO = "h100-80gb=3g.40gb@4:2c:1c/1g.10gb@0"
JOB = "/system.slice/slurmstepd.scope/job_42/step_0/user/task_0"
DCGM = "/system.slice/nvidia-dcgm.service"


class Listed:
    """NVML that lists these, or fails."""

    def __init__(self, found: Iterable[GpuProcess] = (), error: NvmlError | None = None) -> None:
        self.found, self.error = tuple(found), error

    def processes(self, gpu_index: GpuIndex) -> tuple[GpuProcess, ...]:
        if self.error is not None:
            raise self.error
        return self.found if gpu_index == 0 else ()


def by_files(sim: Sim, limit_s: float = 30) -> Sight:
    """Who is seen by open files alone."""
    return look(sim.root, live_gpus(sim), Listed(), limit_s)


def places(sight: Sight) -> list[tuple[int, int | None, int | None]]:
    assert sight.unseen == ()
    return [(one.pid, one.gi_id, one.ci_id) for one in sight.holders]


def at(mig: Slice) -> tuple[int, int]:
    return mig.gi_id, mig.ci_id


def test_nobody(open_nvml: Open) -> None:
    sim = open_nvml(TWO, "a100-40gb")
    assert look(sim.root, live_gpus(sim), PynvmlProcesses(), 30) == Sight()


def test_everybody_once_with_all_that_is_known(open_nvml: Open) -> None:
    sim = open_nvml(TWO, "a100-40gb")
    second = slices(sim)[1]
    with (
        sim.running(second.uuid) as compute,
        sim.running("1") as whole,
        sim.running("0", kind="client") as client,
    ):
        sight = look(sim.root, live_gpus(sim), PynvmlProcesses(), 30)
        by_pid = {one.pid: one for one in sight.holders}
        assert by_pid.keys() == {compute.pid, whole.pid, client.pid}
    assert sorted(places(sight)) == sorted(
        [(compute.pid, *at(second)), (whole.pid, None, None), (client.pid, None, None)]
    )
    assert by_pid[whole.pid].gpu_uuid != by_pid[client.pid].gpu_uuid
    one = by_pid[compute.pid]
    assert (one.uid, one.user, one.job) == (os.getuid(), "root", None)
    assert one.start is not None
    assert "-m tests.sim run" in one.command


def test_open_files_tell_the_instance_without_nvml(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    for mig in slices(sim):
        with holding(sim.root, *mig.files) as process:
            assert places(by_files(sim)) == [(process.pid, *at(mig))]


def test_a_process_on_two_slices_is_on_both(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    first, *_, last = slices(sim)
    with holding(sim.root, *first.files, *last.files) as process:
        expected = [(process.pid, *at(mig)) for mig in (first, last)]
        assert sorted(places(by_files(sim))) == sorted(expected)


def test_a_gpu_instance_alone(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    mig = slices(sim)[0]
    with holding(sim.root, *mig.files[:2]) as process:
        assert places(by_files(sim)) == [(process.pid, mig.gi_id, None)]


def test_nvml_knows_the_instance_of_one_whose_cap_files_are_closed(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    mig = slices(sim)[2]
    with holding(sim.root, mig.files[0]) as process:
        library.must("process_add", sim.dir, process.pid, 0, 0, *at(mig), library.Step(), 1)
        sight = look(sim.root, live_gpus(sim), PynvmlProcesses(), 30)
        assert places(sight) == [(process.pid, *at(mig))]


def test_we_are_not_in_our_own_way(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    proc.show(sim.root / f"proc/{os.getpid()}", os.getpid(), [sim.root / "dev/nvidia0"])
    ours = Listed([GpuProcess(os.getpid(), None, None)])
    assert look(sim.root, live_gpus(sim), ours, 30) == Sight()


def test_the_job_and_the_service(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    with (
        holding(sim.root, "/dev/nvidia0", uid=61001, cgroup=JOB) as task,
        holding(sim.root, "/dev/nvidia0", cgroup=DCGM, words=[b"/usr/bin/nv-hostengine", b"-n"]),
    ):
        found = {one.job: one for one in by_files(sim).holders}
    assert (found["42"].user, found["42"].service) == ("uid 61001", None)
    assert str(found["42"]).startswith(f"process {task.pid} of uid 61001 (")
    assert str(found["42"]).endswith(", Slurm job 42)")
    assert str(found[None]).endswith("(/usr/bin/nv-hostengine -n, nvidia-dcgm.service)")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([b"python", b"train.py"], "python train.py"),
        ([b"x\x1b[2J\x1b]0;owned\x07"], "x\\x1b[2J\\x1b]0;owned\\x07"),
        ([b"a\nslurm-mig: done"], "a slurm-mig: done"),
        ([b"\xff\xfe"], "\\xff\\xfe"),
        ([b"x" * 9000], "x" * 77 + "..."),
    ],
)
def test_a_hostile_command_line_is_shown_as_text(
    words: list[bytes], shown: str, open_nvml: Open
) -> None:
    sim = open_nvml(TWO)
    with holding(sim.root, "/dev/nvidia0", words=words):
        (found,) = by_files(sim).holders
    assert found.command == shown
    assert str(found).isprintable()


def test_what_is_in_the_way_of_an_instance(open_nvml: Open) -> None:
    """Who only watches is not; a job of which nobody knows where it is, is in everybody's."""
    sim = open_nvml(TWO)
    (gpu,), first = live_gpus(sim), slices(sim)[0]
    on, off = sorted(gpu.instances, key=lambda gi: gi.gi_id != first.gi_id)
    with holding(sim.root, *first.files) as user, holding(sim.root, "/dev/nvidia0", cgroup=DCGM):
        sight = by_files(sim)
        assert [one.pid for one in sight.on_instance(gpu, on)] == [user.pid]
        assert sight.on_instance(gpu, off) == ()
        assert len(sight.on(gpu)) == 2
        assert sight.busy(gpu) == {on.placement}
    with holding(sim.root, "/dev/nvidia0", cgroup=JOB):
        assert by_files(sim).busy(gpu) == {gi.placement for gi in gpu.instances}


def test_other_gpus_have_nothing_to_do_with_it(open_nvml: Open) -> None:
    sim = open_nvml(TWO, TWO)
    one, other = live_gpus(sim)
    with holding(sim.root, "/dev/nvidia1") as process:
        sight = by_files(sim)
    assert [holder.pid for holder in sight.on(other)] == [process.pid]
    assert sight.on(one) == ()
    assert sight.busy(one) == frozenset[Placement]()


def test_one_that_nvml_lists_and_proc_does_not(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    nvml = Listed([GpuProcess(4_194_303, None, None)])
    (found,) = look(sim.root, live_gpus(sim), nvml, 30).holders
    assert (found.start, found.uid) == (None, None)
    assert str(found) == (
        "process 4194303 of an unknown user (not in this machine's /proc, or just ended)"
    )


def test_one_that_died_and_was_not_waited_for_is_nobody(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (sim.root / f"proc/{process.pid}").symlink_to(f"/proc/{process.pid}")
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert by_files(sim) == Sight()
    assert by_files(sim) == Sight()  # and now its link leads nowhere


def test_nvml_that_does_not_answer_is_not_nobody(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    nvml = Listed(error=NvmlError("GPU 0: NVML: Timeout", 10))
    with holding(sim.root, "/dev/nvidia0") as process:
        sight = look(sim.root, live_gpus(sim), nvml, 30)
    assert [one.pid for one in sight.holders] == [process.pid]
    assert sight.unseen == ("the processes on it could not be listed: GPU 0: NVML: Timeout",)


def test_a_look_cut_short_is_not_nobody(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    with holding(sim.root, "/dev/nvidia0"):
        (why,) = by_files(sim, limit_s=-1).unseen
    assert why == "not every process could be looked at in -1 s: run it again"


def test_proc_that_is_not_there_is_not_nobody(open_nvml: Open) -> None:
    sim = open_nvml("h100-80gb")
    (sim.root / "proc").rename(sim.root / "elsewhere")
    (why,) = by_files(sim).unseen
    assert why.startswith("who has the GPUs' device files open could not be seen: ")


def test_capabilities_that_cannot_be_believed_are_not_nobody(open_nvml: Open) -> None:
    sim = open_nvml(TWO)
    (sim.root / "proc/devices").unlink()
    (sim.root / "proc/devices").write_text("Character devices:\n  1 mem\n")
    (why,) = by_files(sim).unseen
    assert "has no nvidia-caps" in why


def test_processes_that_hide_are_counted(open_nvml: Open) -> None:
    """As to root of a container without CAP_SYS_PTRACE: here a folder that nobody may list."""
    sim = open_nvml(TWO)
    script = (
        "import os, sys; from pathlib import Path; from slurm_mig.system.processes import Search;"
        "os.setresuid(61001, 61001, 61001); s = Search('/', (('/dev/nvidia0', 195, 0),));\n"
        "try: s.held(1)\nexcept PermissionError: print('hidden')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "hidden\n", done.stderr
    folder = sim.root / "proc/77"
    folder.mkdir()
    (folder / "fd").symlink_to("fd")  # ELOOP: neither gone nor to be seen
    assert by_files(sim).unseen == ("1 of the processes do not show their open files: run as root",)


def test_a_holder_without_a_word_to_say() -> None:
    shown = str(Holder(7, 1, 0, "root", "[x]", None, None, "GPU-1"))
    assert shown == "process 7 of root ([x])"
