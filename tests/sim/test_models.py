"""The model files hold together: nothing here is taken from them that they do not say twice."""

import math
from itertools import pairwise

import pytest

from tests.sim.models import GiProfile, GpuModel, keys, load, mig_keys

MODELS = [load(key) for key in keys()]
WITH_MIG = [load(key) for key in mig_keys()]
PROFILES = [
    pytest.param(model, profile, id=f"{model.key}-{profile.name}")
    for model in WITH_MIG
    for profile in model.profiles
]
# Profile ids of `nvidia-smi mig -lgip`, by NVML's enum: published outputs, two kinds of GPU.
SEVEN_SLICES = {0: 19, 7: 20, 9: 15, 1: 14, 2: 9, 3: 5, 4: 0}
FOUR_SLICES = {0: 14, 7: 21, 1: 5, 8: 6, 3: 0, 10: 47, 11: 35, 12: 32, 13: 67, 14: 66, 15: 65}
FOUR_SLICES |= {16: 64}
ATTRIBUTES = {7: "+me", 8: "+me", 10: "+gfx", 11: "+gfx", 12: "+gfx", 13: "-me", 14: "-me"}
ATTRIBUTES |= {15: "+me.all", 16: "+me.all"}


def test_the_models_that_the_simulator_promises() -> None:
    assert keys() == (
        "a100-40gb",
        "a100-80gb",
        "a30-24gb",
        "b200-180gb",
        "gh200-96gb",
        "h100-80gb",
        "h100-nvl-94gb",
        "h200-141gb",
        "l40s",
        "rtx-pro-6000-96gb",
    )


def test_an_unknown_model_names_those_there_are() -> None:
    with pytest.raises(KeyError, match="a100-40gb, a100-80gb"):
        load("h100")


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"1g\.5gb, 1g\.5gb\+me"):
        load("a100-40gb").profile("1g.10gb+me")


def test_without_mig_there_is_nothing_to_cut() -> None:
    l40s = load("l40s")
    assert (l40s.mig, l40s.units, l40s.mig_sm_count, l40s.profiles) == (False, 0, 0, ())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_unknown_names_fields(model: GpuModel) -> None:
    assert model.unknown <= set(GpuModel.__dataclass_fields__)
    for profile in model.profiles:
        assert profile.unknown <= set(GiProfile.__dataclass_fields__)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.key)
def test_family_decides_about_mode_and_gpm(model: GpuModel) -> None:
    assert model.gpm == (model.family in ("hopper", "blackwell"))
    assert model.reset_for_mode == model.mode_survives_reboot == (model.family == "ampere")


@pytest.mark.parametrize("model", WITH_MIG, ids=lambda model: model.key)
def test_names_and_numbers_are_unique(model: GpuModel) -> None:
    for field in ("name", "enum", "profile_id"):
        values = [getattr(profile, field) for profile in model.profiles]
        assert len(set(values)) == len(values), field


@pytest.mark.parametrize("model", WITH_MIG, ids=lambda model: model.key)
def test_profile_ids_are_the_published_ones(model: GpuModel) -> None:
    most_slices = max(profile.slices for profile in model.profiles)
    published = SEVEN_SLICES if most_slices == 7 else FOUR_SLICES
    for profile in model.profiles:
        assert profile.profile_id == published[profile.enum], profile.name


@pytest.mark.parametrize(("model", "profile"), PROFILES)
def test_the_name_follows_from_the_memory(model: GpuModel, profile: GiProfile) -> None:
    """go-nvlib's rule: eighths of the GPU's memory, rounded up, of its size in whole GiB."""
    eighths = math.ceil(profile.memory_mib * 8 / model.memory_mib)
    gigabytes = math.floor(eighths / 8 * math.ceil(model.memory_mib / 1024) + 0.5)
    attribute = ATTRIBUTES.get(profile.enum, "")
    assert profile.name == f"{profile.slices}g.{gigabytes}gb{attribute}"


@pytest.mark.parametrize(("model", "profile"), PROFILES)
def test_placements_lie_within_the_gpu(model: GpuModel, profile: GiProfile) -> None:
    assert all(start >= 0 for start in profile.starts)
    assert max(profile.starts) + profile.size <= model.units
    assert all(later - start >= profile.size for start, later in pairwise(profile.starts))
    assert profile.max_count <= len(profile.starts)
    assert profile.sm_count <= model.mig_sm_count


@pytest.mark.parametrize(("model", "profile"), PROFILES)
def test_as_many_as_the_placements_allow(model: GpuModel, profile: GiProfile) -> None:
    """Unless only one may have the media engines."""
    only_one = "+me" in profile.name
    assert profile.max_count == (1 if only_one else len(profile.starts))


@pytest.mark.parametrize(("model", "profile"), PROFILES)
def test_compute_instances_share_out_the_gpu_instance(model: GpuModel, profile: GiProfile) -> None:
    largest = profile.ci_profiles[-1]
    assert (largest.name, largest.slices) == (profile.name, profile.slices)
    assert largest.sm_count == profile.sm_count
    for ci in profile.ci_profiles:
        assert max(ci.starts) + ci.size <= profile.slices
        assert ci.max_count * ci.slices <= profile.slices
        assert ci.max_count * ci.sm_count <= profile.sm_count
        whole = ci.slices == profile.slices
        assert ci.name == (profile.name if whole else f"{ci.slices}c.{profile.name}")


@pytest.mark.parametrize(
    ("key", "profile", "rows"),
    [  # published outputs of `nvidia-smi mig -lcip`: name, id, how many, multiprocessors
        ("a100-40gb", "1g.5gb", [("1g.5gb", 0, 1, 14)]),
        ("a100-40gb", "2g.10gb", [("1c.2g.10gb", 0, 2, 14), ("2g.10gb", 1, 1, 28)]),
        (
            "a100-40gb",
            "3g.20gb",
            [("1c.3g.20gb", 0, 3, 14), ("2c.3g.20gb", 1, 1, 28), ("3g.20gb", 2, 1, 42)],
        ),
        (
            "a100-40gb",
            "4g.20gb",
            [("1c.4g.20gb", 0, 4, 14), ("2c.4g.20gb", 1, 2, 28), ("4g.20gb", 3, 1, 56)],
        ),
        (
            "a100-80gb",
            "3g.40gb",
            [("1c.3g.40gb", 0, 3, 14), ("2c.3g.40gb", 1, 1, 28), ("3g.40gb", 2, 1, 42)],
        ),
        # The first one is a trap: it leaves ten multiprocessors unused.
        ("h100-80gb", "1g.20gb", [("1g.20gb", 0, 1, 16), ("1g.20gb", 7, 1, 26)]),
    ],
)
def test_compute_instance_profiles_as_published(
    key: str, profile: str, rows: list[tuple[str, int, int, int]]
) -> None:
    cis = load(key).profile(profile).ci_profiles
    assert [(ci.name, ci.profile_id, ci.max_count, ci.sm_count) for ci in cis] == rows
