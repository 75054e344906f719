"""Two nodes that publish by themselves at the same time: Slurm is told once for both."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.reconfigure import telling
from slurm_mig.reconfigure.publication import ConfWish
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.slurm.config.confedit import describe, read_files
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.reconfigure.publishing import NEW, Site, make

WAYS = ("reconfigure", "restart")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make(tmp_path)


@pytest.fixture
def tell(site: Site) -> Callable[[str, int | None], int]:
    """Tell by a way; how often that was done so far."""
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    log = site.root / "restarts"
    script = site.root / "restart"
    script.write_text(f"#!/bin/sh\necho again >>{log}\n")
    script.chmod(0o755)
    settings = ReconfigureSettings(slurmctld_restart_command=(str(script),))

    def act(way: str, seen: int | None) -> int:
        telling.tell(site.conf, way, seen, FakeSlurmClient(slurm), settings)
        restarts = len(log.read_text().splitlines()) if log.exists() else 0
        return restarts if way == "restart" else slurm.commands.count("reconfigure")

    return act


def write(site: Site, node: str, gpus: str = NEW) -> int | None:
    return telling.write(site.root, node, ConfWish(str(site.conf), {node: gpus}), [], 1.0)


@pytest.mark.parametrize("way", WAYS)
def test_once_for_those_who_wrote_before(
    site: Site, tell: Callable[[str, int | None], int], way: str
) -> None:
    one, two = write(site, "n1"), write(site, "n2")
    assert tell(way, one) == 1
    assert tell(way, two) == 1
    assert tell(way, write(site, "n3")) == 2


@pytest.mark.parametrize("way", WAYS)
def test_what_was_written_before_is_told_again(
    site: Site, tell: Callable[[str, int | None], int], way: str
) -> None:
    """slurmctld may have forgotten it: whoever asks again has a reason."""
    assert tell(way, write(site, "n1")) == 1
    assert write(site, "n1") is None
    assert tell(way, write(site, "n1")) == 2


def test_a_link_to_slurm_conf_is_the_same_file(
    site: Site, tell: Callable[[str, int | None], int], tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere"
    link.mkdir()
    (link / "slurm.conf").symlink_to(site.conf)
    (link / "nodes.conf").symlink_to(site.nodes)
    one = write(site, "n1")
    wish = ConfWish(str(link / "slurm.conf"), {"n2": NEW})
    two = telling.write(site.root, "n2", wish, [], 1.0)
    assert tell("reconfigure", one) == 1
    assert tell("reconfigure", two) == 1
    assert describe(read_files(site.conf).conf)["n2"]["gres"].startswith(NEW)
