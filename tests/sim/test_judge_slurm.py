"""Slurm's own gpu_nvml plugins judge the simulated library, under `slurmd -G`.

What they print must be what the simulated machine holds, by the rules of each version: before
23.02.6 a type is made from the sizes of a slice, afterwards from the name of its MIG device.
"""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cluster.roots import GATING
from tests.cluster.slurmds import SlurmdAnswer, slurmd_g
from tests.layouts import layouts
from tests.sim.api import Sim
from tests.sim.models import load, mig_keys
from tests.sim.truth import Slice, slices

NewSim = Callable[..., Sim]

AUTODETECT = "AutoDetect=nvml\n"
UNIQUE_ID = re.compile(r"GRES\[gpu\] Type:.* File:(/dev\S+) UniqueId:(\S+)")


def slurm_type(version: str, mig: Slice) -> str:
    """The type that this Slurm gives to a slice."""
    base = mig.gpu_name.lower().replace(" ", "_").partition("-")[0]
    if version == "22.05":
        gigabytes = int(mig.memory_mib / 1024 + 0.5)  # roundl
        return f"{base}_{mig.gi_slices}g.{gigabytes}gb"
    return f"{base}_{mig.profile}"


def ask(version: str, sim: Sim, types: list[str]) -> SlurmdAnswer:
    """`slurmd -G` on a machine whose slurm.conf lists these types, as often as they occur."""
    # Longest first: where one type is part of another, the first to ask gets the slice.
    counts = sorted(Counter(types).items(), key=lambda item: -len(item[0]))
    gres = ",".join(f"gpu:{name}:{count}" for name, count in counts)
    return slurmd_g(version, sim, gres, AUTODETECT)


def assert_same(version: str, sim: Sim, answer: SlurmdAnswer) -> None:
    """slurmd found the slices of the machine, each once, and nothing else."""
    assert (answer.returncode, answer.errors) == (0, ()), answer.log
    found = sorted((str(record.type), record.files) for record in answer.records)
    expected = sorted((slurm_type(version, mig), mig.files) for mig in slices(sim))
    assert found == expected, answer.log
    assert all(record.count == 1 for record in answer.records)
    if version != "22.05":  # its -G keeps quiet about unique ids
        unique_ids = dict(UNIQUE_ID.findall(answer.log))
        assert unique_ids == {",".join(mig.files): mig.uuid for mig in slices(sim)}


def layouts_of(key: str) -> list[str]:
    """Three GPUs a model: as many slices as possible, the largest divided, two kinds of them."""
    plain = [profile for profile in load(key).profiles if not set("+-") & set(profile.name)]
    small = plain[0]
    two = next(profile for profile in plain if profile.slices == 2)
    large = max(plain, key=lambda profile: profile.slices)
    return [
        f"{small.max_count}x{small.name}",
        f"{large.name}:2c:1c",
        f"{two.name}@0:1c:1c/{small.name}@{two.size}",
    ]


@pytest.mark.parametrize("version", GATING)
@pytest.mark.parametrize("key", mig_keys())
def test_every_model(key: str, version: str, new_sim: NewSim) -> None:
    sim = new_sim(*(f"{key}={layout}" for layout in layouts_of(key)))
    types = [slurm_type(version, mig) for mig in slices(sim)]
    assert_same(version, sim, ask(version, sim, types))


@pytest.mark.parametrize("version", GATING)
@pytest.mark.parametrize("key", mig_keys())
@pytest.mark.usefixtures("sim_library")
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_random_layouts(
    key: str, version: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Of two GPUs, whose device files do not have the numbers of NVML's order.

    With the GPU instance ids in either of the orders that were seen on hardware.
    """
    gpus = [f"{key}={data.draw(layouts(load(key)))}" for _ in range(2)]
    numbering = data.draw(st.sampled_from(["a", "b"]))
    folder = tmp_path_factory.mktemp("sim")
    sim = Sim.new(folder, gpus, reversed_minors=True, numbering=numbering)
    types = [slurm_type(version, mig) for mig in slices(sim)]
    assert_same(version, sim, ask(version, sim, types))


@pytest.mark.parametrize(
    ("gpu", "old", "new"),
    [
        ("a100-40gb=3g.20gb@4", "nvidia_a100_3g.20gb", "nvidia_a100_3g.20gb"),
        ("a100-40gb=7g.40gb", "nvidia_a100_7g.39gb", "nvidia_a100_7g.40gb"),
        ("a100-80gb=3g.40gb@4", "nvidia_a100_3g.39gb", "nvidia_a100_3g.40gb"),
        ("a100-80gb=7g.80gb", "nvidia_a100_7g.79gb", "nvidia_a100_7g.80gb"),
        ("a100-40gb=1g.5gb+me", "nvidia_a100_1g.5gb", "nvidia_a100_1g.5gb+me"),
        ("a100-40gb=2g.10gb:1c", "nvidia_a100_2g.10gb", "nvidia_a100_1c.2g.10gb"),
        (
            "h100-80gb=1g.20gb:id0",
            "nvidia_h100_80gb_hbm3_1g.20gb",
            "nvidia_h100_80gb_hbm3_1g.20gb",
        ),
    ],
)
def test_the_traps_of_naming(gpu: str, old: str, new: str, new_sim: NewSim) -> None:
    """As facts about Slurm have them, in so many words: no rule of ours in between."""
    sim = new_sim(gpu)
    for version, name in (("22.05", old), ("24.11", new)):
        answer = slurmd_g(version, sim, f"gpu:{name}:1", AUTODETECT)
        assert [record.type for record in answer.records] == [name], answer.log


@pytest.mark.parametrize("version", GATING)
def test_gpus_that_are_not_divided(version: str, new_sim: NewSim) -> None:
    sim = new_sim("l40s", "a100-80gb")
    names = ["nvidia_l40s", "nvidia_a100-sxm4-80gb"]
    answer = ask(version, sim, names)
    found = {(record.type, record.files) for record in answer.records}
    assert found == {(names[0], ("/dev/nvidia0",)), (names[1], ("/dev/nvidia1",))}


def test_mig_on_without_instances(new_sim: NewSim) -> None:
    """22.05 does not start; 24.11 offers a GPU that nobody can use."""
    sim = new_sim("a100-40gb=mig")
    old, new = (ask(version, sim, ["nvidia_a100-sxm4-40gb"]) for version in GATING)
    complaint = "MIG mode is enabled, but no MIG devices were found"
    assert old.returncode == 1
    assert any(complaint in error for error in old.errors)
    assert any(complaint in error for error in new.errors)
    assert [record.files for record in new.records] == [("/dev/nvidia0",)]


@pytest.mark.parametrize("version", GATING)
def test_a_gap_hides_what_comes_after(version: str, new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=2x3g.20gb", gap=True)
    first, second = slices(sim)
    assert second.mig_index - first.mig_index > 1
    answer = ask(version, sim, [slurm_type(version, first)])
    assert [record.files for record in answer.records] == [first.files]


def test_a_name_too_long_for_slurm(new_sim: NewSim) -> None:
    """Before 25.11.5 Slurm has room for 64 bytes: it makes a name up from the sizes instead."""
    sim = new_sim("rtx-pro-6000-96gb=2g.48gb+me.all@6:1c")
    (mig,) = slices(sim)
    assert len(mig.device_name) > 63
    made_up = "nvidia_rtx_pro_6000_blackwell_server_edition_1c.2g.48gb"
    answer = slurmd_g("24.11", sim, f"gpu:{made_up}:1", AUTODETECT)
    assert [record.type for record in answer.records] == [made_up], answer.log
