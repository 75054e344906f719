"""The simulated library exports every name that an NVML client may look up.

One that is missing kills slurmd ("symbol lookup error"), so the list is wider than what is
simulated: the rest answers NOT_SUPPORTED. Sources of symbols.txt: every function of nvml.h as
go-nvml and nvidia-ml-py know it, with and without version, names only.
"""

import re
import subprocess
from pathlib import Path

import pynvml
import pytest

from tests.cluster import roots

HERE = Path(__file__).parent
LISTED = (HERE / "symbols.txt").read_text().split()


def dynamic_symbols(library: Path, *options: str) -> set[str]:
    """The names that nm prints of a shared library, without their versions."""
    command = ["nm", "--dynamic", *options, str(library)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines}


def test_the_list_is_sorted_and_has_nothing_twice() -> None:
    assert sorted(set(LISTED)) == LISTED
    assert all(re.fullmatch(r"nvml[A-Z]\w+", name) for name in LISTED)


def test_exactly_the_listed_names_are_exported(sim_library: Path) -> None:
    exported = dynamic_symbols(sim_library, "--defined-only")
    assert {name for name in exported if not name.startswith("migsim_")} == set(LISTED)


def test_the_library_goes_by_nvidias_name(sim_library: Path) -> None:
    command = ["readelf", "--dynamic", str(sim_library)]
    dynamic = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Library soname: [libnvidia-ml.so.1]" in dynamic
    # Slurm 22.05 opens the name without a number.
    assert sim_library.with_suffix("").readlink() == Path("libnvidia-ml.so.1")


@pytest.mark.parametrize("version", roots.GATING)
def test_slurms_plugin_finds_all_that_it_needs(version: str) -> None:
    plugin = roots.find(version).nvml / "gpu_nvml.so"
    needed = {name for name in dynamic_symbols(plugin, "--undefined-only") if "nvml" in name}
    assert "nvmlDeviceGetMigDeviceHandleByIndex" in needed
    assert needed <= set(LISTED)


@pytest.mark.system
def test_nvidia_ml_py_has_no_function_that_is_not_listed() -> None:
    """Moves with its releases: those after 13.615 may know more."""
    source = Path(pynvml.__file__).read_text()
    called = set(re.findall(r"_nvmlGetFunctionPointer\(\s*[\"'](\w+)[\"']", source))
    assert len(called) > 100
    assert called <= set(LISTED)
