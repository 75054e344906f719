"""The journal and the committed configuration: whole or not at all, and believed only if whole."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.errors import JournalError
from slurm_mig.gpu.change import committed, journal
from slurm_mig.gpu.change.journal import APPLYING, RESTORING, Journal, JournalGpu
from slurm_mig.gpu.partitioning import CiSpec, GiSpec, Layout, WantedGi, WantedGpu
from slurm_mig.model import Placement
from tests.gpu.changing import as_root_file

WHOLE = GiSpec("3g.40gb", Placement(4, 4), (CiSpec("3g.40gb", 2, 0),))
SHARED = GiSpec("2g.20gb", Placement(0, 2), (CiSpec("1c.2g.20gb"), CiSpec("1c.2g.20gb", 0)))
EMPTY = GiSpec("1g.10gb+me", Placement(2, 1), ())
FORMER, TARGET = Layout(True, (SHARED, EMPTY, WHOLE)), Layout(False)
WANTED = WantedGpu(True, (WantedGi("3g.40gb", 4), WantedGi("1g.10gb", None, ("1g.10gb",))))
GPUS = (JournalGpu("GPU-0", FORMER, TARGET), JournalGpu("GPU-1", TARGET, Layout(True), WANTED))
ENTRY = Journal("0123", "boot", APPLYING, GPUS, about="GPU 0: reset")
FILES = {"journal.json": journal.read, "committed.json": committed.read}

layouts = st.builds(
    Layout,
    st.just(True),
    st.lists(
        st.builds(
            GiSpec,
            st.sampled_from(["3g.40gb", "1g.10gb+me", "1g.24gb-me"]),
            st.builds(Placement, st.integers(0, 11), st.integers(1, 12)),
            st.lists(
                st.builds(
                    CiSpec,
                    st.just("1c.3g.40gb"),
                    st.none() | st.integers(0, 8),
                    st.none() | st.integers(0, 6),
                ),
                max_size=3,
            ).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
)


def text(root: Path, name: str = "journal.json") -> Path:
    return root / "var/lib/slurm-mig" / name


@given(layouts, layouts, st.sampled_from([APPLYING, RESTORING]), st.booleans())
@settings(deadline=None)
def test_what_is_written_is_read(former: Layout, target: Layout, state: str, reboot: bool) -> None:
    gpus = (JournalGpu("GPU-0", former, target), GPUS[1])
    entry = Journal("0123", "boot", state, gpus, reboot, None, "GPU 0: reset")
    assert journal.decode(json.loads(journal.encode(entry))) == entry
    both = {"GPU-0": former, "GPU-1": target}
    assert committed.decode(json.loads(committed.encode(both))) == both


def test_it_is_there_until_it_is_closed(tmp_path: Path) -> None:
    assert journal.read(tmp_path) is None
    journal.begin(tmp_path, ENTRY)
    assert journal.read(tmp_path) == ENTRY
    journal.write(tmp_path, later := ENTRY._replace(last="GPU 0: reset", state=RESTORING))
    assert journal.read(tmp_path) == later
    journal.close(tmp_path)
    assert journal.read(tmp_path) is None
    assert list(text(tmp_path).parent.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_it_is_roots_alone(tmp_path: Path, name: str) -> None:
    journal.begin(tmp_path, ENTRY)
    committed.save(tmp_path, {"GPU-0": FORMER})
    assert text(tmp_path, name).stat().st_mode & 0o777 == 0o600


def test_it_names_no_instance_that_a_reboot_takes(tmp_path: Path) -> None:
    journal.begin(tmp_path, ENTRY)
    written = text(tmp_path).read_text()
    assert "MIG-" not in written
    assert "gi_id" not in written


def test_of_two_one_begins(tmp_path: Path) -> None:
    journal.begin(tmp_path, ENTRY)
    with pytest.raises(JournalError, match="run `slurm-mig recover`"):
        journal.begin(tmp_path, ENTRY._replace(apply_id="4567"))
    assert journal.read(tmp_path) == ENTRY


def test_nobody_writes_over_anothers(tmp_path: Path) -> None:
    journal.begin(tmp_path, ENTRY)
    ours = journal.take_over(tmp_path, ENTRY)
    with pytest.raises(journal.Overtaken):
        journal.write(tmp_path, ENTRY)
    journal.write(tmp_path, ours)
    journal.close(tmp_path)
    with pytest.raises(journal.Overtaken):
        journal.write(tmp_path, ours)
    assert journal.read(tmp_path) is None


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_anywhere_is_an_error(tmp_path: Path, name: str) -> None:
    whole = {
        "journal.json": journal.encode(ENTRY),
        "committed.json": committed.encode({"GPU-0": FORMER}),
    }[name].rstrip()
    for length in range(len(whole)):
        as_root_file(text(tmp_path, name), whole[:length])
        with pytest.raises(JournalError, match=f"^/var/lib/slurm-mig/{name}: ") as error:
            FILES[name](tmp_path)
        assert "\n" not in str(error.value)
        assert text(tmp_path, name).read_text() == whole[:length]


CHANGES = {
    "version": 2,
    "apply_id": "",
    "boot_id": 7,
    "state": "asleep",
    "gpus": [{"uuid": "GPU-0"}],
    "reboot": "no",
    "about": ["x"],
}


@pytest.mark.parametrize("key", CHANGES)
@pytest.mark.parametrize("how", ["wrong", "missing"])
def test_a_journal_that_says_something_else_is_an_error(tmp_path: Path, key: str, how: str) -> None:
    found = json.loads(journal.encode(ENTRY))
    if how == "wrong":
        found[key] = CHANGES[key]
    else:
        del found[key]
    as_root_file(text(tmp_path), json.dumps(found))
    with pytest.raises(JournalError, match=key) as error:
        journal.read(tmp_path)
    assert "slurm-mig discover" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"profile": "3g.40gb"', '"profile": "rm -rf"', "no MIG profile"),
        ('"size": 4', '"size": -4', "not negative"),
        ('"mig": true', '"mig": 1', "true or false"),
        ('"mig": true', '"mig": false', "although MIG is off"),
        ('"uuid": "GPU-1"', '"uuid": "GPU-0"', "named twice"),
        ('"start": 4', '"start": true', "whole number"),
        ('"wanted": null', '"wanted": []', "not an object"),
    ],
)
def test_layouts_are_checked(tmp_path: Path, old: str, new: str, what: str) -> None:
    journal.begin(tmp_path, ENTRY)
    written = text(tmp_path).read_text()
    assert old in written
    as_root_file(text(tmp_path), written.replace(old, new))
    with pytest.raises(JournalError, match=what):
        journal.read(tmp_path)


@pytest.mark.parametrize("content", ["[]", "7", "null", '"x"', "[" * 100_000, "{" * 5, "\xff"])
def test_whatever_else_lies_there_is_an_error(tmp_path: Path, content: str) -> None:
    as_root_file(text(tmp_path), content)
    as_root_file(text(tmp_path, "committed.json"), content)
    for read in FILES.values():
        with pytest.raises(JournalError):
            read(tmp_path)


def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    journal.begin(tmp_path, ENTRY)
    text(tmp_path).chmod(0o666)
    with pytest.raises(JournalError, match="not root's alone"):
        journal.read(tmp_path)


def test_nor_one_in_a_folder_of_others(tmp_path: Path) -> None:
    journal.begin(tmp_path, ENTRY)
    os.chown(text(tmp_path).parent, 1000, 1000)
    for act in (journal.read, lambda root: journal.begin(root, ENTRY), committed.read):
        with pytest.raises(JournalError, match="chown root"):
            act(tmp_path)


def test_nor_a_link(tmp_path: Path) -> None:
    as_root_file(tmp_path / "elsewhere", journal.encode(ENTRY))
    text(tmp_path).parent.mkdir(parents=True)
    text(tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalError):
        journal.read(tmp_path)
    with pytest.raises(JournalError):
        journal.begin(tmp_path, ENTRY)


def test_a_very_long_file_is_not_read(tmp_path: Path) -> None:
    as_root_file(text(tmp_path), " " * (2 << 20))
    with pytest.raises(JournalError, match="longer than"):
        journal.read(tmp_path)


def test_others_stay_committed(tmp_path: Path) -> None:
    committed.save(tmp_path, {"GPU-0": FORMER})
    committed.save(tmp_path, {"GPU-1": TARGET})
    committed.save(tmp_path, {"GPU-0": TARGET})
    assert committed.read(tmp_path) == {"GPU-0": TARGET, "GPU-1": TARGET}


def test_a_committed_file_that_is_damaged_stays(tmp_path: Path) -> None:
    as_root_file(text(tmp_path, "committed.json"), "{")
    with pytest.raises(JournalError):
        committed.save(tmp_path, {"GPU-0": FORMER})
    assert text(tmp_path, "committed.json").read_text() == "{"


def test_a_folder_that_is_a_link_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib/slurm-mig").symlink_to(tmp_path)
    with pytest.raises(JournalError, match="its folder must be root's own, no link"):
        journal.read(tmp_path)
