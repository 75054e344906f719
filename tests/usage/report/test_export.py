"""Users see their own jobs, and only where a site wants that: with real uids and real ACLs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm_mig.errors import StoreError
from slurm_mig.usage.report.export import FOLDER, publish, withdraw
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import Store, opened
from slurm_mig.usage.store.shape import parse
from tests.usage.report import made
from tests.usage.report.users import as_user, command

ALICE, BOB, EVE = 61_001, 61_002, 61_003
DAY_S = 86_400.0
FILES = "var/lib/slurm-mig-users"
SLICE = made.one_slice("3g.40gb", made.sampled(3174.0))


@pytest.fixture
def root(memory: Path) -> Path:
    """A machine into which everybody may look."""
    memory.chmod(0o755)
    (memory / "var/lib").mkdir(parents=True)
    return memory


@pytest.fixture
def store(root: Path) -> Iterator[Store]:
    with opened(root, make=True) as store:
        yield store


def ended(job_id: int, uid: int | None, days_ago: float = 1.0, **changes: object) -> made.Tree:
    end = time.time() - days_ago * DAY_S
    times = {"start": end - 600, "end": end}
    return made.one_record(SLICE, job_id=job_id, uid=uid, user=f"u{uid}", **times, **changes)


def add(store: Store, root: Path, *records: made.Tree) -> None:
    collect(store, [made.write(root / f"in/{time.monotonic_ns()}.jsonl", *records)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def jobs_in(root: Path, uid: int) -> list[int]:
    lines = (root / FILES / f"{uid}.jsonl").read_bytes().splitlines()
    return [row.job.job_id for line in lines for row in parse(line).held()]


def job(root: Path, job_id: int) -> list[object]:
    return command("usage", "job", str(job_id), "--root", str(root))


def test_a_user_sees_his_own_jobs_and_nothing_else(root: Path, store: Store) -> None:
    add(store, root, ended(1, ALICE), ended(2, BOB), ended(3, ALICE), ended(4, None), ended(5, 0))
    assert publish(root, store) == 2
    assert names(root / FILES) == [f"{ALICE}.jsonl", f"{BOB}.jsonl", "exported.json"]
    assert job(root, 1)[0] == 0  # root; and all is loaded now
    code, out, err = as_user(ALICE, lambda: job(root, 3))
    assert (code, err) == (0, "")
    assert "1g.10gb would have done" in out
    assert f"From {root}/{FILES}/{ALICE}.jsonl." in out
    code, out, err = as_user(ALICE, lambda: job(root, 2))
    assert (code, out) == (1, "")
    assert "no record of job 2" in err
    code, out, err = as_user(EVE, lambda: job(root, 1))
    assert (code, out) == (1, "")
    assert "readable_by_users in [usage]" in err


def test_what_a_user_may_do_with_these_files(root: Path, store: Store) -> None:
    add(store, root, ended(1, ALICE), ended(2, BOB))
    publish(root, store)
    own, other = root / FILES / f"{ALICE}.jsonl", root / FILES / f"{BOB}.jsonl"
    denied = "PermissionError"
    assert as_user(ALICE, lambda: len(own.read_bytes()) > 0) is True
    assert as_user(ALICE, lambda: other.read_text()) == denied
    assert as_user(ALICE, lambda: names(root / FILES)) == denied
    assert as_user(ALICE, lambda: own.open("ab").close()) == denied
    assert as_user(ALICE, lambda: own.chmod(0o666)) == denied
    assert as_user(ALICE, lambda: own.unlink()) == denied
    assert as_user(ALICE, lambda: own.rename(root / FILES / "x")) == denied
    assert as_user(ALICE, lambda: (root / FILES / "new").touch()) == denied
    assert as_user(ALICE, lambda: (root / FILES / "exported.json").read_text()) == denied
    found = own.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7) == (0, 0, 0)


def test_the_records_and_the_database_stay_root_s(root: Path, store: Store) -> None:
    add(store, root, ended(1, ALICE))
    publish(root, store)
    database = root / "var/lib/slurm-mig/usage.db"
    assert as_user(ALICE, lambda: database.read_bytes()[:1].hex()) == "PermissionError"


def test_only_files_of_users_with_new_records_are_written_again(root: Path, store: Store) -> None:
    add(store, root, ended(1, ALICE), ended(2, BOB))
    assert publish(root, store) == 2
    before = {uid: (root / FILES / f"{uid}.jsonl").stat().st_ino for uid in (ALICE, BOB)}
    assert publish(root, store) == 0
    add(store, root, ended(3, BOB, days_ago=0.5))
    assert publish(root, store) == 1
    assert (root / FILES / f"{ALICE}.jsonl").stat().st_ino == before[ALICE]
    assert jobs_in(root, BOB) == [2, 3]


def test_what_is_old_or_too_much_is_left_out(root: Path, store: Store) -> None:
    ages = ((1, 100.0), (2, 80.0), (3, 2.0), (4, 1.0))
    add(store, root, *(ended(job_id, ALICE, days_ago) for job_id, days_ago in ages))
    publish(root, store)
    assert jobs_in(root, ALICE) == [2, 3, 4]
    (root / FILES / "exported.json").unlink()
    publish(root, store, most=2)
    assert jobs_in(root, ALICE) == [3, 4]


@pytest.mark.parametrize("state", ["", "{}", "[]", '{"database":"another","id":99}', '{"id":"x"}'])
def test_a_state_that_is_not_ours_writes_all_again(root: Path, store: Store, state: str) -> None:
    add(store, root, ended(1, ALICE))
    publish(root, store)
    (root / FILES / f"{ALICE}.jsonl").unlink()
    (root / FILES / "exported.json").write_text(state)
    assert publish(root, store) == 1
    assert jobs_in(root, ALICE) == [1]


def test_a_draft_of_a_run_that_was_killed_does_no_harm(root: Path, store: Store) -> None:
    add(store, root, ended(1, ALICE))
    withdraw(root)
    publish(root, store)
    (root / FILES / "exported.json").unlink()
    (root / FILES / f".{ALICE}.{os.getpid()}").write_text("half")
    publish(root, store)
    assert jobs_in(root, ALICE) == [1]
    assert names(root / FILES) == [f"{ALICE}.jsonl", "exported.json"]


def test_a_site_that_changes_its_mind(root: Path, store: Store) -> None:
    assert withdraw(root) == 0
    add(store, root, ended(1, ALICE), ended(2, BOB))
    publish(root, store)
    assert withdraw(root) == 2
    assert names(root / FILES) == []
    assert publish(root, store) == 2


def test_a_folder_that_others_can_write_is_not_used(root: Path, store: Store) -> None:
    (root / FILES).mkdir()
    (root / FILES).chmod(0o777)
    add(store, root, ended(1, ALICE))
    with pytest.raises(StoreError, match=f"^{FOLDER}: .*not root's alone"):
        publish(root, store)


def test_a_link_is_not_followed(root: Path, store: Store) -> None:
    add(store, root, ended(1, ALICE))
    (root / "elsewhere").mkdir()
    (root / FILES).symlink_to(root / "elsewhere")
    with pytest.raises(StoreError, match=f"^{FOLDER}: "):
        publish(root, store)
    assert names(root / "elsewhere") == []


NO_ACLS = """
import sys
from pathlib import Path
from slurm_mig.errors import StoreError
from slurm_mig.usage.report.export import publish
from slurm_mig.usage.store.database import opened
with opened(Path("/"), sys.argv[2]) as store:
    try:
        publish(Path(sys.argv[1]), store)
    except StoreError as why:
        print(why)
print([path.name for path in Path(sys.argv[1]).rglob("*.jsonl")])
"""


def test_where_a_file_system_has_no_acls_nothing_is_published(root: Path, store: Store) -> None:
    add(store, root, ended(1, ALICE))
    shutil.rmtree(root / "in")
    script = 'mount -t ramfs ramfs "$1/var/lib" && mkdir -p "$1/var/lib" && shift && exec "$@"'
    (root / "db").mkdir()
    shutil.copy(root / "var/lib/slurm-mig/usage.db", root / "db/usage.db")
    python = [sys.executable, "-c", NO_ACLS, str(root), f"sqlite:///{root}/db/usage.db"]
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", str(root), *python]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [
        f"{FOLDER}: this file system has no ACLs, by which a user reads his own file alone",
        "[]",
    ]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_collect_does_what_the_site_wants(root: Path, wanted: bool) -> None:
    made.write(root / "var/lib/slurm-mig/usage/2026-11.jsonl", ended(1, ALICE))
    config = root / "etc/slurm-mig/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[usage]\nreadable_by_users = true\n")
    collected = ["usage", "collect", "--root", str(root)]
    assert command(*collected)[0] == 0
    assert jobs_in(root, ALICE) == [1]
    config.write_text(f"[usage]\nreadable_by_users = {str(wanted).lower()}\n")
    assert command(*collected)[0] == 0
    assert (root / FILES / f"{ALICE}.jsonl").exists() == wanted


def test_a_collect_into_some_other_database_shows_users_nothing(root: Path) -> None:
    made.write(root / "var/lib/slurm-mig/usage/2026-11.jsonl", ended(1, ALICE))
    (root / "etc/slurm-mig").mkdir(parents=True)
    (root / "etc/slurm-mig/config.toml").write_text("[usage]\nreadable_by_users = true\n")
    other = f"sqlite:///{root}/other.db"
    assert command("usage", "collect", "--root", str(root), "--db", other)[0] == 0
    assert not (root / FILES).exists()
