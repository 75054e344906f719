"""docs/usage.schema.json holds for records of every kind, and for nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from slurm_mig.hooks import dead
from slurm_mig.usage import record, sums
from tests.fake_usage import Step
from tests.hooks.fakenode import FakeNode
from tests.usage.monitor.scene import Scene

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "docs/usage.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def problems(one: dict[str, Any]) -> list[str]:
    return [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(one)]


def measured(tmp_path: Path, layout: str) -> dict[str, Any]:
    node = Scene(tmp_path / "n", layout)
    node.begin(7, 0)
    node.run(7, 0, Step(0, 1000, 0.5))
    node.tick(times=5)
    return node.end(7)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "layout", ["h100-80gb=2x1g.10gb", "h100-80gb=3g.40gb:1c:2c", "a100-40gb=3g.20gb", "h100-80gb"]
)
def test_what_the_monitor_measured_keeps_to_it(tmp_path: Path, layout: str) -> None:
    found = measured(tmp_path, layout)
    assert found["slices"][0]["usage"] is not None
    assert problems(found) == []


def test_a_record_of_before_there_were_curves_keeps_to_it(tmp_path: Path) -> None:
    found = measured(tmp_path, "h100-80gb=2x1g.10gb")
    del found["slices"][0]["usage"]["curve"]
    assert problems(found) == []


def test_records_of_hooks_alone_keep_to_it(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "n")
    assert node.prolog(7, "1,5") == node.epilog(7, "1,5") == 0
    assert node.epilog(8, "2", SLURM_JOB_START_TIME="1700000000") == 0  # without a prolog
    assert node.epilog(10, SLURM_JOB_EXIT_CODE2="") == 0
    assert node.prolog(9, "0") == 0
    node.wipe_run()
    node.write_map()
    assert node.prolog(9, "0") == 0
    node.map["boot_id"] = "another"
    (node.root / "proc/sys/kernel/random/boot_id").write_text("another\n")
    dead.sweep(str(node.root))
    found = node.records()
    assert len(found) == 4
    assert [line for one in found for line in problems(one)] == []


def test_every_field_of_a_record_is_in_it_and_must_be_there() -> None:
    entry = {"gpu_uuid": "GPU-0", "gpu_minor": 0, "gpu_name": "", "type": "", "gres_index": 0}
    one = record.slice_identity({**entry, "mig": None}, "b", 0)
    made = record.opened("r", {"job_id": 1, "restarts": 0}, [one], start=None, complete=False)
    assert problems(made) == []
    assert list(made) == list(SCHEMA["properties"]) == SCHEMA["required"]
    for name in made:
        less = {key: value for key, value in made.items() if key != name}
        assert problems(less), name
    for name in one:
        less = {key: value for key, value in one.items() if key != name}
        assert problems({**made, "slices": [less]}), name


def test_the_activities_are_all_there() -> None:
    named = SCHEMA["$defs"]["activity"]["properties"]
    assert [name for name in named if name not in ("method", "shared_gi", "sampled_s")] == list(
        sums.ACTIVITIES
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("slices", 0, "usage", "coverage"), 1.5),
        (("slices", 0, "usage", "samples"), 0),
        (("slices", 0, "usage", "activity", "sm", "mean"), 55),
        (("slices", 0, "usage", "memory", "method"), "guess"),
        (("slices", 0, "usage", "extra"), 1),
        (("slices", 0, "usage", "curve", "bucket_s"), 0),
        (("slices", 0, "usage", "curve", "sm_mean"), [1.5]),
        (("slices", 0, "usage", "curve", "memory_peak_mib"), [None] * 49),
        (("slices", 0, "usage", "curve", "memory_peak_mib"), []),
        (("device_check",), "fine"),
        (("power", 0, "joules"), -1),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, path: tuple[Any, ...], value: object) -> None:
    found = measured(tmp_path, "h100-80gb=2x1g.10gb")
    place: Any = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert problems(found)


def test_the_examples_of_the_docs_keep_to_it() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/usage.md").read_text()
    top, one = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    for name in ("device_check", "power"):
        schema = {**SCHEMA["properties"][name], "$defs": SCHEMA["$defs"]}
        assert not list(jsonschema.Draft202012Validator(schema).iter_errors(top[name]))
    schema = {"$ref": "#/$defs/usage", "$defs": SCHEMA["$defs"]}
    assert not list(jsonschema.Draft202012Validator(schema).iter_errors(one["usage"]))
