"""One file for a whole fleet, as mig-parted's own is: each node finds in it what is its."""

from itertools import combinations

import pytest

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.migconfig import MigConfig, resolve
from slurm_mig.gpu.config.migexport import export
from slurm_mig.gpu.config.miggenerate import generate
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.gpu.planning.plan import plan
from tests.gpu.laidout import live_gpu
from tests.sim.models import load, mig_keys

KEYS = mig_keys()
FLEET = parse(
    generate([live_gpu(key, gpu_index=i) for i, key in enumerate(KEYS)]).encode(), "fleet"
)

PAIRS = list(combinations(KEYS, 2))


def own(gpus: list[LiveGpu]) -> MigConfig:
    """What is generated on the node itself."""
    return parse(generate(gpus).encode(), "own")


@pytest.mark.parametrize("key", KEYS)
def test_a_node_finds_what_it_would_have_generated(key: str) -> None:
    gpus = [live_gpu(key, gpu_index=index) for index in range(4)]
    for label in own(gpus).labels:
        assert resolve(FLEET, label, gpus) == resolve(own(gpus), label, gpus), label


@pytest.mark.parametrize("key", KEYS)
def test_what_is_for_other_models_is_refused_by_name(key: str) -> None:
    gpus = [live_gpu(key)]
    mine = {f"all-{row.name.replace('+', '.')}" for row in load(key).profiles}
    others = [label for label in FLEET.labels if label.startswith("all-") and "g." in label]
    for label in set(others) - mine:
        with pytest.raises(Refused, match="no entry is about a GPU of this node"):
            resolve(FLEET, label, gpus)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_models_in_one_node(one: str, other: str) -> None:
    gpus = [live_gpu(one, "balanced"), live_gpu("l40s", gpu_index=1), live_gpu(other, gpu_index=2)]
    wanted = resolve(own(gpus), "all-balanced", gpus)
    assert wanted.keys() == {0, 2}
    assert plan(gpus[0], wanted[gpus[0].info.gpu_index]).steps == ()
    made = plan(gpus[2], wanted[gpus[2].info.gpu_index])
    assert made.problems == ()
    assert made.needs_reset == load(other).reset_for_mode


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_state_of_two_models_is_kept(one: str, other: str) -> None:
    gpus = [live_gpu(one, "balanced"), live_gpu(other, "mig", 1), live_gpu(one, "off", 2)]
    wanted = resolve(parse(export(gpus).encode(), "now"), "current", gpus)
    assert [plan(gpu, wanted[gpu.info.gpu_index]).steps for gpu in gpus] == [(), (), ()]
    # On a node with the GPUs in another order the indices would mean others: that is refused,
    # or it plans a change; it is never taken for the same.
    moved = [live_gpu(other, "mig", 0), live_gpu(one, "balanced", 1), live_gpu(one, "off", 2)]
    try:
        again = resolve(parse(export(gpus).encode(), "now"), "current", moved)
    except Refused:
        return
    assert any(plan(gpu, again[gpu.info.gpu_index]).steps for gpu in moved)
