"""`slurm-mig apply` and `recover` as programs on simulated machines; killed, interrupted too."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from slurm_mig.cli.apply import command
from slurm_mig.errors import UsageError
from tests.gpu.applying import (
    configure,
    end,
    layout,
    program,
    site,
    started,
    wait_until,
    wanted_file,
)
from tests.gpu.daemons import Daemons
from tests.sim.api import CHECKOUT, Sim
from tests.sim.truth import slices

NewSim = Callable[..., Sim]
SEVEN = "h100-80gb=7x1g.10gb"
DCGM = "nvidia-dcgm.service"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    wanted = {"large": "7g.80gb", "mixed": "3g.40gb/2g.20gb/2x1g.10gb", "never": "7g.80gb/1g.10gb"}
    return wanted_file(tmp_path, **wanted)


def opened(sim: Sim) -> bool:
    return (sim.root / "var/lib/slurm-mig/journal.json").exists()


class TestTheCommandLine:
    @pytest.mark.parametrize(
        "words",
        [
            [],
            ["--committed", "-f", "x"],
            ["--committed", "-c", "x"],
        ],
    )
    def test_mistakes(self, words: list[str]) -> None:
        done = CliRunner().invoke(command, words)
        assert isinstance(done.exception, UsageError)

    def test_a_label_that_is_not_there(self, new_sim: NewSim, file: Path) -> None:
        done = program(new_sim(SEVEN), "apply", "-f", str(file), "-c", "mixd")
        assert done.returncode == 2
        assert "did you mean mixed?" in done.stderr

    def test_a_mistake_in_the_settings_refuses(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN)
        configure(sim)
        config = sim.root / "etc/slurm-mig/config.toml"
        config.write_text('[partition]\nreset_comand = ["x"]\nmake_nodes = "maybe"\n')
        done = program(sim, "apply", "-f", str(file), "-c", "large")
        assert done.returncode == 1
        assert done.stderr.startswith("slurm-mig: /etc/slurm-mig/config.toml: 2 problems\n")
        assert layout(sim).startswith("1g.10gb@0/")


class TestApply:
    def test_tells_what_it_did_and_how_long_it_took(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN)
        done = program(sim, "apply", "-f", str(file), "-c", "large")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert len(lines) == 16 + 2
        assert lines[0].endswith(
            " s  GPU 0 (00000000:0B:00.0): destroy compute instance 1g.10gb of 1g.10gb@0"
        )
        assert lines[-2].endswith(": MIG on: 7g.80gb@0")
        assert lines[-1].startswith(f"{file}, large: done in ")

    def test_twice(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN)
        for _ in range(2):
            done = program(sim, "apply", "-f", str(file), "-c", "large")
        assert (done.returncode, done.stdout) == (0, f"{file}, large: nothing to do\n")

    def test_as_json(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN, nodes=False)
        done = program(sim, "apply", "-f", str(file), "-c", "mixed", "--json")
        value = json.loads(done.stdout)
        assert (done.returncode, value["version"], value["outcome"]) == (0, 1, "done")
        assert (value["config"], value["good"], value["problem"]) == (f"{file}, mixed", True, None)
        assert len(value["took"]) == len(value["gpus"][0]["steps"])
        assert 0 < sum(step["seconds"] for step in value["took"]) < value["seconds"]
        assert value["ends"][0]["holds"] == "MIG on: 1g.10gb@0, 1g.10gb@1, 2g.20gb@2, 3g.40gb@4"

    def test_dry_run_is_a_plan(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN)
        done = program(sim, "apply", "-f", str(file), "-c", "mixed", "--dry-run")
        assert (done.returncode, done.stderr) == (0, "")
        assert "1 GPU of 1 to change; GPU instances: 2 stay, 5 go, 2 come" in done.stdout
        assert done.stdout == program(sim, "plan", "-f", str(file), "-c", "mixed").stdout
        as_json = program(sim, "apply", "-f", str(file), "-c", "mixed", "--dry-run", "--json")
        assert json.loads(as_json.stdout)["changes"] is True
        assert layout(sim).startswith("1g.10gb@0/")
        assert not (sim.root / "run").exists()

    @pytest.mark.parametrize("words", [(), ("--dry-run",)])
    def test_who_is_in_the_way_is_named(
        self, words: tuple[str, ...], new_sim: NewSim, file: Path
    ) -> None:
        sim = new_sim(SEVEN)
        with sim.running(slices(sim)[2].uuid) as process:
            done = program(sim, "apply", "-f", str(file), "-c", "large", *words)
        assert done.returncode == 1
        assert f": process {process.pid} of root (" in done.stderr
        assert "is on 1g.10gb@2 (GPU instance " in done.stderr
        assert layout(sim).startswith("1g.10gb@0/")

    def test_a_dry_run_s_json_says_what_forbids_it(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim("h100-80gb=mig")
        with sim.running(kind="client"):
            words = ("apply", "-f", str(file), "-c", "large", "--dry-run", "--json")
            done = program(sim, *words)
        value = json.loads(done.stdout)
        assert (done.returncode, value["possible"], len(value["problems"])) == (1, False, 1)
        assert "has this GPU open" in value["problems"][0]

    def test_plan_shows_who_it_is_too(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN)
        with sim.running(slices(sim)[2].uuid) as process:
            done = program(sim, "plan", "-f", str(file), "-c", "large")
        assert f"process {process.pid} of root (" in done.stdout

    def test_what_cannot_fit(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim("h100-80gb")
        done = program(sim, "apply", "-f", str(file), "-c", "never")
        assert done.returncode == 1
        assert done.stdout == ""
        assert "7g.80gb" in done.stderr
        assert layout(sim) == "off"

    def test_a_failure_says_that_all_is_as_before(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN)
        sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", code="UNKNOWN")
        done = program(sim, "apply", "-f", str(file), "-c", "large", "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["outcome"] == "former"
        assert f"slurm-mig: {file}, large: not applied, and all GPUs are as before: " in done.stderr
        assert layout(sim).startswith("1g.10gb@0/")

    def test_a_reset_that_is_refused_says_reboot(self, new_sim: NewSim, tmp_path: Path) -> None:
        sim = new_sim("a100-40gb")
        configure(sim, site(sim, "--refuse"))
        wanted = wanted_file(tmp_path, only="2x3g.20gb")
        done = program(sim, "apply", "-f", str(wanted))
        assert done.returncode == 1
        assert f"{wanted}, only: a reboot is needed: " in done.stderr
        assert done.stderr.rstrip().endswith("reboot the node, then run `slurm-mig recover`")
        refused = program(sim, "apply", "-f", str(wanted))
        assert "an apply is not at its end: run `slurm-mig recover`" in refused.stderr
        sim.reboot()
        booted = program(sim, "apply", "--committed")  # as systemd does it
        assert booted.returncode == 0, booted.stderr
        assert layout(sim) == "3g.20gb@0/3g.20gb@4"

    def test_a_daemon_that_stays_down_is_not_hidden(
        self, new_sim: NewSim, tmp_path: Path, file: Path
    ) -> None:
        sim, daemons = new_sim(SEVEN), Daemons(tmp_path / "d", DCGM)
        configure(sim, daemons.settings)
        daemons.mark(DCGM, "broken")
        done = program(sim, "apply", "-f", str(file), "-c", "large")
        assert done.returncode == 1
        assert (
            "the GPUs are as wanted, but: nvidia-dcgm.service was stopped and did not"
            in done.stderr
        )
        assert f"stopped meanwhile: {DCGM}" in done.stdout
        assert layout(sim) == "7g.80gb@0"

    def test_committed(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim("h100-80gb")
        none = program(sim, "apply", "--committed")
        assert (none.returncode, none.stdout) == (0, "the committed configuration: nothing to do\n")
        program(sim, "apply", "-f", str(file), "-c", "large")
        sim.reboot()
        plan = program(sim, "apply", "--committed", "--dry-run")
        assert "MIG is switched on" in plan.stdout
        assert layout(sim) == "off"
        for _ in range(2):
            done = program(sim, "apply", "--committed")
            assert done.returncode == 0, done.stderr
            assert layout(sim) == "7g.80gb@0"
        assert done.stdout == "the committed configuration: nothing to do\n"


class TestStopped:
    """By a signal at a step that takes long, with a daemon that was stopped for it."""

    @pytest.fixture
    def hanging(
        self, new_sim: NewSim, tmp_path: Path, file: Path
    ) -> "tuple[Sim, Daemons, subprocess.Popen[str]]":
        sim, daemons = new_sim(SEVEN), Daemons(tmp_path / "d", DCGM)
        configure(sim, daemons.settings)
        sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", hang_ms=6_000)
        process = started(sim, "apply", "-f", str(file), "-c", "large")
        wait_until(lambda: layout(sim) == "mig", "the hanging step")
        return sim, daemons, process

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_by_a_signal_it_goes_back(
        self, number: signal.Signals, hanging: "tuple[Sim, Daemons, subprocess.Popen[str]]"
    ) -> None:
        sim, daemons, process = hanging
        code, said = end(process, number)
        lines = [line for line in said.splitlines() if line]
        assert code == 130
        assert lines == ["slurm-mig: all GPUs are as before", "slurm-mig: interrupted"]
        assert layout(sim).startswith("1g.10gb@0/1g.10gb@1/")
        assert daemons.running() == {DCGM}
        assert not opened(sim)

    def test_what_nohup_ignores_stays_ignored(self, new_sim: NewSim, file: Path) -> None:
        sim = new_sim(SEVEN)
        sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", hang_ms=2_000)
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = started(sim, "apply", "-f", str(file), "-c", "large")
        finally:
            signal.signal(signal.SIGHUP, before)
        wait_until(lambda: layout(sim) == "mig", "the hanging step")
        code, said = end(process, signal.SIGHUP)
        assert (code, said) == (0, "")
        assert layout(sim) == "7g.80gb@0"

    def test_by_kill_9_recover_ends_it(
        self, hanging: "tuple[Sim, Daemons, subprocess.Popen[str]]"
    ) -> None:
        sim, daemons, process = hanging
        assert end(process, signal.SIGKILL)[0] == -signal.SIGKILL
        assert opened(sim)
        assert daemons.running() == set()
        sim.clear_faults()
        done = program(sim, "recover", "--json")
        value = json.loads(done.stdout)
        assert (done.returncode, value["outcome"]) in [(0, "done"), (1, "former")], done.stderr
        expected = "7g.80gb@0" if value["outcome"] == "done" else "1g.10gb@0/"
        assert layout(sim).startswith(expected)
        assert value["clients_stopped"] == [DCGM]
        assert daemons.running() == {DCGM}
        again = program(sim, "recover")
        assert (again.returncode, again.stdout) == (0, "recover: nothing to do\n")

    def test_recover_undo_goes_back(
        self, hanging: "tuple[Sim, Daemons, subprocess.Popen[str]]"
    ) -> None:
        sim, daemons, process = hanging
        end(process, signal.SIGKILL)
        sim.clear_faults()
        done = program(sim, "recover", "--undo")
        assert done.returncode == 1 or "as before" in done.stdout
        assert layout(sim).startswith("1g.10gb@0/1g.10gb@1/")
        assert daemons.running() == {DCGM}

    def test_another_one_meanwhile_is_told_whose_turn_it_is(
        self, hanging: "tuple[Sim, Daemons, subprocess.Popen[str]]", file: Path
    ) -> None:
        sim, daemons, process = hanging
        configure(sim, daemons.settings._replace(lock_timeout_s=0.2))
        for words in (("apply", "-f", str(file), "-c", "mixed"), ("recover",)):
            done = program(sim, *words)
            assert done.returncode == 1
            assert f"process {process.pid} (" in done.stderr
            assert "slurm_mig apply -f " in done.stderr
        end(process, signal.SIGTERM)


def test_progress_is_shown_on_a_terminal_only(new_sim: NewSim, file: Path) -> None:
    sim = new_sim(SEVEN)
    ours, theirs = pty.openpty()
    command_line = [sys.executable, "-m", "slurm_mig", "apply", "-f", str(file), "-c", "large"]
    done = subprocess.run(
        command_line,
        env={**os.environ, **sim.env(), "TERM": "xterm"},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
    )
    os.close(theirs)
    shown = b""
    try:
        while more := os.read(ours, 65536):
            shown += more
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert done.returncode == 0
    assert b"looking at the GPUs" in shown
    assert b"[16/16] GPU 0 (00000000:0B:00.0): create compute instance" in shown
    assert b"Traceback" not in shown
    assert b"\x1b[" not in done.stdout


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_is_gone(new_sim: NewSim, file: Path, ignored: bool) -> None:
    """It goes back; or on to its end, where somebody said so (nohup). Both with their exit code."""
    sim = new_sim(SEVEN)
    sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", hang_ms=2000)
    ours, theirs = pty.openpty()
    code = (
        "import fcntl, os, signal, sys, termios; os.setsid(); fcntl.ioctl(2, termios.TIOCSCTTY, 0);"
        f"{'signal.signal(signal.SIGHUP, signal.SIG_IGN);' if ignored else ''}"
        "os.execv(sys.executable, [sys.executable, '-m', 'slurm_mig', *sys.argv[1:]])"
    )
    command_line = [sys.executable, "-c", code, "apply", "-f", str(file), "-c", "large"]
    env = {**os.environ, **sim.env(), "TERM": "xterm"}
    with subprocess.Popen(
        command_line, env=env, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while b"create" not in shown:
            shown += os.read(ours, 65536)
        os.close(ours)
        assert process.wait(60) == (0 if ignored else 130)
    assert layout(sim).startswith("7g.80gb@0" if ignored else "1g.10gb@0/1g.10gb@1/")
    assert not opened(sim)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_without_standard_files(new_sim: NewSim, file: Path, closed: str) -> None:
    sim = new_sim(SEVEN)
    words = ["-m", "slurm_mig", "apply", "-f", str(file), "-c", "large"]
    shell = ["bash", "-c", f'exec "$0" "$@" {closed}', sys.executable, *words]
    done = subprocess.run(shell, env={**os.environ, **sim.env()}, cwd=CHECKOUT, check=False)
    assert done.returncode == 0
    assert layout(sim) == "7g.80gb@0"


def test_a_file_from_a_standard_input_that_is_closed(new_sim: NewSim) -> None:
    words = ["-m", "slurm_mig", "apply", "-f", "-"]
    shell = ["bash", "-c", 'exec "$0" "$@" <&-', sys.executable, *words]
    env = {**os.environ, **new_sim(SEVEN).env()}
    done = subprocess.run(
        shell, env=env, cwd=CHECKOUT, check=False, stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (
        1,
        "slurm-mig: standard input: it is closed: name a file\n",
    )


@pytest.mark.parametrize("command_line", [["plan"], ["apply"], ["apply", "--json"]])
def test_a_label_that_the_locale_cannot_write(
    new_sim: NewSim, tmp_path: Path, command_line: list[str]
) -> None:
    sim = new_sim(SEVEN)
    file = wanted_file(tmp_path, **{"große-★": "7g.80gb"})
    done = subprocess.run(
        [sys.executable, "-m", "slurm_mig", *command_line, "-f", str(file)],
        env={**os.environ, **sim.env(), "PYTHONIOENCODING": "latin-1"},
        cwd=CHECKOUT, capture_output=True, text=True, encoding="latin-1", check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2605" in done.stdout


def test_recover_where_the_gpu_was_replaced(new_sim: NewSim, file: Path) -> None:
    """Nobody can bring back what is not there: it says how a node gets out of that."""
    sim = new_sim(SEVEN)
    sim.fault("nvmlDeviceCreateGpuInstanceWithPlacement", kill=True, once=False)
    assert program(sim, "apply", "-f", str(file), "-c", "mixed").returncode == 1
    sim.clear_faults()
    journal = sim.root / "var/lib/slurm-mig/journal.json"
    journal.write_text(journal.read_text().replace("GPU-", "GPU-f"))
    done = program(sim, "recover")
    assert done.returncode == 1
    assert "then move /var/lib/slurm-mig/journal.json away, and apply again" in done.stderr
    journal.unlink()
    assert program(sim, "apply", "-f", str(file), "-c", "mixed").returncode == 0


def test_an_interrupt_while_a_gpu_is_reset(new_sim: NewSim, tmp_path: Path) -> None:
    """The reset is not to hit what goes back meanwhile: it is ended first."""
    sim = new_sim("a100-40gb=off")
    begun, made = tmp_path / "begun", tmp_path / "made"
    reset = tmp_path / "reset"
    reset.write_text(
        f"#!{sys.executable}\nimport pathlib, time\npathlib.Path('{begun}').touch()\n"
        f"time.sleep(2)\npathlib.Path('{made}').touch()\n"
    )
    reset.chmod(0o755)
    configure(sim, site(sim)._replace(reset_command=(str(reset), "{bus_id}")))
    process = started(sim, "apply", "-f", str(wanted_file(tmp_path, one="7x1g.5gb")))
    wait_until(begun.exists, "the reset")
    code, _ = end(process, signal.SIGTERM)
    assert code == 130
    time.sleep(2.5)
    assert not made.exists()


def test_json_where_it_is_refused(new_sim: NewSim, file: Path) -> None:
    sim = new_sim(SEVEN)
    words = ["-f", str(file), "-c", "never", "--json"]
    done = program(sim, "apply", *words)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert (told["version"], told["outcome"], told["good"]) == (1, "refused", False)
    assert told["problem"] in done.stderr
    assert len(told["problems"]) == 1
    config = sim.root / "etc/slurm-mig/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("[partition]\nx = 1\ny = 2\n")
    for command_line in (["apply", *words], ["recover", "--json"]):
        told = json.loads(program(sim, *command_line).stdout)
        assert (told["outcome"], len(told["problems"])) == ("refused", 2)


def test_recover_where_nothing_is_open(new_sim: NewSim) -> None:
    done = program(new_sim(SEVEN), "recover")
    assert (done.returncode, done.stdout, done.stderr) == (0, "recover: nothing to do\n", "")
