"""Set-up is quick when done, says what it lacks, and starts nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import apt, roots
from tests.cluster.node import CHECKOUT
from tests.cluster.roots import Slurm
from tests.cluster.setup import setup

# Everything is imported while it still may: an ordinary user may not reach the interpreter.
AS_NOBODY = "import os, tests.cluster.setup as s; os.setuid(65534); s.setup()"


def test_it_does_nothing_the_second_time(capsys: pytest.CaptureFixture[str]) -> None:
    setup()
    assert capsys.readouterr().err == ""


def test_without_root_it_says_what_to_run() -> None:
    words = [sys.executable, "-c", AS_NOBODY]
    env = {**os.environ, "XDG_CACHE_HOME": "/nowhere"}
    done = subprocess.run(words, cwd=CHECKOUT, env=env, capture_output=True, text=True)
    assert done.returncode != 0
    assert "SetupError: must be root to" in done.stderr
    assert "run the same command again as root" in done.stderr


def test_missing_names_what_is_not_installed() -> None:
    assert apt.missing(["coreutils", "no-such-package"]) == ["no-such-package"]


def test_a_failed_command_tells_its_last_words() -> None:
    with pytest.raises(apt.SetupError, match=r"sh -c .* failed: too bad"):
        apt.run(["sh", "-c", "echo too bad >&2; false"])


def test_nothing_starts_while_packages_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with apt.nothing_starts(policy):
        assert subprocess.run([policy]).returncode == 101
    assert not policy.exists()


def test_a_policy_that_was_there_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 42\n")
    with apt.nothing_starts(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 42\n"
    assert policy.exists()


def test_an_unknown_slurm_is_an_error() -> None:
    with pytest.raises(apt.SetupError, match=r"no Slurm 17\.11 here: there are 22\.05, 24\.11"):
        roots.find("17.11")


def test_each_gating_slurm_is_of_its_release(version: str) -> None:
    slurm = roots.find(version)
    chroot = [] if slurm.is_host else ["chroot", str(slurm.root)]
    told = subprocess.run([*chroot, "/usr/sbin/slurmd", "-V"], capture_output=True, text=True)
    assert f" {version}." in told.stdout


def test_plugins_lie_where_debian_puts_them() -> None:
    slurm = Slurm("22.05", Path("/"), Path("/plugins"))
    assert slurm.plugin_dir(None).startswith("/usr/lib/")
    assert slurm.plugin_dir(slurm.nvml).endswith("/slurm-wlm:/plugins")


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "root"
    with pytest.raises(RuntimeError), roots.renamed_when_done(target) as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_build_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "root"
    with roots.renamed_when_done(target) as folder:
        (folder / "whole").touch()
        assert not target.exists()
    assert (target / "whole").exists()
    assert list(tmp_path.iterdir()) == [target]
