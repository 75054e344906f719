"""`slurm-mig usage collect`, `ship` and `prune`: options, words, JSON and exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slurm_mig import cli
from tests.usage.store.made import line

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A node with one record of an old month, and one that is none."""
    usage = tmp_path / "root/var/lib/slurm-mig/usage"
    usage.mkdir(parents=True)
    (usage / "2020-01.jsonl").write_bytes(line(1) + b"rubbish\n")
    return tmp_path / "root"


def run(root: Path, *words: str) -> int:
    return cli.run(["usage", *words, "--root", str(root)])


def as_json(capsys: Capture) -> Any:
    return json.loads(capsys.readouterr().out)


def test_this_machines_records(root: Path, capsys: Capture) -> None:
    assert run(root, "collect") == 0
    told = capsys.readouterr()
    name = f"sqlite:///{root}/var/lib/slurm-mig/usage.db"
    assert told.out == f"{name}: 1 new records from 1 files, 1 damaged lines\n"
    assert told.err.startswith("slurm-mig: warning: ")
    assert "2020-01.jsonl:2: not JSON" in told.err
    assert run(root, "collect", "--json") == 0
    assert as_json(capsys) == {
        "version": 1,
        "database": name,
        "files": 1,
        "new": 0,
        "known": 0,
        "differing": 0,
        "damaged": 0,
        "newer": 0,
        "unread": 0,
        "told": [],
    }


def test_not_all_of_much_rubbish_is_told(root: Path, capsys: Capture) -> None:
    (root / "var/lib/slurm-mig/usage/2020-02.jsonl").write_bytes(b"rubbish\n" * 100)
    assert run(root, "collect") == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 21
    assert told[-1].startswith("slurm-mig: warning: and 81 more: ")


def test_paths_and_another_database(root: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(2) + line(3))
    url = f"sqlite:///{tmp_path}/other.db"
    assert run(root, "collect", "--db", url, str(tmp_path / "a.jsonl"), "--json") == 0
    assert as_json(capsys)["new"] == 2
    assert run(root, "collect", "--db", url, str(tmp_path / "a.jsonl"), "--again", "--json") == 0
    assert as_json(capsys)["known"] == 2
    assert not (root / "var/lib/slurm-mig/usage.db").exists()


def reach_folders(root: Path, tmp_path: Path) -> None:
    """Have the node n1 be the folder n1, in the place of ssh."""
    conf = root / "etc/slurm-mig/config.toml"
    conf.parent.mkdir(parents=True)
    words = ["env", f"SLURM_MIG_ROOT={tmp_path}/{{node}}", "sh", "-c"]
    program = [sys.executable, "-m", "slurm_mig"]
    conf.write_text(
        f"[reconfigure]\nremote_command = {json.dumps(words)}\n"
        f"remote_slurm_mig = {json.dumps(program)}\n"
    )


def test_from_nodes_by_the_sites_command(root: Path, tmp_path: Path, capsys: Capture) -> None:
    reach_folders(root, tmp_path)
    for number, node in enumerate(("n1", "n2"), 1):
        usage = tmp_path / node / "var/lib/slurm-mig/usage"
        usage.mkdir(parents=True)
        (usage / "2026-11.jsonl").write_bytes(line(number, node=node))
    assert run(root, "collect", "--from", "n[1-2]", "--json") == 0
    told = as_json(capsys)
    assert (told["new"], told["files"], told["unread"]) == (2, 2, 0)
    (tmp_path / "n2/var/lib/slurm-mig/usage/2026-12.jsonl").symlink_to("/etc/passwd")
    assert run(root, "collect", "--from", "n[1-2]") == 1
    told = capsys.readouterr()
    assert "warning: n2: slurm-mig: /var/lib/slurm-mig/usage/2026-12.jsonl: " in told.err
    assert told.out.endswith(", 1 not read\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["collect", "--from", "n1", "--again"], "--from goes with neither PATH nor --again"),
        (["collect", "--from", "n[1"], "--from: "),
        (["prune", "--before", "soon"], "write a month as"),
        (["prune", "--before", "9999-01"], "at most"),
    ],
)
def test_usage_is_2(root: Path, capsys: Capture, words: list[str], why: str) -> None:
    assert run(root, "collect") == 0
    assert run(root, *words) == 2
    assert why in capsys.readouterr().err


def test_a_database_that_is_none_is_1(root: Path, capsys: Capture) -> None:
    assert run(root, "collect", "--db", "mysql://u@h/d") == 1
    assert run(root, "prune", "--before", "2020-02") == 1
    told = capsys.readouterr().err
    assert "slurm-mig: --db: write a URL" in told
    assert "there is no database: `slurm-mig usage collect` makes it" in told


def test_prune(root: Path, capsys: Capture) -> None:
    file = root / "var/lib/slurm-mig/usage/2020-01.jsonl"
    size = file.stat().st_size
    run(root, "collect")
    capsys.readouterr()
    assert run(root, "prune", "--before", "2020-02", "--dry-run") == 0
    assert capsys.readouterr().out == f"2020-01.jsonl: would be removed, {size} bytes\n"
    with file.open("ab") as out:
        out.write(line(2))
    assert run(root, "prune", "--before", "2020-02") == 1
    assert "slurm-mig: 2020-01.jsonl stays: line 3 is not in" in capsys.readouterr().err
    run(root, "collect")
    capsys.readouterr()
    assert run(root, "prune", "--before", "2020-02", "--json") == 0
    files = [{"file": "2020-01.jsonl", "size_bytes": size + len(line(2)), "why": None}]
    nodes = [{"node": None, "why": None, "files": files}]
    assert as_json(capsys) == {"version": 1, "dry_run": False, "nodes": nodes}
    assert not file.exists()
    assert run(root, "prune", "--before", "2020-02") == 0
    assert "there are no files of months before 2020-02" in capsys.readouterr().err


def test_prune_on_other_nodes(root: Path, tmp_path: Path, capsys: Capture) -> None:
    reach_folders(root, tmp_path)
    file = tmp_path / "n1/var/lib/slurm-mig/usage/2020-01.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(line(1, node="n1"))
    words = ["prune", "--before", "2020-02", "--from", "n1"]
    assert run(root, "collect", "--from", "n1") == 0
    with file.open("ab") as out:
        out.write(line(2, node="n1"))
    assert run(root, *words) == 1
    assert "slurm-mig: n1: 2020-01.jsonl stays: it was collected up to" in capsys.readouterr().err
    assert run(root, "collect", "--from", "n1") == 0
    size = file.stat().st_size
    capsys.readouterr()
    assert run(root, *words) == 0
    assert capsys.readouterr().out == f"n1: 2020-01.jsonl: removed, {size} bytes\n"
    assert not file.exists()


def test_ship_wants_a_question(root: Path) -> None:
    words = [sys.executable, "-m", "slurm_mig", "usage", "ship", "--root", str(root)]
    done = subprocess.run(words, input=b"", capture_output=True)
    assert done.returncode == 2
    assert b"slurm-mig: standard input: " in done.stderr
    done = subprocess.run(words, input=b'{"version": 1, "known": {}}', capture_output=True)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1]) == {"version": 1, "more": False}


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from slurm_mig.cli import run; run(['usage', '--help']);"
        "run(['usage', 'ship', '--help']); run(['usage', 'ship', '--root', '/proc/none']);"
        "sys.exit(', '.join({'sqlalchemy', 'rich', 'ClusterShell'} & set(sys.modules)) or 0)"
    )
    words, asked = [sys.executable, "-c", code], '{"version": 1, "known": {}}'
    done = subprocess.run(words, input=asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "collect" in done.stdout
    assert done.stdout.endswith('"more": false}\n')
