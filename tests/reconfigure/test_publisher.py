"""How Slurm is told, on a simulated machine with slurm.conf and gres.conf of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import Refused, SlurmRefused
from slurm_mig.gpu.nvml.partition_adapter import partition_session
from slurm_mig.gpu.planning.plan import plan
from slurm_mig.gpu.present.survey import survey
from slurm_mig.reconfigure import publisher
from slurm_mig.reconfigure.publisher import NodePublisher
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.reconfigure.world import Elsewhere, Notes
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.gpu.applying import Here, here
from tests.gpu.changing import wish
from tests.sim.api import Sim

H100 = "nvidia_h100_80gb_hbm3_"
SEVEN, TWO = f"gpu:{H100}1g.10gb:7", f"gpu:{H100}3g.40gb:2"
CONF = """\
ClusterName=c
SlurmdPidFile=/run/slurmd.pid
NodeName=n1 CPUs=16 Gres={gres},nic:1  # the GPU node
NodeName=n2 CPUs=16 Gres=gpu:4
PartitionName=p Nodes=ALL
"""
START = ("start-slurmd", "{conf}")


class Site:
    """A machine with seven slices, whose Slurm believes in two of another kind."""

    def __init__(self, sim: Sim, folder: Path, release: str, dynamic: bool) -> None:
        self.sim, self.root = sim, sim.root
        self.conf, self.gres = folder / "slurm.conf", folder / "gres.conf"
        self.conf.write_text(CONF.format(gres=TWO))
        self.gres.write_text("# nothing yet\n")
        self.slurm = FakeSlurm(SlurmVersion.parse(release))
        self.slurm.add("n1", TWO, dynamic=dynamic)
        self.slurm.settings["maxnodecount"] = "16"
        self.slurm.settings["treewidth"] = "65533"
        self.client = FakeSlurmClient(self.slurm)

    def publisher(self, **settings: object) -> NodePublisher:
        chosen = ReconfigureSettings()._replace(**settings)  # type: ignore[arg-type]
        return NodePublisher(self.root, self.conf, "n1", self.client, chosen)

    def choose(self, **settings: object) -> Notes:
        return self.publisher(**settings).choose(self.client.node("n1"))

    def slurmd(self, *words: str) -> None:
        """A slurmd that runs with these words."""
        process = self.root / "proc/77"
        process.mkdir(parents=True, exist_ok=True)
        fields = ["S", "1", *["1"] * 17, "5000", "0"]
        (process / "stat").write_text(f"77 (slurmd) {' '.join(fields)}\n")
        (process / "cmdline").write_bytes(b"\0".join(map(os.fsencode, ["slurmd", *words])) + b"\0")
        (self.root / "run").mkdir(exist_ok=True)
        (self.root / "run/slurmd.pid").write_text("77\n")

    def waiting(self) -> list[str]:
        """The publications that are not at their end."""
        folder = self.root / "var/lib/slurm-mig/publications"
        return sorted(path.name for path in folder.glob("*")) if folder.exists() else []


@pytest.fixture
def machine(new_sim: Callable[..., Sim], monkeypatch: pytest.MonkeyPatch) -> Here:
    return here(new_sim, monkeypatch)


@pytest.fixture
def make(machine: Here, memory: Path) -> Callable[..., Site]:
    def site(release: str = "24.11.5", dynamic: bool = False) -> Site:
        return Site(machine("h100-80gb=7x1g.10gb"), memory, release, dynamic)

    return site


Make = Callable[..., Site]


class TestTheWayIsChosen:
    def test_of_a_node_of_slurm_conf(self, make: Make) -> None:
        site = make()
        assert site.choose() == {
            "way": "reconfigure",
            "gres_conf": str(site.gres),
            "label": "",
            "autodetect": "",
            "types": "full",
        } | {"autodetect": site.choose()["autodetect"]}

    def test_by_the_release(self, make: Make) -> None:
        site = make("22.05.8")
        restart = ("systemctl", "restart", "slurmctld")
        assert site.choose(slurmctld_restart_command=restart)["way"] == "restart"
        with pytest.raises(Refused, match="slurmctld_restart_command"):
            site.choose()

    def test_types_without_the_gpu_s_name_stay_so(self, make: Make) -> None:
        site = make()
        site.slurm.nodes["n1"].gres = "gpu:1g.10gb:7"
        notes = site.choose()
        assert notes["types"] == "profile"
        assert site.publisher().types(notes) == {"1g.10gb": 7}

    def test_a_gres_conf_of_many_nodes_has_a_block_of_each(self, make: Make) -> None:
        site = make()
        shared = str(site.gres.with_name("shared.conf"))
        notes = site.choose(shared_gres_conf=shared)
        assert (notes["gres_conf"], notes["label"]) == (shared, "n1")

    def test_a_dynamic_node_s_words_are_kept_without_ours(self, make: Make) -> None:
        site = make(dynamic=True)
        site.slurmd("-Z", "--conf", f'CPUs=16 Gres={TWO} State=DRAIN Reason="a b"')
        notes = site.choose(slurmd_start_command=START)
        assert notes["way"] == "dynamic"
        assert notes["conf"] == f"CPUs=16 Gres={TWO}"
        site.slurmd("-Z", f"--conf=CPUs=8 Gres={TWO}")
        assert site.choose(slurmd_start_command=START)["conf"] == f"CPUs=8 Gres={TWO}"

    def test_without_these_words_it_cannot_be_made_anew(self, make: Make) -> None:
        site = make(dynamic=True)
        with pytest.raises(Refused, match="slurmd_start_command has no"):
            site.choose()
        with pytest.raises(Refused, match="runs without --conf"):
            site.choose(slurmd_start_command=START)
        site.slurmd("-Z", "--conf")
        with pytest.raises(Refused, match="runs without --conf"):
            site.choose(slurmd_start_command=START)


class TestItIsRefusedBeforeTheFirstChange:
    """What publish() would be refused later, when the GPUs are changed already."""

    def problems(self, site: Site, **settings: object) -> str:
        return "\n".join(site.publisher(**settings).hindrances(site.choose(**settings)))

    def test_a_gres_conf_of_many_nodes_that_nobody_said_is_one(self, make: Make) -> None:
        site = make()
        site.gres.write_text("NodeName=n[1-2] Name=gpu File=/dev/nvidia0\n")
        assert "set shared_gres_conf in [reconfigure]" in self.problems(site)

    def test_lines_that_are_not_ours(self, make: Make) -> None:
        site = make()
        site.gres.write_text("Name=gpu Type=x File=/dev/nvidia0\n")
        assert "lines outside the marked blocks" in self.problems(site)

    def test_a_slurm_conf_that_does_not_have_the_node(self, make: Make) -> None:
        site = make()
        site.conf.write_text("NodeName=n2\n")
        assert "no NodeName= line describes n1" in self.problems(site)

    def test_folders_that_are_not_there(self, make: Make) -> None:
        site = make()
        told = self.problems(site, shared_gres_conf="/nfs/gone/gres.conf")
        assert "/nfs/gone is not there" in told

    def test_files_that_slurmctld_hands_out(self, make: Make) -> None:
        site = make()
        site.slurm.settings["slurmctldhost[0]"] = "ctl(10.0.0.1)"
        copies = site.conf.parent / "conf-cache"
        copies.mkdir()
        for file in (site.conf, site.gres):
            file.rename(copies / file.name)
        site.conf, site.gres = copies / "slurm.conf", copies / "gres.conf"
        told = self.problems(site)
        for file, setting in ((site.conf, "shared_conf"), (site.gres, "shared_gres_conf")):
            assert f"{file} is a copy of slurmctld's (configless): run" in told
            assert f"`slurm-mig reconfigure NODES` on ctl, or name the file in {setting}" in told

    def test_the_originals_of_these_may_be_named(self, make: Make) -> None:
        site = make()
        original, gres = site.conf, site.gres
        copies = site.conf.parent / "conf-cache"
        copies.mkdir()
        (copies / "slurm.conf").write_text(site.conf.read_text())
        site.conf = copies / "slurm.conf"
        named = {"shared_conf": str(original), "shared_gres_conf": str(gres)}
        assert self.problems(site, **named) == ""
        notes = site.choose(**named)
        assert (notes["gres_conf"], notes["label"]) == (str(gres), "n1")

    def test_a_dynamic_node_without_files_of_its_own(self, make: Make) -> None:
        site = make(dynamic=True)
        site.slurmd("-Z", "--conf", f"CPUs=16 Gres={TWO}")
        copies = site.conf.parent / "conf-cache"
        copies.mkdir()
        site.conf = site.conf.rename(copies / "slurm.conf")
        told = self.problems(site, slurmd_start_command=START, shared_gres_conf=str(site.gres))
        assert "it needs files of its own" in told

    def test_a_slurm_conf_that_slurmd_does_not_read(self, make: Make) -> None:
        site = make()
        site.slurmd("-N", "n1", "--conf-server", "ctl")
        assert f"{site.conf} is here too: remove it" in self.problems(site)

    def test_what_is_right_is_written_to_by_nobody(self, make: Make) -> None:
        site = make()
        before = site.conf.read_text(), site.gres.read_text(), sorted(site.conf.parent.iterdir())
        assert self.problems(site) == ""
        now = site.conf.read_text(), site.gres.read_text(), sorted(site.conf.parent.iterdir())
        assert now == before


class TestWhatItHas:
    def test_by_what_lives(self, make: Make) -> None:
        site = make()
        assert site.publisher().types(site.choose()) == {f"{H100}1g.10gb": 7}

    def test_by_what_would_live(self, make: Make) -> None:
        site = make()
        with partition_session() as nvml:
            (gpu,) = survey(nvml)
        plans = [plan(gpu, wish("3g.40gb/2g.20gb/2x1g.10gb"))]
        assert site.publisher().types_after(site.choose(), plans) == {
            f"{H100}3g.40gb": 1,
            f"{H100}2g.20gb": 1,
            f"{H100}1g.10gb": 2,
        }
        off = [plan(gpu, wish("off"))]
        assert site.publisher().types_after(site.choose(), off) == {"nvidia_h100_80gb_hbm3": 1}

    def test_only_a_node_that_is_deleted_must_be_empty(self, make: Make) -> None:
        publisher = make().publisher()
        ways = ("reconfigure", "restart", "dynamic")
        assert [publisher.needs_it_empty({"way": way}) for way in ways] == [False, False, True]


class TestItIsPublished:
    def test_in_both_files_and_to_slurmctld(self, make: Make) -> None:
        site, before = make(), CONF.format(gres=TWO)
        publisher, notes = site.publisher(), site.choose()
        publisher.begin("r", notes)
        assert site.conf.read_text() == before
        publisher.publish("r", notes, back=False)
        assert site.conf.read_text() == CONF.format(gres=SEVEN)
        assert site.gres.read_text().count(f"Type={H100}1g.10gb ") == 7
        assert site.slurm.commands[-1] == "reconfigure"
        publisher.end("r")
        assert site.waiting() == []

    def test_what_is_published_twice_is_written_once(self, make: Make) -> None:
        site = make()
        publisher, notes = site.publisher(), site.choose()
        publisher.begin("r", notes)
        publisher.publish("r", notes, back=False)
        inodes = [path.stat().st_ino for path in (site.conf, site.gres)]
        publisher.publish("r", notes, back=False)
        assert [path.stat().st_ino for path in (site.conf, site.gres)] == inodes

    @pytest.mark.parametrize("name", ["conf", "gres"])
    def test_who_edits_a_file_by_hand_meanwhile_is_told(self, make: Make, name: str) -> None:
        site = make()
        publisher, notes, file = site.publisher(), site.choose(), getattr(site, name)
        publisher.begin("r", notes)
        file.write_text(file.read_text() + "# by hand\n")
        with pytest.raises(Refused, match="changed by hand"):
            publisher.publish("r", notes, back=False)
        assert "reconfigure" not in site.slurm.commands
        publisher.publish("r", notes, back=True)  # what lives has to be told all the same
        assert "# by hand\n" in file.read_text()
        assert SEVEN in site.conf.read_text()

    def test_with_the_site_s_command(self, make: Make, memory: Path) -> None:
        site = make("22.05.8")
        restart = ("/bin/touch", str(memory / "restarted"))
        publisher = site.publisher(slurmctld_restart_command=restart)
        notes = site.choose(slurmctld_restart_command=restart)
        publisher.begin("r", notes)
        publisher.publish("r", notes, back=False)
        assert (memory / "restarted").exists()
        assert "reconfigure" not in site.slurm.commands

    def test_a_dynamic_node_is_deleted_and_slurm_conf_left_alone(self, make: Make) -> None:
        site = make(dynamic=True)
        site.slurmd("-Z", "--conf", f"CPUs=16 Gres={TWO}")
        publisher = site.publisher(slurmd_start_command=START)
        notes = site.choose(slurmd_start_command=START)
        publisher.begin("r", notes)
        for _ in range(2):  # the second time it is gone already
            publisher.publish("r", notes, back=False)
            assert "n1" not in site.slurm.nodes
        assert site.conf.read_text() == CONF.format(gres=TWO)
        assert f"{H100}1g.10gb" in site.gres.read_text()

    @pytest.mark.parametrize("back", [False, True])
    def test_a_dynamic_node_that_came_back_as_it_is_need_not_go(
        self, make: Make, back: bool
    ) -> None:
        """On the way back a slurmctld that was killed may have it still, with jobs on it."""
        site = make(dynamic=True)
        site.slurm.nodes["n1"].gres = f"{SEVEN},nic:1"
        site.slurm.submit(f"gpu:{H100}1g.10gb:1")
        site.slurmd("-Z", "--conf", f"CPUs=16 Gres={SEVEN}")
        publisher = site.publisher(slurmd_start_command=START)
        notes = site.choose(slurmd_start_command=START)
        publisher.begin("r", notes)
        if back:
            publisher.publish("r", notes, back=True)
        else:
            with pytest.raises(SlurmRefused, match="are busy"):
                publisher.publish("r", notes, back=False)
        assert "n1" in site.slurm.nodes
        assert site.slurm.jobs[1].state == "RUNNING"

    def test_but_one_that_registered_badly_goes(self, make: Make) -> None:
        site = make(dynamic=True)
        node = site.slurm.nodes["n1"]
        node.gres, node.flags = SEVEN, {"DRAIN", "INVALID_REG"}
        site.slurmd("-Z", "--conf", f"CPUs=16 Gres={SEVEN}")
        publisher = site.publisher(slurmd_start_command=START)
        notes = site.choose(slurmd_start_command=START)
        publisher.begin("r", notes)
        publisher.publish("r", notes, back=True)
        assert "n1" not in site.slurm.nodes


class TestOnlyOthersMayPublishIt:
    def test_a_copy_is_never_written_to(self, make: Make) -> None:
        """As one of many it was begun; alone it can only wait."""
        site = make()
        copy = site.conf.parent / "conf-cache/gres.conf"
        copy.parent.mkdir()
        copy.write_text("# slurmctld's\n")
        notes = {**site.choose(), "gres_conf": str(copy), "label": "n1"}
        for back in (False, True):
            with pytest.raises(Elsewhere, match="configless"):
                site.publisher().publish("r", notes, back=back)
        assert copy.read_text() == "# slurmctld's\n"
        assert site.conf.read_text() == CONF.format(gres=TWO)
        assert "reconfigure" not in site.slurm.commands


class TestSlurmdIsStarted:
    def test_as_ever_for_a_node_of_slurm_conf(self, make: Make) -> None:
        site = make()
        assert site.publisher().start_words(site.choose(), "why") == {publisher.CONF: ""}

    def test_drained_and_with_its_new_gpus_for_a_dynamic_one(self, make: Make) -> None:
        notes = {"way": "dynamic", "conf": f"CPUs=16 Gres={TWO},nic:1 Feature=a", "label": ""}
        notes |= {"autodetect": "", "types": "full"}
        words = make().publisher().start_words(notes, 'so "and" so')
        assert words == {
            "{conf}": f"CPUs=16 Gres={SEVEN},nic:1 Feature=a State=DRAIN Reason=\"so 'and' so\""
        }
