"""What a configuration would make of a node, by the gpus that slurmctld has of it."""

import pytest

from slurm_mig.gpu.config import offline
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.reconfigure.fleet.foreseen import ONLY_THE_NODE, Foreseen, foresee, left_unknown
from slurm_mig.reconfigure.fleet.model_types import types_of
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.slurm.records.gres import GresOptions
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.reconfigure.fleet.runs import TEXT

NEW, OLD = SlurmVersion(24, 11, 5), SlurmVersion(22, 5, 8)
H100 = "nvidia_h100_80gb_hbm3"
MIXED = {f"{H100}_3g.40gb": 1, f"{H100}_2g.20gb": 1, f"{H100}_1g.10gb": 2}


def node(gres: str) -> NodeState:
    slurm = FakeSlurm(NEW)
    slurm.add("n1", gres)
    return FakeSlurmClient(slurm).node("n1")


def of(gres: str, entries: str = "", version: SlurmVersion = NEW) -> Foreseen:
    text = TEXT if not entries else f"version: v1\nmig-configs:\n  mixed:\n{entries}"
    return foresee(node(gres), parse(text.encode(), "mig.yaml"), "mixed", version)


def times(count: int) -> dict[str, int]:
    return {kind: number * count for kind, number in MIXED.items()}


@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize(
    ("gres", "count", "exact", "has"),
    [
        (f"gpu:{H100}_1g.10gb:7", 1, False, "1 or more: 7x1g.10gb"),
        (f"gpu:{H100}_1g.10gb:56", 8, False, "8 or more: 56x1g.10gb"),
        (f"gpu:{H100}_1g.10gb:8", 2, False, "2 or more: 8x1g.10gb"),
        (f"gpu:{H100}:8", 8, True, "8: 8xGPU without MIG"),
        (f"gpu:{H100}:1,gpu:{H100}_7g.80gb:2", 3, False, "3 or more: GPU without MIG + 2x7g.80gb"),
    ],
)
def test_what_each_gpu_would_have(
    gres: str, count: int, exact: bool, has: str, version: SlurmVersion
) -> None:
    if version == OLD:
        gres = gres.replace("7g.80gb:2", "7g.79gb:8")  # its parts are called alike
    found = of(gres, version=version)
    assert (found.types, found.gpu_count, found.exact) == (times(count), count, exact)
    assert (found.why, found.problem) == ("", "")
    (line,) = found.lines
    if version == NEW:
        assert line.startswith(f"NVIDIA H100 80GB HBM3, {has} -> ")
    assert tuple(left_unknown(found)) == (ONLY_THE_NODE[:1] if exact else ONLY_THE_NODE)


@pytest.mark.parametrize(
    ("gres", "count"),
    [
        # By memory units, by slices, and by what one GPU may have of it.
        (f"gpu:{H100}_3g.40gb:3", 2),
        (f"gpu:{H100}_3g.40gb:8,gpu:{H100}_2g.20gb:8,gpu:{H100}_1g.10gb:16", 8),
        (f"gpu:{H100}_4g.40gb:2", 2),
        (f"gpu:{H100}_1g.20gb:5", 2),
        # Parts of one GPU instance: as few as may be.
        (f"gpu:{H100}_1c.3g.40gb:6", 1),
        (f"gpu:{H100}_1c.3g.40gb:7", 2),
        (f"gpu:{H100}_2c.3g.40gb:1,gpu:{H100}_1c.3g.40gb:1", 1),
    ],
)
def test_on_how_many_gpus_slices_lie_at_least(gres: str, count: int) -> None:
    assert of(gres).gpu_count == count


def test_what_is_as_wanted() -> None:
    found = of(f"gpu:{H100}_1g.10gb:2,gpu:{H100}_2g.20gb:1,gpu:{H100}_3g.40gb:1")
    assert found.types == MIXED
    assert found.lines == ("NVIDIA H100 80GB HBM3, 1 or more: 2x1g.10gb + 2g.20gb + 3g.40gb",)


def test_types_without_the_gpu_s_name_may_be_of_several_models() -> None:
    assert of("gpu:2g.20gb:3").types == {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}
    assert (
        of("gpu:2g.20gb:3")
        .lines[0]
        .startswith("NVIDIA A100-SXM4-80GB or NVIDIA H100 80GB HBM3, 1 or more: 3x2g.20gb -> ")
    )
    found = of("gpu:1g.10gb:7")  # an A100 40GB has that too, and cannot have the other
    assert found.types is None
    assert found.why.startswith("by its types it may have NVIDIA A100-SXM4-40GB or ")


@pytest.mark.parametrize(
    ("gres", "why"),
    [
        ("", "slurmctld has no gpus of it"),
        ("gpu:8", "no model is known that has gpus without a type"),
        ("gpu:tesla:8", "no model is known that has gpus of type tesla"),
        ("gpu:h100:8", "by its types it may have NVIDIA H100 80GB HBM3 or NVIDIA H100 NVL"),
        (f"gpu:{H100}:4,gpu:a100:4", "its gpus of type a100 may be of NVIDIA A100-SXM4-40GB or"),
        ("gpu:nvidia_h200:4", "perhaps not to be had: "),
    ],
)
def test_what_types_do_not_tell(gres: str, why: str) -> None:
    found = of(gres)
    assert found.why.startswith(why)
    assert found._replace(why="") == Foreseen()


def test_other_gpus_of_the_node_stay_as_they_are() -> None:
    found = of(f"gpu:{H100}:4,gpu:nvidia_l40s:2")
    assert found.types == {**times(4), "nvidia_l40s": 2}
    assert (found.gpu_count, found.exact) == (6, True)
    assert found.lines[1] == "NVIDIA L40S, 2: 2xGPU without MIG"


ENTRY = """\
    - device-filter: "{filter}"
      devices: all
      mig-enabled: true
      mig-devices: {{{devices}}}
"""


def test_each_model_gets_its_own() -> None:
    a100 = ENTRY.format(filter="0x20B010DE", devices="1g.5gb: 7")
    h100 = ENTRY.format(filter="0x233010DE", devices="3g.40gb: 2")
    found = of(f"gpu:{H100}_1g.10gb:14,gpu:nvidia_a100-sxm4-40gb:1", a100 + h100)
    assert found.types == {f"{H100}_3g.40gb": 4, "nvidia_a100_1g.5gb": 7}
    alone = of("gpu:nvidia_h100_nvl:2", a100 + h100)
    assert alone.why.startswith("perhaps not to be had: mig.yaml:4: no entry is about a GPU")


def test_mig_may_be_off_afterwards() -> None:
    off = "    - devices: all\n      mig-enabled: false\n"
    found = of(f"gpu:{H100}_1g.10gb:7", off)
    assert found.types == {H100: 1}
    assert found.lines == ("NVIDIA H100 80GB HBM3, 1 or more: 7x1g.10gb -> GPU without MIG",)


WANTS = "    - devices: all\n      mig-enabled: true\n      mig-devices: {{{}}}\n"


def test_what_cannot_be_had() -> None:
    found = of(f"gpu:{H100}_1g.10gb:7", WANTS.format("3g.40gb: 3"))
    why = "NVIDIA H100 80GB HBM3: 3 3g.40gb wanted, of which this GPU holds 2"
    assert found.problem.startswith(why)
    assert found._replace(problem="") == Foreseen()


def test_a_driver_may_offer_more_than_the_table_has() -> None:
    found = of(f"gpu:{H100}_1g.10gb:7", WANTS.format("3g.47gb: 1"))
    why = "perhaps not to be had: mig.yaml:4: NVIDIA H100 80GB HBM3 has no profile 3g.47gb"
    assert found.why.startswith(why)
    assert not found.problem


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ("devices: [0]", "the configuration names GPUs one by one (mig.yaml:4)"),
        ('gpus: ["0000:65:00.0"]', "the configuration names GPUs one by one (mig.yaml:4)"),
        (
            'devices: all\n      device-filter: "0x233010DE:0x16C110DE"',
            "the configuration has boards' subsystem ids (mig.yaml:4)",
        ),
    ],
)
def test_what_only_the_node_can_find(chosen: str, why: str) -> None:
    entry = f"    - {chosen}\n      mig-enabled: true\n      mig-devices: {{1g.10gb: 1}}\n"
    assert of(f"gpu:{H100}:1", entry).why == why


@pytest.mark.parametrize("version", [NEW, OLD])
@pytest.mark.parametrize("profile_types", [False, True])
@pytest.mark.parametrize("autodetect", [False, True])
def test_every_profile_of_every_model_has_a_type(
    version: SlurmVersion, profile_types: bool, autodetect: bool
) -> None:
    models = types_of(GresOptions(version, autodetect, profile_types))
    assert {model.key for model in models} == set(offline.keys())
    for model, names in models.items():
        profiles = {each.profile for each in offline.gpu(model.key).profiles}
        whole = {name for name, profile in names.items() if not profile}
        assert len(whole) == 2, model  # in full and in short
        named = {profile for profile in names.values() if profile}
        assert named <= profiles | {one for one in named if "c." in one}
        if version == NEW and not (autodetect and profile_types):
            assert profiles <= named, model
