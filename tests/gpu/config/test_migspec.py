"""The format as a tree of values: what an entry becomes, whatever wrote it."""

import pytest

from slurm_mig.gpu.config.migconfig import DeviceFilter, Devices, Entry, MigConfig
from slurm_mig.gpu.config.migspec import read_spec
from slurm_mig.gpu.config.migtree import Fields, Items, Leaf, Tree
from slurm_mig.gpu.partitioning import WantedGi, WantedGpu


def tree(value: object, line: int = 1) -> Tree:
    """A value as if it had been read from one line; a key of a mapping adds one."""
    if isinstance(value, dict):
        return Fields(
            line, {k: (line + n, tree(v, line + n)) for n, (k, v) in enumerate(value.items())}
        )
    if isinstance(value, list):
        return Items(line, tuple(tree(item, line) for item in value))
    if value is None:
        return Leaf(line, "null", "")
    if isinstance(value, bool):
        return Leaf(line, "flag", "true" if value else "false")
    return Leaf(line, "number" if isinstance(value, int) else "text", str(value))


def read(value: object) -> tuple[MigConfig, list[str]]:
    problems: list[str] = []
    return read_spec(tree(value), "f", problems), problems


def read_entry(**fields: object) -> tuple[Entry, list[str]]:
    named = {key.replace("_", "-"): value for key, value in fields.items()}
    config, problems = read({"version": "v1", "mig-configs": {"x": [named]}})
    return config.labels["x"][0], problems


def test_a_whole_file() -> None:
    entry = {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.5gb": 1}}
    config, problems = read({"version": "v1", "mig-configs": {"a": [entry], "b": [entry, entry]}})
    assert problems == []
    assert config.source == "f"
    assert {label: len(entries) for label, entries in config.labels.items()} == {"a": 1, "b": 2}
    wanted = WantedGpu(True, (WantedGi("1g.5gb"),))
    assert config.labels["a"] == (Entry("f:2", (), Devices("all"), wanted),)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], ["f:1: the file is a list, not a mapping", "f:1: the file has no version"]),
        ({"mig-configs": {"a": []}}, ["f:1: the file has no version", "f:1: a is empty"]),
        ({"version": "v1", "mig-configs": []}, ["f:2: mig-configs is a list, not a mapping"]),
        ({"version": "v1", "mig-configs": {}}, ["f:2: mig-configs is empty"]),
        ({"version": "v1", "mig-configs": None}, ["f:2: mig-configs is nothing, not a mapping"]),
        ({"version": "v1", "mig-configs": {"a": None}}, ["f:2: a is nothing, not a list"]),
        ({"version": "v1", "mig-configs": {"a": [1]}}, ["f:2: an entry of a is a number ('1')"]),
        ({"version": "v1", "mig-configs": {"a ": []}}, ["f:2: 'a ' cannot be the name of"]),
        ({"version": "v1", "mig-configs": {"": []}}, ["f:2: '' cannot be the name of a config"]),
        ({"version": None, "mig-configs": {}}, ["f:1: version is nothing, not text"]),
    ],
)
def test_files_that_are_none(value: object, told: list[str]) -> None:
    _, problems = read(value)
    for expected in told:
        assert any(problem.startswith(expected) for problem in problems), problems


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0x20B010DE", (0x20B010DE, None)),
        ("0X20b010de", (0x20B010DE, None)),
        ("0x20B010DE:0x134F10DE", (0x20B010DE, 0x134F10DE)),
        ("548409566:1", (0x20B010DE, 1)),
        ("0x0", (0, None)),
        ("0", (0, None)),
    ],
)
def test_device_filters(text: str, numbers: tuple[int, "int | None"]) -> None:
    for value in (text, [text]):
        entry, problems = read_entry(devices="all", mig_enabled=False, device_filter=value)
        assert (entry.filters, problems) == ((DeviceFilter(*numbers),), [])


@pytest.mark.parametrize("value", [7, {"a": 1}, True, [7], [None], ["0x1", "x"], [[]]])
def test_device_filters_that_are_none(value: object) -> None:
    _, problems = read_entry(devices="all", mig_enabled=False, device_filter=value)
    assert len(problems) == 1
    assert problems[0].startswith("f:4: device-filter")


def test_a_bad_entry_does_not_hide_the_next() -> None:
    bad, worse = {"devices": "none", "mig-enabled": 1}, {"gpus": ["x"], "mig-enabled": None}
    _, problems = read({"version": "v1", "mig-configs": {"x": [bad, worse]}})
    assert len(problems) == 4


@pytest.mark.parametrize("key", ["mig-devices", "mig-instances"])
def test_instances_of_a_gpu_without_mig(key: str) -> None:
    instances = {"1g.5gb": 1} if key == "mig-devices" else [{"profile": "1g.5gb"}]
    fields = {"devices": "all", "mig-enabled": False, key: instances}
    _, problems = read({"version": "v1", "mig-configs": {"x": [fields]}})
    assert problems == ["f:4: instances, but mig-enabled is false"]
    empty = {"devices": "all", "mig-enabled": False, key: type(instances)()}
    _, problems = read({"version": "v1", "mig-configs": {"x": [empty]}})
    assert problems == []
