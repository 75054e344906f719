"""What pip installs is whole: the built wheel, in an empty environment, does the main job."""

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.sim.api import Sim

CHECKOUT = Path(__file__).resolve().parents[1]
HOOKS = ("prolog", "epilog", "task-prolog", "reboot")


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, CHECKOUT, cwd=folder)
    (built,) = folder.glob("slurm_mig-*.whl")
    return built


def test_the_wheel_holds_the_package_the_templates_and_the_licence(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "slurm_mig/data/templates/gres.conf.j2" in names
    assert "slurm_mig/data/templates/usage.html.j2" in names
    assert "slurm_mig/data/systemd/slurmd.service.d/slurm-mig.conf" in names
    assert "slurm_mig/data/systemd/slurm-mig-monitor.service" in names
    assert {f"slurm_mig/data/hooks/{name}" for name in HOOKS} <= set(names)
    assert "slurm_mig/gpu/config/models.toml" in names
    assert "slurm_mig/data/dashboards/slurm-mig.json" in names
    assert "slurm_mig/data/dashboards/alerts.yml" in names
    assert "slurm_mig/py.typed" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if name.startswith("tests")]


def test_the_installed_program_generates_gres_conf(wheel: Path, tmp_path: Path) -> None:
    sim = Sim.new(tmp_path / "sim", ["h100-80gb=3g.40gb/4x1g.10gb"])
    venv.create(tmp_path / "venv", with_pip=True)
    bin_dir = tmp_path / "venv" / "bin"
    empty = tmp_path / "empty"
    empty.mkdir()
    run(bin_dir / "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=empty)
    command = (bin_dir / "slurm-mig", "gen-gres", "--slurm-version", "24.11.5")
    text = run(*command, cwd=empty, env={**sim.env(), "PATH": "/usr/bin:/bin"})
    lines = [line for line in text.splitlines() if "MultipleFiles=" in line]
    assert len(lines) == 5
    assert all("Flags=nvidia_gpu_env" in line for line in lines)


def test_the_installed_hooks_find_their_program(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    pip = (tmp_path / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", wheel, cwd=tmp_path)
    (hooks,) = tmp_path.glob("venv/lib/python3*/site-packages/slurm_mig/data/hooks")
    environ = {"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0", "SLURM_MIG_ROOT": str(tmp_path)}
    done = subprocess.run([hooks / "prolog"], env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert "gres-map.json is missing: run `slurm-mig gres-map`" in done.stderr
    for name in ("epilog", "task-prolog"):
        assert subprocess.run([hooks / name], env=environ).returncode == 0
