"""The driver's capability files: what they say, and that nothing absurd is believed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.errors import CapsError
from slurm_mig.gpu.driver.caps import (
    Capability,
    parse_capability,
    parse_major,
    parse_mig_minors,
    read_caps,
)
from slurm_mig.gpu.driver.names import MIG_MINORS, capability_path, entry, known_minor
from slurm_mig.model import CiId, GiId, GpuMinor
from tests.fakes import FakeNvml
from tests.gpu.driver_tree import DEVICES, lay_out, mig_minors, write
from tests.gpu.repeatable import REPEATABLE

NEITHER = "neither NAME NUMBER nor gpuG/giI[/ciC]/access NUMBER"
# (gpu, gi, ci) -> minor, from published listings of real machines.
SEEN_ON_HARDWARE = {
    (0, 0, None): 3,
    (0, 0, 0): 4,
    (0, 1, None): 12,
    (0, 1, 2): 15,
    (0, 2, None): 21,
    (0, 3, None): 30,
    (1, 2, None): 156,
    (3, 3, 3): 439,
    (6, 11, 5): 918,
    (31, 14, 7): 4322,
}


@pytest.mark.parametrize("where", SEEN_ON_HARDWARE)
def test_the_known_table_fits_what_was_seen(where: tuple[int, int, int | None]) -> None:
    gpu, gi, ci = where
    ci_id = None if ci is None else CiId(ci)
    assert known_minor(GpuMinor(gpu), GiId(gi), ci_id) == SEEN_ON_HARDWARE[where]


def test_the_whole_file_of_a_driver_is_read() -> None:
    minors = parse_mig_minors(mig_minors())
    assert len(minors) == 2 + 32 * 15 * 9
    assert minors["config"] == 1
    assert minors["gpu31/gi14/ci7/access"] == 4322


def test_names_are_the_drivers() -> None:
    gpu, gi, ci = GpuMinor(6), GiId(11), CiId(5)
    assert entry(gpu, gi) == "gpu6/gi11/access"
    assert entry(gpu, gi, ci) == "gpu6/gi11/ci5/access"
    tree = "/proc/driver/nvidia/capabilities/gpu6/mig/gi11"
    assert capability_path(gpu, gi) == f"{tree}/access"
    assert capability_path(gpu, gi, ci) == f"{tree}/ci5/access"


def test_an_entry_of_a_later_driver_is_no_harm() -> None:
    assert parse_mig_minors("config 1\nsomething-new 4400\n")["something-new"] == 4400


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("gpu0/gi0/access", NEITHER),
        ("gpu0/gi0/access three", NEITHER),
        ("gpu0/gi0/access 3 4", NEITHER),
        ("gpu0/gi0/access -3", NEITHER),
        ("gpu0/gi0/access 03", NEITHER),
        ("gpu0/gi0/access 3.0", NEITHER),
        ("", NEITHER),
        ("\0\0\0\0", NEITHER),
        ("gpu0/gi0/../access 3", NEITHER),
        ("gpu0/gi0 3", NEITHER),
        ("gpu0/gi-1/access 3", NEITHER),
        ("gpu00/gi0/access 3", NEITHER),
        ("gpu0/gi0/access 1048576", "no minor is above 1048575"),
        ("gpu0/gi0/access 99999999999999999999", NEITHER),
        ("config 3", "the name is there twice"),
        ("gpu0/gi0/access 2", "'monitor' has that minor"),
    ],
)
def test_an_absurd_line_is_told_by_its_number(line: str, why: str) -> None:
    text = f"config 1\nmonitor 2\n{line}\ngpu0/gi1/access 12\n"
    with pytest.raises(CapsError, match="mig-minors, line 3: ") as error:
        parse_mig_minors(text)
    assert why in str(error.value)


def test_two_slices_behind_one_node_are_never_believed() -> None:
    """Whoever may open the one could open the other."""
    with pytest.raises(CapsError, match=r"line 2: .* 'gpu0/gi1/access' has that minor"):
        parse_mig_minors("gpu0/gi1/access 12\ngpu0/gi2/access 12\n")


@REPEATABLE
@given(st.dictionaries(st.tuples(*[st.integers(0, 40)] * 3), st.integers(0, 2**20 - 1)))
def test_what_was_written_is_read(slices: dict[tuple[int, int, int], int]) -> None:
    unique = {minor: where for where, minor in slices.items()}
    lines = {f"gpu{g}/gi{i}/ci{c}/access": minor for minor, (g, i, c) in unique.items()}
    text = "".join(f"{name} {minor}\n" for name, minor in lines.items())
    assert parse_mig_minors(text) == lines


@REPEATABLE
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        minors = parse_mig_minors(text)
    except CapsError as error:
        assert MIG_MINORS in str(error)
        assert "\n" not in str(error)
    else:
        assert len(set(minors.values())) == len(minors)


def test_a_capability_is_read() -> None:
    text = "DeviceFileMinor: 12\nDeviceFileMode: 292\nDeviceFileModify: 1\n"
    assert parse_capability(text, "/p") == Capability(minor=12, mode=0o444, modify=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "/p does not say DeviceFileMinor, DeviceFileMode, DeviceFileModify"),
        ("DeviceFileMinor: 12\nDeviceFileMode: 292\n", "/p does not say DeviceFileModify"),
        ("DeviceFileMinor: twelve\n", "/p, line 1: "),
        ("DeviceFileMinor: 12\ngarbage\n", "/p, line 2: 'garbage'"),
    ],
)
def test_an_absurd_capability_is_refused(text: str, why: str) -> None:
    with pytest.raises(CapsError) as error:
        parse_capability(text, "/p")
    assert why in str(error.value)


def test_the_major_is_the_character_device() -> None:
    assert parse_major(DEVICES.format(major=508)) == 508
    assert parse_major("Character devices:\n  1 mem\n\nBlock devices:\n240 nvidia-caps\n") is None
    assert parse_major("Character devices:\n511 nvidia-caps-imex-channels\n") is None
    assert parse_major("") is None


def test_all_files_together(root: Path) -> None:
    caps = read_caps(root)
    gpu, gi = GpuMinor(0), GiId(1)
    assert (caps.major, caps.minor(gpu, gi), caps.minor(gpu, gi, CiId(0))) == (240, 12, 13)
    assert caps.capability(gpu, gi) == Capability(12, 0o444, modify=True)
    assert caps.capability(gpu, GiId(9)) is None


def test_without_mig_minors_the_driver_is_too_old(tmp_path: Path) -> None:
    with pytest.raises(CapsError, match=r"mig-minors is missing: MIG needs driver 450"):
        read_caps(tmp_path)


def test_a_file_that_never_ends_is_not_read_to_its_end(root: Path) -> None:
    file = root / MIG_MINORS.lstrip("/")
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(CapsError, match="longer than 1048576 bytes"):
        read_caps(root)


def test_a_folder_in_the_place_of_the_file(root: Path) -> None:
    file = root / MIG_MINORS.lstrip("/")
    file.unlink()
    file.mkdir()
    with pytest.raises(CapsError, match="mig-minors: Is a directory"):
        read_caps(root)


def test_bytes_that_are_no_text_are_refused_with_their_line(root: Path) -> None:
    (root / MIG_MINORS.lstrip("/")).write_bytes(b"config 1\n\xff\xfe 2\n")
    with pytest.raises(CapsError, match=r"line 2: .*xff"):
        read_caps(root)


def test_a_slice_that_mig_minors_does_not_know(tmp_path: Path) -> None:
    lay_out(tmp_path, FakeNvml())
    write(tmp_path, MIG_MINORS, "config 1\n")
    with pytest.raises(CapsError, match="no entry 'gpu0/gi1/access', though NVML lists"):
        read_caps(tmp_path).minor(GpuMinor(0), GiId(1))
