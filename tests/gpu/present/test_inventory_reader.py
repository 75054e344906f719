"""An inventory is read back as it was, or refused with every problem by file and key."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.gpu.present.inventory import to_json
from slurm_mig.gpu.present.inventory_reader import from_json, read_nodes
from slurm_mig.model import DeviceFile, Node
from tests.gpu.nodes import nodes
from tests.gpu.repeatable import REPEATABLE

GOLDEN = Path(__file__).parents[2] / "golden" / "discover.json"
Object = dict[str, Any]


@pytest.fixture
def good() -> Object:
    """A node's JSON: gpus[0] has three slices."""
    value: Object = json.loads(GOLDEN.read_text())
    return value


def read(value: object) -> tuple[Node | None, list[str]]:
    problems: list[str] = []
    return from_json(value, "f: ", problems), problems


def problems_of(value: object) -> list[str]:
    node, problems = read(value)
    assert (node is None) == bool(problems)
    return problems


@REPEATABLE
@given(nodes())
def test_what_was_written_is_read(node: Node) -> None:
    text = json.dumps(to_json(node))
    assert read(json.loads(text)) == (node, [])


def test_the_golden_file_is_read(good: Object) -> None:
    node, problems = read(good)
    assert problems == []
    assert node is not None
    assert to_json(node) == good


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    if isinstance(value, dict):
        inner = [found for key in value for found in places(value[key], (*path, key))]
    elif isinstance(value, list):
        inner = [found for n, item in enumerate(value) for found in places(item, (*path, n))]
    else:
        inner = []
    return [path, *inner]


@REPEATABLE
@given(st.data(), JSON_VALUES)
def test_any_damage_is_refused_or_harmless_but_never_a_crash(data: st.DataObject, new: Any) -> None:
    value = json.loads(GOLDEN.read_text())
    path = data.draw(st.sampled_from(places(value)[1:]))
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    node, problems = read(value)
    assert (node is None) == bool(problems)
    assert all(problem.startswith("f: ") for problem in problems)


@REPEATABLE
@given(JSON_VALUES)
def test_any_json_is_refused(value: Any) -> None:
    assert problems_of(value)


EXTRA = [
    ("gpus", 0, "device_file"),
    ("gpus", 0, "cores"),
    ("gpus", 0, "empty_gpu_instances"),
    ("gpus", 0, "warnings"),
    ("gpus", 0, "mig_devices", 0, "gi_slices"),
    ("gpus", 0, "mig_devices", 0, "ci_slices"),
    ("gpus", 0, "mig_devices", 0, "device_nodes"),
    ("warnings",),
]


def remove(value: Any, path: tuple[Any, ...]) -> None:
    for step in path[:-1]:
        value = value[step]
    del value[path[-1]]


@pytest.mark.parametrize("path", EXTRA)
def test_keys_beyond_the_contract_may_be_missing(good: Object, path: tuple[Any, ...]) -> None:
    remove(good, path)
    assert problems_of(good) == []


def test_the_contracts_keys_alone_are_enough(good: Object) -> None:
    for gpu in good["gpus"]:
        for device in gpu["mig_devices"]:
            for key in ("gi_slices", "ci_slices", "device_nodes"):
                del device[key]
        for key in ("device_file", "cores", "empty_gpu_instances", "warnings"):
            del gpu[key]
    node, problems = read(good)
    assert problems == []
    assert node is not None
    first = node.gpus[0].mig_devices[0]
    assert (first.gi_slices, first.ci_slices) == (3, 1)
    assert first.device_files[0] == DeviceFile("/dev/nvidia1", None, None, None)


@pytest.mark.parametrize(
    "path",
    [
        ("version",),
        ("node",),
        ("driver_version",),
        ("gpus",),
        *(("gpus", 1, key) for key in ("gpu_index", "gpu_minor", "uuid", "name", "mig_mode")),
        *(("gpus", 1, key) for key in ("pci_bus_id", "memory_mib", "mig_devices")),
        ("gpus", 1, "mig_mode", "current"),
        ("gpus", 1, "mig_mode", "pending"),
        *(("gpus", 0, "mig_devices", 1, key) for key in ("mig_index", "uuid", "gi_id", "ci_id")),
        *(("gpus", 0, "mig_devices", 1, key) for key in ("gi_minor", "ci_minor", "placement")),
        *(("gpus", 0, "mig_devices", 1, key) for key in ("profile", "memory_mib", "sm_count")),
        ("gpus", 0, "mig_devices", 1, "device_files"),
    ],
)
def test_a_key_of_the_contract_that_is_missing(good: Object, path: tuple[Any, ...]) -> None:
    remove(good, path)
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]
    assert any(problem.startswith(f"f: {name}: ") for problem in problems_of(good))


def slice_0(good: Object) -> Object:
    found: Object = good["gpus"][0]["mig_devices"][0]
    return found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda g: g.update(version=2), "f: version: only version 1 is known here"),
        (lambda g: g.update(version=True), "f: version: 'True' is not a whole number"),
        (lambda g: g.update(node="a\nb"), "f: node: 'a\\nb' is not a line of text"),
        (lambda g: g.update(gpus={}), "f: gpus: '{}' is not a list of objects"),
        (lambda g: g["gpus"].append(3), "f: gpus[3]: not an object"),
        (lambda g: g["gpus"][1].update(gpu_minor=-1), "f: gpus[1].gpu_minor: '-1' is not a whole"),
        (
            lambda g: g["gpus"][1].update(gpu_minor=0.5),
            "f: gpus[1].gpu_minor: '0.5' is not a whole",
        ),
        (lambda g: g["gpus"][1].update(gpu_index=0), "f: gpus: gpu_index 0 is there twice"),
        (lambda g: g["gpus"][1].update(mig_mode=None), "f: gpus[1].mig_mode: not an object"),
        (
            lambda g: g["gpus"][1]["mig_mode"].update(current=1),
            "f: gpus[1].mig_mode.current: '1' is not true or false",
        ),
        (
            lambda g: g["gpus"][0]["mig_mode"].update(current=False),
            "f: gpus[0].mig_devices: there are some, though MIG mode is not on",
        ),
        (
            lambda g: g["gpus"][0]["cores"].update(first_to_last=[[3, 1]]),
            "f: gpus[0].cores.first_to_last: '[[3, 1]]' is not a list of [first, last]",
        ),
        (
            lambda g: slice_0(g).update(profile="big"),
            "f: gpus[0].mig_devices[0].profile: 'big' is no MIG profile, such as",
        ),
        (
            lambda g: slice_0(g)["device_files"].__setitem__(1, "/dev/sda"),
            "f: gpus[0].mig_devices[0].device_files: the minors above make it /dev/nvidia1, ",
        ),
        (
            lambda g: slice_0(g)["device_nodes"][1].update(path="/dev/sda"),
            "f: gpus[0].mig_devices[0].device_nodes[1].path: the minors make it /dev/nvidia-caps",
        ),
        (
            lambda g: slice_0(g)["device_nodes"].pop(),
            "f: gpus[0].mig_devices[0].device_nodes: not three: parent, GPU instance, compute",
        ),
        (
            lambda g: slice_0(g)["device_nodes"][1].update(mode="rw"),
            "f: gpus[0].mig_devices[0].device_nodes[1].mode: 'rw' is no octal mode such as 0444",
        ),
        (
            lambda g: g["gpus"][0]["mig_devices"].append(slice_0(g)),
            "f: gpus[0].mig_devices: uuid MIG-",
        ),
    ],
)
def test_what_cannot_be_is_told_by_key(
    good: Object, change: Callable[[Object], None], problem: str
) -> None:
    change(good)
    (found,) = problems_of(good)[:1]
    assert found.startswith(problem)


def test_every_problem_is_told_at_once(good: Object) -> None:
    del good["node"]
    good["gpus"][0]["name"] = 7
    good["gpus"][2]["memory_mib"] = "much"
    assert [problem.split(": ")[1] for problem in problems_of(good)] == [
        "gpus[0].name",
        "gpus[2].memory_mib",
        "node",
    ]


def test_unknown_keys_are_passed_over(good: Object) -> None:
    good["from_the_future"] = slice_0(good)["also"] = {"x": 1}
    assert problems_of(good) == []


def named(good: Object, name: str) -> str:
    return json.dumps(good | {"node": name})


@pytest.mark.parametrize(
    "join",
    [
        pytest.param(lambda texts: "\n".join(texts), id="lines"),
        pytest.param(lambda texts: "".join(texts), id="one after the other"),
        pytest.param(lambda texts: f" [{','.join(texts)}]\n", id="a list"),
    ],
)
def test_many_nodes_in_a_file(
    tmp_path: Path, good: Object, join: Callable[[list[str]], str]
) -> None:
    file = tmp_path / "all.json"
    file.write_text(join([named(good, name) for name in ("n1", "n2", "n3")]))
    assert [node.name for node in read_nodes([file])] == ["n1", "n2", "n3"]


def test_many_files(tmp_path: Path, good: Object) -> None:
    for name in ("n1", "n2"):
        (tmp_path / name).write_text(named(good, name))
    assert [node.name for node in read_nodes([tmp_path / "n1", tmp_path / "n2"])] == ["n1", "n2"]


def test_problems_of_all_files_are_told_after_the_last(tmp_path: Path, good: Object) -> None:
    texts = {
        "good": json.dumps(good),
        "bad": json.dumps(good | {"node": 1}),
        "second": json.dumps(good) + json.dumps(good | {"node": 1}),
        "cut": json.dumps(good)[:-5],
        "empty": "",
        "list": "[]",
        "deep": "[" * 100_000,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "folder").mkdir()
    files = [tmp_path / name for name in (*texts, "binary", "folder", "absent")]
    read: list[Node] = []
    with pytest.raises(Refused) as error:
        read.extend(read_nodes(files))
    told = [problem.removeprefix(f"{tmp_path}/") for problem in error.value.problems]
    assert [problem.split(": ")[0] for problem in told] == [
        "bad", "second", "cut", "empty", "list", "deep", "binary", "folder", "absent",
    ]  # fmt: skip
    assert told[1].startswith("second: node 2: node: ")
    assert "save `slurm-mig discover --json` again" in told[2]
    assert "wanted the output of `slurm-mig discover --json`" in told[3]


def test_nodes_are_read_one_at_a_time(tmp_path: Path, good: Object) -> None:
    """Ten thousand nodes need not fit in memory: the second file is not even there yet."""
    (tmp_path / "n1").write_text(named(good, "n1"))
    found = read_nodes([tmp_path / "n1", tmp_path / "n2"])
    assert next(found).name == "n1"
    (tmp_path / "n2").write_text(named(good, "n2"))
    assert next(found).name == "n2"
