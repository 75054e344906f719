"""A wave in slurm.conf: all of it or nothing, once, over nobody's edit; and a node's own part."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import CommandError, Refused, SlurmMigError, SlurmNotAnswering
from slurm_mig.reconfigure import publish
from slurm_mig.reconfigure.fleet.holding import PUBLISHED, TOUCHED, HoldingPublisher
from slurm_mig.reconfigure.fleet.publishing import WavePublisher
from slurm_mig.reconfigure.fleet.record import HELD, NodeEntry
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.reconfigure.world import Held
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.hooks.killing import deaths
from tests.reconfigure.publishing import NEW, OLD, Site, block, drafts, make
from tests.sim.api import Sim

NAME = "0a1b2c3d.fleet"
Open = Callable[..., Sim]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make(tmp_path)


def cluster() -> FakeSlurm:
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    for name in ("n1", "n2", "n3", "n4"):
        slurm.add(name, OLD)
    return slurm


def publisher(site: Site, slurm: FakeSlurm, **more: object) -> WavePublisher:
    settings = ReconfigureSettings(publish_timeout_s=1.0, shared_gres_conf=str(site.gres))
    settings = settings._replace(**more)  # type: ignore[arg-type]
    return WavePublisher(site.root, site.conf, FakeSlurmClient(slurm), settings)


def held(*names: str, way: str = "reconfigure", gpus: str = NEW) -> list[NodeEntry]:
    return [NodeEntry(name, 1, HELD, way=way, gres=gpus, block=block(name, gpus)) for name in names]


def test_one_reconfigure_for_all(site: Site) -> None:
    slurm = cluster()
    wave = publisher(site, slurm)
    wave.begin(NAME)
    wave.publish(NAME, held("n1", "n3"))
    assert [site.says(name) for name in ("n1", "n2", "n3", "n4")] == [NEW, OLD, NEW, OLD]
    assert slurm.commands == ["reconfigure"]
    wave.end(NAME)
    assert publish.look(site.root, NAME) is None
    assert publish.look(site.root, f"{NAME}-before") is None


def test_one_restart_for_all(site: Site, tmp_path: Path) -> None:
    slurm, log = cluster(), tmp_path / "restarts"
    words = ("/bin/sh", "-c", f"echo once >>{log}")
    wave = publisher(site, slurm, slurmctld_restart_command=words)
    wave.publish(NAME, held("n1", "n2", "n3", way="restart"))
    assert log.read_text() == "once\n"
    assert slurm.commands == []


def test_back_and_forth_at_once(site: Site) -> None:
    wave = publisher(site, cluster())
    wave.publish(NAME, held("n1", "n2"))
    wave.publish(NAME, [*held("n1", gpus=OLD), *held("n3")])
    assert [site.says(name) for name in ("n1", "n2", "n3")] == [OLD, NEW, NEW]


@pytest.mark.parametrize("name", ["conf", "nodes", "gres"])
def test_an_edit_by_hand_meanwhile(site: Site, name: str) -> None:
    slurm = cluster()
    wave = publisher(site, slurm)
    wave.begin(NAME)
    with getattr(site, name).open("a") as file:
        file.write("\n# by hand\n")
    before = site.texts()
    with pytest.raises(Refused, match="changed by hand") as refused:
        wave.publish(NAME, held("n1"))
    assert "+# by hand" in refused.value.problems
    assert site.texts() == before
    assert slurm.commands == []


def test_an_edit_before_it_is_taken_up_again(site: Site) -> None:
    wave = publisher(site, cluster())
    wave.begin(NAME)
    site.conf.write_bytes(site.conf.read_bytes() + b"# by hand\n")
    wave.begin(NAME)
    wave.publish(NAME, held("n1"))
    assert site.says("n1") == NEW
    assert site.conf.read_bytes().endswith(b"# by hand\n")


def test_slurmctld_does_not_answer(site: Site) -> None:
    slurm = cluster()
    before = site.texts()
    slurm.unanswered = 99
    with pytest.raises(SlurmNotAnswering):
        publisher(site, slurm).publish(NAME, held("n1"))
    assert site.texts() == before
    assert publish.look(site.root, NAME) is None


def test_slurmctld_cannot_be_started_anew(site: Site) -> None:
    before = site.texts()
    wave = publisher(site, cluster(), slurmctld_restart_command=("/bin/false",))
    with pytest.raises(CommandError):
        wave.publish(NAME, held("n1", way="restart"))
    assert site.texts() == before


def test_a_gres_conf_of_many_that_is_not_known_here(site: Site) -> None:
    before = site.texts()
    with pytest.raises(Refused, match="shared_gres_conf is not set here, and it is on n1, n2"):
        publisher(site, cluster(), shared_gres_conf="").publish(NAME, held("n1", "n2"))
    assert site.texts() == before


def test_where_slurmctld_hands_files_out_its_gres_conf_is_all_nodes(site: Site) -> None:
    slurm = cluster()
    slurm.settings["slurmctldparameters"] = "idle_on_node_suspend,enable_configless"
    wave = publisher(site, slurm, shared_gres_conf="")
    wave.must_be_possible()
    wave.begin(NAME)
    wave.publish(NAME, held("n1", "n2"))
    wave.end(NAME)
    assert [site.says(name) for name in ("n1", "n2", "n3")] == [NEW, NEW, OLD]
    assert "# BEGIN slurm-mig n1" in site.gres.read_text()


def test_a_machine_that_only_has_copies_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "conf-cache").mkdir()
    site, slurm = make(tmp_path / "conf-cache"), cluster()
    slurm.settings |= {"slurmctldhost[0]": "ctl1(10.0.0.1)", "slurmctldhost[1]": "ctl2"}
    files = {"shared_conf": str(site.conf), "shared_gres_conf": str(site.gres)}
    with pytest.raises(Refused, match="no node was told anything") as refused:
        publisher(site, slurm, **files).must_be_possible()
    assert len(refused.value.problems) == 2
    for problem in refused.value.problems:
        assert "is a copy of slurmctld's (configless)" in problem
        assert "run `slurm-mig reconfigure NODES` on ctl1 or ctl2" in problem


def test_a_folder_that_is_not_there_is_told_before(site: Site) -> None:
    with pytest.raises(Refused, match="/nfs/gone is not there: run"):
        publisher(site, cluster(), shared_gres_conf="/nfs/gone/gres.conf").must_be_possible()


def test_a_block_that_speaks_of_another_node(site: Site) -> None:
    (one,) = held("n1")
    wrong = one._replace(block=one.block.replace("NodeName=n1 Name", "NodeName=n2 Name"))
    before = site.texts()
    with pytest.raises(SlurmMigError):
        publisher(site, cluster()).publish(NAME, [wrong])
    assert site.texts() == before


def test_killed_at_many_lines_and_done_again(tmp_path: Path) -> None:
    number = 0

    def scene() -> Callable[[], object]:
        nonlocal number
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        made = publisher(make(folder), cluster())

        def act() -> None:
            made.begin(NAME)
            made.publish(NAME, held("n1", "n2"))

        return act

    writers = ("publish", "publication", "publication_files", "publishing", "files", "sidecar")
    for line in deaths(scene, step=17, writers=writers):
        site, slurm = Site(tmp_path / str(number)), cluster()
        again = publisher(site, slurm)
        again.begin(NAME)
        again.publish(NAME, held("n1", "n2"))
        again.end(NAME)
        assert [site.says(name) for name in ("n1", "n2", "n3")] == [NEW, NEW, OLD], line
        assert not drafts(site.root), line
        assert slurm.commands == ["reconfigure"]
    assert number > 10


# A node's own part, with the simulator's slices.

SEVEN = "gpu:nvidia_h100_80gb_hbm3_1g.10gb:7"


@pytest.fixture
def node(open_nvml: Open) -> Path:
    """A machine with seven slices, and a folder of Slurm's that says that there is nothing."""
    sim = open_nvml("h100-80gb=7x1g.10gb")
    etc = sim.root / "etc/slurm"
    etc.mkdir(parents=True)
    (etc / "slurm.conf").write_text("NodeName=n1 Gres=gpu:old:1\n")
    (etc / "gres.conf").write_text("# nothing yet\n")
    return sim.root


NOTES = {"way": "reconfigure", "label": "", "autodetect": "off", "types": "full"}


def holding(
    node: Path, slurm: FakeSlurm, **more: object
) -> tuple[HoldingPublisher, dict[str, str]]:
    settings = ReconfigureSettings(publish_timeout_s=1.0)._replace(**more)  # type: ignore[arg-type]
    etc = node / "etc/slurm"
    notes = {**NOTES, "gres_conf": str(etc / "gres.conf")}
    made = HoldingPublisher(node, etc / "slurm.conf", "n1", FakeSlurmClient(slurm), settings)
    made.begin("a", notes)
    return made, notes


def one(gpus: str) -> FakeSlurm:
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    slurm.add("n1", gpus)
    return slurm


def test_it_writes_its_own_file_and_waits_for_the_other(node: Path) -> None:
    made, notes = holding(node, one("gpu:old:1"))
    with pytest.raises(Held):
        made.publish("a", notes, back=False)
    assert "Type=nvidia_h100_80gb_hbm3_1g.10gb" in (node / "etc/slurm/gres.conf").read_text()
    assert (node / "etc/slurm/slurm.conf").read_text() == "NodeName=n1 Gres=gpu:old:1\n"
    assert made.gres(notes) == SEVEN
    assert made.block(notes) == ""
    made.publish("a", {**notes, PUBLISHED: "target"}, back=False)
    made.end("a")


def test_a_gres_conf_of_many_is_others_to_write(node: Path) -> None:
    shared = node / "etc/slurm/gres.conf"
    made, notes = holding(node, one("gpu:old:1"), shared_gres_conf=str(shared))
    notes["label"] = "n1"
    with pytest.raises(Held):
        made.publish("a", notes, back=False)
    assert shared.read_text() == "# nothing yet\n"
    assert made.block(notes).startswith("# BEGIN slurm-mig n1\n")
    assert "NodeName=n1 Name=gpu" in made.block(notes)


def copies(node: Path) -> Path:
    """The node's files as slurmctld hands them out."""
    folder = node / "var/spool/slurmd/conf-cache"
    folder.parent.mkdir(parents=True)
    (node / "etc/slurm").rename(folder)
    return folder


def test_a_dynamic_node_that_is_gone_needs_no_telling_on_the_way_back(node: Path) -> None:
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    slurm.add("n1", SEVEN, dynamic=True)
    made, notes = holding(node, slurm)
    notes |= {"way": "dynamic"}
    FakeSlurmClient(slurm).delete_node("n1")
    made.publish("a", notes, back=True)
    assert "n1" not in slurm.nodes


def test_files_that_are_handed_out_are_others_to_write(node: Path) -> None:
    """Nothing needs to be set for that on the node, and what is set there counts for nothing."""
    folder = copies(node)
    (folder / "gres.conf").write_text("NodeName=n1 AutoDetect=nvml\n")
    for shared in ("", "/etc/slurm/gres.conf"):
        client = FakeSlurmClient(one("gpu:old:1"))
        chosen = ReconfigureSettings(shared_gres_conf=shared)
        made = HoldingPublisher(node, folder / "slurm.conf", "n1", client, chosen)
        notes = made.choose(client.node("n1"))
        assert (notes["autodetect"], notes["label"]) == ("nvml", "n1")
        assert made.hindrances(notes) == []
        made.begin("a", notes)
        with pytest.raises(Held):
            made.publish("a", notes, back=False)
        assert made.block(notes).startswith("# BEGIN slurm-mig n1\n")
        made.end("a")
    assert (folder / "gres.conf").read_text() == "NodeName=n1 AutoDetect=nvml\n"


def test_a_gres_conf_that_it_may_not_change_is_told_before(node: Path) -> None:
    (node / "etc/slurm/gres.conf").write_text("NodeName=n[1-2] Name=gpu File=/dev/nvidia0\n")
    made, notes = holding(node, one("gpu:old:1"))
    (problem,) = made.hindrances(notes)
    assert "set shared_gres_conf" in problem


def test_its_own_file_was_edited_by_hand(node: Path) -> None:
    made, notes = holding(node, one("gpu:old:1"))
    (node / "etc/slurm/gres.conf").write_text("# by hand\n")
    with pytest.raises(Refused, match="changed by hand"):
        made.publish("a", notes, back=False)


@pytest.mark.parametrize(
    ("gpus", "said", "waits"),
    [
        (SEVEN, {}, False),
        ("gpu:old:1", {}, True),
        (SEVEN, {TOUCHED: "yes"}, True),
        (SEVEN, {PUBLISHED: "target"}, True),
        (SEVEN, {PUBLISHED: "former", TOUCHED: "yes"}, False),
    ],
)
def test_on_the_way_back(node: Path, gpus: str, said: dict[str, str], waits: bool) -> None:
    """It waits for others where Slurm was told, or may have been told, anything else."""
    made, notes = holding(node, one(gpus))
    if waits:
        with pytest.raises(Held):
            made.publish("a", {**notes, **said}, back=True)
    else:
        made.publish("a", {**notes, **said}, back=True)


def test_a_dynamic_node_waits_for_nobody(node: Path) -> None:
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    slurm.add("n1", "gpu:old:1", dynamic=True)
    made, notes = holding(node, slurm)
    made.publish("a", {**notes, "way": "dynamic"}, back=False)
    assert "n1" not in slurm.nodes
