"""The site's settings, right and wrong; a wrong one drains nothing."""

import os

import pytest

from slurm_mig.errors import HookError
from slurm_mig.hooks import settings
from tests.hooks.fakenode import FakeNode


def test_no_file_is_the_defaults(node: FakeNode) -> None:
    found = settings.load(str(node.root))
    assert found.problem is None
    assert (found.foreign_process, found.leftovers, found.leftover_wait_s) == ("log", "kill", 5.0)
    assert found.log_file == "/var/log/slurm-mig/hooks.log"
    assert found.export == []


def test_all_of_them() -> None:
    found = settings.parse(
        '[hooks]\nforeign_process = "off"\nleftovers = "log"\nleftover_wait_s = 0.5\n'
        'log_file = ""\nexport = ["A_B"]\ngpustat_dir = "/run/gpustat"\n'
        'dcgm_job_mapping_dir = "/x"\n[other]\nwhatever = 3\n'
    )
    assert (found.leftover_wait_s, found.export, found.gpustat_dir) == (
        0.5,
        ["A_B"],
        "/run/gpustat",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hooks = 1", "no table"),
        ("[hooks", "end of a table"),
        ('[hooks]\nforeign = "log"', "no setting 'foreign'"),
        ('[hooks]\nproblem = "x"', "no setting 'problem'"),
        ('[hooks]\nforeign_process = "shoot"', "drain, log, kill, off"),
        ("[hooks]\nforeign_process = 1", "drain, log, kill, off"),
        ("[hooks]\nleftover_wait_s = 1000", "seconds, at most 60"),
        ("[hooks]\nleftover_wait_s = true", "seconds"),
        ("[hooks]\nleftover_wait_s = -1", "seconds"),
        ('[hooks]\nexport = "A"', "list of names"),
        ('[hooks]\nexport = ["A=1;x"]', "list of names"),
        ('[hooks]\ngpustat_dir = "run"', "path from /"),
        ("[hooks]\nlog_file = 3", "path from /"),
    ],
)
def test_what_is_wrong_is_named(text: str, why: str) -> None:
    with pytest.raises(HookError, match=why):
        settings.parse(text)


def test_a_typo_drains_nothing_and_is_told(node: FakeNode) -> None:
    node.settings('foreign_proces = "drain"')
    assert node.prolog() == node.epilog() == 0
    assert all("defaults are used" in line for line in node.logged())


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[hooks]\nlog_file = \x00"])
def test_a_file_that_is_no_text(node: FakeNode, content: bytes) -> None:
    node.settings("")
    (node.root / "etc/slurm-mig/config.toml").write_bytes(content)
    assert settings.load(str(node.root)).problem is not None


def test_a_file_of_somebody_else_s_is_not_read(node: FakeNode) -> None:
    node.settings('foreign_process = "off"')
    os.chown(node.root / "etc/slurm-mig/config.toml", 1001, 1001)
    found = settings.load(str(node.root))
    assert found.foreign_process == "log"
    assert "not root's alone" in str(found.problem)
