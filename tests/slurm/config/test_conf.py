from pathlib import Path

import pytest

from slurm_mig.slurm.config.conf import (
    Conf,
    find_slurm_conf,
    handed_out,
    is_handed_out,
    read_conf,
)
from slurm_mig.slurm.config.constrained import constrained
from slurm_mig.slurm.config.lines import ConfError


def conf(folder: Path, text: str, name: str = "slurm.conf") -> Conf:
    path = folder / name
    path.write_text(text)
    return read_conf(path)


def test_a_setting_in_any_case_and_the_last_one_counts(tmp_path: Path) -> None:
    read = conf(tmp_path, "selecttype=select/linear\nSelectType = select/cons_tres # not linear\n")
    assert read.get("SELECTTYPE") == "select/cons_tres"
    assert read.all("SelectType") == ("select/linear", "select/cons_tres")
    assert read.get("TaskPlugin") is None


def test_several_settings_on_one_line_and_quotes(tmp_path: Path) -> None:
    read = conf(tmp_path, 'GresTypes=gpu,NIC Prolog="/etc/my prolog"\n')
    assert read.words("GresTypes") == ("gpu", "nic")
    assert read.get("Prolog") == "/etc/my prolog"
    assert read.words("PrologFlags") == ()


def test_what_stands_on_a_node_s_line_is_no_setting_of_the_cluster(tmp_path: Path) -> None:
    read = conf(tmp_path, "NodeName=n1 Port=7 State=UNKNOWN\nPartitionName=p Nodes=ALL\n")
    assert read.get("Port") is None
    assert [line.get("nodes") for line in read.of_kind("partitionname")] == ["ALL"]


def test_each_line_knows_where_it_stands(tmp_path: Path) -> None:
    read = conf(tmp_path, "# head\n\nNodeName=n[1-2] \\\n  Gres=gpu:a:1\nA=b\n")
    node, setting = read.lines
    assert (node.first, node.last, node.get("gres")) == (3, 4, "gpu:a:1")
    assert (setting.first, setting.last, setting.file) == (5, 5, tmp_path / "slurm.conf")
    assert read.node_line("n2") == node
    assert read.node_line("n3") is None


def test_a_node_inherits_from_default_lines_before_it(tmp_path: Path) -> None:
    text = "NodeName=n0 CPUs=1\nNodeName=DEFAULT CPUs=8 Gres=gpu:a:1\nNodeName=n[1-3] CPUs=4\n"
    read = conf(tmp_path, text)
    assert read.node("n0") == {"nodename": "n0", "cpus": "1"}
    assert read.node("n2") == {"nodename": "n[1-3]", "cpus": "4", "gres": "gpu:a:1"}
    assert read.node("other") is None


def test_included_files_are_read_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/nodes.conf").write_text("B=2\nInclude deeper.conf\n")
    (tmp_path / "deeper.conf").write_text("C=3\n")
    read = conf(tmp_path, "A=1\ninclude more/nodes.conf\nB=4\n")
    assert [(line.values[0], line.file.name) for line in read.lines] == [
        (("A", "1"), "slurm.conf"),
        (("B", "2"), "nodes.conf"),
        (("C", "3"), "deeper.conf"),
        (("B", "4"), "slurm.conf"),
    ]
    assert read.get("b") == "4"


def test_an_absolute_include(tmp_path: Path) -> None:
    conf(tmp_path, "B=2\n", "other.conf")
    assert conf(tmp_path, f'Include "{tmp_path}/other.conf"\n').get("b") == "2"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A=1\nsome words\n", r"slurm\.conf: line 2: Slurm cannot read 'some words'"),
        (" Include x.conf\n", r"slurm\.conf: line 1: Slurm cannot read"),
        ("Include nowhere.conf\n", r"nowhere\.conf: No such file"),
        ("Include slurm.conf\n", "include each other"),
    ],
)
def test_what_slurm_would_not_read(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfError, match=why):
        conf(tmp_path, text)


def test_a_host_list_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="line 1: not a host list"):
        conf(tmp_path, "NodeName=n[1-\n").node("n1")


def test_odd_bytes_are_no_matter(tmp_path: Path) -> None:
    (tmp_path / "slurm.conf").write_bytes(b"A=1 # caf\xe9\nB=\xff\n")
    assert read_conf(tmp_path / "slurm.conf").get("A") == "1"


@pytest.mark.parametrize(("value", "answer"), [("YES", True), ("1", True), ("no", False)])
def test_yes_and_no(tmp_path: Path, value: str, answer: bool) -> None:
    assert conf(tmp_path, f"ConstrainDevices={value}\n").yes("constraindevices") is answer


def test_neither_yes_nor_no(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="neither yes nor no"):
        conf(tmp_path, "ConstrainDevices=maybe\n").yes("ConstrainDevices")


def test_slurm_conf_is_found_where_it_usually_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_CONF", raising=False)
    assert find_slurm_conf(tmp_path) is None
    for place in ("run/slurm/conf", "etc/slurm", "srv/own"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "run/slurm/conf/slurm.conf").touch()
    assert find_slurm_conf(tmp_path) == tmp_path / "run/slurm/conf/slurm.conf"
    (tmp_path / "etc/slurm/slurm.conf").touch()
    assert find_slurm_conf(tmp_path) == tmp_path / "etc/slurm/slurm.conf"
    (tmp_path / "srv/own/slurm.conf").touch()
    monkeypatch.setenv("SLURM_CONF", "/srv/own/slurm.conf")
    assert find_slurm_conf(tmp_path) == tmp_path / "srv/own/slurm.conf"


@pytest.mark.parametrize("spool", ["var/spool/slurmd", "var/lib/slurm/slurmd"])
def test_what_slurmctld_hands_out_is_found_where_slurmd_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spool: str
) -> None:
    """By its own name, so that it is found again when the link to it is gone."""
    monkeypatch.delenv("SLURM_CONF", raising=False)
    copies, link = tmp_path / spool / "conf-cache", tmp_path / "run/slurm/conf"
    copies.mkdir(parents=True)
    (copies / "slurm.conf").touch()
    link.parent.mkdir(parents=True)
    link.symlink_to(copies)
    assert handed_out(tmp_path) == copies / "slurm.conf"
    assert find_slurm_conf(tmp_path) == copies / "slurm.conf"
    link.unlink()
    assert handed_out(tmp_path) is None
    assert find_slurm_conf(tmp_path) == copies / "slurm.conf"


def test_whether_a_file_is_a_copy(tmp_path: Path) -> None:
    for folder, copy in {"conf-cache": True, "run/slurm/conf": True, "etc/slurm": False}.items():
        assert is_handed_out(tmp_path / folder / "gres.conf") is copy
    (tmp_path / "conf-cache").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "conf-cache")
    assert is_handed_out(tmp_path / "link/slurm.conf")


@pytest.mark.parametrize(
    ("plugin", "cgroup", "answer"),
    [
        ("task/affinity,task/cgroup", "ConstrainDevices=yes", True),
        ("cgroup", "ConstrainDevices=yes", True),
        ("task/affinity", "ConstrainDevices=yes", False),
        ("task/cgroup", "ConstrainDevices=no", False),
        ("task/cgroup", "", False),
        ("task/cgroup", None, False),
    ],
)
def test_devices_are_constrained_by_both_files(
    tmp_path: Path, plugin: str, cgroup: str | None, answer: bool
) -> None:
    slurm = conf(tmp_path, f"TaskPlugin={plugin}\n")
    other = None if cgroup is None else conf(tmp_path, cgroup, "cgroup.conf")
    assert constrained(slurm, other) is answer


def test_without_slurm_conf_it_is_unknown() -> None:
    assert constrained(None, None) is None
