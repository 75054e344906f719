"""What is prepared: the right files, the right texts, and the way back; nothing is written."""

from pathlib import Path

import pytest

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.reconfigure.publication import (
    ConfWish,
    GresWish,
    Publication,
    again,
    digest,
    prepare,
    real,
    text_of,
    undone,
)
from slurm_mig.slurm.block import wrap
from slurm_mig.slurm.confedit import describe, read_files
from slurm_mig.slurm.drift import drift, named_nodes
from tests.reconfigure.publishing import NEW, NODES, OLD, OTHER, Site, block, gres_lines, make

MANY = [f"n{at}" for at in range(1, 65)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make(tmp_path)


def write(publication: Publication) -> None:
    """As carry_out() would, without its care."""
    for change in publication.changes:
        Path(change.path).write_text(change.new)


def test_what_undoes_it_is_known_beforehand(site: Site) -> None:
    made = site.publication("n2", "n4")
    assert made.undo_conf == ConfWish(str(site.conf), {"n2": OLD, "n4": OLD})
    assert [wish.label for wish in made.undo_gres] == ["n2", "n4"]
    for wish in made.undo_gres:
        lines = site.gres.read_text()
        assert not drift(lines, wish.block + "Name=nic Count=1\n", [wish.node], "gres.conf")


def test_when_done_there_is_nothing_left_to_do(site: Site) -> None:
    made = site.publication("n2")
    assert again(made) == made.changes
    assert undone(made) == ()
    write(made)
    assert again(made) == ()
    back = undone(made)
    for change in back:
        Path(change.path).write_text(change.new)
    assert [site.says(node) for node in NODES] == [OLD] * 4
    assert undone(made) == ()


def test_a_dynamic_node_has_only_its_gres_conf(site: Site) -> None:
    own = site.root / "own.conf"
    own.write_text(wrap("Name=gpu Type=a File=/dev/nvidia0"))
    made = prepare(None, [GresWish(str(own), "d1", wrap("Name=gpu Type=b File=/dev/nvidia0"))])
    assert (made.conf, made.undo_conf, made.undo_gres) == (None, None, ())
    (change,) = made.changes
    assert change.old == own.read_text()
    assert change.new == wrap("Name=gpu Type=b File=/dev/nvidia0")


def test_nothing_is_wanted() -> None:
    assert prepare(None, []) == Publication(None, (), None, (), ())


def test_a_node_that_had_no_gpus(site: Site) -> None:
    site.nodes.write_text("NodeName=n1 CPUs=2\nNodeName=n2\n")
    site.gres.write_text("")
    made = site.publication("n1")
    assert made.undo_conf == ConfWish(str(site.conf), {"n1": ""})
    write(made)
    assert describe(read_files(site.conf).conf)["n1"]["gres"] == NEW
    for change in undone(made):
        Path(change.path).write_text(change.new)
    assert describe(read_files(site.conf).conf)["n1"]["gres"] == ""
    assert not drift(site.gres.read_text(), "", ["n1"], "gres.conf")


def test_a_fleet_in_waves(tmp_path: Path) -> None:
    """64 nodes under one host list, eight a wave: each wave one line, and the rest as it was."""
    site = Site(tmp_path)
    site.conf.write_text("Include nodes.conf\n")
    site.nodes.write_text(f"NodeName=n[1-64] NodeAddr=10.0.0.[1-64] CPUs=2 Gres={OLD},nic:1\n")
    site.gres.write_text(wrap(gres_lines("n[1-64]", OLD)))
    for wave in range(8):
        nodes = MANY[wave * 8 : wave * 8 + 8]
        write(site.publication(*nodes, gpus=NEW if wave % 2 else OTHER))
        left = site.nodes.read_text().splitlines()
        assert len(left) == (wave + 2 if wave < 7 else 8)
    said = describe(read_files(site.conf).conf)
    for at, node in enumerate(MANY):
        assert said[node]["nodeaddr"] == f"10.0.0.{at + 1}"
        assert site.says(node) == (NEW if at // 8 % 2 else OTHER)
    assert sorted(named_nodes(site.gres.read_text())) == sorted(MANY)
    # Of the block that they all had, only its marks are left.
    assert site.gres.read_text().startswith("# BEGIN slurm-mig\n# END slurm-mig\n")


def test_the_same_gpus_by_another_order_of_words_are_a_change(site: Site) -> None:
    """The order of the types is the order of the gres indices."""
    write(site.publication("n1", gpus="gpu:a:1,gpu:b:1"))
    (change, _) = site.publication("n1", gpus="gpu:b:1,gpu:a:1").changes
    assert "Gres=gpu:b:1,gpu:a:1,nic:1" in change.new


def test_all_that_is_wrong_in_slurm_conf_at_once(site: Site) -> None:
    wish = ConfWish(str(site.conf), {"n1": "gpu", "n9": NEW, "n8": NEW})
    with pytest.raises(Refused) as refused:
        prepare(wish, [])
    assert len(refused.value.problems) == 3


def test_gres_conf_with_lines_of_others(site: Site) -> None:
    site.gres.write_text(gres_lines("n[1-4]", OLD) + "\n")
    with pytest.raises(Refused, match=r"gres\.conf: lines outside the marked blocks") as refused:
        prepare(None, [GresWish(str(site.gres), "n1", block("n1", NEW), "n1")])
    assert any("Type=3g.40gb" in line for line in refused.value.problems)


def test_two_nodes_in_one_gres_conf_are_one_change(site: Site) -> None:
    wishes = [GresWish(str(site.gres), node, block(node, NEW), node) for node in ("n1", "n2")]
    (change,) = prepare(None, wishes).changes
    assert change.new.count("# BEGIN slurm-mig n") == 2
    assert "NodeName=n[3-4] Name=gpu" in change.new


def test_texts_and_digests(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert text_of(str(path)) is None
    assert digest(None) == ""
    path.write_bytes(b"\xff\r\n")
    assert text_of(str(path)) == "\udcff\r\n"
    assert len({digest(text) for text in (None, "", "\udcff", "\xff", "a")}) == 5
    with pytest.raises(SlurmMigError, match="Is a directory"):
        text_of(str(tmp_path))
    (tmp_path / "link").symlink_to("x")
    assert real(str(tmp_path / "link")) == str(path)
