"""Host lists: in order, whole, and read by real Slurms as we read them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.slurm.hostlist import LIMIT, expand, fold

NAMES = st.lists(
    st.builds(
        lambda prefix, number, width: f"{prefix}{number:0{width}}",
        st.sampled_from(["n", "gpu-a", "r1-n", "10.0.0.", ""]),
        st.integers(0, 120),
        st.integers(1, 3),
    )
    | st.sampled_from(["login", "a.b.c", "n"]),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize(
    ("host_list", "names"),
    [
        ("n1", "n1"),
        ("n[1-3]", "n1 n2 n3"),
        ("n[3,1-2],m", "n3 n1 n2 m"),
        ("n1,n1", "n1 n1"),
        ("n[08-10]", "n08 n09 n10"),
        ("n[8-10]", "n8 n9 n10"),
        ("r[1-2]n[3,5]", "r1n3 r1n5 r2n3 r2n5"),
        ("[7001-7002]", "7001 7002"),
        ("10.0.0.[9-10],fe80::1", "10.0.0.9 10.0.0.10 fe80::1"),
    ],
)
def test_expand(host_list: str, names: str) -> None:
    assert expand(host_list) == names.split()


@pytest.mark.parametrize(
    "host_list",
    [
        *("", ",", "a,", ",a", "a,,b", "n[", "n[1", "n[]", "n[a]", "n[1-]", "n[2-1]", "n[1,]"),
        *("n[1]x", "n[1-010]", "n]", "a b", "n[1 2]", "n[1-2][", f"n[1-{LIMIT + 1}]"),
        "n[1-999]m[1-999]",
    ],
)
def test_what_is_no_host_list(host_list: str) -> None:
    with pytest.raises(ValueError, match=r"not a host list|more than"):
        expand(host_list)


@pytest.mark.parametrize(
    ("names", "host_list"),
    [
        ("n1", "n1"),
        ("n1 n2 n3 n7", "n[1-3,7]"),
        ("n3 n1 n2", "n[3,1-2]"),
        ("n09 n10 n9", "n[09-10,9]"),
        ("a b n1 m1 m2", "a,b,n1,m[1-2]"),
        ("7001 7003", "[7001,7003]"),
        ("7001", "7001"),
        ("n1 n1", "n[1,1]"),
    ],
)
def test_fold(names: str, host_list: str) -> None:
    assert fold(names.split()) == host_list


@settings(derandomize=True, deadline=None)
@given(NAMES)
def test_expand_undoes_fold(names: list[str]) -> None:
    assert expand(fold(names)) == names
