from collections import Counter

import pytest

from slurm_mig.doctor.gres_checks import counts
from slurm_mig.model import Cores
from slurm_mig.slurm.records.gres import GresOptions, line, node_gres
from tests.doctor.good import GOOD, MAP, MIXED, VERSION, findings, gres_conf, only, slurm
from tests.slurm.nodes import gpu, mig_device, node, whole_gpu


def test_device_files_that_are_wrong_each_once() -> None:
    parts = tuple(
        mig_device("1g.5gb", gi, problems=["/dev/x is missing: make it with `mknod`"])
        for gi in (7, 8)
    )
    broken = MIXED._replace(gpus=(gpu("1g.5gb")._replace(mig_devices=parts), MIXED.gpus[1]))
    missing = "/dev/x is missing: make it with `mknod`"
    found = findings(node=broken, disagreements=(missing,), fresh_map=None)
    assert [each for each in found if each.about in ("device files", "slurmd")] == [
        ("wrong", "device files", "/dev/x is missing", "make it with `mknod`")
    ]


def test_what_discover_found_odd_is_a_note() -> None:
    odd = MIXED._replace(
        gpus=(MIXED.gpus[0]._replace(warnings=("a gap",)), MIXED.gpus[1]), warnings=("new",)
    )
    said = [(each.level, each.about, each.what) for each in findings(node=odd)]
    assert said == [("note", "GPUs", "new"), ("note", "GPU 0", "a gap")]


def test_a_node_that_slurm_conf_does_not_describe() -> None:
    finding = only(node_name="n2")
    assert (finding.level, finding.about) == ("note", "NodeName")
    assert "dynamic node" in finding.what


@pytest.mark.parametrize(
    ("gres", "level"), [("", "wrong"), ("Gres=gpu:a100:7", "risky"), ("Gres=shard:8", "wrong")]
)
def test_gres_that_are_not_the_slices(gres: str, level: str) -> None:
    conf = slurm()
    changed = conf._replace(lines=conf.lines[:-1])  # less the good NodeName= line
    text = slurm(f"NodeName=n1 CPUs=4 {gres}")
    conf = changed._replace(lines=(*changed.lines, text.lines[-1]))
    finding = only(conf=conf)
    assert (finding.level, finding.about) == (level, "Gres")
    wanted = node_gres(MIXED, GresOptions(VERSION)).gres
    assert finding.remedy == f"slurm.conf: NodeName=n1 ... Gres={wanted}"


def test_short_types_are_as_good() -> None:
    made = node_gres(MIXED, GresOptions(VERSION, profile_types=True))
    conf = slurm()
    named = slurm(f"NodeName=n1 Gres={made.gres}(S:0),shard:4")
    conf = conf._replace(lines=(*conf.lines[:-1], named.lines[-1]))
    text = "\n".join(["AutoDetect=off", *map(line, made.records)])
    assert findings(conf=conf, gres_conf=text) == []


@pytest.mark.parametrize(
    ("gres", "wanted"),
    [
        ("", {}),
        ("gpu", {"": 1}),
        ("gpu:4", {"": 4}),
        ("gpu:a100", {"a100": 1}),
        ("gpu:a100:2,gpu:1g.5gb:7(S:0,1)", {"a100": 2, "1g.5gb": 7}),
        ("shard:8,GPU:a:1", {"a": 1}),
    ],
)
def test_counts(gres: str, wanted: dict[str, int]) -> None:
    assert counts(gres) == Counter(wanted)


def test_gres_conf_that_drifted() -> None:
    text = gres_conf().replace("nvidia-cap", "nvidia-capx", 1)
    finding = only(gres_conf=text)
    assert (finding.level, finding.about) == ("risky", "gres.conf")
    assert "--check" in finding.remedy


def test_autodetect_is_compared_with_its_own_lines() -> None:
    text = gres_conf(nvml=True)
    assert findings(gres_conf=text, autodetect="nvml") == []


def test_a_node_without_slices_may_have_what_it_likes() -> None:
    alone = node(whole_gpu(), name="n1")
    assert not [
        each
        for each in findings(node=alone, gres_conf="Name=gpu File=/dev/nvidia[0-9]")
        if each.about == "gres.conf"
    ]


def test_lines_without_flags() -> None:
    text = gres_conf().replace(" Flags=nvidia_gpu_env", "")
    found = {each.level: each.remedy for each in findings(gres_conf=text)}
    assert found["note"] == "gres.conf: Flags=nvidia_gpu_env on each line"


def test_slurmd_and_the_slices_do_not_agree() -> None:
    finding = only(fresh_map=None, disagreements=("slice 1g is not in slurmd's list",))
    assert (finding.level, finding.about) == ("wrong", "slurmd")
    assert "restart slurmd" in finding.remedy


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"gres_map": {}}, "missing"),
        ({"boot_id": "c"}, "earlier boot"),
        ({"generation": 3}, "older than the partitioning"),
        ({"fresh_map": {**MAP, "gres": [2]}}, "not what slurmd and the slices are now"),
    ],
)
def test_a_map_that_hooks_must_not_trust(changes: dict[str, object], what: str) -> None:
    finding = only(**changes)
    assert (finding.level, finding.about) == ("wrong", "gres map")
    assert what in finding.what


def test_a_gres_conf_that_was_only_written_anew() -> None:
    """By configless Slurm, or because another node's lines in it have changed."""
    conf = {"path": "/etc/slurm/gres.conf", "mtime_ns": 1, "crc32": 2}
    old, new = ({**MAP, "gres_conf": {**conf, "mtime_ns": at}} for at in (1, 5))
    assert findings(gres_map=old, fresh_map=new) == []
    other = {**MAP, "gres_conf": {**conf, "crc32": 3}}
    assert "not what slurmd and the slices are now" in only(gres_map=old, fresh_map=other).what
    assert only(gres_map={**MAP, "gres_conf": 7}, fresh_map=other).about == "gres map"


def test_without_hooks_nobody_needs_a_map() -> None:
    found = findings(gres_map={}, scripts={}, conf=slurm(without="PrologFlags"))
    assert "gres map" not in {each.about for each in found}


def test_a_slurmd_that_started_before_the_slices_were_made() -> None:
    finding = only(generation_changed=1010.0)
    assert (finding.level, finding.about) == ("wrong", "slurmd")
    assert "every job can open" in finding.what


def test_a_slurmd_that_started_before_gres_conf_was_written() -> None:
    assert only(gres_conf_changed=1010.0).level == "risky"
    assert findings(gres_conf_changed=1001.0) == []
    assert findings(gres_conf_changed=1010.0, slurmd_start=None) == []


def test_cores_are_no_drift_where_gen_gres_would_write_them() -> None:
    near = MIXED.gpus[0]._replace(cores=Cores(((0, 3),), fill_sockets=True))
    cored = GOOD.node and GOOD.node._replace(gpus=(near, MIXED.gpus[1]))
    assert cored is not None
    assert findings(node=cored, gres_conf=gres_conf(cored)) == []
