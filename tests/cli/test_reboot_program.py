"""hooks/reboot as slurmd runs it: it becomes the site's command, or starts a worker, or neither."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from slurm_mig.cli import run
from slurm_mig.reconfigure.reboot import desired, orders
from slurm_mig.reconfigure.reboot.desired import Order, Wanted
from slurm_mig.reconfigure.reboot.orders import Carried
from tests.reconfigure.fleet.runs import RUN, TEXT

STUB = Path(__file__).resolve().parents[2] / "hooks/reboot"
NODE = "n1"
LOG = "var/log/slurm-mig/reboot.log"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A site whose reboot_command notes that it came to that."""
    (tmp_path / "etc/slurm-mig").mkdir(parents=True)
    script = tmp_path / "really"
    script.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/rebooted\n')
    script.chmod(0o755)
    config = f'[reconfigure]\nreboot_command = ["{script}", "now"]\nanswer_timeout_s = 1\n'
    (tmp_path / "etc/slurm-mig/config.toml").write_text(config)
    return tmp_path


def start(root: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """As slurmd of 26.05 does it: with nearly no environment."""
    env: Mapping[str, str] = {"SLURM_NODE_NAME": NODE, "SLURM_MIG_ROOT": str(root), **more}
    return subprocess.run(
        [STUB, *words], env=env, cwd="/", capture_output=True, text=True, check=False
    )


def rebooted(root: Path) -> str:
    file = root / "rebooted"
    return file.read_text() if file.exists() else ""


def log(root: Path) -> str:
    file = root / LOG
    return file.read_text() if file.exists() else ""


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def ordered(root: Path, order: str = "4e5f6071") -> None:
    folder = "/etc/slurm-mig/desired"
    desired.write_wanted(root, folder, Wanted(RUN, "mixed", TEXT, (NODE,)))
    desired.write_order(root, folder, NODE, Order(RUN, order))


def test_where_nothing_is_wanted_it_reboots(root: Path) -> None:
    """Without any Slurm to ask; what a node_features plugin gives goes on to the site's command."""
    done = start(root, "mig=on", "--flag", "-x")
    assert (done.returncode, done.stderr) == (0, "")
    assert rebooted(root) == "now mig=on --flag -x\n"
    assert "an ordinary reboot" in log(root)


def test_an_order_that_was_carried_out_is_none(root: Path) -> None:
    ordered(root)
    orders.write(root, Carried(RUN, "4e5f6071", "done"))
    assert start(root).returncode == 0
    assert rebooted(root) == "now\n"


def test_an_order_that_nobody_can_confirm_reboots_nothing(root: Path) -> None:
    ordered(root)
    conf = root / "etc/none.conf"
    done = start(root, SLURM_CONF=str(conf))
    assert done.returncode == 1
    assert rebooted(root) == ""
    assert log(root)


def test_what_is_wanted_cannot_be_read(root: Path) -> None:
    ordered(root)
    (root / "etc/slurm-mig/desired/nodes/n1.json").write_text("{")
    done = start(root)
    assert done.returncode == 1
    assert "n1.json" in done.stderr
    assert rebooted(root) == ""


def test_a_label_starts_a_worker_and_ends_at_once(root: Path) -> None:
    """The worker finds no slurm.conf here, and says so in the log."""
    (root / "etc/slurm-mig/mig.yaml").write_text(TEXT)
    done = start(root, "-c", "mixed")
    assert (done.returncode, done.stderr) == (0, "")
    assert "n1: to mixed" in log(root)
    assert until(lambda: "slurm.conf" in log(root)), log(root)
    assert rebooted(root) == ""


def test_a_label_without_a_file_reboots_nothing(root: Path) -> None:
    done = start(root, "-c", "mixed")
    assert done.returncode == 1
    assert "mig.yaml" in done.stderr
    assert rebooted(root) == ""


@pytest.mark.parametrize("text", ["[reconfigure]\nx = 1\n", "[reconfigure"])
def test_settings_that_are_wrong_reboot_nothing(root: Path, text: str) -> None:
    (root / "etc/slurm-mig/config.toml").write_text(text)
    assert start(root).returncode == 1
    assert rebooted(root) == ""


def test_a_command_that_is_not_there(root: Path) -> None:
    config = '[reconfigure]\nreboot_command = ["/nonexistent/reboot"]\n'
    (root / "etc/slurm-mig/config.toml").write_text(config)
    done = start(root)
    assert done.returncode == 1
    assert "/nonexistent/reboot is not installed: set reboot_command" in done.stderr


def test_through_a_link(root: Path) -> None:
    link = root / "RebootProgram"
    link.symlink_to(STUB)
    env = {"SLURM_NODE_NAME": NODE, "SLURM_MIG_ROOT": str(root)}
    assert subprocess.run([link], env=env, cwd="/", check=False).returncode == 0
    assert rebooted(root) == "now\n"


@pytest.mark.parametrize(
    "words", [["--by", "reboot"], ["n1", "--by", "foot"], ["--status", "--by", "reboot"]]
)
def test_which_way_is_for_nodes_that_are_named(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "mig.yaml"
    file.write_text(TEXT)
    wish = [] if "--status" in words else ["-f", str(file)]
    assert run(["reconfigure", *wish, *words]) == 2
    assert os.environ.get("SLURM_CONF", "") or capsys.readouterr().err
