"""Files into SQLite and PostgreSQL: every record exactly once, whatever became of them."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import select

from slurm_mig.errors import StoreError
from slurm_mig.usage.store.collect import Collected, collect, files_of, here, take
from slurm_mig.usage.store.database import Store, opened, reading
from slurm_mig.usage.store.insert import Place, place_of
from slurm_mig.usage.store.piece import Mark, Piece
from slurm_mig.usage.store.query import rows
from slurm_mig.usage.store.schema import damaged, texts
from slurm_mig.usage.store.shape import MAX_LINE, parse
from slurm_mig.usage.store.tail import LIMIT
from tests.hooks.fakenode import FakeNode
from tests.usage.store.made import line, record, slice_


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "2026-11.jsonl"
    file.write_bytes(line(1) + line(2))
    return file


def add(file: Path, text: bytes) -> None:
    with file.open("ab") as out:
        out.write(text)


def jobs(store: Store) -> list[int]:
    return [held.job.job_id for held in rows(store)]


def bad_lines(store: Store) -> list[tuple[int, str]]:
    """Line and reason of what was no record."""
    with reading(store) as connection:
        asked = select(damaged.c.line, damaged.c.why).order_by(damaged.c.line)
        return [(number, why) for number, why in connection.execute(asked).all()]


def test_each_record_once_however_often(store: Store, file: Path) -> None:
    assert collect(store, [file]) == Collected(files=1, new=2)
    assert collect(store, [file]) == Collected(files=1)
    add(file, line(3))
    assert collect(store, [file]) == Collected(files=1, new=1)
    assert jobs(store) == [1, 2, 3]


def test_what_comes_back_is_what_was_written(store: Store, file: Path) -> None:
    two = line(3, slices=[slice_(), slice_(profile=None, usage=None)], complete=False)
    add(file, two)
    collect(store, [file])
    written = [parse(line(1)), parse(line(2)), parse(two)]
    assert list(rows(store)) == [held for one in written for held in one.held()]


def test_the_auditor_gets_the_line_itself(store: Store, file: Path) -> None:
    odd = b'{ "version":1,"record_id":"x", "job_id":9, "slices":[], "user":"\xc3\xa4" }'
    file.write_bytes(odd + b"\n")
    collect(store, [file])
    with reading(store) as connection:
        assert connection.execute(select(texts.c.json)).scalar() == odd.decode()


def test_a_record_without_slices_is_stored_and_has_no_row(store: Store, file: Path) -> None:
    file.write_bytes(line(1, slices=[]))
    assert collect(store, [file]).new == 1
    assert jobs(store) == []
    assert collect(store, [file], again=True).known == 1


def test_the_same_record_in_two_files_and_twice_in_one(store: Store, file: Path) -> None:
    add(file, line(2))
    other = file.with_name("2026-12.jsonl")
    other.write_bytes(line(1) + line(3))
    assert collect(store, [file, other]) == Collected(files=2, new=3, known=2)
    assert jobs(store) == [1, 2, 3]


def test_a_record_that_comes_again_with_another_text_is_told(store: Store, file: Path) -> None:
    add(file, line(1, user="eve"))
    other = file.with_name("other.jsonl")
    other.write_bytes(line(2, slices=[]))
    done = collect(store, [file, other])
    assert (done.new, done.known, done.differing) == (2, 2, 2)
    assert [f"record {1:024x}" in done.told[0], f"record {2:024x}" in done.told[1]] == [True] * 2
    assert {held.job.user for held in rows(store)} == {"ada"}
    assert jobs(store) == [1, 2]


def test_half_a_line_waits_for_its_end(store: Store, file: Path) -> None:
    add(file, line(3)[:100])
    assert collect(store, [file]) == Collected(files=1, new=2)
    add(file, line(3)[100:])
    assert collect(store, [file]) == Collected(files=1, new=1)


def test_a_damaged_line_is_told_with_its_place_and_stops_nothing(store: Store, file: Path) -> None:
    add(file, line(3)[:100] + b"\n" + line(4))
    done = collect(store, [file])
    assert (done.new, done.damaged) == (3, 1)
    assert done.told == (f"{here(file)}:3: not JSON: damaged or cut off",)
    add(file, b"\n" + line(5))
    done = collect(store, [file])
    assert (done.new, done.damaged) == (1, 1)
    assert done.told[0].startswith(f"{here(file)}:5: ")
    assert [number for number, _ in bad_lines(store)] == [3, 5]


def test_a_damaged_line_that_is_read_again_is_noted_once(store: Store, file: Path) -> None:
    add(file, b"rubbish\n")
    for again in (False, True):
        assert collect(store, [file], again=again).damaged == 1
    assert len(bad_lines(store)) == 1


def test_a_file_of_rubbish_is_counted_and_not_kept(store: Store, file: Path) -> None:
    file.write_bytes(b"rubbish\n" * 5000)
    done = collect(store, [file])
    assert (done.damaged, len(done.told)) == (5000, 20)
    assert len(bad_lines(store)) == 1000


def test_a_line_that_is_too_long_is_damaged(store: Store, file: Path) -> None:
    """Also one that is longer than what is read at a time."""
    long = LIMIT + 5
    add(file, b"x" * long + b"\n" + line(3) + b"y" * (MAX_LINE + 1) + b"\n")
    done = collect(store, [file])
    assert (done.new, done.damaged) == (3, 2)
    assert f":3: {long + 1} bytes: longer than" in done.told[0]
    assert f":5: longer than {MAX_LINE} bytes" in done.told[1]


def test_a_record_of_a_later_version_is_told_and_comes_in_after_an_update(
    store: Store, file: Path
) -> None:
    add(file, line(3, version=2))
    done = collect(store, [file])
    assert (done.new, done.damaged, done.newer) == (2, 0, 1)
    assert "version 2: this slurm-mig reads 1" in done.told[0]
    file.write_bytes(line(1) + line(2) + line(3))  # as if this were the later slurm-mig
    assert collect(store, [file], again=True) == Collected(files=1, new=1, known=2)


def test_a_file_that_was_replaced_or_truncated_is_read_anew(store: Store, file: Path) -> None:
    collect(store, [file])
    file.write_bytes(line(3))
    assert collect(store, [file]) == Collected(files=1, new=1)
    file.write_bytes(b"rubbish\n" + line(3) + line(4))
    assert collect(store, [file]).told[0].startswith(f"{here(file)}:1:")
    assert jobs(store) == [1, 2, 3, 4]


def test_folders_are_searched_and_links_in_them_are_not_followed(
    store: Store, tmp_path: Path
) -> None:
    for node in ("n1", "n2"):
        (tmp_path / "all" / node).mkdir(parents=True)
        number = int(node[1])
        (tmp_path / "all" / node / "2026-11.jsonl").write_bytes(line(number, node=node))
    (tmp_path / "all/n1/lock").write_bytes(line(7))
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(line(8))
    (tmp_path / "all/n1/2026-12.jsonl").symlink_to(secret)
    (tmp_path / "all/n3").symlink_to(tmp_path)
    done = collect(store, [tmp_path / "all"])
    assert (done.files, done.new, done.unread) == (2, 2, 1)
    assert "2026-12.jsonl: " in done.told[0]
    assert jobs(store) == [1, 2]


def test_a_file_that_is_gone_stops_no_other(store: Store, file: Path) -> None:
    done = collect(store, [file.with_name("none.jsonl"), file])
    assert (done.files, done.new, done.unread) == (1, 2, 1)
    assert done.told == (f"{file.with_name('none.jsonl')}: No such file or directory",)


def test_progress_is_told(store: Store, file: Path) -> None:
    told: list[Collected] = []
    collect(store, [file], watch=told.append)
    assert told[-1].new == 2


def test_a_piece_that_another_collect_stored_meanwhile_is_left(store: Store, file: Path) -> None:
    text = line(1)
    piece = Piece(0, text, Mark(len(text), "0" * 64), more=False)
    assert take(store, "n1:a", Place(Mark(3, "1" * 64), 1), piece) is None
    assert jobs(store) == []
    assert place_of(store, "n1:a") == Place()
    assert take(store, "n1:a", Place(), piece) == Collected(new=1)
    assert place_of(store, "n1:a") == Place(piece.end, 1)


def test_what_fails_midway_leaves_nothing(url: str, file: Path) -> None:
    """The database takes no more: as if it had not been tried."""
    with opened(Path("/"), url, make=True) as store:
        texts.drop(store.engine)
        with pytest.raises(StoreError, match="usage_texts"):
            collect(store, [file])
        assert jobs(store) == []
        assert place_of(store, here(file)) == Place()
        texts.create(store.engine)
        assert collect(store, [file]).new == 2


def test_the_records_of_real_hooks_on_two_nodes(store: Store, tmp_path: Path) -> None:
    nodes = [FakeNode(tmp_path / name) for name in ("n1", "n2")]
    for number, node in enumerate(nodes, 1):
        node.write_map(node=f"n{number}")
        for job_id, gpus in ((7, "1,2"), (8, "5")):
            more = {"SLURMD_NODENAME": f"n{number}", "SLURM_JOB_GPUS": gpus}
            assert node.hook("prolog", job_id, gpus, more) == 0
            assert node.hook("epilog", job_id, gpus, more) == 0
    done = collect(store, [node.root / "var/lib/slurm-mig/usage" for node in nodes])
    assert done == Collected(files=2, new=4)
    held = [(one.job.node, one.job.job_id, one.slice.profile) for one in rows(store)]
    assert sorted(held, key=str) == [
        ("n1", 7, "1g.10gb"),
        ("n1", 7, "1g.10gb"),
        ("n1", 8, None),
        ("n2", 7, "1g.10gb"),
        ("n2", 7, "1g.10gb"),
        ("n2", 8, None),
    ]
    with reading(store) as connection:
        kept = [json.loads(text) for text in connection.execute(select(texts.c.json)).scalars()]
    assert sorted(kept, key=str) == sorted(
        (one for node in nodes for one in node.records()), key=str
    )


def test_what_may_not_be_searched_is_told() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder, closed = Path(name), Path(name, "closed")
        closed.mkdir(0o700)
        folder.chmod(0o755)
        failed: list[OSError] = []
        os.seteuid(65534)
        try:
            found = list(files_of([folder, closed / "a.jsonl"], failed))
        finally:
            os.seteuid(0)
    assert found == [closed / "a.jsonl"]
    assert [error.filename for error in failed] == [str(closed)]


def test_records_keep_their_order_by_end(store: Store, file: Path) -> None:
    file.write_bytes(line(1, end=30.0) + line(2, end=10.0) + line(3, end=20.0))
    collect(store, [file])
    assert jobs(store) == [2, 3, 1]
    assert record()["end"] == 4600.0
