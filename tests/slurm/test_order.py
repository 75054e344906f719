"""The order of slurmd's list, told a second time from the text alone, for random nodes.

Slurm's own words (config-only): for each type of Gres= in turn, the lines of gres.conf of that
type in turn, as many as Gres= counts.
"""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.model import Gpu
from slurm_mig.slurm.config.drift import drift
from slurm_mig.slurm.config.parse import parse
from slurm_mig.slurm.records.gres import NodeGres, line, node_gres
from tests.slurm.nodes import A100, H100, gpu, node, options, whole_gpu

PROFILES = {
    A100: ["1g.5gb", "1g.5gb+me", "1g.10gb", "2g.10gb", "1c.3g.20gb", "3g.20gb"],
    H100: ["1g.10gb", "1g.10gb+me", "2g.20gb", "1c.3g.40gb", "2c.3g.40gb", "3g.40gb"],
}


@st.composite
def gpus(draw: st.DrawFn) -> tuple[Gpu, ...]:
    """Up to four GPUs of two models, whole or cut, their minors in any order."""
    minors = draw(st.permutations(range(draw(st.integers(1, 4)))))
    made = []
    for gpu_index, minor in enumerate(minors):
        name = draw(st.sampled_from([A100, H100]))
        profiles = draw(st.lists(st.sampled_from(PROFILES[name]), max_size=7))
        one = gpu(*profiles, name=name, gpu_index=gpu_index, gpu_minor=minor)
        made.append(one if profiles else whole_gpu(gpu_index, name, gpu_minor=minor))
    return tuple(made)


VERSIONS = st.sampled_from(["22.05.8", "23.02.6", "24.11.5", "26.05.3"])
RANDOM = settings(derandomize=True, deadline=None)


def as_slurm_merges(made: NodeGres) -> list[tuple[str, list[str]]]:
    """Type and files of what slurmd would have, from Gres= and the lines."""
    lines = [each.values for each in parse("\n".join(map(line, made.records)))]
    merged = []
    for word in made.gres.split(","):
        _, name, count = word.split(":")
        of_type = [each for each in lines if each["type"] == name]
        assert len(of_type) == int(count)
        for each in of_type:
            files = each["multiplefiles"] if "multiplefiles" in each else each["file"]
            merged.append((name, files.split(",")))
    assert len(merged) == len(lines)
    return merged


@RANDOM
@given(gpus(), VERSIONS, st.booleans())
def test_the_indices_are_slurm_s(cut: tuple[Gpu, ...], version: str, profile: bool) -> None:
    made = node_gres(node(*cut), options(version, profile=profile))
    assert as_slurm_merges(made) == [(each.type, list(each.files)) for each in made.records]
    assert [each.gres_index for each in made.records] == list(range(len(made.records)))


@RANDOM
@given(gpus(), VERSIONS, st.booleans())
def test_both_forms_have_the_same_devices(
    cut: tuple[Gpu, ...], version: str, profile: bool
) -> None:
    alone, detected = (
        node_gres(node(*cut), options(version, nvml=nvml, profile=profile))
        for nvml in (False, True)
    )
    assert {each.uuid: each.files for each in alone.records} == {
        each.uuid: each.files for each in detected.records
    }
    if not profile:
        assert alone.gres == detected.gres


@RANDOM
@given(gpus(), st.randoms(use_true_random=False))
def test_lines_of_different_types_may_stand_in_any_order(
    cut: tuple[Gpu, ...], chance: random.Random
) -> None:
    made = node_gres(node(*cut), options())
    lines = [line(each) for each in made.records]
    types = [name for name, _ in made.types]
    chance.shuffle(types)
    queues = {
        name: [text for text, each in zip(lines, made.records, strict=True) if each.type == name]
        for name in types
    }
    mixed = []
    while any(queues.values()):
        mixed.append(queues[chance.choice([name for name in types if queues[name]])].pop(0))
    assert drift("\n".join(mixed), "\n".join(lines), ["n1"], "gres.conf") == []


@RANDOM
@given(gpus(), st.data())
def test_a_changed_line_is_always_drift(cut: tuple[Gpu, ...], data: st.DataObject) -> None:
    lines = [line(each) for each in node_gres(node(*cut), options()).records]
    at = data.draw(st.integers(0, len(lines) - 1))
    old, new = data.draw(
        st.sampled_from([("Type=", "Type=x"), ("/dev/nvidia", "/dev/nvidia9"), ("_env", "_envy")])
    )
    changed = [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]
    for found in (changed, [*lines[:at], *lines[at + 1 :]], [*lines, changed[at]]):
        assert drift("\n".join(found), "\n".join(lines), ["n1"], "gres.conf")
