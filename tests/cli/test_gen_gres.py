"""The command line of gen-gres, over inventories: what is wrong or odd in a call is told."""

import json
from pathlib import Path

import pytest

from slurm_mig import cli
from slurm_mig.gpu.present.inventory import to_json
from slurm_mig.model import Node
from tests.slurm.nodes import gpu, node, whole_gpu

Output = pytest.CaptureFixture[str]
SLURM = "--slurm-version=24.11.5"


def saved(folder: Path, *nodes: Node) -> list[str]:
    """The inventory files of these nodes."""
    paths = []
    for each in nodes:
        path = folder / f"{each.name}.json"
        path.write_text(json.dumps(to_json(each)))
        paths.append(str(path))
    return paths


@pytest.fixture
def three(tmp_path: Path) -> list[str]:
    """gen-gres and its arguments for three nodes, two of them equal."""
    nodes = [node(gpu("1g.5gb", "3g.20gb"), name=name) for name in ("n1", "n2")]
    nodes.append(node(whole_gpu(), name="n3"))
    files = saved(tmp_path, *nodes)
    return ["gen-gres", SLURM, "--root", str(tmp_path), "--inventory", *files]


def test_text_on_stdout(three: list[str], capsys: Output) -> None:
    assert cli.run(three) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "#" not in line]
    assert [line.split()[0] for line in lines] == ["NodeName=n[1-2]"] * 3 + ["NodeName=n3"] * 2


def test_the_gres_line(three: list[str], capsys: Output) -> None:
    assert cli.run([*three, "--gres-line", "--types", "profile"]) == 0
    assert capsys.readouterr().out == (
        "NodeName=n[1-2] Gres=gpu:3g.20gb:1,gpu:1g.5gb:1\nNodeName=n3 Gres=gpu:a100:1\n"
    )


def test_json(three: list[str], capsys: Output) -> None:
    assert cli.run([*three, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["version"] == 1
    assert [group["nodes"] for group in answer["groups"]] == ["n[1-2]", "n3"]


def test_explain(three: list[str], capsys: Output) -> None:
    cli.run([*three, "--explain"])
    assert "gres_index   0" in capsys.readouterr().out


def test_output_then_check(three: list[str], tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "gres.conf"
    assert cli.run([*three, "--output", str(path)]) == 0
    assert cli.run([*three, "--output", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        f"{path}: written; restart slurmd to read it",
        f"{path}: unchanged",
    ]
    assert cli.run([*three, "--check", str(path)]) == 0
    assert capsys.readouterr().out == ""


def test_drift_is_exit_1_and_a_diff(three: list[str], tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "gres.conf"
    cli.run([*three, "--output", str(path)])
    path.write_text(path.read_text().replace("File=/dev/nvidia0 ", "File=/dev/nvidia1 "))
    capsys.readouterr()
    assert cli.run([*three, "--check", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[:2] == [f"--- {path}", "+++ wanted for n3"]
    assert "-Name=gpu Type=nvidia_a100-sxm4-40gb File=/dev/nvidia1" in said.out
    assert "--output mends it" in said.err


def test_a_refusal_writes_nothing(tmp_path: Path, capsys: Output) -> None:
    bad = [node(gpu(), name="n1"), node(gpu(), gpu(gpu_index=1), name="n2")]
    path = tmp_path / "gres.conf"
    files = saved(tmp_path, *bad)
    assert cli.run(["gen-gres", SLURM, "--output", str(path), "--inventory", *files]) == 1
    said = capsys.readouterr()
    assert "no gres.conf for this inventory: 3 problems" in said.err
    assert not path.exists()


def test_warnings_go_to_stderr(tmp_path: Path, capsys: Output) -> None:
    files = saved(tmp_path, node(gpu("1g.5gb", "1g.5gb+me")))
    assert cli.run(["gen-gres", "--slurm-version=22.05.8", "--inventory", *files]) == 0
    said = capsys.readouterr()
    assert "slurm-mig: warning: " in said.err
    assert "warning" not in said.out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--output", "a", "--check", "b"], "--output and --check do not go together"),
        (["--json", "--gres-line"], "--gres-line and --json do not go together"),
        (["n1.json"], "what is n1.json?"),
        (["--node", "n1", "--inventory", "a"], "--node and --inventory do not go together"),
        (["--slurm-version", "new"], "not a Slurm version"),
        (["--types", "short"], "'short' is not one of"),
        (["--autodetect", "on"], "'on' is not one of"),
    ],
)
def test_a_wrong_call_is_exit_2(arguments: list[str], why: str, capsys: Output) -> None:
    assert cli.run(["gen-gres", *arguments]) == 2
    assert why in capsys.readouterr().err
