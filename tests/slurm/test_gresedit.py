"""gres.conf with another block for one node: what stays, what is refused, what slurmd reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.generate.build import Request, for_inventory, for_node
from slurm_mig.slurm.block import wrap
from slurm_mig.slurm.drift import drift, named_nodes
from slurm_mig.slurm.gresedit import with_block
from slurm_mig.slurm.lines import ConfError
from tests.cluster.conftest import CAP, BareMachine
from tests.cluster.conftest import bare_machine as bare_machine
from tests.cluster.conftest import version as version
from tests.cluster.slurmds import slurmd_g
from tests.slurm.nodes import gpu, node, options

LINE = "NodeName={} Name=gpu Type={} File=/dev/nvidia{}\n"


def made(name: str, *profiles: str, shared: bool = True) -> str:
    """The block of one node, cut so; in a file of many nodes, or its own."""
    label = name if shared else None
    return for_node(node(gpu(*profiles), name=name), Request(options(), label)).text


def inventory(names: list[str], *profiles: str) -> str:
    """The block of many equal nodes."""
    nodes = [node(gpu(*profiles), name=name) for name in names]
    return for_inventory(nodes, Request(options())).text


def others_read_the_same(old: str, new: str, changed: str) -> bool:
    """Whether every other node is told what it was."""
    return not drift(new, old, [name for name in named_nodes(old) if name != changed], "x")


def test_a_node_s_own_file() -> None:
    old, new = made("n1", "3g.20gb", shared=False), made("n1", "1g.5gb", shared=False)
    around = "# site's\r\nName=nic File=/dev/nic0\n{}# end, \u2028 no newline"
    assert with_block(around.format(old), "n1", new) == around.format(new)
    assert with_block(around.format(new), "n1", new) == around.format(new)
    assert with_block("", "n1", new) == new


def test_a_node_leaves_the_block_of_the_inventory() -> None:
    names = [f"n{at}" for at in range(1, 9)]
    old = "# head\n" + inventory(names, "3g.20gb") + LINE.format("x1", "a", 9)
    block = made("n3", "1g.5gb", "1g.5gb")
    new = with_block(old, "n3", block, "n3")
    assert (
        new
        == old.replace("NodeName=n[1-8] A", "NodeName=n[1-2,4-8] A").replace(
            "NodeName=n[1-8] N", "NodeName=n[1-2,4-8] N"
        )
        + block
    )
    assert others_read_the_same(old, new, "n3")
    assert with_block(new, "n3", block, "n3") == new


def test_a_node_that_a_block_names_alone_takes_its_lines_along() -> None:
    old = inventory(["n1"], "3g.20gb") + inventory(["n2"], "3g.20gb").replace(
        " slurm-mig", " slurm-mig x"
    )
    new = with_block(old, "n1", made("n1", "1g.5gb"), "n1")
    assert "NodeName=n1 Name" not in new.partition("# END")[0]
    assert others_read_the_same(old, new, "n1")


def test_its_own_block_is_replaced_and_the_others_stay() -> None:
    one, two = made("n1", "3g.20gb"), made("n2", "3g.20gb")
    new = made("n1", "1g.5gb")
    assert with_block(f"{one}# between\n{two}", "n1", new, "n1") == f"{new}# between\n{two}"


def test_one_that_reads_the_same_already_is_left_alone() -> None:
    old = inventory(["n1", "n2"], "3g.20gb")
    assert with_block(old, "n1", made("n1", "3g.20gb"), "n1") == old


@pytest.mark.parametrize("shared", [True, False])
def test_lines_of_others_about_the_same_gpus(shared: bool) -> None:
    line = LINE.format("n[1-4]", "a", 0)
    with pytest.raises(Refused, match="speak of the GPUs of n1; remove them") as refused:
        with_block(line, "n1", made("n1", "1g.5gb", shared=shared), "n1" if shared else "")
    assert any("Type=a" in problem for problem in refused.value.problems)


def test_a_block_for_all_does_not_go_into_a_file_of_many_nodes() -> None:
    old = LINE.format("n2", "a", 0)
    with pytest.raises(Refused, match="would reach other nodes"):
        with_block(old, "n1", made("n1", "1g.5gb", shared=False))


def test_a_line_for_all_is_for_this_node_too() -> None:
    with pytest.raises(Refused, match="speak of the GPUs of n1"):
        with_block("Name=gpu File=/dev/nvidia[0-3]\n", "n1", made("n1", "1g.5gb"), "n1")


@pytest.mark.parametrize(
    "text",
    ["# BEGIN slurm-mig n2\n", "# END slurm-mig\n", "# BEGIN slurm-mig n1\n# END slurm-mig n2\n"],
)
def test_a_damaged_block(text: str) -> None:
    with pytest.raises(Refused, match="damaged"):
        with_block(text, "n1", made("n1", "1g.5gb"), "n1")
    with pytest.raises(Refused, match="damaged"):
        with_block(text + made("n1", "1g.5gb"), "n1", made("n1", "1g.5gb"), "n1")


@pytest.mark.parametrize("names", ["n1,\\\nn2", "n\\1,n2"])
def test_a_host_list_in_our_block_that_is_not_plain(names: str) -> None:
    text = wrap(LINE.format(names, "a", 0))
    with pytest.raises(Refused, match="in the marked block"):
        with_block(text, "n1", made("n1", "1g.5gb"), "n1")


def test_a_file_that_slurm_would_not_read() -> None:
    with pytest.raises(ConfError, match="line 1"):
        with_block("some words\n", "n1", made("n1", "1g.5gb"), "n1")
    with pytest.raises(ConfError, match="includes another file"):
        with_block("Include x\n", "n1", made("n1", "1g.5gb"), "n1")


LISTS = st.lists(
    st.lists(st.sampled_from([f"n{at}" for at in range(12)]), min_size=1, unique=True), max_size=4
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(LISTS, st.sampled_from(["# x \\\n", "", "\r\n", "#\u2028 y\n"]), st.booleans())
def test_any_host_lists_in_our_block(lists: list[list[str]], odd: str, cased: bool) -> None:
    key = "nodeNAME" if cased else "NodeName"
    inside = odd.join(
        f"{key}={','.join(each)} Name=gpu Type=t{at} \\\n  File=/dev/nvidia{at} # {at}\n"
        for at, each in enumerate(lists)
    )
    old = "# ours \u2028\n# BEGIN slurm-mig\n" + inside + "# END slurm-mig\nNodeName=z Name=nic\n"
    block = made("n1", "1g.5gb")
    new = with_block(old, "n1", block, "n1")
    assert not drift(new, block, ["n1"], "x")
    assert others_read_the_same(old, new, "n1")
    for each, line in zip(lists, inside.split("# BEGIN")[0].split(f"{key}=")[1:], strict=True):
        assert "n1" in each or f"{key}={line}" in new
    assert with_block(new, "n1", block, "n1") == new


def _caps(name: str, *minors: int) -> str:
    return "".join(
        f"NodeName={name} Name=gpu Type=1g.10gb MultipleFiles=/dev/nvidia0,{CAP}{gi},{CAP}{gi + 1}"
        " Flags=nvidia_gpu_env\n"
        for gi in minors
    )


@pytest.mark.parametrize("changed", ["n1", "n2"])
def test_a_real_slurmd_reads_its_own_lines(
    version: str, bare_machine: BareMachine, changed: str
) -> None:
    """slurmd is n1: once the node that changes, once its neighbour."""
    old = wrap(_caps("n[1-3]", 3, 12))
    new = with_block(old, changed, wrap(_caps(changed, 21, 30, 36), changed), changed)
    minors = (21, 30, 36) if changed == "n1" else (3, 12)
    answer = slurmd_g(version, bare_machine, f"gpu:1g.10gb:{len(minors)}", new)
    assert answer.returncode == 0, answer.log
    assert [record.files[1] for record in answer.records] == [f"{CAP}{gi}" for gi in minors]
