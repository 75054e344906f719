"""Whole applies on simulated machines: what is there afterwards, and what was left alone."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import JournalError, Refused
from slurm_mig.gpu.change import bounded, committed, journal
from slurm_mig.gpu.change.apply import Outcome, run, run_recover
from slurm_mig.gpu.change.nodelock import only_one
from slurm_mig.gpu.change.prepare import prepare
from slurm_mig.gpu.partitioning import Layout
from slurm_mig.settings import Settings
from slurm_mig.system import epoch
from tests.gpu.applying import Here, here, layout, request, site
from tests.gpu.daemons import Daemons
from tests.gpu.holding import holding
from tests.sim.api import Sim
from tests.sim.truth import slices

DCGM, NVSM = "nvidia-dcgm.service", "nvsm.service"
SEVEN = "h100-80gb=7x1g.10gb"


@pytest.fixture
def machine(new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch) -> Here:
    return here(new_sim, monkeypatch)


def with_daemons(sim: Sim, daemons: Daemons) -> Settings:
    return daemons.settings._replace(reset_command=site(sim).reset_command)


def ended(outcome: Outcome) -> tuple[str, bool]:
    return outcome.result.outcome, outcome.good


def is_settled(sim: Sim) -> bool:
    """Nothing is left open: no journal, no daemon to be started, no lock."""
    with only_one(sim.root, 0):
        return journal.read(sim.root) is None and not [
            path for path in (sim.root / "run/slurm-mig").iterdir() if "stopped" in path.name
        ]


class TestWhatIsWanted:
    def test_is_there_with_its_nodes_and_committed(self, machine: Here) -> None:
        sim = machine(SEVEN, nodes=False)
        outcome = run(request(sim, gpu0="3g.40gb/2g.20gb/1g.10gb/1g.10gb"))
        assert ended(outcome) == ("done", True), outcome
        assert layout(sim) == "1g.10gb@0/1g.10gb@1/2g.20gb@2/3g.40gb@4"
        assert all(
            (sim.root / path.lstrip("/")).exists() for mig in slices(sim) for path in mig.files
        )
        (found,) = committed.read(sim.root).values()
        assert [gi.profile for gi in found.instances] == [
            "1g.10gb",
            "1g.10gb",
            "2g.20gb",
            "3g.40gb",
        ]
        assert epoch.generation(str(sim.root)) == 1
        assert is_settled(sim)

    def test_took_so_and_so_long(self, machine: Here) -> None:
        sim = machine(SEVEN)
        steps: list[str] = []
        outcome = run(request(sim, gpu0="7g.80gb")._replace(watch=lambda p: steps.append(p.doing)))
        took = outcome.result.took
        assert len(took) == len(outcome.plans[0].steps) == 16
        assert 0 < sum(one.seconds for one in took) < outcome.result.seconds
        assert [one.what for one in took] == [step for step in steps if step.startswith("GPU 0")]

    def test_twice_is_nothing_to_do(self, machine: Here) -> None:
        sim = machine(SEVEN)
        run(request(sim, gpu0="2g.20gb/1g.10gb"))
        before = sim.show()["gpus"]
        again = run(request(sim, gpu0="2g.20gb/1g.10gb"))
        assert ended(again) == ("nothing", True)
        assert sim.show()["gpus"] == before
        assert epoch.generation(str(sim.root)) == 1

    def test_what_is_there_already_is_committed_and_its_nodes_are_made(self, machine: Here) -> None:
        sim = machine("h100-80gb=3g.40gb@4", nodes=False)
        outcome = run(request(sim, gpu0="3g.40gb@4"))
        assert ended(outcome) == ("nothing", True)
        assert set(outcome.nodes) == {path for mig in slices(sim) for path in mig.files[1:]}
        assert len(committed.read(sim.root)) == 1
        assert epoch.generation(str(sim.root)) == 0

    @pytest.mark.parametrize(
        ("gpu", "wanted", "expected"),
        [
            ("h100-80gb", "3g.40gb@4/1g.10gb@0", "1g.10gb@0/3g.40gb@4"),
            ("a100-40gb", "3g.20gb/2g.10gb", "2g.10gb@0/3g.20gb@4"),
            ("a100-40gb=2x3g.20gb", "off", "off"),
            ("h100-80gb=mig", "off", "off"),
            ("a30-24gb", "mig", "mig"),
        ],
    )
    def test_with_the_mode_of_each_family(
        self, gpu: str, wanted: str, expected: str, machine: Here
    ) -> None:
        sim = machine(gpu, "h100-80gb=2x3g.40gb")
        outcome = run(request(sim, gpu0=wanted))
        assert ended(outcome) == ("done", True), outcome
        assert sorted(layout(sim).split("/")) == sorted(expected.split("/"))
        assert layout(sim, 1) == "3g.40gb@0/3g.40gb@4"
        assert is_settled(sim)

    def test_a_gpu_that_needs_a_reset_does_not_reset_the_others(self, machine: Here) -> None:
        sim = machine("a100-40gb", "a100-40gb=2x3g.20gb", "a100-40gb=7g.40gb")
        other = slices(sim)[0]
        with sim.running(other.uuid):
            outcome = run(request(sim, gpu0="7g.40gb", gpu1="3g.20gb@0/3g.20gb@4"))
        assert ended(outcome) == ("done", True), outcome
        assert [layout(sim, index) for index in range(3)] == [
            "7g.40gb@0",
            "3g.20gb@0/3g.20gb@4",
            "7g.40gb@0",
        ]

    def test_who_runs_on_an_instance_that_stays_runs_on(self, machine: Here) -> None:
        sim = machine(SEVEN)
        kept = slices(sim)[0]
        with sim.running(kept.uuid) as process:
            outcome = run(request(sim, gpu0="3g.40gb/1g.10gb"))
            assert process.poll() is None
        assert ended(outcome) == ("done", True)
        assert kept.uuid in {mig.uuid for mig in slices(sim)}


class TestWhatForbidsIt:
    def refused(self, sim: Sim, settings: Settings | None = None, **by_index: str) -> str:
        before = sim.show()["gpus"]
        with pytest.raises(Refused) as error:
            run(request(sim, settings, **by_index))
        assert sim.show()["gpus"] == before
        assert is_settled(sim)
        assert epoch.generation(str(sim.root)) == 0
        return str(error.value)

    def test_a_process_on_what_goes(self, machine: Here) -> None:
        sim = machine(SEVEN)
        user = slices(sim)[6]
        with sim.running(user.uuid) as process:
            told = self.refused(sim, gpu0="7g.80gb")
        assert f"process {process.pid} of root (" in told
        assert f"is on 1g.10gb@6 (GPU instance {user.gi_id}), which is to go" in told

    @pytest.mark.parametrize("gpu", ["h100-80gb", "h100-80gb=mig", "a100-40gb"])
    def test_a_client_that_only_watches(self, gpu: str, machine: Here) -> None:
        """Of the mode, of the first GPU instance, of a reset."""
        sim = machine(gpu)
        profile = "3g.40gb" if gpu.startswith("h100") else "3g.20gb"
        with sim.running(kind="client") as process:
            told = self.refused(sim, gpu0=profile)
        assert f"process {process.pid} of root (" in told
        assert "has this GPU open, and " in told

    def test_a_job_with_its_hostile_command_line(self, machine: Here) -> None:
        sim = machine(SEVEN)
        job = "/system.slice/slurmstepd.scope/job_42/step_0"
        words = [b"python\x1b[2J", b"slurm-mig: done\n"]
        files = slices(sim)[3].files
        with holding(sim.root, *files, uid=61001, cgroup=job, words=words):
            told = self.refused(sim, gpu0="7g.80gb")
        assert "of uid 61001 (python\\x1b[2J slurm-mig: done, Slurm job 42) is on 1g.10gb@3" in told
        assert "\n" not in told

    def test_everything_at_once(self, machine: Here) -> None:
        sim = machine(SEVEN, "a100-40gb")
        settings = site(sim)._replace(reset_command=())
        with sim.running(slices(sim)[0].uuid), sim.running("1", kind="client"):
            told = self.refused(sim, settings, gpu0="7g.80gb", gpu1="mig")
        assert told.startswith("nothing was changed: 3 problems\n")

    @pytest.mark.parametrize("gpu", [SEVEN, "h100-80gb=mig", "h100-80gb", "a100-80gb"])
    def test_what_cannot_fit_even_where_mig_is_off(self, gpu: str, machine: Here) -> None:
        sim = machine(gpu)
        wanted = "7g.80gb/1g.10gb"
        assert "7g.80gb" in self.refused(sim, gpu0=wanted)

    def test_another_apply(self, machine: Here) -> None:
        sim = machine(SEVEN)
        settings = site(sim)._replace(lock_timeout_s=0.2)
        with only_one(sim.root, 0), pytest.raises(Refused, match="another change of this node"):
            run(request(sim, settings, gpu0="7g.80gb"))
        assert layout(sim).startswith("1g.10gb@0/")

    def test_a_state_folder_that_others_may_write(self, machine: Here) -> None:
        sim = machine(SEVEN)
        (sim.root / "var/lib/slurm-mig").mkdir(parents=True)
        (sim.root / "var/lib/slurm-mig").chmod(0o777)
        with pytest.raises(JournalError, match="not root's alone"):
            run(request(sim, gpu0="7g.80gb"))

    def test_an_apply_that_is_not_at_its_end(self, machine: Here) -> None:
        sim = machine(SEVEN)
        leave_a_journal(sim)
        with pytest.raises(JournalError, match="run `slurm-mig recover`, then this again"):
            run(request(sim, gpu0="7g.80gb"))

    def test_somebody_who_is_not_root(self, machine: Here) -> None:
        sim = machine(SEVEN)
        pid = os.fork()
        if pid == 0:
            os.setresuid(61001, 61001, 61001)
            try:
                run(request(sim, gpu0="7g.80gb"))
            except Refused as error:
                os._exit(0 if "run as root" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    def test_prepare_alone_changes_and_makes_nothing(self, machine: Here) -> None:
        sim = machine(SEVEN)
        before = sorted(path.name for path in sim.root.iterdir())
        prepared = prepare(request(sim, gpu0="7g.80gb"))
        assert prepared.problems == ()
        assert sorted(path.name for path in sim.root.iterdir()) == before
        assert layout(sim).startswith("1g.10gb@0/")


def leave_a_journal(sim: Sim, boot_id: str | None = None) -> None:
    """As an apply that was killed before its first change leaves it: to 7g.80gb, not yet begun."""
    prepared = prepare(request(sim, gpu0="7g.80gb"))
    (one,) = prepared.plans
    entry = journal.JournalGpu(one.gpu.info.uuid, one.former, one.target)
    here_and_now = epoch.boot_id(str(sim.root))
    journal.begin(
        sim.root,
        journal.Journal(journal.new_id(), boot_id or here_and_now, journal.APPLYING, (entry,)),
    )


class TestDaemons:
    def test_are_stopped_meanwhile_and_run_afterwards(self, machine: Here, tmp_path: Path) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d", DCGM, NVSM)
        running: list[set[str]] = []
        asked = request(sim, with_daemons(sim, daemons), gpu0="7g.80gb")
        outcome = run(asked._replace(watch=lambda _: running.append(daemons.running())))
        assert ended(outcome) == ("done", True)
        assert outcome.stopped == (DCGM, NVSM)
        assert set() in running
        assert daemons.running() == {DCGM, NVSM}

    def test_are_left_alone_where_there_is_nothing_to_do(
        self, machine: Here, tmp_path: Path
    ) -> None:
        sim, daemons = machine("h100-80gb=3g.40gb@4"), Daemons(tmp_path / "d", DCGM)
        run(request(sim, with_daemons(sim, daemons), gpu0="3g.40gb@4"))
        assert daemons.done() == []

    def test_are_left_alone_where_it_is_refused(self, machine: Here, tmp_path: Path) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d", DCGM)
        with sim.running(), pytest.raises(Refused):
            run(request(sim, with_daemons(sim, daemons), gpu0="7g.80gb"))
        assert daemons.done() == []

    def test_one_that_does_not_start_again_is_told(self, machine: Here, tmp_path: Path) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d", DCGM)
        daemons.mark(DCGM, "broken")
        settings = with_daemons(sim, daemons)
        outcome = run(request(sim, settings, gpu0="7g.80gb"))
        assert ended(outcome) == ("done", False)
        assert "did not start again" in outcome.troubles[0]
        (daemons.folder / f"{DCGM}.broken").unlink()
        assert ended(run_recover(request(sim, settings))) == ("nothing", True)
        assert daemons.running() == {DCGM}

    def test_one_that_does_not_stop_refuses(self, machine: Here, tmp_path: Path) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d", DCGM, NVSM)
        daemons.mark(NVSM, "stubborn")
        with pytest.raises(Refused, match="runs on, though it was stopped"):
            run(request(sim, with_daemons(sim, daemons), gpu0="7g.80gb"))
        assert daemons.running() == {DCGM, NVSM}
        assert layout(sim).startswith("1g.10gb@0/")
        assert is_settled(sim)

    def test_one_whose_process_stays_when_it_is_stopped_refuses(
        self, machine: Here, tmp_path: Path
    ) -> None:
        sim, daemons = machine("h100-80gb"), Daemons(tmp_path / "d", DCGM)
        service = f"/system.slice/{DCGM}"
        with holding(sim.root, "/dev/nvidia0", cgroup=service), pytest.raises(Refused) as error:
            run(request(sim, with_daemons(sim, daemons), gpu0="mig"))
        assert str(error.value).startswith(f"nothing was changed (after {DCGM} stopped): GPU 0 (")
        assert daemons.running() == {DCGM}
        assert layout(sim) == "off"

    def test_one_that_is_stopped_only_where_it_blocks(self, machine: Here, tmp_path: Path) -> None:
        unit = "nvidia-persistenced.service"
        sim, daemons = machine("h100-80gb"), Daemons(tmp_path / "d", unit, clients=())
        settings = with_daemons(sim, daemons)._replace(clients_if_blocking=(unit,))
        assert run(request(sim, settings, gpu0="mig")).stopped == ()
        with (
            holding(sim.root, "/dev/nvidia0", cgroup=f"/system.slice/{unit}"),
            pytest.raises(Refused, match=f"after {unit} stopped"),
        ):
            run(request(sim, settings, gpu0="3g.40gb"))
        assert daemons.running() == {unit}

    def test_one_that_is_on_an_instance_that_goes_is_stopped_for_it(
        self, machine: Here, tmp_path: Path
    ) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d", DCGM)
        files, service = slices(sim)[6].files, f"/system.slice/{DCGM}"
        asked = request(sim, with_daemons(sim, daemons), gpu0="7g.80gb")
        with holding(sim.root, *files, cgroup=service) as process:
            assert prepare(asked).problems == ()
            # It ends with its service.
            stop = Path(asked.settings.stop_command[0])
            stop.write_text(f"{stop.read_text()}kill -9 {process.pid}\n")
            outcome = run(asked)
        assert ended(outcome) == ("done", True), outcome
        assert outcome.stopped == (DCGM,)

    def test_those_of_a_killed_run_are_started_by_the_next(
        self, machine: Here, tmp_path: Path
    ) -> None:
        sim, daemons = machine("h100-80gb=3g.40gb@4"), Daemons(tmp_path / "d")
        folder = sim.root / "run/slurm-mig"
        folder.mkdir(parents=True)
        text = {"boot_id": epoch.boot_id(str(sim.root)), "units": [DCGM]}
        (folder / "stopped-clients.json").write_text(json.dumps(text))
        assert ended(run(request(sim, with_daemons(sim, daemons), gpu0="3g.40gb@4")))[1]
        assert daemons.running() == {DCGM}


class TestWhatFails:
    def test_goes_back_and_starts_the_daemons(self, machine: Here, tmp_path: Path) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d", DCGM)
        before = layout(sim)
        sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", code="UNKNOWN")
        outcome = run(request(sim, with_daemons(sim, daemons), gpu0="7g.80gb"))
        assert ended(outcome) == ("former", False), outcome
        assert layout(sim) == before
        assert daemons.running() == {DCGM}
        assert committed.read(sim.root) == {}
        assert is_settled(sim)

    def test_a_process_that_comes_between_the_look_and_the_destroying(self, machine: Here) -> None:
        sim = machine(SEVEN)
        before = layout(sim)
        last = slices(sim)[6].uuid
        came: list[Any] = []

        def come(progress: Any) -> None:
            if "destroy" in progress.doing and not came:
                came.append(sim.running(last))
                came[0].__enter__()

        # In this process: so it comes before the step is made.
        outcome = run(request(sim, gpu0="7g.80gb")._replace(watch=come, run=bounded.here))
        came[0].__exit__(None, None, None)
        assert ended(outcome) == ("former", False), outcome
        assert layout(sim) == before
        assert last in {mig.uuid for mig in slices(sim)}
        assert is_settled(sim)

    def test_a_reset_that_is_not_supported_waits_for_a_reboot(self, machine: Here) -> None:
        sim = machine("a100-40gb", "a100-40gb=7g.40gb")
        outcome = run(request(sim, site(sim, "--refuse"), gpu0="2g.10gb@0", gpu1="3g.20gb"))
        assert outcome.result.outcome == "reboot"
        assert "not supported" in outcome.result.problem
        assert "reboot the node, then run `slurm-mig recover`" in outcome.result.next_step
        assert layout(sim, 1) == "7g.40gb@0"  # what needs a reboot stops all before much is changed
        sim.reboot()
        outcome = run_recover(request(sim, site(sim, "--refuse")))
        assert ended(outcome) == ("done", True), outcome
        assert layout(sim, 0) == "2g.10gb@0"
        assert is_settled(sim)

    def test_a_reset_that_hangs_is_ended_and_goes_back(self, machine: Here, tmp_path: Path) -> None:
        sim = machine("a100-40gb")
        (tmp_path / "hang").write_text("#!/bin/sh\nsleep 1000 &\nwait\n")
        (tmp_path / "hang").chmod(0o755)
        settings = site(sim)._replace(
            reset_command=(str(tmp_path / "hang"), "{bus_id}"), reset_timeout_s=0.5
        )
        begin = time.monotonic()
        outcome = run(request(sim, settings, gpu0="2g.10gb"))
        assert outcome.result.outcome in ("reboot", "former")
        assert "did not end within 0.5 s" in outcome.result.problem
        assert time.monotonic() - begin < 30
        assert layout(sim) == "off"

    def test_device_nodes_that_cannot_be_made_go_back(self, machine: Here) -> None:
        sim = machine("h100-80gb=mig", nodes=False)
        folder = sim.root / "dev/nvidia-caps"
        folder.mkdir()
        folder.chmod(0o777)
        outcome = run(request(sim, gpu0="3g.40gb"))
        assert outcome.result.outcome == "former", outcome
        assert "not root's alone" in outcome.result.problem
        assert layout(sim) == "mig"

    def test_where_the_site_makes_the_nodes_they_are_only_told(self, machine: Here) -> None:
        sim = machine("h100-80gb=mig", nodes=False)
        outcome = run(request(sim, site(sim)._replace(make_nodes="off"), gpu0="3g.40gb"))
        assert ended(outcome) == ("done", False)
        assert all("is missing: make it with" in problem for problem in outcome.troubles)
        assert layout(sim) == "3g.40gb@0" or layout(sim) == "3g.40gb@4"

    def test_nvml_that_hangs_while_we_look_ends(self, machine: Here, monkeypatch: Any) -> None:
        sim = machine(SEVEN)
        monkeypatch.setattr("slurm_mig.gpu.change.prepare._LOOK_S", 0.5)
        sim.fault("nvmlDeviceGetCount_v2", hang_ms=60_000)
        settings = site(sim)._replace(look_timeout_s=0.5)
        with pytest.raises(Exception, match="looking at the GPUs: no answer in time"):
            run(request(sim, settings, gpu0="7g.80gb"))
        sim.clear_faults()
        assert layout(sim).startswith("1g.10gb@0/")
        assert is_settled(sim)

    def test_two_at_once_are_one_after_the_other(self, machine: Here) -> None:
        sim = machine(SEVEN)
        ends: list[tuple[str, bool]] = []

        def one(wanted: str) -> None:
            ends.append(ended(run(request(sim, gpu0=wanted))))

        threads = [threading.Thread(target=one, args=(w,)) for w in ("7g.80gb", "3g.40gb@4")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ends == [("done", True), ("done", True)]
        assert layout(sim) in ("7g.80gb@0", "3g.40gb@4")
        assert is_settled(sim)


class TestRecover:
    def test_nothing_is_open(self, machine: Here) -> None:
        sim = machine(SEVEN)
        outcome = run_recover(request(sim))
        assert ended(outcome) == ("nothing", True)
        assert outcome.plans == ()

    @pytest.mark.parametrize(("undo", "there"), [(False, "1g.10gb@0"), (True, "1g.10gb@0")])
    def test_a_journal_before_its_first_change(
        self, undo: bool, there: str, machine: Here, tmp_path: Path
    ) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d", DCGM)
        leave_a_journal(sim)
        outcome = run_recover(request(sim, with_daemons(sim, daemons)), undo=undo)
        assert outcome.result.outcome == "former"
        assert layout(sim).startswith(there)
        assert is_settled(sim)
        assert daemons.running() == {DCGM}
        assert outcome.stopped == (DCGM,)  # it could have been in the way
        assert ended(run_recover(request(sim, with_daemons(sim, daemons)))) == ("nothing", True)

    def test_a_damaged_journal_starts_the_daemons_all_the_same(
        self, machine: Here, tmp_path: Path
    ) -> None:
        sim, daemons = machine(SEVEN), Daemons(tmp_path / "d")
        leave_a_journal(sim)
        (sim.root / "var/lib/slurm-mig/journal.json").write_text("{")
        (sim.root / "run/slurm-mig").mkdir(parents=True, exist_ok=True)
        text = {"boot_id": epoch.boot_id(str(sim.root)), "units": [DCGM]}
        (sim.root / "run/slurm-mig/stopped-clients.json").write_text(json.dumps(text))
        with pytest.raises(JournalError, match="not JSON"):
            run_recover(request(sim, with_daemons(sim, daemons)))
        assert daemons.running() == {DCGM}


class TestAtBoot:
    @pytest.mark.parametrize("gpu", ["h100-80gb", "a100-40gb"])
    def test_the_layout_comes_back_once(self, gpu: str, machine: Here) -> None:
        sim = machine(gpu, "a30-24gb", SEVEN)
        wanted = "3g.40gb/1g.10gb" if gpu == "h100-80gb" else "3g.20gb/1g.5gb"
        assert run(request(sim, gpu0=wanted, gpu1="2x2g.12gb".replace("2x", ""))).good
        before = layout(sim), layout(sim, 1)
        assert layout(sim, 2).startswith("1g.10gb@0/")
        sim.reboot()
        assert "@" not in layout(sim) + layout(sim, 1)
        outcome = run(request(sim))
        assert ended(outcome) == ("done", True), outcome
        assert (layout(sim), layout(sim, 1)) == before
        assert layout(sim, 2) in ("mig", "off")  # nobody committed it
        again = run(request(sim))
        assert ended(again) == ("nothing", True)
        assert again.result.took == ()

    def test_nothing_was_ever_applied(self, machine: Here) -> None:
        sim = machine(SEVEN)
        assert ended(run(request(sim))) == ("nothing", True)
        assert not (sim.root / "var/lib/slurm-mig/committed.json").exists()

    def test_what_failed_is_not_made_at_boot(self, machine: Here) -> None:
        sim = machine("h100-80gb=mig")
        run(request(sim, gpu0="3g.40gb@4"))
        sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", code="UNKNOWN")
        assert run(request(sim, gpu0="7g.80gb")).result.outcome == "former"
        sim.clear_faults()
        sim.reboot()
        assert run(request(sim)).good
        assert layout(sim) == "3g.40gb@4"

    def test_a_journal_from_before_the_reboot_is_settled_first(self, machine: Here) -> None:
        sim = machine("h100-80gb=mig")
        run(request(sim, gpu0="3g.40gb@4"))
        leave_a_journal(sim, boot_id="of another boot")
        sim.reboot()
        outcome = run(request(sim))
        assert outcome.good, outcome
        assert layout(sim) == "3g.40gb@4"
        assert is_settled(sim)

    def test_a_gpu_that_is_gone_is_told_and_the_others_come_back(self, machine: Here) -> None:
        sim = machine("h100-80gb", "h100-80gb")
        run(request(sim, gpu0="3g.40gb@4", gpu1="3g.40gb@4"))
        sim.reboot()
        sim.lose(0)
        outcome = run(request(sim))
        assert outcome.result.outcome == "done"
        assert not outcome.good
        assert any("is committed, and does not answer" in one for one in outcome.troubles)
        assert layout(sim, 1) == "3g.40gb@4"

    def test_one_that_was_taken_out_can_be_forgotten(self, machine: Here) -> None:
        sim = machine("h100-80gb")
        run(request(sim, gpu0="3g.40gb@4"))
        there = committed.read(sim.root)
        committed.save(sim.root, {"GPU-of-another-time": next(iter(there.values()))})
        (told,) = run(request(sim)).troubles
        assert told.startswith("GPU-of-another-time is committed, and does not answer: ")
        assert "take it out of /var/lib/slurm-mig/committed.json too" in told

    def test_a_client_that_came_first_is_told(self, machine: Here) -> None:
        sim = machine("h100-80gb")
        run(request(sim, gpu0="3g.40gb@4"))
        sim.reboot()
        with sim.running(kind="client"), pytest.raises(Refused, match="has this GPU open"):
            run(request(sim))
        assert layout(sim) == "off"

    def test_a_damaged_file_changes_nothing(self, machine: Here) -> None:
        sim = machine(SEVEN)
        committed.save(sim.root, {"GPU-1": Layout(False)})
        (sim.root / "var/lib/slurm-mig/committed.json").write_text("{")
        with pytest.raises(JournalError, match="not JSON"):
            run(request(sim))
        assert layout(sim).startswith("1g.10gb@0/")
