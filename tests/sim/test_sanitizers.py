"""The whole library under AddressSanitizer and UndefinedBehaviorSanitizer."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sim import library
from tests.sim.api import CHECKOUT, Sim

BUILD = library.FOLDER.with_name("sim-asan")


@pytest.fixture(scope="module")
def sanitized() -> Path:
    """The library, built with the sanitizers."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["make", "-s", "-C", "tests/sim", f"BUILD={BUILD}", "SANITIZE=1"]
        subprocess.run(command, cwd=CHECKOUT, check=True)
    return BUILD / "libnvidia-ml.so.1"


def runtime(name: str) -> str:
    done = subprocess.run(
        ["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def environment(sim: Sim, built: Path) -> dict[str, str]:
    return {
        **os.environ,
        **sim.env(),
        "MIGSIM_LIBRARY": str(built),
        "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')}",
        "PYTHONMALLOC": "malloc",
        # Python itself leaks at exit: that is not ours to find.
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }


def test_no_call_does_wrong(new_sim: Callable[..., Sim], sanitized: Path) -> None:
    sim = new_sim("h100-80gb=mig", "l40s")
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.drive"],
        cwd=CHECKOUT,
        env=environment(sim, sanitized),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr
    assert int(done.stdout) > 4000


def test_the_sanitizers_are_at_work(tmp_path: Path) -> None:
    """A library that does wrong is caught: so silence above means something."""
    source, built = tmp_path / "bad.c", tmp_path / "bad.so"
    source.write_text("int bad(int n) { volatile int a[2] = {0}; return a[n]; }\n")
    flags = ["-g", "-fPIC", "-shared", "-fsanitize=address,undefined"]
    subprocess.run(["gcc", *flags, "-o", str(built), str(source)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(built)!r}).bad(9)"],
        env=environment(Sim(tmp_path), built),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Sanitizer" in done.stderr or "runtime error" in done.stderr
