"""The usual configurations: what mig-parted generates for the same GPUs, under the same names."""

import pytest

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.migconfig import resolve
from slurm_mig.gpu.config.miggenerate import generate
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import LiveGpu, WantedGpu
from slurm_mig.model import Placement
from tests.gpu.laidout import live_gpu
from tests.sim.layout import BALANCED
from tests.sim.models import load, mig_keys

KEYS = mig_keys()


def meaning(gpus: list[LiveGpu]) -> dict[str, dict[int, WantedGpu]]:
    """Label -> what it makes of each GPU."""
    config = parse(generate(gpus).encode(), "generated")
    return {
        label: {int(index): wanted for index, wanted in resolve(config, label, gpus).items()}
        for label in config.labels
    }


def profiles(wanted: WantedGpu) -> list[str]:
    return [gi.profile for gi in wanted.instances]


@pytest.mark.parametrize("key", KEYS)
def test_every_model_has_the_usual_set(key: str) -> None:
    found = meaning([live_gpu(key)])
    model = load(key)
    names = [f"all-{row.name.replace('+', '.')}" for row in model.profiles]
    assert found.keys() == {"all-disabled", "all-enabled", "all-balanced", *names}
    assert found["all-disabled"] == {0: WantedGpu(False)}
    assert found["all-enabled"] == {0: WantedGpu(True)}
    for row in model.profiles:
        wanted = found[f"all-{row.name.replace('+', '.')}"][0]
        assert profiles(wanted) == [row.name] * row.max_count
    slices = BALANCED[max(row.slices for row in model.profiles)]
    balanced = profiles(found["all-balanced"][0])
    assert [int(name[0]) for name in balanced] == list(slices)
    assert not any(set("+-") & set(name) for name in balanced)
    assert "device-filter" not in generate([live_gpu(key)])


def test_balanced_takes_the_1g_with_less_memory() -> None:
    (wanted,) = meaning([live_gpu("h100-80gb")])["all-balanced"].values()
    assert profiles(wanted) == ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]


def test_models_are_told_apart_by_filters() -> None:
    gpus = [live_gpu("a100-40gb"), live_gpu("h100-80gb", gpu_index=1), live_gpu("l40s", "off", 2)]
    found = meaning(gpus)
    assert {index: len(w.instances) for index, w in found["all-1g.10gb"].items()} == {0: 4, 1: 7}
    assert found["all-3g.20gb"].keys() == {0}
    assert found["all-balanced"].keys() == {0, 1}
    text = generate(gpus)
    assert 'device-filter: ["0x20B010DE"]' in text
    assert text.partition("all-balanced")[0].count("device-filter") == 0


def test_models_of_which_as_many_fit_share_an_entry() -> None:
    a100, other = live_gpu("a100-80gb"), live_gpu("h100-80gb", gpu_index=1)
    assert 'device-filter: ["0x20B210DE", "0x233010DE"]' in generate([a100, other])


def test_the_same_gpus_give_the_same_bytes() -> None:
    gpus = [live_gpu(key, gpu_index=index) for index, key in enumerate(KEYS)]
    assert generate(gpus) == generate(gpus) == generate([*reversed(gpus)])


def test_a_number_that_cannot_be_is_not_believed() -> None:
    """An A30's driver has told wrong maximum numbers (mig-parted has them in a table)."""
    gpu = live_gpu("a30-24gb")
    lying = tuple(row._replace(max_count=row.max_count * 7) for row in gpu.profiles)
    found = meaning([gpu._replace(profiles=lying)])
    assert len(found["all-1g.6gb"][0].instances) == 4
    assert len(found["all-4g.24gb"][0].instances) == 1


def test_without_places_the_number_must_do() -> None:
    gpu = live_gpu("a100-40gb")
    told = tuple(row._replace(placements=()) for row in gpu.profiles)
    assert generate([gpu._replace(profiles=told)]) == generate([gpu])


def test_without_a_balanced_layout_there_is_none() -> None:
    gpu = live_gpu("a100-40gb")
    only = tuple(row for row in gpu.profiles if row.slices != 2)
    assert "all-balanced" not in meaning([gpu._replace(profiles=only)])
    six = gpu.profiles[0]._replace(profile="6g.40gb", slices=6, placements=(Placement(0, 8),))
    assert "all-balanced" not in meaning([gpu._replace(profiles=(six,))])


def test_nothing_to_generate() -> None:
    with pytest.raises(Refused, match="no GPU here can do MIG"):
        generate([live_gpu("l40s")])
    with pytest.raises(Refused, match=r"GPU 0 .* tells no profiles: switch MIG on, or take --gpu"):
        generate([live_gpu("a100-40gb")._replace(profiles=())])
