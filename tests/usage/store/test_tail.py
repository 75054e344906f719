"""What was added to a file, in pieces: after rotation, truncation, replacement, and half lines."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.usage.store.piece import START, Mark, Piece
from slurm_mig.usage.store.shape import MAX_LINE
from slurm_mig.usage.store.tail import LIMIT, open_file, read_piece

LINE = b"a" * 99 + b"\n"
FULL = MAX_LINE + 1  # the least that a piece may be limited to


@contextmanager
def reading(path: Path) -> Iterator[int]:
    handle = open_file(path)
    try:
        yield handle
    finally:
        os.close(handle)


def next_piece(path: Path, mark: Mark = START, limit: int = LIMIT) -> Piece | None:
    with reading(path) as handle:
        return read_piece(handle, mark, limit)


def data(path: Path, mark: Mark = START) -> bytes | None:
    piece = next_piece(path, mark)
    return None if piece is None else piece.data


def end(path: Path, mark: Mark = START) -> Mark:
    piece = next_piece(path, mark)
    assert piece is not None
    return piece.end


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "2026-11.jsonl"
    file.write_bytes(b"one\ntwo\n")
    return file


def add(file: Path, text: bytes) -> None:
    with file.open("ab") as out:
        out.write(text)


def test_only_what_was_added_is_read(file: Path) -> None:
    mark = end(file)
    assert mark.position == 8
    assert next_piece(file, mark) is None
    add(file, b"three\n")
    piece = next_piece(file, mark)
    assert piece is not None
    assert (piece.begin, piece.data, piece.more) == (8, b"three\n", False)


def test_half_a_line_waits_for_its_end(file: Path) -> None:
    add(file, b"thr")
    piece = next_piece(file)
    assert piece is not None
    assert (piece.data, piece.more) == (b"one\ntwo\n", True)
    assert next_piece(file, piece.end) is None
    add(file, b"ee\n")
    assert data(file, piece.end) == b"three\n"


def test_nothing_but_half_a_line(tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.write_bytes(b"on")
    assert next_piece(half) is None
    half.write_bytes(b"")
    assert next_piece(half) is None


def test_a_copy_that_was_made_anew_goes_on(file: Path) -> None:
    mark = end(file)
    copy = file.with_name("copy")
    copy.write_bytes(file.read_bytes() + b"three\n")
    copy.replace(file)  # as rsync does: another inode
    assert data(file, mark) == b"three\n"


def test_a_file_that_was_renamed_goes_on(file: Path) -> None:
    mark = end(file)
    file = file.rename(file.with_name("2026-11.jsonl.1"))
    add(file, b"three\n")
    assert data(file, mark) == b"three\n"


@pytest.mark.parametrize("new", [b"one\n", b"ONE\nTWO\n", b"ONE\nTWO\nthree\n", b"o\nn\ne\ntwo\n"])
def test_another_file_is_read_from_its_beginning(file: Path, new: bytes) -> None:
    mark = end(file)
    file.write_bytes(new)
    assert data(file, mark) == new


def test_a_truncated_file_that_grew_again(file: Path) -> None:
    mark = end(file)
    os.truncate(file, 4)
    add(file, b"another\n")
    assert data(file, mark) == b"one\nanother\n"


def test_a_file_comes_in_pieces_that_end_with_a_line(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(LINE * 30_000)
    mark, sizes = START, []
    while (piece := next_piece(file, mark, FULL)) is not None:
        assert piece.begin == mark.position
        assert piece.more is (piece.end.position < 3_000_000)
        sizes.append(len(piece.data))
        mark = piece.end
    assert sum(sizes) == 3_000_000
    assert all(size % 100 == 0 and size <= FULL for size in sizes)
    assert len(sizes) == 3


@pytest.mark.parametrize("length", [MAX_LINE + 1, 3 * MAX_LINE])
def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, length: int) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"one\n" + b"x" * length + b"\ntwo\n")
    first = next_piece(file, limit=FULL)
    assert first is not None
    assert first.data == b"one\n"
    passed = next_piece(file, first.end, FULL)
    assert passed is not None
    assert (passed.data, passed.end.position) == (b"", 4 + length + 1)
    assert data(file, passed.end) == b"two\n"


def test_a_line_that_is_too_long_and_has_no_end_yet(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes(b"x" * (2 * MAX_LINE))
    assert next_piece(file, limit=FULL) is None


def test_no_link_is_followed_and_nothing_but_files_is_read(tmp_path: Path, file: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "none", "."):
        with pytest.raises(OSError):
            open_file(tmp_path / name)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.binary(max_size=30)),
        st.tuples(st.just("truncate"), st.integers(0, 40)),
        st.tuples(st.just("replace"), st.binary(max_size=40)),
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_no_line_is_missed_whatever_is_done_to_the_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes | int]]
) -> None:
    file = tmp_path_factory.mktemp("tail") / "file"
    file.touch()
    mark, seen = START, set[bytes]()
    for what, how in steps:
        if isinstance(how, int):
            os.truncate(file, min(how, file.stat().st_size))
        elif what == "add":
            add(file, how)
        else:
            file.write_bytes(how)
        while (piece := next_piece(file, mark)) is not None:
            seen |= set(piece.data.split(b"\n")[:-1])
            mark = piece.end
        # What stood in the file before the place that is known may be lines of old: only where
        # the bytes before that place are the same, and then they were seen.
        assert set(file.read_bytes().split(b"\n")[:-1]) <= seen
