"""`slurm-mig usage job`, from files and from a database, for root and for a user."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slurm_mig import cli
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import opened
from tests.usage.report import made
from tests.usage.report.test_pages import JOBS

Output = pytest.CaptureFixture[str]
USER = 1001


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose hooks have written records."""
    monkeypatch.setenv("TZ", "UTC")
    other = made.one_record(made.one_slice("1g.10gb", None), job_id=7, user="bob", uid=1002)
    made.write(tmp_path / "var/lib/slurm-mig/usage/2025-11.jsonl", *JOBS["requeued"], other)
    return tmp_path


def usage(root: Path, capsys: Output, *words: str) -> tuple[int, str, str]:
    code = cli.run(["usage", words[0], "--root", str(root), *words[1:]])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_from_the_files_of_the_node(root: Path, capsys: Output) -> None:
    code, out, err = usage(root, capsys, "job", "4242")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Job 4242"
    assert lines[2].startswith("had 1 x 3g.40gb, 1 x 3g.20gb on n1, n2 for 10 min: ended with")
    assert "  hint: peak memory 3.1 of 39.5 GiB: 1g.10gb would have done" in lines
    assert f"From {root}/var/lib/slurm-mig/usage." in lines
    assert "bob" not in out


def test_json_and_csv(root: Path, capsys: Output) -> None:
    _, out, _ = usage(root, capsys, "job", "4242", "--json")
    told = json.loads(out)
    assert (told["version"], told["job_id"], len(told["jobs"][0]["runs"])) == (1, 4242, 3)
    _, out, _ = usage(root, capsys, "job", "7", "--csv")
    assert out.splitlines()[0].startswith("record_id,version,job_id,restarts,uid,user,")
    assert len(out.splitlines()) == 2


def test_html_is_for_its_owner_alone(root: Path, capsys: Output, tmp_path: Path) -> None:
    file = tmp_path / "job.html"
    code, out, _ = usage(root, capsys, "job", "4242", "--html", str(file))
    assert (code, out) == (0, "")
    assert "<h1>Job 4242</h1>" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    code, out, err = usage(root, capsys, "job", "7", "--html", str(tmp_path / "no" / "job.html"))
    assert code == 1
    assert err.startswith(f"slurm-mig: {tmp_path}/no/job.html: No such file or directory")


@pytest.mark.parametrize(
    "words",
    [
        ("job",),
        ("job", "0"),
        ("job", "4242_7"),
        ("job", "7", "--json", "--csv"),
        ("job", "7", "--db", "sqlite:////x", "--records", "/x"),
    ],
)
def test_what_is_wrong_on_the_command_line(
    root: Path, capsys: Output, words: tuple[str, ...]
) -> None:
    code, out, _ = usage(root, capsys, *words)
    assert (code, out) == (2, "")


def test_a_job_that_is_not_there(root: Path, capsys: Output) -> None:
    code, out, err = usage(root, capsys, "job", "9")
    assert (code, out) == (1, "")
    assert "no record of job 9: it has not ended, had no GPU, ran on other nodes" in err


def test_a_node_without_records(tmp_path: Path, capsys: Output) -> None:
    code, _, err = usage(tmp_path, capsys, "job", "9")
    assert code == 1
    assert "there are no records: the hooks write them" in err


def test_a_damaged_line_is_told_and_the_rest_shown(root: Path, capsys: Output) -> None:
    file = root / "var/lib/slurm-mig/usage/2025-12.jsonl"
    file.write_text('{"job_id":4242, cut off\n')
    code, out, err = usage(root, capsys, "job", "4242")
    assert code == 0
    assert out.startswith("Job 4242")
    assert err == f"slurm-mig: warning: not counted: {file}:1: not JSON: damaged or cut off\n"


def test_from_the_database_of_the_site_where_there_is_one(root: Path, capsys: Output) -> None:
    with opened(root, make=True) as store:
        collect(store, [root / "var/lib/slurm-mig/usage"])
    (root / "var/lib/slurm-mig/usage/2025-11.jsonl").unlink()
    code, out, _ = usage(root, capsys, "job", "4242")
    assert code == 0
    assert f"From sqlite:///{root}/var/lib/slurm-mig/usage.db." in out
    assert "  memory over time   ▁▂▃▃▄▄▅▅▆▆▇▇███▅▅▅▅▅▅▅▅▅▅▅▅▃▂▁  0 to 3.1 GiB\n" in out


def test_from_a_database_and_from_files_by_name(root: Path, capsys: Output, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    with opened(root, url, make=True) as store:
        collect(store, [root / "var/lib/slurm-mig/usage"])
    _, by_database, _ = usage(root, capsys, "job", "4242", "--json", "--db", url)
    folder = str(root / "var/lib/slurm-mig/usage")
    _, by_files, _ = usage(root, capsys, "job", "4242", "--json", "--records", folder)
    assert json.loads(by_database) == json.loads(by_files)
    (job,) = json.loads(by_files)["jobs"]
    curves = [one["curve"] for run in job["runs"] for one in run["slices"]]
    assert [max(curve["memory_peak_mib"][14:]) for curve in curves] == [3174] * 3
    assert (curves[0]["from_s"], curves[0]["bucket_s"], curves[2]["sm_mean"]) == (0.4, 20.0, None)


def test_bars_where_the_output_takes_no_blocks(root: Path) -> None:
    command = [sys.executable, "-m", "slurm_mig", "usage", "job", "4242", "--root", str(root)]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert "  memory, peak       ##..................  3.1 of 39.5 GiB (8%)" in said
    assert "  memory over time   .:--==++**##@@@++++++++++++-:.  0 to 3.1 GiB" in said
