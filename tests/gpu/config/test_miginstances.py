"""Which GPU instances `mig-devices` and `mig-instances` are."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.miginstances import in_order, packed
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import WantedGi
from slurm_mig.gpu.profile import parse as parse_profile


def wanted(instances: str) -> tuple[WantedGi, ...]:
    """What `mig-devices: ...` or `mig-instances: ...` is."""
    entry = f"{{devices: all, mig-enabled: true, {instances}}}"
    text = f"version: v1\nmig-configs:\n  x:\n  - {entry}\n"
    return parse(text.encode(), "mig.yaml").labels["x"][0].wanted.instances


def problems(instances: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        wanted(instances)
    return [problem.removeprefix("mig.yaml:4: ") for problem in refused.value.problems]


class TestMigDevices:
    def test_counts_of_whole_instances(self) -> None:
        assert wanted("mig-devices: {1g.5gb: 2, 3g.20gb: 1}") == (
            WantedGi("3g.20gb"),
            WantedGi("1g.5gb"),
            WantedGi("1g.5gb"),
        )

    def test_one_thing_under_two_names(self) -> None:
        """go-nvlib takes 3c.3g.20gb for 3g.20gb."""
        assert wanted("mig-devices: {3c.3g.20gb: 1, 3g.20gb: 1}") == (WantedGi("3g.20gb"),) * 2

    @pytest.mark.parametrize(
        ("counts", "cis"),
        [
            ({"1c.3g.20gb": 3}, ["111"]),
            ({"1c.3g.20gb": 4}, ["111", "1"]),
            ({"2c.3g.20gb": 2, "1c.3g.20gb": 2}, ["21", "21"]),
            ({"2c.3g.20gb": 1, "1c.3g.20gb": 3}, ["21", "11"]),
            ({"1c.4g.20gb": 2, "2c.4g.20gb": 3}, ["22", "211"]),
            ({"1c.7g.40gb": 1, "3c.7g.40gb": 1, "2c.7g.40gb": 1}, ["321"]),
        ],
    )
    def test_compute_instances_are_packed(self, counts: dict[str, int], cis: list[str]) -> None:
        text = ", ".join(f"{name}: {count}" for name, count in counts.items())
        found = wanted(f"mig-devices: {{{text}}}")
        assert sorted("".join(ci[0] for ci in gi.cis or ()) for gi in found) == sorted(cis)

    def test_whole_and_divided_ones_stay_apart(self) -> None:
        assert wanted("mig-devices: {3g.20gb: 1, 1c.3g.20gb: 1}") == (
            WantedGi("3g.20gb"),
            WantedGi("3g.20gb", cis=("1c.3g.20gb",)),
        )


NAMES = st.sampled_from(
    [
        *("1g.5gb", "1g.5gb+me", "2g.10gb", "1c.2g.10gb", "3g.20gb", "1c.3g.20gb", "2c.3g.20gb"),
        *("4g.20gb", "1c.4g.20gb", "2c.4g.20gb"),
    ]
)


@given(st.lists(NAMES))
def test_packing_keeps_everything_and_wastes_nothing(names: list[str]) -> None:
    found = packed(Counter(names))
    assert Counter(ci for gi in found for ci in gi.cis or (gi.profile,)) == Counter(names)
    for name in {gi.profile for gi in found}:
        slices = parse_profile(name).gi_slices
        filled = [
            sum(parse_profile(ci).ci_slices for ci in gi.cis)
            for gi in found
            if gi.profile == name and gi.cis is not None
        ]
        assert all(total <= slices for total in filled)
        # No way uses fewer: all slices must lie somewhere, and no two that are larger than half.
        large = [ci for ci in names if parse_profile(ci).ci_slices * 2 > slices and ci[1] == "c"]
        large = [ci for ci in large if ci.endswith(f".{name}")]
        assert len(filled) == max(-(-sum(filled) // slices), len(large))


@given(st.lists(NAMES), st.randoms(use_true_random=False))
def test_the_order_in_the_file_says_nothing(names: list[str], random: "object") -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert packed(Counter(names)) == packed(Counter(shuffled))


class TestMigInstances:
    def test_all_of_it(self) -> None:
        found = wanted(
            "mig-instances: [{profile: 1g.5gb, compute: []}, {profile: 3g.20gb, start: 4, "
            "compute: [1c.3g.20gb, 2c.3g.20gb]}, {profile: 2g.10gb, start: 0}]"
        )
        assert found == (
            WantedGi("3g.20gb", 4, ("1c.3g.20gb", "2c.3g.20gb")),
            WantedGi("2g.10gb", 0),
            WantedGi("1g.5gb", None, ()),
        )

    def test_nothing_of_it(self) -> None:
        assert wanted("mig-instances: []") == ()

    def test_one_compute_instance_with_all_is_the_usual(self) -> None:
        usual = (WantedGi("3g.20gb"),)
        assert wanted("mig-instances: [{profile: 3g.20gb, compute: [3g.20gb]}]") == usual
        assert wanted("mig-instances: [{profile: 3g.20gb, compute: [3c.3g.20gb]}]") == usual

    @pytest.mark.parametrize(
        ("instance", "problem"),
        [
            ("3g.20gb", "an instance is text ('3g.20gb'), not a mapping"),
            ("{}", "an instance has no profile"),
            ("{profile: 3}", "profile is a number ('3'), not text"),
            ("{profile: 3g}", "'3g' is no MIG profile, such as"),
            ("{profile: 3g.20gb, start: -4}", "start is a number ('-4'), not a whole"),
            ("{profile: 3g.20gb, start: }", "start is nothing, not a whole"),
            ("{profile: 3g.20gb, at: 4}", "unknown field 'at': known are profile, start, compute"),
            ("{profile: 3g.20gb, comptue: []}", "unknown field 'comptue': did you mean compute?"),
            ("{profile: 3g.20gb, compute: }", "compute has no value: write [] for no compute"),
            ("{profile: 3g.20gb, compute: 1}", "compute is a number ('1'), not a list"),
            ("{profile: 3g.20gb, compute: [1c.2g.10gb]}", "compute: a 3g.20gb cannot hold 1c.2g"),
            ("{profile: 3g.20gb, compute: [2c.3g.20gb, 2c.3g.20gb]}", "more than the 3 slices"),
            ("{profile: 1c.3g.20gb}", "write profile: 3g.20gb and compute: [1c.3g.20gb]"),
        ],
    )
    def test_what_is_none(self, instance: str, problem: str) -> None:
        assert problem in problems(f"mig-instances: [{instance}]")[0]

    def test_more_than_any_gpu_holds(self) -> None:
        many = ", ".join(["{profile: 1g.5gb}"] * 65)
        assert problems(f"mig-instances: [{many}]") == ["mig-instances: no GPU has room for 65"]


def test_the_order_is_largest_first_then_by_start() -> None:
    instances = [WantedGi("1g.5gb"), WantedGi("1g.10gb"), WantedGi("3g.20gb", 4)]
    instances += [WantedGi("3g.20gb", 0), WantedGi("7g.40gb")]
    found = in_order(instances)
    assert [(gi.profile, gi.start) for gi in found] == [
        ("7g.40gb", None),
        ("3g.20gb", 0),
        ("3g.20gb", 4),
        ("1g.10gb", None),
        ("1g.5gb", None),
    ]
