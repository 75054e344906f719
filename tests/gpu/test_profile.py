"""Profile names: the published ones, the grammar, and what NVML calls MIG devices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.gpu.profile import Profile, after_mig, device_profile, gi_profile, parse
from tests.gpu.repeatable import REPEATABLE

PUBLISHED = {
    "1g.5gb": Profile(1, 1, 5),
    "1g.5gb+me": Profile(1, 1, 5, "+me"),
    "1c.3g.20gb": Profile(3, 1, 20),
    "2c.3g.40gb": Profile(3, 2, 40),
    "7g.141gb": Profile(7, 7, 141),
    "1g.24gb+me.all": Profile(1, 1, 24, "+me.all"),
    "1g.24gb-me": Profile(1, 1, 24, "-me"),
    "1c.2g.48gb+gfx": Profile(2, 1, 48, "+gfx"),
}
NOT_PROFILES = [
    "",
    "g.5gb",
    "1g",
    "1g.5",
    "0g.5gb",
    "1g.0gb",
    "1g.5GB",
    "1g.5gb+",
    "1g.5gb +me",
    "1g.5gb+me,x",
    "1g.5gb\n",
    " 1g.5gb",
    "0c.1g.5gb",
    "1g.5gb+ME",
    "1g.٥gb",
]


@pytest.mark.parametrize("text", PUBLISHED)
def test_a_published_name_is_taken_apart_and_put_together(text: str) -> None:
    assert parse(text) == PUBLISHED[text]
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", NOT_PROFILES)
def test_what_is_no_profile_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no MIG profile, such as"):
        parse(text)


def test_a_compute_instance_is_no_larger_than_its_gpu_instance() -> None:
    with pytest.raises(ValueError, match=r"'3c\.2g\.20gb' has more compute slices"):
        parse("3c.2g.20gb")


def test_a_compute_instance_of_all_slices_has_one_name() -> None:
    assert str(parse("3c.3g.20gb")) == "3g.20gb"


@REPEATABLE
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 999),
    st.sampled_from(["", "+me", "-me", "+gfx", "+me.all"]),
)
def test_every_profile_comes_back_as_it_was(gi: int, ci: int, gb: int, attribute: str) -> None:
    profile = Profile(max(gi, ci), min(gi, ci), gb, attribute)
    assert parse(str(profile)) == profile


@REPEATABLE
@given(st.text(max_size=20))
def test_any_text_is_a_profile_or_a_value_error(text: str) -> None:
    try:
        profile = parse(text)
    except ValueError:
        return
    assert parse(str(profile)) == profile


@pytest.mark.parametrize(
    ("profile", "of_the_gpu_instance"),
    [
        ("3g.20gb", "3g.20gb"),
        ("1c.3g.20gb", "3g.20gb"),
        ("1c.2g.48gb+gfx", "2g.48gb+gfx"),
        ("something new", "something new"),
    ],
)
def test_the_gpu_instance_profile_of_a_mig_device(profile: str, of_the_gpu_instance: str) -> None:
    assert gi_profile(profile) == of_the_gpu_instance


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb", "1c.3g.20gb"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb+me", "1g.5gb+me"),
        ("MIG 2g.10gb", "2g.10gb"),
        ("1g.5gb", "1g.5gb"),
    ],
)
def test_the_profile_follows_the_word_mig(name: str, profile: str) -> None:
    assert after_mig(name) == profile


@pytest.mark.parametrize(
    ("gi_slices", "ci_slices", "memory_mib", "profile"),
    [
        (1, 1, 4864, "1g.5gb"),
        (3, 3, 19968, "3g.20gb"),
        (3, 1, 19968, "1c.3g.20gb"),
        (7, 7, 40192, "7g.40gb"),
    ],
)
def test_a_device_name_without_mig_is_named_by_its_attributes(
    gi_slices: int, ci_slices: int, memory_mib: int, profile: str
) -> None:
    found = device_profile(
        "A100-SXM4-40GB", gi_slices=gi_slices, ci_slices=ci_slices, memory_mib=memory_mib
    )
    assert found == profile


def test_a_device_name_with_mig_is_believed_over_its_attributes() -> None:
    name = "NVIDIA H100 80GB HBM3 MIG 1g.10gb+me"
    assert device_profile(name, gi_slices=1, ci_slices=1, memory_mib=9984) == "1g.10gb+me"
