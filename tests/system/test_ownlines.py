"""What a node reads in a gres.conf, held against how Slurm expands host lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.slurm.config.hostlist import expand
from slurm_mig.system.ownlines import own_lines

GPU = b"Name=gpu Type=1g.10gb File=/dev/nvidia0"


def reads(host_list: str, node: str) -> bool:
    return own_lines(b"NodeName=" + host_list.encode() + b" " + GPU, node) == GPU


@pytest.mark.parametrize(
    ("host_list", "yes", "no"),
    [
        ("n1", ["n1"], ["n11", "n", "N1"]),
        ("n1,n3", ["n1", "n3"], ["n2"]),
        ("n[1-3]", ["n1", "n2", "n3"], ["n4", "n10", "m1", "n"]),
        ("n[1-3,7],m[01-02],x", ["n7", "m01", "m02", "x"], ["n5", "m03", "y"]),
        ('"n[1-2]"', ["n1"], ["n3"]),
        ("gpu-a[1-2],gpu-b1", ["gpu-a2", "gpu-b1"], ["gpu-a3", "gpu-b2"]),
    ],
)
def test_who_is_named(host_list: str, yes: list[str], no: list[str]) -> None:
    assert [node for node in [*yes, *no] if reads(host_list, node)] == yes


def test_what_is_everybody_s_is_the_node_s() -> None:
    assert own_lines(b"AutoDetect=off\n" + GPU, "n1") == b"AutoDetect=off\n" + GPU


def test_comments_spaces_and_the_host_list_itself_say_nothing() -> None:
    one = b"# of two\nNodeName=n[1-2]  Name=gpu\tType=a # all\n\n# END slurm-mig\n"
    two = b"Nodename=n1 Name=gpu Type=a\nNodeName=n2 Name=gpu Type=b\n"
    assert own_lines(one, "n1") == own_lines(two, "n1") == b"Name=gpu Type=a"


@pytest.mark.parametrize(
    "line",
    [
        b"NodeName=n[1-x] Name=gpu",
        b"NodeName=n[1 Name=gpu",
        b"NodeName=n[1-2][3-4] Name=gpu",
        b"NodeName= Name=gpu",
        b"NodeName = n7 Name=gpu",
    ],
)
def test_what_cannot_be_judged_is_the_node_s(line: bytes) -> None:
    assert own_lines(line, "n3") == b" ".join(line.split())


def test_a_backslash_makes_all_of_it_the_node_s() -> None:
    text = b"NodeName=n2 \\\n Name=gpu\n# more\n"
    assert own_lines(text, "n1") == text


names = st.builds("{}{}".format, st.sampled_from(["n", "m", "n1"]), st.integers(0, 30))
ranges = st.builds(
    lambda prefix, first, more: f"{prefix}[{first}-{first + more}]",
    st.sampled_from(["n", "m", "n1"]),
    st.integers(0, 30),
    st.integers(0, 9),
)


@given(st.lists(names | ranges, min_size=1, max_size=6), names)
def test_as_slurm_reads_it(parts: list[str], node: str) -> None:
    host_list = ",".join(parts)
    assert reads(host_list, node) == (node in expand(host_list))
