"""Boot id and generation: what makes a map, a record or a journal one of now."""

import resource
from pathlib import Path

import pytest

from slurm_mig.errors import HookError
from slurm_mig.system import epoch


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run/slurm-mig"
    folder.mkdir(parents=True)
    return folder


def test_the_generation(tmp_path: Path) -> None:
    assert epoch.generation(str(tmp_path)) == 0
    assert epoch.next_generation(str(tmp_path)) == 1
    assert epoch.next_generation(str(tmp_path)) == 2
    assert epoch.generation(str(tmp_path)) == 2
    written = tmp_path / "run/slurm-mig/generation"
    assert [path.name for path in written.parent.iterdir()] == ["generation"]
    assert written.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "\u0663", "1" * 20])
def test_a_generation_that_is_no_number(tmp_path: Path, run: Path, text: str) -> None:
    (run / "generation").write_text(text)
    for ask in (epoch.generation, epoch.next_generation):
        with pytest.raises(HookError, match="holds no number"):
            ask(str(tmp_path))


def test_a_generation_that_others_could_have_written(tmp_path: Path, run: Path) -> None:
    (run / "generation").write_text("1")
    (run / "generation").chmod(0o666)
    with pytest.raises(HookError, match="not root's alone"):
        epoch.generation(str(tmp_path))
    (run / "generation").unlink()
    (run / "generation").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HookError):
        epoch.generation(str(tmp_path))


def test_the_boot_is_that_of_the_machine_below_root_if_it_says(tmp_path: Path) -> None:
    own = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert epoch.boot_id(str(tmp_path)) == own
    moved = tmp_path / "proc/sys/kernel/random"
    moved.mkdir(parents=True)
    (moved / "boot_id").write_text("another\n")
    assert epoch.boot_id(str(tmp_path)) == "another"


def test_a_generation_that_cannot_be_written_says_where(tmp_path: Path, run: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(HookError, match=r"^/run/slurm-mig/generation could not be written: "):
            epoch.next_generation(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(run.iterdir()) == []
