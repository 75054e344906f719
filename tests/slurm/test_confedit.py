"""Gres= of certain nodes, and not a byte elsewhere: by hand-written files."""

import re
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.slurm.conf import read_conf
from slurm_mig.slurm.confedit import describe, diff, read_files, set_gpus
from slurm_mig.slurm.lines import ConfError

NEW = "gpu:1g.10gb:7"
HEAD = "ClusterName=c  # ä\r\n\n\tSlurmctldHost=ctl\n"
TAIL = "\nDownNodes=n[1-4] State=DOWN\nNodeSet=s Nodes=n[1-4]\nPartitionName=p Nodes=ALL"


def edited(folder: Path, text: str, wanted: dict[str, str], **others: str) -> str:
    """slurm.conf after the change; the other files must not be touched by it."""
    (folder / "slurm.conf").write_bytes(text.encode())
    for name, other in others.items():
        (folder / f"{name}.conf").write_bytes(other.encode())
    files = read_files(folder / "slurm.conf")
    changed = set_gpus(files, wanted)
    assert set(changed) <= {folder / "slurm.conf"}
    again = {**files.texts, **changed}
    once_more = files._replace(conf=read_conf(files.conf.path, again.__getitem__), texts=again)
    assert set_gpus(once_more, wanted) == {}
    return changed.get(folder / "slurm.conf", text)


def refusals(folder: Path, text: str, wanted: dict[str, str]) -> tuple[str, ...]:
    """Why the change is refused."""
    (folder / "slurm.conf").write_text(text)
    with pytest.raises(Refused) as refused:
        set_gpus(read_files(folder / "slurm.conf"), wanted)
    return refused.value.problems


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("NodeName=n1 Gres=gpu:a:1 CPUs=2\n", "NodeName=n1 Gres=@ CPUs=2\n"),
        ("  nodename=n1\tGRES=gpu:a:1\t# it\n", "  nodename=n1\tGRES=@\t# it\n"),
        ('NodeName="n1" Gres="gpu:a:1"\r\n', 'NodeName="n1" Gres="@"\r\n'),
        ('NodeName=n1 Gres=""\n', 'NodeName=n1 Gres="@"\n'),
        ("NodeName=n1 CPUs=2  # Gres=gpu:a:1\n", "NodeName=n1 CPUs=2 Gres=@  # Gres=gpu:a:1\n"),
        ('NodeName=n1 Reason="a b" \n', 'NodeName=n1 Reason="a b" Gres=@ \n'),
        ("NodeName=n1 Gres=nic:2,gpu:4,x\n", "NodeName=n1 Gres=nic:2,@,x\n"),
        ("NodeName=n1 Gres=nic:2\n", "NodeName=n1 Gres=@,nic:2\n"),
        (
            "NodeName=n1 \\\n  CPUs=2 \\ # two\n  Gres=gpu:a:1 \\\n Weight=3\n",
            "NodeName=n1 \\\n  CPUs=2 \\ # two\n  Gres=@ \\\n Weight=3\n",
        ),
        (
            "NodeName=n1 \\\n\tGres=gpu:a:1,\\\ngpu:b:1 Weight=3\n",
            None,
        ),
    ],
)
def test_a_node_that_has_a_line_of_its_own(tmp_path: Path, before: str, after: str | None) -> None:
    if after is None:
        assert "over a line's end" in refusals(tmp_path, before, {"n1": NEW})[0]
        return
    expected = HEAD + after.replace("@", NEW) + TAIL
    assert edited(tmp_path, HEAD + before + TAIL, {"n1": NEW}) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "NodeName=n[1-4] CPUs=2 Gres=gpu:a:1 # x\n",
            "NodeName=n[1,3-4] CPUs=2 Gres=gpu:a:1 # x\nNodeName=n2 CPUs=2 Gres=@ # x\n",
        ),
        (
            "NodeName=n[1-3] NodeAddr=10.0.0.[7-9] Port=[70-72] CPUs=2\n",
            "NodeName=n[1,3] NodeAddr=10.0.0.[7,9] Port=[70,72] CPUs=2\n"
            "NodeName=n2 NodeAddr=10.0.0.8 Port=71 CPUs=2 Gres=@\n",
        ),
        (
            "NodeName=n[3,2,1] NodeHostname=a,b,c Port=70\n",
            "NodeName=n[3,1] NodeHostname=a,c Port=70\nNodeName=n2 NodeHostname=b Port=70 Gres=@\n",
        ),
        (
            'NodeName="n1,n2"  \\\r\n  Gres="gpu:a:1" \\\r\n  CPUs=2\r\n',
            'NodeName="n1"  \\\r\n  Gres="gpu:a:1" \\\r\n  CPUs=2\r\n'
            'NodeName="n2"  \\\r\n  Gres="@" \\\r\n  CPUs=2\r\n',
        ),
    ],
)
def test_a_node_leaves_the_line_of_its_neighbours(tmp_path: Path, before: str, after: str) -> None:
    expected = HEAD + after.replace("@", NEW) + TAIL
    assert edited(tmp_path, HEAD + before + TAIL, {"n2": NEW}) == expected


def test_a_wave_stays_together(tmp_path: Path) -> None:
    text = "NodeName=n[1-9] Gres=gpu:a:1\nNodeName=m1 Gres=gpu:a:1\n"
    wanted = {"n2": NEW, "m1": NEW, "n3": NEW, "n9": "gpu:b:2", "n4": "gpu:a:1"}
    assert edited(tmp_path, text, wanted) == (
        "NodeName=n[1,4-8] Gres=gpu:a:1\n"
        f"NodeName=n[2-3] Gres={NEW}\nNodeName=n9 Gres=gpu:b:2\nNodeName=m1 Gres={NEW}\n"
    )


def test_the_last_of_a_line_changes_in_place(tmp_path: Path) -> None:
    text = f"NodeName=n1,n3 Gres={NEW}\nNodeName=n[2,4] Gres=gpu:a:1\n"
    assert edited(tmp_path, text, {"n2": NEW, "n4": NEW, "n1": NEW}) == text.replace("gpu:a:1", NEW)


def test_the_last_line_without_an_end(tmp_path: Path) -> None:
    assert edited(tmp_path, "A=1\nNodeName=n[1-2]", {"n1": NEW}) == (
        f"A=1\nNodeName=n2\nNodeName=n1 Gres={NEW}"
    )


def test_what_default_says_is_left_to_the_others(tmp_path: Path) -> None:
    text = f"NodeName=DEFAULT Gres=nic:1,{NEW}\nNodeName=n[1-2]\nNodeName=DEFAULT Gres=gpu:b:1\n"
    assert edited(tmp_path, text, {"n1": NEW}) == text
    assert edited(tmp_path, text, {"n1": "gpu:c:1"}) == text.replace(
        "NodeName=n[1-2]\n", "NodeName=n2\nNodeName=n1 Gres=nic:1,gpu:c:1\n"
    )


def test_nothing_to_change(tmp_path: Path) -> None:
    assert edited(tmp_path, f"NodeName=n[1-2] gres={NEW}", {"n1": NEW}) == (
        f"NodeName=n[1-2] gres={NEW}"
    )


def test_the_line_of_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "nodes.conf").write_text("NodeName=n[1-2]\n")
    (tmp_path / "slurm.conf").write_text("NodeName=DEFAULT CPUs=3\nInclude nodes.conf\nA=1\n")
    files = read_files(tmp_path / "slurm.conf")
    changed = set_gpus(files, {"n2": NEW})
    assert changed == {tmp_path / "nodes.conf": f"NodeName=n1\nNodeName=n2 Gres={NEW}\n"}
    assert (tmp_path / "nodes.conf").read_text() == "NodeName=n[1-2]\n"
    assert diff(files.texts, changed) == [
        f"--- {tmp_path}/nodes.conf",
        f"+++ {tmp_path}/nodes.conf (new)",
        "@@ -1,2 +1,3 @@",
        "-NodeName=n[1-2]",
        "+NodeName=n1",
        f"+NodeName=n2 Gres={NEW}",
        " ",
    ]


def test_bytes_that_are_no_text_stay(tmp_path: Path) -> None:
    (tmp_path / "slurm.conf").write_bytes(b"# caf\xe9 \x85 \xe2\x80\xa8x\nNodeName=n1 # \xff\n")
    files = read_files(tmp_path / "slurm.conf")
    (new,) = set_gpus(files, {"n1": NEW}).values()
    assert new.encode(errors="surrogateescape") == (
        b"# caf\xe9 \x85 \xe2\x80\xa8x\nNodeName=n1 Gres=" + NEW.encode() + b" # \xff\n"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NodeName=n2\n", "no NodeName= line describes n1"),
        ("NodeName=DEFAULT\nNodeName=N1\n", "no NodeName= line describes n1"),
        ("NodeName=n1\nNodeName=n[1-2]\n", "n1 is there twice: .*line 1 and .*line 2"),
        ("NodeName=n[1-2],n1\n", "n1 is there twice"),
        ("FrontendName=f\nNodeName=n1\n", "no slurmd of their own"),
        ("NodeName=n1 State=FUTURE\n", "line 1: n1 has State=FUTURE"),
        ("NodeName=DEFAULT State=cloud\nNodeName=n1\n", "n1 has State=CLOUD"),
        ("NodeName=n1 Gres=gpu:1 gres=gpu:2\n", "Gres= stands there 2 times"),
        ("NodeName=n1 Gres+=gpu:1\n", "Gres= has an operator"),
        ("NodeName=n1 Gres=gpu\\:1\n", "Gres= holds a backslash"),
        ("NodeName=n1 GresConf=x\n", "take it out"),
        ("NodeName=n1 Gres=gpu:1,shard:8\n", "shard:8, which counts on the GPUs"),
        ("NodeName=n1 Gres=gpu:1,n'ic\n", '"n\'ic", which Slurm reads otherwise'),
        ("NodeName=n[1-2] CPUs=1 \\\n", "ends with a backslash"),
    ],
)
def test_what_cannot_be_done_safely(tmp_path: Path, text: str, why: str) -> None:
    assert any(re.search(why, problem) for problem in refusals(tmp_path, text, {"n1": NEW}))


def test_a_file_that_is_included_twice(tmp_path: Path) -> None:
    (tmp_path / "nodes.conf").write_text("NodeName=n1\n")
    (problem,) = refusals(tmp_path, "Include nodes.conf\ninclude nodes.conf\n", {"n1": NEW})
    assert problem == f"{tmp_path}/nodes.conf is included more than once: n1 is there twice"


def test_all_problems_at_once(tmp_path: Path) -> None:
    text = "NodeName=n1 State=CLOUD Gres=mps:1\nNodeName=n2 GresConf=x\n"
    found = refusals(tmp_path, text, {"n1": NEW, "n2": NEW, "n3": NEW, "n4": "gpu:"})
    assert len(found) == 5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("NodeName=n1 Gres=gpu:a:1 CPUs=2", 'NodeName=n1 Gres="" CPUs=2'),
        ('NodeName=n1 Gres="gpu:a:1"', 'NodeName=n1 Gres=""'),
        ("NodeName=n1 Gres=gpu:a:1,nic:1", "NodeName=n1 Gres=nic:1"),
        (
            "NodeName=DEFAULT Gres=gpu:a:1\nNodeName=n1",
            'NodeName=DEFAULT Gres=gpu:a:1\nNodeName=n1 Gres=""',
        ),
        ("NodeName=n1", "NodeName=n1"),
    ],
)
def test_no_gpus_any_more(tmp_path: Path, before: str, after: str) -> None:
    assert edited(tmp_path, before, {"n1": ""}) == after


@pytest.mark.parametrize("value", ["gpu", "nic:2", "gpu:a:1,nic:1", "gpu:a:1 X=2", "gpu:a:b:1"])
def test_a_value_that_is_no_list_of_gpus(tmp_path: Path, value: str) -> None:
    assert "no list of gpus" in refusals(tmp_path, "NodeName=n1\n", {"n1": value})[0]


def test_a_conf_whose_lists_do_not_fit_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "slurm.conf").write_text("NodeName=n1\nNodeName=m[1-3] Port=[1-2]\n")
    with pytest.raises(ConfError, match=r"slurm.conf: line 2: port has 2 places for 3 nodes"):
        set_gpus(read_files(tmp_path / "slurm.conf"), {"n1": NEW})


def test_each_node_has_its_own_share_of_the_lists(tmp_path: Path) -> None:
    text = "NodeName=DEFAULT Weight=2\nNodeName=b,a NodeAddr=y,x Port=7 Weight=3\nNodeName=c\n"
    (tmp_path / "slurm.conf").write_text(text)
    assert describe(read_conf(tmp_path / "slurm.conf")) == {
        "b": {"nodename": "b", "nodeaddr": "y", "port": "7", "weight": "3"},
        "a": {"nodename": "a", "nodeaddr": "x", "port": "7", "weight": "3"},
        "c": {"nodename": "c", "weight": "2"},
    }
