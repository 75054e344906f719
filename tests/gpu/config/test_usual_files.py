"""A file in the shape of mig-parted's examples, through everything: read, planned, kept."""

import pytest

from slurm_mig.gpu.config.migconfig import resolve
from slurm_mig.gpu.config.migexport import export
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import Layout, LiveGpu
from slurm_mig.gpu.planning.plan import plan
from tests.gpu.laidout import live_gpu

# What a DGX A100's eight GPUs are to be, first to last, under each label.
BALANCED = "3g.20gb/2g.10gb/2x1g.5gb"
MEANT = {
    "all-disabled": ["off"] * 8,
    "all-enabled": ["mig"] * 8,
    "all-1g.5gb": ["7x1g.5gb"] * 8,
    "all-1g.5gb.me": ["1g.5gb+me"] * 8,
    "all-balanced": [BALANCED] * 8,
    "custom-config": [*["off"] * 4, "7x1g.5gb", "3x2g.10gb", "2x3g.20gb", BALANCED],
}
ON = "mig-enabled: true, mig-devices"
MIXED = '{"1g.5gb": 2, "2g.10gb": 1, "3g.20gb": 1}'
FILE = f"""version: v1
mig-configs:
  all-disabled: [{{devices: all, mig-enabled: false}}]
  all-enabled: [{{devices: all, {ON}: {{}}}}]
  all-1g.5gb: [{{devices: all, {ON}: {{"1g.5gb": 7}}}}]
  all-1g.5gb.me: [{{devices: all, {ON}: {{"1g.5gb+me": 1}}}}]
  all-balanced: [{{devices: all, {ON}: {MIXED}}}]
  custom-config:
    - {{devices: [0,1,2,3], mig-enabled: false}}
    - {{devices: [4], {ON}: {{"1g.5gb": 7}}}}
    - {{devices: [5], {ON}: {{"2g.10gb": 3}}}}
    - {{devices: [6], {ON}: {{"3g.20gb": 2}}}}
    - {{devices: [7], {ON}: {MIXED}}}
"""
CONFIG = parse(FILE.encode(), "config.yaml")


def targets(label: str, gpus: list[LiveGpu]) -> list[Layout]:
    """What the plans lead to; there is nothing in the way of any."""
    wanted = resolve(CONFIG, label, gpus)
    plans = [plan(gpu, wanted[gpu.info.gpu_index]) for gpu in gpus]
    assert not [problem for each in plans for problem in each.problems]
    return [each.target for each in plans]


def profiles(layout: Layout) -> tuple[bool, list[str]]:
    return layout.mig, sorted(gi.profile for gi in layout.instances)


@pytest.mark.parametrize("label", MEANT)
@pytest.mark.parametrize("before", ["off", "mig", BALANCED, "7g.40gb", "4g.20gb/3x1g.5gb"])
def test_each_label_from_each_state(label: str, before: str) -> None:
    gpus = [live_gpu("a100-40gb", before, index) for index in range(8)]
    meant = [live_gpu("a100-40gb", layout).layout for layout in MEANT[label]]
    assert [profiles(made) for made in targets(label, gpus)] == [profiles(each) for each in meant]


@pytest.mark.parametrize("label", MEANT)
def test_what_it_made_is_kept_by_export(label: str) -> None:
    gpus = [live_gpu("a100-40gb", layout, index) for index, layout in enumerate(MEANT[label])]
    wanted = resolve(parse(export(gpus, label).encode(), "kept"), label, gpus)
    assert all(plan(gpu, wanted[gpu.info.gpu_index]).steps == () for gpu in gpus)
    assert list(targets(label, gpus)) == [gpu.layout for gpu in gpus]
