"""`slurm-mig usage admin-comment` over stand-in commands. A real database: tests/contract."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.cli import run
from slurm_mig.usage.jobstats import blob
from tests.usage.made import mig, record

# Prints the rows of "$0.rows" with the separator that it is given, "|" in the file.
SACCT = r"""#!/bin/sh
for word; do case $word in --delimiter=*) between=${word#*=};; esac; done
sed "s/|/$between/g" "$0.rows"
"""
SACCTMGR = r"""#!/bin/sh
[ "$1" = -V ] && { echo "slurm-wlm $(cat "$0.release")"; exit; }
for word; do case $word in jobid=*) job=${word#*=};; AdminComment=*) text=${word#*=};; esac; done
sed -i "s!^\($job|.*\)|[^|]*|\$!\1|$text|!" "${0%mgr}.rows"
"""


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))


class Site:
    """Stand-ins of sacct and sacctmgr, first on PATH, and a folder of records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("sacct", SACCT), ("sacctmgr", SACCTMGR)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.release("24.11.5")
        self.rows({7: "", 8: "a note"})
        self.usage = folder / "root/var/lib/slurm-mig/usage"
        self.usage.mkdir(parents=True)
        self.records(record(7, mig(0, 9)), record(8, mig(0, 9)), record(9, mig(0, 9)))

    def release(self, text: str) -> None:
        (self.folder / "sacctmgr.release").write_text(text)

    def rows(self, comments: dict[int, str], start: float = 1001, end: float = 1099) -> None:
        span = "|".join(_stamp(when) for when in (start, end))
        rows = [
            f"{job}|{job}|{span}|n1|gres/gpu=1,mem=8G|2|00:05|mem=3M|{text}|"
            for job, text in comments.items()
        ]
        (self.folder / "sacct.rows").write_text("\n".join(rows) + "\n")

    def comment(self, job_id: int) -> str:
        rows = (self.folder / "sacct.rows").read_text().splitlines()
        (row,) = [row for row in rows if row.startswith(f"{job_id}|")]
        return row.split("|")[-2]

    def records(self, *records: object) -> None:
        text = "".join(json.dumps(one) + "\n" for one in records)
        (self.usage / "1970-01.jsonl").write_text(text)

    def run(self, *words: str) -> int:
        root = ["--root", str(self.folder / "root")]
        return run([*root, "usage", "admin-comment", "--since", "1970-01-01", *words])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    yield Site(tmp_path)


def test_jobs_get_their_summaries_once(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run() == 0
    assert capsys.readouterr().out.splitlines() == [
        "job 7: stored",
        "job 8: kept: it has another comment (--force replaces it)",
        "3 jobs: 1 stored, 1 kept, 1 waits",
    ]
    made = blob.decode(site.comment(7))
    assert made is not None
    assert made["nodes"]["n1"]["cpus"] == 2
    assert site.run() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 jobs: 1 present, 1 kept, 1 waits"
    assert site.run("--force", "--job", "8") == 0
    assert "job 8: stored" in capsys.readouterr().out
    assert blob.decode(site.comment(8)) is not None


def test_a_dry_run(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == 1
    assert told["jobs"][0] == {
        **{"job_id": 7, "cluster": "simulated"},
        **{"action": "would-store", "why": ""},
    }
    assert site.comment(7) == ""


def test_only_what_was_asked_for(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("--job", "9") == 0
    assert capsys.readouterr().out == "1 jobs: 1 waits\n"
    assert site.run("--since", "1d") == 0
    assert capsys.readouterr().out == "no records of jobs\n"


def test_an_old_slurm_is_refused(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.release("22.05.8")
    assert site.run() == 1
    assert "Slurm 23.02 or later is needed" in capsys.readouterr().err
    assert site.comment(7) == ""


def test_damaged_lines_are_told_and_stop_nothing(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.records(3, record(7, mig(0, 9)))
    assert site.run() == 0
    captured = capsys.readouterr()
    assert "job 7: stored" in captured.out
    assert "1970-01.jsonl:1: no JSON object" in captured.err
    assert site.run("--json") == 0
    (problem,) = json.loads(capsys.readouterr().out)["not_counted"]
    assert "1970-01.jsonl:1" in problem


def test_from_the_database(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--root", str(site.folder / "root")]
    assert run([*root, "usage", "collect"]) == 0
    (site.usage / "1970-01.jsonl").unlink()
    capsys.readouterr()
    assert site.run() == 0
    assert "job 7: stored" in capsys.readouterr().out
    other = f"sqlite:///{site.folder}/other.db"
    assert run([*root, "usage", "collect", "--db", other]) == 0
    capsys.readouterr()
    assert site.run("--db", other) == 0
    assert capsys.readouterr().out == "no records of jobs\n"


def test_a_collect_can_store_them_at_once(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    now = time.time()
    site.records(record(7, mig(0, 9), start=now - 100, end=now - 50))
    site.rows({7: ""}, start=now - 100, end=now - 50)
    command = ["--root", str(site.folder / "root"), "usage", "collect", "--admin-comment"]
    assert run(command) == 0
    assert "job 7: stored" in capsys.readouterr().out
    assert run(command) == 0
    assert "1 jobs: 1 present" in capsys.readouterr().out
    assert run([*command, "--json"]) == 2
    (site.folder / "sacctmgr").write_text("#!/bin/sh\necho slurm 24.11.5\n")
    site.rows({7: ""}, start=now - 100, end=now - 50)
    assert run(command) == 1


def test_a_failure_shows_in_the_exit_code(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    (site.folder / "sacctmgr").write_text('#!/bin/sh\n[ "$1" = -V ] && echo slurm 24.11.5\ntrue\n')
    assert site.run() == 1
    assert "job 7: failed: it does not read back" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--since", "soon"), ("--grace", "x"), ("--job", "0")])
def test_usage(site: Site, words: tuple[str, ...]) -> None:
    assert site.run(*words) == 2
