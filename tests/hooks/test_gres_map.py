"""The gres map, whole, damaged, and replaced by somebody."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.errors import HookError
from slurm_mig.gresmap import store
from slurm_mig.hooks import gres_map, machine
from tests.hooks.fakenode import BOOT_ID, FakeNode


def test_a_whole_map(node: FakeNode) -> None:
    found = gres_map.load(str(node.root))
    assert (found.boot_id, found.generation, found.constrained) == (BOOT_ID, 0, True)
    assert [one.uuid for one in found.slices][-1] == "GPU-00000000-0000-0000-0000-000000000002"
    assert machine.why_stale(str(node.root), found) is None
    assert machine.problems(str(node.root), found.slices) == []


def test_no_map(node: FakeNode) -> None:
    (node.run / "gres-map.json").unlink()
    with pytest.raises(HookError, match="missing: run `slurm-mig gres-map`"):
        gres_map.load(str(node.root))


def test_a_map_cut_off_anywhere(node: FakeNode) -> None:
    text = (node.run / "gres-map.json").read_text()
    for end in range(0, len(text) - 1, 37):
        with pytest.raises(HookError):
            gres_map.parse(text[:end])


def change(node: FakeNode, *path: str | int, to: Any) -> str:
    """The map's text with one value exchanged."""
    data = json.loads((node.run / "gres-map.json").read_text())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("version",), None),
        (("boot_id",), ""),
        (("generation",), -1),
        (("generation",), True),
        (("constrained",), "yes"),
        (("gres",), {}),
        (("gres", 1, "gres_index"), 0),
        (("gres", 1, "gpu_minor"), "0"),
        (("gres", 1, "gpu_minor"), 1 << 40),
        (("gres", 1, "files"), []),
        (("gres", 1, "files", 0, "path"), "/etc/passwd"),
        (("gres", 1, "files", 0, "path"), "/dev/../etc/passwd"),
        (("gres", 1, "mig", "uuid"), ""),
        (("gres", 1, "mig", "uuid"), "../../etc/cron.d/x"),
        (("gres", 1, "mig", "uuid"), "MIG-1\nexport LD_PRELOAD=x"),
        (("gres", 1, "mig", "gi_id"), 1.5),
        (("gres", 1, "mig", "placement"), 4),
        (("gres", 1, "mig"), []),
    ],
)
def test_a_map_with_one_wrong_value(
    node: FakeNode, path: tuple[str | int, ...], value: Any
) -> None:
    with pytest.raises(HookError):
        # An entry is looked at when it is asked for.
        assert gres_map.parse(change(node, *path, to=value)).slices


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", "{} {}", "[" * 100_000, '{"version": NaN}']
)
def test_what_is_no_map(text: str) -> None:
    with pytest.raises(HookError):
        gres_map.parse(text)


def as_link(node: FakeNode) -> None:
    (node.run / "gres-map.json").rename(node.root / "elsewhere.json")
    (node.run / "gres-map.json").symlink_to(node.root / "elsewhere.json")


def as_somebodys(node: FakeNode) -> None:
    os.chown(node.run / "gres-map.json", 1001, 1001)


def as_writable(node: FakeNode) -> None:
    (node.run / "gres-map.json").chmod(0o666)


def as_pipe(node: FakeNode) -> None:
    (node.run / "gres-map.json").unlink()
    os.mkfifo(node.run / "gres-map.json")


def as_folder_of_somebody(node: FakeNode) -> None:
    os.chown(node.run, 1001, 1001)


def as_open_folder(node: FakeNode) -> None:
    node.run.chmod(0o777)


def as_linked_folder(node: FakeNode) -> None:
    node.run.rename(node.root / "elsewhere")
    node.run.symlink_to(node.root / "elsewhere")


def as_huge(node: FakeNode) -> None:
    with (node.run / "gres-map.json").open("a") as file:
        file.truncate(100 << 20)


@pytest.mark.parametrize(
    "attack",
    [as_link, as_somebodys, as_writable, as_pipe, as_folder_of_somebody, as_open_folder,
     as_linked_folder, as_huge],
)  # fmt: skip
def test_a_map_that_somebody_else_could_have_placed(
    node: FakeNode, attack: Callable[[FakeNode], None]
) -> None:
    attack(node)
    with pytest.raises(HookError, match=r"gres-map\.json"):
        gres_map.load(str(node.root))
    assert node.prolog() == 1
    assert node.epilog() == 0


def test_stale_by_boot_and_by_generation(node: FakeNode) -> None:
    node.write_map(boot_id="other")
    assert "earlier boot" in str(machine.why_stale(str(node.root), gres_map.load(str(node.root))))
    node.write_map(boot_id=BOOT_ID, generation=3)
    (node.run / "generation").write_text("4\n")
    told = machine.why_stale(str(node.root), gres_map.load(str(node.root)))
    assert told is not None
    assert "partitioning 3, the GPUs are at 4: run `slurm-mig gres-map`" in told


@pytest.fixture
def gres_conf(node: FakeNode) -> Path:
    """A gres.conf, from which the node's map was made."""
    path = node.root / "etc/gres.conf"
    path.write_text("Name=gpu File=/dev/nvidia0\n")
    node.write_map(gres_conf=store.state_of(path, "n1"))
    return path


def doubt(node: FakeNode) -> str | None:
    return machine.why_doubtful(gres_map.load(str(node.root)))


def test_a_gres_conf_that_was_changed_since(node: FakeNode, gres_conf: Path) -> None:
    assert doubt(node) is None
    gres_conf.write_text("Name=gpu File=/dev/nvidia1\n")
    assert "if slurmd has read it, run `slurm-mig gres-map`" in str(doubt(node))
    assert node.prolog() == 0  # another node's line, perhaps: no reason to drain
    assert f"{gres_conf} is not as" in node.logged()[-1]
    gres_conf.unlink()
    assert doubt(node)


def test_other_nodes_lines_are_no_reason_to_doubt(node: FakeNode, gres_conf: Path) -> None:
    """A gres.conf of many nodes, in which another one got other slices."""
    gres_conf.write_text("NodeName=n[1-2] Name=gpu File=/dev/nvidia0\n")
    assert doubt(node) is None
    gres_conf.write_text("NodeName=n1 Name=gpu File=/dev/nvidia0\nNodeName=n2 Name=gpu Type=x\n")
    assert doubt(node) is None
    gres_conf.write_text("NodeName=n2 Name=gpu File=/dev/nvidia0\nNodeName=n1 Name=gpu Type=x\n")
    assert doubt(node)


def test_the_same_gres_conf_written_again(node: FakeNode, gres_conf: Path) -> None:
    os.utime(gres_conf, (1, 1))  # configless: fetched anew at every reconfigure
    assert doubt(node) is None


@pytest.mark.parametrize("value", [{}, {"path": "/x"}, {"path": "", "mtime_ns": 1, "crc32": 1}, 7])
def test_a_gres_conf_that_is_none(node: FakeNode, value: Any) -> None:
    node.write_map(gres_conf=value)
    with pytest.raises(HookError):
        gres_map.load(str(node.root))
