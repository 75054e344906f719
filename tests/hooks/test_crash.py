"""Hooks killed at every line at which something is written: nothing is lost or told twice."""

from collections.abc import Callable
from pathlib import Path

from tests.hooks.fakenode import FakeNode
from tests.hooks.killing import deaths


def jobs(node: FakeNode) -> list[int]:
    return sorted(record["job_id"] for record in node.records())


class Scenes:
    """Fresh nodes, one after the other, each brought to the moment before the hook that dies."""

    node: FakeNode

    def __init__(self, folder: Path, before: Callable[[FakeNode], object]) -> None:
        self._folder = folder
        self._before = before
        self._count = 0

    def __call__(self, hook: Callable[[FakeNode], object]) -> Callable[[], Callable[[], object]]:
        def scene() -> Callable[[], object]:
            self._count += 1
            self.node = FakeNode(self._folder / str(self._count))
            self.node.settings('gpustat_dir = "/run/gpustat"')
            self._before(self.node)
            return lambda: hook(self.node)

        return scene


def test_an_epilog_that_is_killed_and_comes_again(memory: Path) -> None:
    scenes = Scenes(memory, lambda node: node.prolog())
    for line in deaths(scenes(lambda node: node.epilog(SLURM_JOB_EXIT_CODE2="3:0")), step=3):
        assert scenes.node.epilog(SLURM_JOB_EXIT_CODE2="3:0") == 0
        (record,) = scenes.node.records()
        assert (record["job_id"], record["exit_code"]) == (7, 3), line
        assert scenes.node.bindings() == scenes.node.open_records() == [], line
        assert not list((scenes.node.root / "run/gpustat").iterdir()), line


def test_an_epilog_that_is_killed_and_does_not_come_again(memory: Path) -> None:
    scenes = Scenes(memory, lambda node: node.prolog())
    for line in deaths(scenes(lambda node: node.epilog()), step=5):
        # The slice's next job finds what there is.
        assert scenes.node.prolog(8) == 0, line
        assert scenes.node.epilog(8) == 0, line
        assert jobs(scenes.node) == [7, 8], line
        assert scenes.node.bindings() == scenes.node.open_records() == [], line


def test_a_prolog_that_is_killed_and_comes_again(memory: Path) -> None:
    scenes = Scenes(memory, lambda node: None)
    for line in deaths(scenes(lambda node: node.prolog()), step=5):
        assert scenes.node.prolog() == 0, line
        assert scenes.node.bindings() == ["gpu0.gi9.ci0"], line
        assert scenes.node.epilog() == 0, line
        assert jobs(scenes.node) == [7], line
        assert scenes.node.bindings() == scenes.node.open_records() == [], line


def test_a_prolog_that_is_killed_does_not_keep_the_slice(memory: Path) -> None:
    scenes = Scenes(memory, lambda node: None)
    for line in deaths(scenes(lambda node: node.prolog()), step=5):
        assert scenes.node.prolog(8) == 0, line
        assert scenes.node.epilog(8) == 0, line
        assert jobs(scenes.node) in ([8], [7, 8]), line


def test_a_take_over_that_is_killed(memory: Path) -> None:
    scenes = Scenes(memory, lambda node: node.prolog(6))  # whose epilog never comes
    for line in deaths(scenes(lambda node: node.prolog(7)), step=5):
        assert scenes.node.prolog(7) == 0, line
        assert scenes.node.epilog(7) == 0, line
        assert jobs(scenes.node) == [6, 7], line


def test_a_record_is_not_repeated_when_the_month_changes(memory: Path) -> None:
    node = FakeNode(memory / "n")
    assert node.prolog() == node.epilog() == 0
    (month,) = (node.root / "var/lib/slurm-mig/usage").glob("*.jsonl")
    month.rename(month.with_name("2000-01.jsonl"))
    assert node.epilog() == 0
    assert len(node.records()) == 1
