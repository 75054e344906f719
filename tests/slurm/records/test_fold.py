import pytest

from slurm_mig.slurm.records.fold import Fold, expand
from slurm_mig.slurm.records.gres import GresGroup, node_gres
from tests.slurm.nodes import gpu, mig_device, node, options


def fold(*layouts: tuple[str, str]) -> list[tuple[str, str]]:
    """(host list, Gres=) of nodes that have one slice each."""
    return [(str(group.node_names), group.gres) for group in groups(*layouts)]


def groups(*layouts: tuple[str, str]) -> tuple[GresGroup, ...]:
    folding = Fold()
    for name, profile in layouts:
        folding.add(node_gres(node(gpu(profile), name=name), options(profile=True)))
    return folding.groups()


def test_equal_nodes_become_one_and_their_uuids_do_not_matter() -> None:
    folding = Fold()
    for at, name in enumerate(("n2", "n1", "n3")):
        devices = [mig_device("1g.5gb", 7)]
        made = node_gres(node(gpu(devices=devices), name=name), options())
        assert at or made.records[0].uuid == "MIG-0-7-0"
        folding.add(made)
    (group,) = folding.groups()
    assert (group.node_names, group.nodes) == ("n[1-3]", ("n1", "n2", "n3"))


def test_different_slices_or_files_keep_nodes_apart() -> None:
    assert fold(("n1", "1g.5gb"), ("n2", "2g.10gb"), ("n3", "1g.5gb")) == [
        ("n[1,3]", "gpu:1g.5gb:1"),
        ("n2", "gpu:2g.10gb:1"),
    ]


def test_the_order_of_the_files_does_not_matter() -> None:
    layouts = [(f"n{at}", "1g.5gb" if at % 3 else "2g.10gb") for at in range(20)]
    assert fold(*layouts) == fold(*reversed(layouts))


@pytest.mark.parametrize(
    ("names", "host_list"),
    [
        (["n08", "n09", "n10"], "n[08-10]"),
        (["n1", "n3", "n5", "n7"], "n[1,3,5,7]"),  # no steps: Slurm has none
        (["r1n1", "r1n2", "r2n1", "r2n2"], "r1n[1-2],r2n[1-2]"),
        (["gpu", "cpu"], "cpu,gpu"),
        (["n1.example.org", "n2.example.org"], "n[1-2].example.org"),
    ],
)
def test_host_lists_are_slurm_s(names: list[str], host_list: str) -> None:
    ((folded, _),) = fold(*((name, "1g.5gb") for name in names))
    assert folded == host_list
    assert sorted(expand(host_list)) == sorted(names)


def test_a_name_seen_before_is_noted_and_left_out() -> None:
    folding = Fold()
    for profile in ("1g.5gb", "2g.10gb"):
        folding.add(node_gres(node(gpu(profile)), options()))
    assert folding.duplicates == ["n1"]
    assert len(folding.groups()) == 1


def test_a_list_without_brackets_is_taken_apart_at_commas() -> None:
    assert expand("/dev/nvidia0,/dev/nvidia-caps/nvidia-cap12") == [
        "/dev/nvidia0",
        "/dev/nvidia-caps/nvidia-cap12",
    ]


@pytest.mark.parametrize("text", ["n[1", "n[a-b]", "n[2-1]"])
def test_what_is_no_host_list(text: str) -> None:
    with pytest.raises(ValueError, match="not a host list"):
        expand(text)
