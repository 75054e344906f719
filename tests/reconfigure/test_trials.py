"""The script of the test jobs, run by a real shell, and what is read of what they tell."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.reconfigure.trials import NodeTrials, parse
from slurm_mig.reconfigure.world import Place, Said
from slurm_mig.slurm.controller.client import NodeState
from tests.hooks.fakenode import FakeNode

RUN = "a1b2"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "MIG-1"}


@pytest.fixture
def node(memory: Path) -> FakeNode:
    """A node whose device files this process may open, but for those that are not there."""
    return FakeNode(memory)


def only(node: FakeNode, *places: int) -> None:
    """As if the device cgroup denied all others."""
    kept = {file["path"] for place in places for file in node.gres[place]["files"]}
    for entry in node.gres:
        for file in entry["files"]:
            if file["path"] not in kept:
                (node.root / file["path"].lstrip("/")).unlink(missing_ok=True)


@contextmanager
def job(trials: NodeTrials, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """One that runs what Slurm would have it run."""
    script = trials.begin(RUN)
    words = ["/bin/sh", "-c", script]
    with subprocess.Popen(words, env={**ENVIRONMENT, **more}, cwd="/") as process:
        try:
            yield process
        finally:
            trials.end(RUN)
            process.wait(20)


def told(trials: NodeTrials) -> Said:
    """By job 7, as soon as it has."""
    end = time.monotonic() + 30
    while not (found := trials.said(RUN)):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert set(found) == {7}
    return found[7]


def test_a_job_tells_what_it_can_open_and_holds_on(node: FakeNode) -> None:
    only(node, 2)
    trials = NodeTrials(node.root)
    with job(trials) as process:
        assert told(trials) == Said(0, (2,), ("MIG-1",))
        assert process.poll() is None
        trials.end(RUN)
        assert process.wait(20) == 0
    assert not (node.run / f"smoke-{RUN}").exists()


def test_its_folder_is_root_s_alone(node: FakeNode) -> None:
    trials = NodeTrials(node.root)
    with job(trials):
        told(trials)
        folder = node.run / f"smoke-{RUN}"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
        assert node.run.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("true",), Said(0, (1,), ("MIG-1",))),
        (("sh", "-c", "echo one >&2; echo 'no  memory' >&2; exit 5"), (5, "no memory")),
        (("sh", "-c", "echo one; printf two >&2; exit 6"), (6, "two")),
        (("sh", "-c", 'echo "$1" >&2; exit 1', "x", "a'b $(id)"), (1, "a'b $(id)")),
        (("/nowhere/x",), (127, None)),
        (("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' y >&2; exit 2"), (2, "y" * 197 + "...")),
    ],
)
def test_what_the_site_s_command_comes_to(
    node: FakeNode, command: Sequence[str], said: Said | tuple[int, str | None]
) -> None:
    only(node, 1)
    trials = NodeTrials(node.root, command)
    with job(trials):
        found = told(trials)
    if isinstance(said, Said):
        assert found == said
        return
    assert found.code == said[0]
    assert found.opened == (1,)
    assert said[1] in (None, found.words)


def test_without_a_map_it_says_so(node: FakeNode) -> None:
    trials = NodeTrials(node.root, ("true",))
    (node.run / "gres-map.json").unlink()
    with job(trials):
        found = told(trials)
    assert found.code == 1
    assert "gres-map.json is missing" in found.words


def test_where_devices_are_not_constrained_slurm_s_word_is_taken(node: FakeNode) -> None:
    node.write_map(constrained=False)
    trials = NodeTrials(node.root)
    with job(trials, SLURM_JOB_GPUS="0,4"):
        assert told(trials).opened == (0, 4)


def test_the_places_of_the_map(node: FakeNode) -> None:
    places = NodeTrials(node.root).places()
    assert places[1] == Place("h100_1g.10gb", "MIG-00000000-0000-0000-0000-000000000001")
    assert places[5] == Place("h100", "GPU-00000000-0000-0000-0000-000000000002")
    assert len(places) == 6


@pytest.mark.parametrize("text", ["{}", '{"gres": 3}', '{"gres": [{"gres_index": 0}]}'])
def test_a_map_that_cannot_be_read(node: FakeNode, text: str) -> None:
    (node.run / "gres-map.json").write_text(text)
    with pytest.raises(SlurmMigError, match="cannot be read"):
        NodeTrials(node.root).places()


def test_what_is_no_answer_is_passed_over(node: FakeNode) -> None:
    trials = NodeTrials(node.root)
    trials.begin(RUN)
    folder = node.run / f"smoke-{RUN}"
    for name in ("8.new", "8.words", "x.said", ".said"):
        (folder / name).write_text("exit 0\n")
        (folder / name).chmod(0o600)
    assert trials.said(RUN) == {}
    trials.end(RUN)
    trials.end(RUN)  # once more is no error


def test_an_answer_of_somebody_else_s_is_an_error(node: FakeNode) -> None:
    trials = NodeTrials(node.root)
    trials.begin(RUN)
    file = node.run / f"smoke-{RUN}/8.said"
    file.write_text("exit 0\n")
    os.chown(file, 65534, 65534)
    with pytest.raises(SlurmMigError, match="not root's alone"):
        trials.said(RUN)


def state(*partitions: str) -> NodeState:
    none = (frozenset(("IDLE",)), "", None, None, (), None, None, None, 1, ())
    return NodeState("n1", *none, partitions, "127.0.0.1", "n1")


def test_where_they_are_submitted(node: FakeNode) -> None:
    assert NodeTrials(node.root).partition(state("main", "long")) == "main"
    assert NodeTrials(node.root, (), "test").partition(state("main")) == "test"
    with pytest.raises(SlurmMigError, match="in no partition"):
        NodeTrials(node.root).partition(state())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"opened":[3],"visible":["0"]}\nexit 0\n', Said(0, (3,), ("0",))),
        ('{"opened":[],"visible":[]}\nbye \x1b[1m\n\nexit 9\n', (9, "bye \\x1b[1m")),
        ('{"opened":[],"visible":[]}\nexit 0\n\nexit 9\n', (9, "exit 0")),
        ("slurm-mig: no map\nexit 1\n", (1, "slurm-mig: no map")),
        ("", (1, "")),
        ("exit\n", (1, "exit")),
        ("[1]\nexit 0\n", (1, "[1]")),
        ('{"opened":["x"]}\nexit 0\n', (1, '{"opened":["x"]}')),
        ('{"opened":[1]}\nexit 0\n', (1, '{"opened":[1]}')),
    ],
)
def test_what_was_told_is_read_with_care(text: str, said: Said | tuple[int, str | None]) -> None:
    found = parse(text)
    if isinstance(said, Said):
        assert found == said
        return
    assert found.code == said[0]
    assert said[1] is None or found.words.startswith(said[1])
