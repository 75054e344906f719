"""slurmd's list and the slices: what fits together is a map, and nothing else is."""

import json
from typing import Any

import pytest

from slurm_mig.errors import Refused
from slurm_mig.gresmap.join import Head, gres_map, warnings
from slurm_mig.model import GresIndex, Node, Placement
from slurm_mig.slurm.records.gres import GresOptions, node_gres
from slurm_mig.slurm.records.slurmd_list import SlurmdGres
from slurm_mig.slurm.version import SlurmVersion
from tests.slurm.nodes import gpu, mig_device, node, whole_gpu

HEAD = Head("boot", 3, "24.11.5", True, 1_700_000_000)


def listed(node: Node) -> list[SlurmdGres]:
    """What a slurmd with gen-gres's lines has."""
    made = node_gres(node, GresOptions(SlurmVersion(24, 11, 5)))
    return [SlurmdGres(each.gres_index, each.type, each.files) for each in made.records]


def refused(records: list[SlurmdGres], node: Node) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        gres_map(records, node, HEAD)
    assert "gen-gres --check" in str(caught.value)
    assert "restart slurmd" in str(caught.value)
    return caught.value.problems


MIXED = node(gpu("3g.20gb", "1g.5gb", "1g.5gb"), whole_gpu(1))


def test_the_map_holds_all_that_the_hooks_need() -> None:
    made = gres_map(listed(MIXED), MIXED, HEAD)
    entries: list[dict[str, Any]] = made.pop("gres")
    assert made == {
        "version": 1,
        "node": MIXED.name,
        "boot_id": "boot",
        "generation": 3,
        "slurm_version": "24.11.5",
        "constrained": True,
        "made_at": 1_700_000_000,
        "gres_conf": None,
    }
    assert [entry["gres_index"] for entry in entries] == [0, 1, 2, 3]
    whole, first = entries[0], entries[1]
    assert whole["mig"] is None
    assert [file["path"] for file in whole["files"]] == ["/dev/nvidia1"]
    device = MIXED.gpus[0].mig_devices[0]
    assert first["gpu_uuid"] == MIXED.gpus[0].uuid
    assert [file["path"] for file in first["files"]] == [file.path for file in device.device_files]
    assert first["mig"] == {
        "uuid": device.uuid,
        "profile": "3g.20gb",
        "gi_id": device.gi_id,
        "ci_id": 0,
        "gi_minor": device.gi_minor,
        "ci_minor": device.ci_minor,
        "mig_index": device.mig_index,
        "placement": None,
        "memory_mib": device.memory_mib,
        "sm_count": device.sm_count,
    }
    assert json.loads(json.dumps(entries)) == entries


def test_a_placement_is_told_where_it_is_known() -> None:
    (part,) = MIXED.gpus[0].mig_devices[:1]
    placed = part._replace(spec=part.spec._replace(placement=Placement(4, 4)))
    alone = node(MIXED.gpus[0]._replace(mig_devices=(placed,)))
    (entry,) = gres_map(listed(alone), alone, HEAD)["gres"]
    assert entry["mig"]["placement"] == {"start": 4, "size": 4}


def test_the_order_of_the_files_is_no_matter_but_that_of_the_list_is() -> None:
    records = [each._replace(files=each.files[::-1]) for each in listed(MIXED)]
    straight = gres_map(listed(MIXED), MIXED, HEAD)
    assert gres_map(records, MIXED, HEAD) == straight
    swapped = [records[1]._replace(gres_index=GresIndex(0)), records[0]]
    entries = gres_map([*swapped, *records[2:]], MIXED, HEAD)["gres"]
    assert entries[0]["files"] == straight["gres"][1]["files"]


def test_a_record_without_a_type() -> None:
    records = [each._replace(type=None) for each in listed(MIXED)]
    assert {entry["type"] for entry in gres_map(records, MIXED, HEAD)["gres"]} == {""}


def test_no_gpus_and_no_list_is_an_empty_map() -> None:
    assert gres_map([], node(), HEAD)["gres"] == []


def test_files_that_no_slice_has() -> None:
    records = listed(MIXED)
    strange = records[1]._replace(files=("/dev/nvidia0", "/dev/nvidia-caps/nvidia-cap99"))
    problems = refused([records[0], strange, *records[2:]], MIXED)
    assert len(problems) == 2
    assert "slurmd's gres 1" in problems[0]
    assert "nvidia-cap99: no slice or whole GPU has these files" in problems[0]
    assert "slice 3g.20gb of GPU 0" in problems[1]
    assert "every job can open it" in problems[1]


def test_a_whole_gpu_that_is_cut_meanwhile() -> None:
    cut = node(gpu("1g.5gb"))
    whole = SlurmdGres(GresIndex(0), "a100", ("/dev/nvidia0",))
    first, second = refused([whole], cut)
    assert "slurmd's gres 0 (a100)" in first
    assert "slice 1g.5gb" in second


def test_one_slice_twice() -> None:
    records = listed(MIXED)
    (problem,) = refused([*records, records[-1]._replace(gres_index=GresIndex(4))], MIXED)
    assert problem.endswith("2 times")


def test_device_files_that_are_wrong_are_named_with_their_remedy() -> None:
    parts = (mig_device("1g.5gb", 7, problems=["nvidia-cap is missing: make it"]),)
    broken = node(gpu("1g.5gb")._replace(mig_devices=parts))
    assert refused(listed(broken), broken) == ("nvidia-cap is missing: make it",)


def test_a_whole_gpu_that_slurm_was_not_told_of_is_a_warning() -> None:
    records = [each for each in listed(MIXED) if each.files != ("/dev/nvidia1",)]
    assert len(gres_map(records, MIXED, HEAD)["gres"]) == 3
    (warning,) = warnings(records, MIXED)
    assert "GPU 1 (/dev/nvidia1) is not in slurmd's list" in warning
    assert warnings(listed(MIXED), MIXED) == []
