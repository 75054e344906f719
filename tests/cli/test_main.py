"""The one catcher: exit codes, one line to the user, a traceback to a log."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from slurm_mig import cli
from slurm_mig.errors import Refused


@pytest.fixture
def failing() -> Iterator[list[BaseException]]:
    """A command `fail` that raises what the list holds."""
    raises: list[BaseException] = []

    @cli.cli.command("fail")
    def command() -> None:
        raise raises[0]

    module = type(sys)("slurm_mig.cli.fail")
    module.command = command  # type: ignore[attr-defined]
    sys.modules["slurm_mig.cli.fail"] = module
    cli.COMMANDS["fail"] = ("fail", "Fail.")
    yield raises
    del cli.COMMANDS["fail"], sys.modules["slurm_mig.cli.fail"], cli.cli.commands["fail"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(Refused("gres.conf", ["no slice"]), 1), (KeyboardInterrupt(), 130), (click.Abort(), 130)],
)
def test_exit_codes(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    failing.append(error)
    assert cli.run(["fail"]) == code
    assert capsys.readouterr().err.lstrip().startswith("slurm-mig: ")


def test_a_bug_leaves_its_traceback_in_a_log(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing.append(ZeroDivisionError("ours"))
    assert cli.run(["fail"]) == 3
    told = capsys.readouterr().err
    assert "Traceback" not in told
    (log,) = tmp_path.iterdir()
    assert str(log) in told
    assert "ZeroDivisionError: ours" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_bug_is_told_even_when_no_log_can_be_written(
    failing: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    failing.append(ZeroDivisionError("ours"))
    assert cli.run(["fail"]) == 3
    assert "ZeroDivisionError: ours" in capsys.readouterr().err


def test_a_full_disk_is_no_bug() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "slurm_mig", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "slurm-mig: the output could not be written: No space left on device\n"


def test_a_reader_that_leaves_is_no_bug() -> None:
    script = '"$0" -m slurm_mig --help; echo "exit $?" >&2'
    done = subprocess.run(
        ["bash", "-c", f"({script}) | true", sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr in ("exit 0\n", "exit 1\n")  # 0: all was written before it left


def test_usage_is_2() -> None:
    assert cli.run(["no-such-command"]) == 2
    assert cli.run(["--no-such-option"]) == 2


def test_help_loads_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys; from slurm_mig.cli import run; run(['--help']);"
        "heavy = {'rich', 'jinja2', 'ClusterShell', 'pynvml', 'slurm_mig.gpu', 'slurm_mig.slurm'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "discover" in done.stdout
    assert "gen-gres" in done.stdout


@pytest.mark.parametrize(("error", "code"), [("Refused('x', ['y'])", 1), ("KeyError()", 3)])
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_where_nobody_takes_the_words_the_exit_code_stays(
    stderr: str, error: str, code: int
) -> None:
    script = (
        "import sys, click; from slurm_mig import cli; from slurm_mig.errors import Refused\n"
        "@cli.cli.command('fail')\n"
        f"def command(): raise {error}\n"
        "module = type(sys)('slurm_mig.cli.fail'); module.command = command\n"
        "sys.modules['slurm_mig.cli.fail'] = module; cli.COMMANDS['fail'] = ('fail', '')\n"
        "sys.argv = ['slurm-mig', 'fail']; cli.main()\n"
    )
    shell = ["bash", "-c", f'exec "$0" -c "$1" {stderr}', sys.executable, script]
    assert subprocess.run(shell, check=False).returncode == code


def test_what_is_opened_is_never_a_standard_file() -> None:
    """Else the words of some library would go into the journal."""
    script = (
        "import os, sys; from slurm_mig import cli; cli.COMMANDS.clear()\n"
        "cli.run = lambda: os.open('/dev/null', os.O_RDONLY); cli.main()"
    )
    shell = ["bash", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, script]
    assert subprocess.run(shell, check=False).returncode == 3
