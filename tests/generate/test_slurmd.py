"""Real slurmds, 22.05.8 and 24.11.5, have exactly the list that gen-gres predicts.

Every simulated model, and some 240 random layouts a release, in both forms and both kinds of
types: `slurmd -G` prints its merged list in the order of the indices.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.generate.build import Request, for_inventory
from slurm_mig.model import Cores
from slurm_mig.slurm.records.gres import GresOptions
from slurm_mig.slurm.version import SlurmVersion
from tests.cluster.roots import GATING
from tests.cluster.slurmds import slurmd_g
from tests.generate.machines import TOO_LONG, Judged, assert_as_predicted, judge, seen, unique_ids
from tests.layouts import layouts
from tests.sim.api import Sim
from tests.sim.models import load, mig_keys

NewSim = Callable[..., Sim]
VERSIONS = {"22.05": SlurmVersion(22, 5, 8), "24.11": SlurmVersion(24, 11, 5)}
MIG_KEYS = mig_keys()

FORMS = {
    "config-only": (False, False),
    "nvml": (True, False),
    "config-only, short": (False, True),
    "nvml, short": (True, True),
}


def options(release: str, form: str) -> GresOptions:
    """The options of one form for one release."""
    autodetect, profile_types = FORMS[form]
    return GresOptions(VERSIONS[release], autodetect, profile_types)


@pytest.mark.parametrize("release", GATING)
@pytest.mark.parametrize("key", MIG_KEYS)
def test_every_model(key: str, release: str, new_sim: NewSim) -> None:
    """Slices of every kind on two GPUs, with a whole GPU between them."""
    profiles = {profile.name: profile for profile in load(key).profiles}
    small = f"{profiles[min(profiles, key=len)].max_count}x{min(profiles, key=len)}"
    sim = new_sim(f"{key}={small}", "l40s", f"{key}=balanced", key)
    node = seen(sim)
    for form in FORMS:
        try:
            assert_as_predicted(judge(release, sim, node, options(release, form)))
        except Refused as refused:
            # Only where no short name can be told apart from the slices' (RTX PRO 6000).
            assert form == "nvml, short"
            assert "use --types full" in str(refused)
            assert "rtx" in key


@st.composite
def machines(draw: st.DrawFn) -> tuple[str, ...]:
    """Four GPUs, cut at random; one in eight is left whole."""
    gpus = []
    for _ in range(4):
        key = draw(st.sampled_from(MIG_KEYS))
        whole = draw(st.integers(0, 7)) == 0
        gpus.append(key if whole else f"{key}={draw(layouts(load(key), without_ci=True))}")
    return tuple(gpus)


@pytest.mark.parametrize("release", GATING)
@given(gpus=machines(), numbering=st.sampled_from("ab"), swapped=st.booleans(), data=st.data())
@example(gpus=("a100-40gb=7x1g.5gb", "a100-40gb"), numbering="a", swapped=True, data=None)
@example(  # 22.05 calls the second 1g.11gb, which is 2g.10gb to Slurm
    gpus=("a100-40gb=1g.5gb/2g.10gb", "gh200-96gb=1g.12gb"), numbering="a", swapped=False, data=None
)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_random_machines(
    release: str,
    sim_library: Path,
    gpus: tuple[str, ...],
    numbering: str,
    swapped: bool,
    data: st.DataObject | None,
) -> None:
    """Both forms of the full types; of the short ones, one form."""
    short = data.draw(st.sampled_from(list(FORMS)[2:])) if data else "nvml, short"
    with tempfile.TemporaryDirectory() as folder:
        sim = Sim.new(Path(folder, "sim"), gpus, numbering=numbering, reversed_minors=swapped)
        node = seen(sim)
        for form in (*list(FORMS)[:2], short):
            try:
                judged = judge(release, sim, node, options(release, form))
            except Refused as refused:
                assert form == "nvml, short" or "are one to Slurm" in str(refused)
                assert "use --types full" in str(refused)
                continue
            assert_as_predicted(judged)


@pytest.mark.parametrize("release", GATING)
def test_types_with_one_sum_are_one_to_slurm(release: str, new_sim: NewSim) -> None:
    """What is refused is so: slurmd, given both, does not keep them apart."""
    node = seen(sim := new_sim("a100-40gb=2g.10gb", "a100-40gb=3x1g.5gb"))
    lines = for_inventory([node], Request(options(release, "config-only, short"), root=sim.root))
    kept, gres = lines.text, lines.groups[0].gres
    told = slurmd_g(release, sim, gres, kept)
    assert [one.type for one in told.records].count("2g.10gb") == 1
    mixed = gres.replace("1g.5gb", "1g.11gb"), kept.replace("1g.5gb", "1g.11gb")
    answer = slurmd_g(release, sim, *mixed)
    assert "more configured than expected" in answer.log
    assert len(answer.records) < len(told.records)


@pytest.mark.parametrize("release", GATING)
def test_a_gap_is_no_matter_without_autodetect(release: str, new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=3x1g.5gb", gap=True)
    node = seen(sim)
    assert_as_predicted(judge(release, sim, node, options(release, "config-only")))


@pytest.mark.parametrize("release", GATING)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_many_nodes(release: str, form: str, new_sim: NewSim) -> None:
    """A slurmd takes the lines of its host list, and passes over the others'."""
    sim = new_sim("a100-40gb=3g.20gb/4x1g.5gb", "a100-40gb")
    node = seen(sim)
    other = node._replace(name="other", gpus=node.gpus[1:])
    nodes = [other, *(node._replace(name=f"n{at}") for at in range(1, 12))]
    made = for_inventory(nodes, Request(options(release, form), root=sim.root))
    group = next(group for group in made.groups if "n1" in group.nodes)
    assert group.node_names == "n[1-11]"
    answer = slurmd_g(release, sim, group.gres, made.text)
    assert_as_predicted(Judged(made._replace(groups=(group,)), answer))


@pytest.mark.parametrize("release", GATING)
def test_cores_are_taken_as_they_are_given(release: str, new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=balanced")
    (gpu,) = seen(sim).gpus
    near = gpu._replace(cores=Cores(((0, 3), (8, 15)), fill_sockets=True))
    node = seen(sim)._replace(gpus=(near,))
    judged = judge(release, sim, node, options(release, "config-only"))
    assert_as_predicted(judged)
    assert {record.cores for record in judged.answer.records} == {"0-3,8-15"}
    # With AutoDetect a line with other cores than Slurm's would lose its device.
    assert_as_predicted(judge(release, sim, node, options(release, "nvml")))


@pytest.mark.parametrize("release", GATING)
def test_a_name_too_long_for_slurm(release: str, new_sim: NewSim) -> None:
    sim = new_sim("rtx-pro-6000-96gb=2g.48gb+me.all:1c:1c")
    judged = judge(release, sim, seen(sim), options(release, "nvml"))
    assert_as_predicted(judged)
    assert (TOO_LONG in judged.answer.errors) == (release == "24.11")


def test_autodetect_gives_the_uuids(new_sim: NewSim) -> None:
    sim = new_sim("h100-80gb=balanced")
    judged = judge("24.11", sim, seen(sim), options("24.11", "nvml"))
    assert unique_ids(judged.answer.log) == [record.uuid for record in judged.predicted]
    alone = judge("24.11", sim, seen(sim), options("24.11", "config-only"))
    assert "UniqueId:MIG-" not in alone.answer.log
