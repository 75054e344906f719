"""discover's JSON: the contract, key by key, in tests/golden/discover.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from slurm_mig.gpu.present.discover import discover
from slurm_mig.gpu.present.inventory import to_json
from slurm_mig.model import MigMode, Node
from tests.fakes import A100, FakeGpu, FakeNvml, empty, slice_of
from tests.gpu.driver_tree import lay_out
from tests.gpu.present.test_cores import sysfs

GOLDEN = Path(__file__).parents[2] / "golden" / "discover.json"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Every kind of GPU and slice, one missing node, one gap."""
    on = MigMode(current=True, pending=False)
    machine = FakeNvml(
        [
            FakeGpu(
                (
                    slice_of("3g.20gb", 4, 4, 1, "1c.3g.20gb", "2c.3g.20gb"),
                    slice_of("1g.5gb+me", 0, 1, 9),
                    empty("2g.10gb", 2, 2, 3),
                ),
                name=A100,
                memory_mib=40960,
                minor=1,
                mig_mode=on,
                mig_gaps=frozenset({1}),
                near=frozenset({0}),
            ),
            FakeGpu(minor=0),
            FakeGpu(None, "NVIDIA L40S", 46068),
        ]
    )
    root = sysfs(lay_out(tmp_path, machine), {0: ("0", 0, 0), 1: ("1", 1, 1)}, "0-1")
    (root / "dev/nvidia-caps/nvidia-cap219").unlink()
    return discover(machine, root, "n1")


def test_the_contract(node: Node) -> None:
    """If this fails, other programs break: add keys, never change or remove any."""
    assert to_json(node) == json.loads(GOLDEN.read_text())


def test_key_order_is_the_contracts(node: Node) -> None:
    assert f"{json.dumps(to_json(node), indent=2)}\n" == GOLDEN.read_text()


CONTRACT_GPU = {
    *("gpu_index", "gpu_minor", "uuid", "name"),
    *("pci_bus_id", "memory_mib", "mig_mode", "mig_devices"),
}
CONTRACT_SLICE = {
    *("mig_index", "uuid", "profile", "gi_id", "ci_id", "placement"),
    *("gi_minor", "ci_minor", "device_files", "memory_mib", "sm_count"),
}


def test_every_key_that_was_promised_is_there(node: Node) -> None:
    value: dict[str, Any] = to_json(node)
    assert value["version"] == 1
    assert {"node", "driver_version", "gpus"} <= value.keys()
    for gpu in value["gpus"]:
        assert gpu.keys() >= CONTRACT_GPU
        assert set(gpu["mig_mode"]) == {"current", "pending"}
        for device in gpu["mig_devices"]:
            assert device.keys() >= CONTRACT_SLICE
            assert len(device["device_files"]) == 3


def test_what_is_not_known_is_null_never_zero(node: Node) -> None:
    value = to_json(node)
    assert value["gpus"][2]["mig_mode"] == {"current": None, "pending": None}
    assert value["gpus"][1]["mig_mode"] == {"current": False, "pending": False}
    missing = [n for d in value["gpus"][0]["mig_devices"] for n in d["device_nodes"]][-2]
    assert (missing["mode"], bool(missing["problems"])) == (None, True)
