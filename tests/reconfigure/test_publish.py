"""Publishing: all files or none, as they were afterwards, and never over another's change."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import JournalError, Refused, SlurmMigError
from slurm_mig.files import write_atomic
from slurm_mig.reconfigure.publication import (
    Change,
    ConfWish,
    GresWish,
    Publication,
    from_json,
    prepare,
    to_json,
)
from slurm_mig.reconfigure.publish import begin, carry_out, commit, diff, look, undo
from slurm_mig.reconfigure.sidecar import locked, sidecar
from slurm_mig.slurm.block import wrap
from slurm_mig.slurm.lines import ConfError
from tests.hooks.killing import deaths
from tests.reconfigure.publishing import NEW, NODES, OLD, OTHER, WRITERS, Site, drafts, make


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "etc").mkdir()
    return make(tmp_path / "etc")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def publish(root: Path, site: Site, *nodes: str, gpus: str = NEW, name: str = "") -> None:
    """The whole way of one publication, but for its commit."""
    begin(root, name or nodes[0], site.publication(*nodes, gpus=gpus))
    carry_out(root, name or nodes[0], 1)


def test_prepare_writes_nothing(site: Site) -> None:
    before = site.texts()
    made = site.publication("n2")
    assert site.texts() == before
    assert [Path(change.path).name for change in made.changes] == ["nodes.conf", "gres.conf"]
    assert made.undo_conf == ConfWish(str(site.conf), {"n2": OLD})
    assert f"+NodeName=n2 CPUs=2 Gres={NEW},nic:1  # the GPU nodes" in diff(made.changes)


def test_the_way_there_and_the_end(root: Path, site: Site) -> None:
    made = site.publication("n2", "n3")
    begin(root, "r1", made)
    assert look(root, "r1") == made
    assert carry_out(root, "r1", 1) == (str(site.nodes), str(site.gres))
    assert [site.says(node) for node in NODES] == [OLD, NEW, NEW, OLD]
    assert site.nodes.stat().st_mode & 0o777 == 0o640
    assert carry_out(root, "r1", 1) == ()
    commit(root, "r1")
    commit(root, "r1")
    assert look(root, "r1") is None
    with pytest.raises(JournalError, match="no such publication"):
        carry_out(root, "r1", 1)


def test_undone_byte_for_byte(root: Path, site: Site) -> None:
    before = site.texts()
    publish(root, site, "n2")
    assert site.texts() != before
    assert undo(root, "n2", 1) == (str(site.nodes), str(site.gres))
    assert site.texts() == before
    assert undo(root, "n2", 1) == ()


def test_undone_before_it_was_carried_out(root: Path, site: Site) -> None:
    before = site.texts()
    begin(root, "r", site.publication("n1"))
    assert undo(root, "r", 1) == ()
    assert site.texts() == before


def test_nothing_to_change_writes_nothing(root: Path, site: Site) -> None:
    stamps = [path.stat().st_mtime_ns for path in site.root.glob("*.conf")]
    made = site.publication("n1", gpus=OLD)
    assert made.changes == ()
    begin(root, "r", made)
    assert carry_out(root, "r", 1) == ()
    assert [path.stat().st_mtime_ns for path in site.root.glob("*.conf")] == stamps


def test_a_file_that_was_not_there(root: Path, site: Site) -> None:
    own = site.root / "own.conf"
    wish = GresWish(str(own), "n1", wrap("Name=gpu File=/dev/nvidia0"))
    begin(root, "r", prepare(None, [wish]))
    assert carry_out(root, "r", 1) == (str(own),)
    assert own.read_text() == wish.block
    assert undo(root, "r", 1) == (str(own),)
    assert not own.exists()


def test_owner_and_mode_stay(root: Path, site: Site) -> None:
    os.chown(site.gres, 1234, 4321)
    site.gres.chmod(0o600)
    publish(root, site, "n1")
    found = site.gres.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1234, 4321, 0o600)


def test_a_link_stands_for_its_file(root: Path, site: Site) -> None:
    shared = site.root / "shared"
    shared.mkdir()
    site.nodes.rename(shared / "nodes.conf")
    site.nodes.symlink_to("shared/nodes.conf")
    publish(root, site, "n1")
    assert site.nodes.is_symlink()
    assert site.says("n1") == NEW


def test_what_a_linked_slurm_conf_includes_lies_beside_the_link(root: Path, site: Site) -> None:
    shared = site.root / "shared"
    shared.mkdir()
    site.conf.rename(shared / "slurm.conf")
    site.conf.symlink_to("shared/slurm.conf")
    publish(root, site, "n1")
    assert site.says("n1") == NEW
    assert sidecar(str(shared / "slurm.conf")).exists()
    assert not sidecar(str(site.conf)).exists()


def test_a_line_of_a_linked_slurm_conf_itself(root: Path, site: Site) -> None:
    shared = site.root / "shared"
    shared.mkdir()
    (shared / "slurm.conf").write_text(f"NodeName=n1 Gres={OLD},nic:1\n")
    site.conf.unlink()
    site.conf.symlink_to(shared / "slurm.conf")
    publish(root, site, "n1")
    assert site.conf.is_symlink()
    assert (shared / "slurm.conf").read_text() == f"NodeName=n1 Gres={NEW},nic:1\n"


@pytest.mark.parametrize("file", ["nodes.conf", "gres.conf"])
@pytest.mark.parametrize("act", [carry_out, undo])
@pytest.mark.parametrize("carried_out", [True, False])
def test_a_file_that_was_changed_by_hand(
    root: Path,
    site: Site,
    file: str,
    act: Callable[[Path, str, float], object],
    carried_out: bool,
) -> None:
    begin(root, "r", site.publication("n1"))
    if carried_out:
        carry_out(root, "r", 1)
    with (site.root / file).open("a") as out:
        out.write("\n# by hand\n")
    before = site.texts()
    with pytest.raises(Refused, match="changed by hand") as refused:
        act(root, "r", 1)
    assert "+# by hand" in refused.value.problems
    assert site.texts() == before


def test_another_node_s_change_meanwhile_is_kept(root: Path, site: Site) -> None:
    begin(root, "a", site.publication("n1"))
    publish(root, site, "n3", gpus=OTHER)
    assert carry_out(root, "a", 1)
    assert [site.says(node) for node in NODES] == [NEW, OLD, OTHER, OLD]
    assert carry_out(root, "a", 1) == ()


def test_undo_leaves_another_node_s_change(root: Path, site: Site) -> None:
    before = site.texts()
    begin(root, "a", site.publication("n1"))
    publish(root, site, "n3", gpus=OTHER)
    carry_out(root, "a", 1)
    undo(root, "n3", 1)
    assert [site.says(node) for node in NODES] == [NEW, OLD, OLD, OLD]
    undo(root, "a", 1)
    assert [site.says(node) for node in NODES] == [OLD] * 4
    assert site.texts()["slurm.conf"] == before["slurm.conf"]


def test_undo_in_the_reverse_order_is_byte_for_byte(root: Path, site: Site) -> None:
    before = site.texts()
    begin(root, "a", site.publication("n1"))
    publish(root, site, "n3", gpus=OTHER)
    carry_out(root, "a", 1)
    undo(root, "a", 1)
    undo(root, "n3", 1)
    assert site.texts() == before


def test_of_two_at_once_both_are_kept(root: Path, site: Site) -> None:
    for node in NODES:
        begin(root, node, site.publication(node))
    failed: list[BaseException] = []

    def work(node: str) -> None:
        try:
            carry_out(root, node, 20)
        except BaseException as why:
            failed.append(why)

    threads = [threading.Thread(target=work, args=(node,)) for node in NODES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert [site.says(node) for node in NODES] == [NEW] * 4


def test_the_lock_is_waited_for_and_named(root: Path, site: Site) -> None:
    begin(root, "r", site.publication("n1"))
    before = site.texts()
    with (
        locked([str(site.gres)], 1),
        pytest.raises(Refused, match=r"another slurm-mig is writing to .*gres\.conf"),
    ):
        carry_out(root, "r", 0.1)
    assert site.texts() == before


def test_a_sidecar_that_is_a_link(root: Path, site: Site) -> None:
    begin(root, "r", site.publication("n1"))
    sidecar(str(site.conf)).symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="must be a file, no link"):
        carry_out(root, "r", 1)


@pytest.mark.parametrize("text", ["", "nonsense", '{"written": 3}', "[]", '{"written": {"a": 3}}'])
def test_a_sidecar_that_cannot_be_read_knows_nothing(root: Path, site: Site, text: str) -> None:
    begin(root, "a", site.publication("n1"))
    publish(root, site, "n3")
    for path in (site.conf, site.gres):
        sidecar(str(path)).write_text(text)
    with pytest.raises(Refused, match="changed by hand"):
        carry_out(root, "a", 1)


def test_of_two_of_one_name_one_begins(root: Path, site: Site) -> None:
    begin(root, "r", site.publication("n1"))
    with pytest.raises(JournalError, match="not at its end"):
        begin(root, "r", site.publication("n2"))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "a b"])
def test_a_name_that_is_none(root: Path, site: Site, name: str) -> None:
    with pytest.raises(JournalError, match="no name of a publication"):
        begin(root, name, site.publication("n1"))


def test_json_and_back(site: Site) -> None:
    made = site.publication("n1", "n2")._replace(changes=(Change("/x", None, "\udcff"),))
    assert from_json(json.loads(json.dumps(to_json(made)))) == made
    empty = Publication(None, (), None, (), ())
    assert from_json(json.loads(json.dumps(to_json(empty)))) == empty


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "conf": {}}'])
def test_a_record_that_cannot_be_read(root: Path, site: Site, text: str) -> None:
    begin(root, "r", site.publication("n1"))
    write_atomic(root / "var/lib/slurm-mig/publications/r.json", text)
    with pytest.raises(JournalError):
        look(root, "r")


def test_a_conf_that_cannot_be_read(site: Site) -> None:
    with pytest.raises(ConfError, match="No such file"):
        prepare(ConfWish(str(site.root / "none.conf"), {"n1": NEW}), [])
    site.gres.write_text("some words\n")
    with pytest.raises(ConfError, match=r"gres\.conf: line 1"):
        site.publication("n1")
    site.gres.write_text("# BEGIN slurm-mig\n")
    with pytest.raises(Refused, match=r"gres\.conf: the marked block is damaged"):
        site.publication("n1")


def test_a_folder_that_takes_no_file(root: Path, site: Site) -> None:
    begin(root, "r", site.publication("n1"))
    site.nodes.unlink()
    site.nodes.mkdir()
    with pytest.raises(SlurmMigError, match=r"nodes\.conf: Is a directory"):
        carry_out(root, "r", 1)


def test_killed_at_any_line_and_carried_on(root: Path, site: Site) -> None:
    before = site.texts()
    begin(root, "r", site.publication("n2"))
    carry_out(root, "r", 1)
    after = site.texts()
    undo(root, "r", 1)
    count = 0
    for line in deaths(lambda: lambda: carry_out(root, "r", 1), 5, WRITERS):
        _must_be_whole(site, before, after)
        undone = line % 2
        (undo if undone else carry_out)(root, "r", 1)
        assert site.texts() == (before if undone else after)
        undo(root, "r", 1)
        assert drafts(site.root) == []
        count += 1
    assert count > 20


def test_killed_at_any_line_of_undo(root: Path, site: Site) -> None:
    before = site.texts()
    begin(root, "r", site.publication("n2"))
    carry_out(root, "r", 1)
    after = site.texts()

    def published() -> Callable[[], object]:
        carry_out(root, "r", 1)
        return lambda: undo(root, "r", 1)

    count = 0
    for _ in deaths(published, 5, WRITERS):
        _must_be_whole(site, before, after)
        undo(root, "r", 1)
        assert site.texts() == before
        count += 1
    assert count > 20


def test_killed_at_any_line_of_begin(root: Path, site: Site) -> None:
    made = site.publication("n2")
    for _ in deaths(lambda: lambda: begin(root, "r", made), 2, WRITERS):
        assert look(root, "r") in (None, made)
        commit(root, "r")


def _must_be_whole(site: Site, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    for name, text in site.texts().items():
        assert text in (before[name], after[name])
