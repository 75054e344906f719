"""One line of nodes, by itself: who shares a line afterwards, and what cannot be changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.slurm.hostlist import expand
from slurm_mig.slurm.nodeline import Unsafe, per_node, with_gres
from slurm_mig.slurm.spans import spans

NEW = "gpu:1g.10gb:7"


def values(line: str) -> dict[str, str]:
    """The pairs of a line, by their keys in lower case."""
    return {span.key.lower(): span.value for span in spans(line)}


def problems(raw: str, *nodes: str) -> tuple[str, ...]:
    """Why the line cannot be changed for these nodes."""
    with pytest.raises(Unsafe) as unsafe:
        with_gres(raw, dict.fromkeys(nodes, NEW))
    return unsafe.value.problems


def test_nobody_of_it_is_wanted() -> None:
    assert with_gres("NodeName=n[1-2] CPUs=2\n", {}) == "NodeName=n[1-2] CPUs=2\n"
    assert with_gres("NodeName=n[1-2] CPUs=2\n", {"m1": NEW}) == "NodeName=n[1-2] CPUs=2\n"


def test_all_of_it_get_the_same_in_place() -> None:
    raw = "NodeName=n[2,1] NodeAddr=x[3 Port=8\n"  # its lists are not even looked at
    assert with_gres(raw, {"n1": NEW, "n2": NEW}) == raw.replace("Port=8", f"Port=8 Gres={NEW}")


def test_all_of_it_part() -> None:
    new = with_gres("NodeName=a,b,c Port=[1-3]", {"a": "gpu:x:1", "b": NEW, "c": "gpu:x:1"})
    assert new == f"NodeName=a,c Port=[1,3] Gres=gpu:x:1\nNodeName=b Port=2 Gres={NEW}"


def test_no_gres_at_all() -> None:
    assert with_gres("NodeName=a Gres=gpu:1 # x\n", {"a": ""}) == 'NodeName=a Gres="" # x\n'
    assert with_gres('NodeName=a Gres="gpu:1"\n', {"a": ""}) == 'NodeName=a Gres=""\n'
    assert with_gres("NodeName=a\n", {"a": ""}) == 'NodeName=a Gres=""\n'


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("NodeName=a,b,a\n", "names a node twice"),
        ("NodeName=a,b Port=[1-3]\n", "Port= has 3 places for 2 nodes"),
        ("NodeName=a,b NodeAddr=x[1-\n", "NodeAddr=: not a host list"),
        ("NodeName=a,b CPUs=1 \\\n", "ends with a backslash"),
        ("NodeName=a,b Port=1 port=2\n", "Port= stands there 2 times"),
        ("NodeName=a,b Nodeaddr=x\\y\n", "Nodeaddr= holds a backslash"),
        ("NodeName=a,b Gres*=x\n", "Gres= has an operator"),
        ("NodeName=a,b gresconf=x\n", "GresConf= stands there"),
    ],
)
def test_what_cannot_be_changed(raw: str, why: str) -> None:
    (problem,) = {each for each in problems(raw, "a") if why in each}
    assert problem


def test_all_that_is_wrong_with_its_lists() -> None:
    assert len(problems("NodeName=a,b,b Port=[1-2] NodeAddr=,x \\\n", "a")) == 4


def test_shares_of_lists() -> None:
    found = dict(per_node({"nodename": "b,a", "port": "[7-8]", "nodeaddr": "x", "cpus": "2"}))
    assert found == {
        "b": {"nodename": "b", "port": "7", "nodeaddr": "x", "cpus": "2"},
        "a": {"nodename": "a", "port": "8", "nodeaddr": "x", "cpus": "2"},
    }
    with pytest.raises(ValueError, match="port has 3 places for 2 nodes"):
        list(per_node({"nodename": "a,b", "port": "[1-3]"}))


LISTS = st.sampled_from(["n[1-6]", "n[6,5,4,3,2,1]", "n1,n2,n3,n4,n5,n6", "n[1-3],n[4-6]"])


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    LISTS,
    st.dictionaries(st.sampled_from([f"n{at}" for at in range(1, 9)]), st.sampled_from("xyz")),
    st.booleans(),
)
def test_each_node_once_with_its_own_share(
    listed: str, wanted: dict[str, str], continued: bool
) -> None:
    gap = " \\\r\n\t" if continued else "  "
    raw = f"  nodeNAME={listed}{gap}Port=[11-16] NodeAddr=10.0.0.[1-6] Gres=old # it\n"
    before = dict(per_node(values(raw)))
    new = with_gres(raw, wanted)
    after: dict[str, dict[str, str]] = {}
    for piece in new.split("# it\n")[:-1]:
        own = values(piece)
        assert len(set(expand(own["nodename"])) & after.keys()) == 0
        after.update(per_node(own))
    assert after == {
        name: {**said, "gres": wanted.get(name, "old")} for name, said in before.items()
    }
    groups = {wanted.get(name) for name in before}
    assert new.count("Gres=") == len(groups)
