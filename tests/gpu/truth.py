"""What discover should have found: the simulated machine's state, told by another way than NVML."""

import os
import stat
from typing import Any

from tests.sim.api import Sim

Object = dict[str, Any]
_OF_GPU = ("gpu_index", "uuid", "name", "pci_bus_id")
_OF_CI = ("mig_index", "uuid", "profile", "ci_id", "sm_count")
_OF_GI = ("placement", "memory_mib")


def assert_is_the_truth(found: Object, sim: Sim) -> None:
    """`found` (discover's JSON) is exactly what `sim` holds, and every device node is right."""
    for gpu, truth in zip(found["gpus"], sim.show()["gpus"], strict=True):
        assert {key: gpu[key] for key in _OF_GPU} == {key: truth[key] for key in _OF_GPU}
        assert _slices_found(gpu) == _slices(truth)
        empty = [gi["gi_id"] for gi in truth["gpu_instances"] if not gi["compute_instances"]]
        assert [gi["gi_id"] for gi in gpu["empty_gpu_instances"]] == empty
        for node in (node for device in gpu["mig_devices"] for node in device["device_nodes"]):
            _assert_node(node, sim)


def _slices(truth: Object) -> dict[tuple[int, int], Object]:
    return {
        (gi["gi_id"], ci["ci_id"]): {key: ci[key] for key in _OF_CI}
        | {key: gi[key] for key in _OF_GI}
        for gi in truth["gpu_instances"]
        for ci in gi["compute_instances"]
    }


def _slices_found(gpu: Object) -> dict[tuple[int, int], Object]:
    return {
        (device["gi_id"], device["ci_id"]): {key: device[key] for key in (*_OF_CI, *_OF_GI)}
        for device in gpu["mig_devices"]
    }


def _assert_node(node: Object, sim: Sim) -> None:
    found = (sim.root / node["path"].lstrip("/")).lstat()
    assert found.st_rdev == os.makedev(node["major"], node["minor"])
    assert f"{stat.S_IMODE(found.st_mode):04o}" == node["mode"]
    assert node["problems"] == []
