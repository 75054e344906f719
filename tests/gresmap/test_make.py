"""gres-map over simulated machines, in this process: made, kept, and taken away."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig import cli
from slurm_mig.errors import Refused, SlurmError
from slurm_mig.gresmap import store
from slurm_mig.gresmap.make import Request, make, renew
from slurm_mig.hooks import closing, gres_map
from slurm_mig.hooks.registry import Registry
from slurm_mig.slurm.config.slurmd_options import SlurmdOptions, parse_slurmd_options
from slurm_mig.slurm.records.gres import GresOptions, NodeGres, node_gres
from slurm_mig.slurm.version import SlurmVersion
from tests.generate.machines import seen
from tests.sim.api import Sim

OpenNvml = Callable[..., Sim]
Output = pytest.CaptureFixture[str]
VERSION = SlurmVersion(24, 11, 5)


def printed(made: NodeGres) -> str:
    """What `slurmd -G` prints of these lines."""
    return "".join(
        f"slurmd: Gres Name=gpu Type={each.type} Count=1 Index=7 ID=1 File={','.join(each.files)} "
        "Links=(null) Flags=HAS_FILE\n"
        for each in made.records
    )


def request(sim: Sim, text: str | None = None) -> Request:
    """For a machine whose slurmd has gen-gres's lines, or prints this."""
    if text is None:
        text = printed(node_gres(seen(sim), GresOptions(VERSION)))
    return Request(sim.root, SlurmdOptions(node_name="n1"), text, VERSION)


def slurm_conf(sim: Sim, cgroup: str | None = "ConstrainDevices=yes\n") -> Path:
    folder = sim.root / "etc/slurm"
    folder.mkdir(parents=True)
    (folder / "slurm.conf").write_text("TaskPlugin=task/cgroup\n")
    if cgroup is not None:
        (folder / "cgroup.conf").write_text(cgroup)
    return folder


@pytest.fixture(autouse=True)
def no_slurm_conf_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CONF", raising=False)
    monkeypatch.delenv("SLURMD_OPTIONS", raising=False)


def test_every_slice_has_its_place(open_nvml: OpenNvml) -> None:
    sim = open_nvml("h100-80gb=3g.40gb@4:1c:2c/2x1g.10gb", "l40s")
    asked = request(sim)
    made, written = renew(asked)
    assert written
    entries = store.read(sim.root)["gres"]
    predicted = node_gres(seen(sim), GresOptions(VERSION)).records
    assert [entry["type"] for entry in entries] == [each.type for each in predicted]
    uuids = [entry["mig"]["uuid"] if entry["mig"] else entry["gpu_uuid"] for entry in entries]
    assert uuids == [each.uuid for each in predicted]
    assert made.gres_map == store.read(sim.root)
    assert made.warnings == ()
    assert renew(asked)[1] is False


def test_the_hooks_read_what_was_written(open_nvml: OpenNvml) -> None:
    sim = open_nvml("h100-80gb=3g.40gb@4:1c:2c/2x1g.10gb", "l40s")
    made, _ = renew(request(sim))
    read = gres_map.load(str(sim.root))
    assert [each.gres_index for each in read.slices] == list(range(5))
    uuids = [each["mig"]["uuid"] if each["mig"] else None for each in made.gres_map["gres"]]
    assert [each.mig.uuid if each.mig else None for each in read.slices] == uuids


@pytest.mark.parametrize(
    ("cgroup", "answer"), [("ConstrainDevices=yes\n", True), ("", False), (None, False)]
)
def test_whether_devices_are_constrained(
    open_nvml: OpenNvml, cgroup: str | None, answer: bool
) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    assert make(request(sim)).gres_map["constrained"] is None
    slurm_conf(sim, cgroup)
    assert make(request(sim)).gres_map["constrained"] is answer


def test_where_the_two_do_not_agree_an_old_map_is_taken_away(open_nvml: OpenNvml) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    asked = request(sim)
    renew(asked)
    sim.partition(0, "2x2g.12gb")
    sim.make_nodes()
    with pytest.raises(Exception, match="do not agree") as caught:
        renew(asked)
    assert "was removed" in str(getattr(caught.value, "__notes__", ""))
    assert store.read(sim.root) == {}


def test_missing_device_files_are_told_before_slurmd_waits_for_them(open_nvml: OpenNvml) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb", nodes=False)
    with pytest.raises(Refused, match="lack device files") as caught:
        make(request(sim, "not even read: Gres Name=gpu Type=x Count=1 File=(null)"))
    assert len(caught.value.problems) == 4
    assert all("nvidia-modprobe" in each for each in caught.value.problems)


def test_a_generation_that_changes_while_we_look_makes_the_map_stale(
    open_nvml: OpenNvml,
) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    (sim.root / "run/slurm-mig").mkdir(parents=True)
    generation = sim.root / "run/slurm-mig/generation"
    generation.write_text("4")
    renew(request(sim))
    assert store.read(sim.root)["generation"] == 4


def test_a_slurmd_that_has_not_read_gres_conf_yet(
    open_nvml: OpenNvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`slurmd -G` would read the new file; the map of the running one stays."""
    sim = open_nvml("a30-24gb=2x1g.6gb")
    renew(request(sim))
    folder = slurm_conf(sim)
    running_slurmd(sim)
    (folder / "gres.conf").write_text("")
    with pytest.raises(Exception, match="was changed after slurmd started: restart slurmd"):
        renew(request(sim)._replace(slurmd_list=None))
    assert store.read(sim.root)["gres"]
    os.utime(folder / "gres.conf", (900, 900))
    told = listing_slurmd(sim, tmp_path, monkeypatch)
    renew(request(sim)._replace(slurmd_list=None))
    assert told.read_text() == f"-G -f {folder}/slurm.conf\n"


def running_slurmd(sim: Sim) -> None:
    """One that started in second 1000."""
    (sim.root / "proc/77").mkdir()
    (sim.root / "var/run").mkdir(parents=True)
    (sim.root / "var/run/slurmd.pid").write_text("77")
    (sim.root / "proc/stat").write_text("btime 1000\n")
    (sim.root / "proc/77/stat").write_text(f"77 (slurmd) S{' 0' * 40}")


def listing_slurmd(sim: Sim, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `slurmd` that lists the slices; the file that has the words it got last."""
    text = printed(node_gres(seen(sim), GresOptions(VERSION)))
    fake, told = folder / "slurmd", folder / "told"
    fake.write_text(f"#!/bin/sh\necho \"$@\" >{told}\ncat <<'E' >&2\n{text}E\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return told


def test_other_nodes_lines_that_were_changed_since(
    open_nvml: OpenNvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a gres.conf of many nodes: what slurmd has read of it is as it was."""
    sim = open_nvml("a30-24gb=2x1g.6gb")
    listing_slurmd(sim, tmp_path, monkeypatch)
    running_slurmd(sim)
    asked, conf = request(sim)._replace(slurmd_list=None), slurm_conf(sim) / "gres.conf"
    conf.write_text("NodeName=n[1-2] Name=gpu\n")
    os.utime(conf, (900, 900))
    renew(asked)
    conf.write_text("NodeName=n1 Name=gpu\nNodeName=n2 Name=gpu Type=other\n")
    renew(asked)
    conf.write_text("NodeName=n2 Name=gpu\nNodeName=n1 Name=gpu Type=other\n")
    with pytest.raises(SlurmError, match="was changed after slurmd started"):
        renew(asked)


def test_files_that_slurmctld_hands_out(
    open_nvml: OpenNvml, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """slurmd has read what it wrote itself; `slurmd -G` is not to fetch them again."""
    sim = open_nvml("a30-24gb=2x1g.6gb")
    told = listing_slurmd(sim, tmp_path, monkeypatch)
    running_slurmd(sim)
    copies = sim.root / "var/spool/slurmd/conf-cache"
    slurm_conf(sim)  # a left-over, that slurmd does not read
    copies.mkdir(parents=True)
    (copies / "slurm.conf").write_text("TaskPlugin=task/cgroup\n")
    (copies / "gres.conf").write_text("Name=gpu\n")
    (sim.root / "run/slurm").mkdir(parents=True)
    (sim.root / "run/slurm/conf").symlink_to(copies)
    options = parse_slurmd_options("-D -N n1 --conf-server ctl:6817")
    made, _ = renew(Request(sim.root, options, None, VERSION))
    assert told.read_text() == f"-G -f {copies}/slurm.conf -N n1\n"
    assert made.gres_map["gres_conf"]["path"] == str(copies / "gres.conf")
    assert made.gres_map["constrained"] is False


def test_the_command(open_nvml: OpenNvml, capsys: Output, tmp_path: Path) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb", "l40s")
    text = printed(node_gres(seen(sim), GresOptions(VERSION)))
    listed = tmp_path / "list"
    listed.write_text(text)
    words = ["gres-map", "--root", str(sim.root), "--slurm-version=24.11.5"]
    words += ["--slurmd-list", str(listed), "--slurmd-options=-D -N n7"]
    assert cli.run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["node"], len(told["gres"])) == ("n7", 3)
    assert store.read(sim.root) == {}
    assert cli.run(words) == 0
    assert "gres-map.json: written, 3 gres" in capsys.readouterr().err
    assert cli.run(words) == 0
    assert "unchanged, 3 gres" in capsys.readouterr().err
    listed.write_text("".join(text.splitlines(keepends=True)[1:]))
    assert cli.run(words) == 0
    assert "warning: GPU 1 (/dev/nvidia1)" in capsys.readouterr().err
    listed.write_text("".join(text.splitlines(keepends=True)[:2]))
    assert cli.run(words) == 1
    said = capsys.readouterr().err
    assert "slice 1g.6gb" in said
    assert "was removed: until it is made, GPU jobs are refused here" in said
    assert store.read(sim.root) == {}


def test_records_that_a_killed_hook_left_are_stored(
    open_nvml: OpenNvml, capsys: Output, tmp_path: Path
) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    listed = tmp_path / "list"
    listed.write_text(printed(node_gres(seen(sim), GresOptions(VERSION))))
    registry = Registry(str(sim.root))
    record = {"record_id": "one", "job_id": 7}
    try:
        closing.begin(str(sim.root), registry, 7, record, 1_700_000_000.0)
        # And what no hook but the next start of slurmd comes back to.
        (sim.root / "run/slurm-mig/jobs/.8.json.4711").write_text("half")
    finally:
        registry.close()
    words = ["gres-map", "--root", str(sim.root), "--slurm-version=24.11.5"]
    for _ in range(2):
        assert cli.run([*words, "--slurmd-list", str(listed)]) == 0
    usage = sim.root / "var/lib/slurm-mig/usage"
    lines = (usage / "2023-11.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record]
    assert list((sim.root / "run/slurm-mig/jobs").iterdir()) == []
    capsys.readouterr()


def test_records_that_cannot_be_stored_are_told_and_the_map_is_made(
    open_nvml: OpenNvml, capsys: Output, tmp_path: Path
) -> None:
    sim = open_nvml("a30-24gb=2x1g.6gb")
    listed = tmp_path / "list"
    listed.write_text(printed(node_gres(seen(sim), GresOptions(VERSION))))
    (sim.root / "run/slurm-mig").mkdir(parents=True)
    (sim.root / "run/slurm-mig/jobs").write_text("no folder")
    words = ["gres-map", "--root", str(sim.root), "--slurm-version=24.11.5"]
    assert cli.run([*words, "--slurmd-list", str(listed)]) == 0
    assert "warning: usage records wait" in capsys.readouterr().err
    assert store.read(sim.root)["gres"]


def test_a_list_that_cannot_be_read(tmp_path: Path, capsys: Output) -> None:
    words = ["gres-map", "--slurm-version=24.11.5", "--slurmd-list", str(tmp_path / "none")]
    assert cli.run([*words, "--root", str(tmp_path)]) == 1
    assert "none: No such file" in capsys.readouterr().err
