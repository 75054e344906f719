"""The real world is put together by the site's settings; nobody is asked anything for it."""

import os
from pathlib import Path

import pytest

from slurm_mig.errors import Refused, SlurmError
from slurm_mig.reconfigure.site import request_of, world_of
from slurm_mig.reconfigure.world import Event, Options
from slurm_mig.slurm.daemon import host_name

CONFIG = """\
[partition]
lock_timeout_s = 3
[reconfigure]
timeout_s = 7
register_timeout_s = 8
smoke = true
smoke_timeout_s = 9
"""


@pytest.fixture
def root(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SLURM_CONF", raising=False)
    (memory / "etc/slurm").mkdir(parents=True)
    (memory / "etc/slurm-mig").mkdir()
    (memory / "etc/slurm/slurm.conf").write_text("NodeName=n1\n")
    scontrol = memory / "bin/scontrol"  # the real one tells no version without a slurm.conf
    scontrol.parent.mkdir()
    scontrol.write_text("#!/bin/sh\necho slurm 24.11.5\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    return memory


def config(root: Path, text: str) -> None:
    (root / "etc/slurm-mig/config.toml").write_text(text)


def quiet(_: Event) -> None:
    return None


def test_without_settings(root: Path) -> None:
    name, world = world_of(root, None, Options(), quiet)
    assert name == host_name()
    assert world.root == root
    assert world.options == Options(86400.0, None, 120.0, smoke=False)


def test_the_site_s_settings_count_where_nothing_else_was_said(root: Path) -> None:
    config(root, CONFIG)
    name, world = world_of(root, "n1", Options(), quiet)
    assert name == "n1"
    assert world.options == Options(7.0, None, 8.0, smoke=True, smoke_s=9.0)
    assert request_of(root).settings.lock_timeout_s == 3


def test_what_slurmctld_hands_out_stays_known(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd removes /run/slurm when slurmd is stopped: Slurm's commands look elsewhere then."""
    monkeypatch.setenv("SLURM_CONF", "put back at the end")
    monkeypatch.delenv("SLURM_CONF")
    copies = root / "var/spool/slurmd/conf-cache"
    copies.parent.mkdir(parents=True)
    (root / "etc/slurm").rename(copies)
    link = root / "run/slurm/conf"
    link.parent.mkdir(parents=True)
    link.symlink_to(copies)
    for _ in range(2):
        world_of(root, "n1", Options(), quiet)
        assert os.environ["SLURM_CONF"] == str(copies / "slurm.conf")
        monkeypatch.delenv("SLURM_CONF")
        link.unlink(missing_ok=True)


def test_what_was_said_counts_more(root: Path) -> None:
    config(root, CONFIG)
    _, world = world_of(root, "n1", Options(0.0, 5.0, smoke=False), quiet)
    assert (world.options.timeout_s, world.options.cancel_after_s) == (0.0, 5.0)
    assert world.options.smoke is False


def test_a_mistake_in_the_settings_refuses(root: Path) -> None:
    config(root, "[reconfigure]\ntimout_s = 1\n")
    with pytest.raises(Refused, match="there is no such setting"):
        world_of(root, "n1", Options(), quiet)


def test_without_a_slurm_conf(root: Path) -> None:
    (root / "etc/slurm/slurm.conf").unlink()
    with pytest.raises(SlurmError, match="name it with SLURM_CONF"):
        world_of(root, "n1", Options(), quiet)
