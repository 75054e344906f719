"""The node's own side: its GPUs on the simulator, its slurmd by stand-in commands."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import CommandError, Refused, SlurmMigError
from slurm_mig.gpu.change import bounded, journal
from slurm_mig.gpu.change.bounded import Progress
from slurm_mig.gpu.change.transaction import DONE, NOTHING
from slurm_mig.gpu.nvml.partition_adapter import partition_session
from slurm_mig.gpu.partitioning import CiSpec, Layout, WantedGpu
from slurm_mig.gpu.present.survey import survey
from slurm_mig.reconfigure.node import Commands, NodeGpus, NodeSlurmd
from slurm_mig.reconfigure.record import wanted_of
from tests.gpu.applying import Here, here, layout, request
from tests.gpu.changing import wish
from tests.sim.api import Sim

START = """\
#!/bin/sh
mkdir -p {root}/proc/77 {root}/run
echo "77 (slurmd) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5000 0" >{root}/proc/77/stat
printf 'slurmd\\0-N\\0n1\\0%s\\0' "$1" >{root}/proc/77/cmdline
echo 77 >{root}/run/slurmd.pid
echo "start $*" >>{root}/calls
"""
STOP = "#!/bin/sh\nrm -r {root}/proc/77\necho stop >>{root}/calls\n"


class Machine:
    """A machine whose slurmd is a few files below its root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in (("start", START), ("stop", STOP)):
            self.write(name, text.format(root=root))
        (root / "slurm.conf").write_text("SlurmdPidFile=/run/slurmd.pid\nNodeName=n1\n")
        (root / "proc").mkdir()
        (root / "proc/stat").write_text("btime 1000\n")

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)
        (self.root / name).chmod(0o755)

    def slurmd(
        self, *more: str, limit_s: float = 0.3, sleep: Callable[[float], None] = time.sleep
    ) -> NodeSlurmd:
        start, stop = [f"{self.root}/start", *more], [f"{self.root}/stop"]
        commands = Commands(stop, start, limit_s, limit_s)
        return NodeSlurmd(self.root, self.root / "slurm.conf", "n1", commands, sleep)

    def calls(self) -> list[str]:
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def machine(memory: Path) -> Machine:
    return Machine(memory)


class TestSlurmd:
    def test_is_started_and_stopped_once(self, machine: Machine) -> None:
        slurmd = machine.slurmd()
        assert not slurmd.runs()
        assert slurmd.started() is None
        for _ in range(2):
            slurmd.start({})
            assert slurmd.runs()
        assert slurmd.started() == 1050.0
        for _ in range(2):
            slurmd.stop()
            assert not slurmd.runs()
        assert machine.calls() == ["start ", "stop"]

    def test_that_is_being_replaced_runs(self, machine: Machine) -> None:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                machine.slurmd().start({})

        assert machine.slurmd(sleep=sleep).runs()
        assert len(pauses) == 2

    def test_gets_a_dynamic_node_s_words_as_one(self, machine: Machine) -> None:
        words = 'CPUs=1 Reason="$(id) `id`"'
        machine.slurmd("--conf={conf}", "-v").start({"{conf}": words})
        assert machine.calls() == [f"start --conf={words} -v"]

    def test_that_does_not_come(self, machine: Machine) -> None:
        machine.write("start", "#!/bin/sh\nexit 0\n")
        with pytest.raises(SlurmMigError, match="does not run, though it was started"):
            machine.slurmd().start({})

    def test_that_does_not_go(self, machine: Machine) -> None:
        machine.slurmd().start({})
        machine.write("stop", "#!/bin/sh\nexit 0\n")
        with pytest.raises(SlurmMigError, match="runs on, though it was stopped"):
            machine.slurmd().stop()

    def test_that_loses_the_first_signal(self, machine: Machine) -> None:
        machine.slurmd().start({})
        once = "[ -e {root}/lost ] || {{ touch {root}/lost; echo lost >>{root}/calls; exit 0; }}\n"
        machine.write("stop", STOP.replace("\n", "\n" + once, 1).format(root=machine.root))
        machine.slurmd().stop()
        assert not machine.slurmd().runs()
        assert machine.calls() == ["start ", "lost", "stop"]

    def test_whose_command_fails(self, machine: Machine) -> None:
        machine.write("start", "#!/bin/sh\necho no such unit >&2\nexit 5\n")
        with pytest.raises(CommandError, match="no such unit"):
            machine.slurmd().start({})

    def test_whose_command_hangs(self, machine: Machine) -> None:
        machine.write("start", "#!/bin/sh\nexec sleep 60\n")
        with pytest.raises(CommandError, match=r"0\.3 s"):
            machine.slurmd().start({})


@pytest.fixture
def sims(new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch) -> Here:
    return here(new_sim, monkeypatch)


def look(index: int = 0) -> tuple[str, Layout]:
    """A GPU's UUID, and what it is cut into."""
    with partition_session() as nvml:
        gpu = survey(nvml)[index]
    return gpu.info.uuid, gpu.layout


class TestGpus:
    def test_become_what_is_wanted(self, sims: Here) -> None:
        sim = sims("h100-80gb=7x1g.10gb")
        gpus = NodeGpus(request(sim))
        uuid, before = look()
        assert gpus.change({uuid: wish("3g.40gb@4")}, back=False).outcome == DONE
        assert layout(sim) == "3g.40gb@4"
        assert gpus.change({uuid: wish("3g.40gb@4")}, back=False).outcome == NOTHING
        assert gpus.change({uuid: wanted_of(before)}, back=True).outcome == DONE
        assert look() == (uuid, before)

    def test_come_back_exactly(self, sims: Here) -> None:
        """An H100's 1g.20gb has two compute instances of one name: with 16 and with 26 SMs."""
        sim = sims("h100-80gb=mig")
        gpus = NodeGpus(request(sim))
        uuid, _ = look()
        (gi, *rest) = wish("1g.20gb@0/3g.40gb@4:2c.3g.40gb:1c.3g.40gb").instances
        small = gi._replace(cis=("1g.20gb",), exactly=(CiSpec("1g.20gb", ci_profile_id=0),))
        exact = WantedGpu(True, (small, *rest))
        assert gpus.change({uuid: exact}, back=False).outcome == DONE
        _, before = look()
        assert before.instances[0].cis[0].ci_profile_id == 0
        assert gpus.change({uuid: wish("7x1g.10gb")}, back=False).outcome == DONE
        assert gpus.change({uuid: wanted_of(before)}, back=True).outcome == DONE
        assert look() == (uuid, before)

    def test_one_that_is_gone(self, sims: Here) -> None:
        gpus = NodeGpus(request(sims("h100-80gb=7x1g.10gb")))
        with pytest.raises(Refused, match="GPU-gone does not answer"):
            gpus.change({"GPU-gone": wish("off")}, back=False)

    @pytest.mark.parametrize("back", [False, True])
    def test_an_apply_that_was_cut_short_is_ended_first(self, sims: Here, back: bool) -> None:
        sim = sims("h100-80gb=7x1g.10gb")
        uuid, before = look()
        killed_at(5, sim, lambda gpus: gpus.change({uuid: wish("7g.80gb")}, back=False))
        assert journal.read(sim.root) is not None
        wanted = wanted_of(before) if back else wish("7g.80gb")
        result = NodeGpus(request(sim)).change({uuid: wanted}, back=back)
        assert result.outcome in (DONE, NOTHING)
        assert journal.read(sim.root) is None
        assert (look()[1] == before) == back


def killed_at(step: int, sim: Sim, act: Callable[[NodeGpus], object]) -> None:
    """Do it in a process that kills itself, as by kill -9, when it is about to do that step."""
    pid = os.fork()
    if pid == 0:
        left = step

        def watch(_: Progress) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            act(NodeGpus(request(sim)._replace(watch=watch, run=bounded.here)))
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
