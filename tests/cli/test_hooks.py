"""The hooks as commands: the same functions, by hand."""

from pathlib import Path

import pytest

from slurm_mig import cli
from tests.hooks.fakenode import FakeNode


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    for name in ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_JOB_EXIT_CODE2"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_JOB_UID", "1001")
    return FakeNode(tmp_path / "node")


def test_a_job_by_hand(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_GPUS", "1")
    assert cli.run(["--root", str(node.root), "prolog"]) == 0
    assert node.open_records() == ["7.json"]
    assert cli.run(["epilog", "--root", str(node.root)]) == 0
    assert len(node.records()) == 1


def test_a_refusal_is_exit_1(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_JOB_GPUS", "99")
    assert cli.run(["--root", str(node.root), "prolog"]) == 1
    assert "SLURM_JOB_GPUS names '99'" in capsys.readouterr().err


@pytest.mark.parametrize("hook", ["prolog", "epilog", "task-prolog"])
def test_a_job_without_gpus(node: FakeNode, hook: str) -> None:
    assert cli.run(["--root", str(node.root), hook]) == 0
    assert [path.name for path in node.run.iterdir()] == ["gres-map.json"]
