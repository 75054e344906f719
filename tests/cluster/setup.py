"""`python -m tests.cluster setup`: all that the tests need of Debian, quick when it is there."""

import os
import sys
import time

from tests.cluster import apt, browser, openssh, postgres, prometheus, pyslurm_build, roots

TOOLS = ("gcc", "libc6-dev", "make", "munge")
SLURM = ("slurmctld", "slurmd", "slurm-client")
ANALYZE = "systemd"  # systemd-analyze reads the units: nothing of it runs
ACCOUNTING = ("slurmdbd", "mariadb-server-core", "mariadb-client-core")


def setup(*, system: bool = False, accounting: bool = False, usage: bool = False) -> None:
    """Install packages and build root folders, each only if missing.

    `system` adds the Slurm of Debian sid and a pyslurm for it, and OpenSSH; `accounting` a
    MariaDB and slurmdbd; `usage` a PostgreSQL, a browser, a Prometheus and systemd-analyze.
    Raises apt.SetupError.
    """
    _install([*TOOLS, *(_own_slurm() or ()), *(ACCOUNTING if accounting else ())])
    for version in [*roots.GATING, *(["26.05"] if system else [])]:
        begin = time.monotonic()
        if _needs_building(version):
            _need_root(f"build the root folder of Slurm {version}")
            _say(f"making Slurm {version} ready (once, about a minute)")
            roots.build(version)
            _say(f"Slurm {version} took {time.monotonic() - begin:.0f} s")
    if system:
        openssh.build()
        begin = time.monotonic()
        pyslurm_build.build("26.05")
        _say(f"pyslurm for Slurm 26.05 is there after {time.monotonic() - begin:.0f} s")
    if usage:
        _install([*postgres.libraries(), ANALYZE])
        postgres.build()
        browser.build()
        prometheus.build()


def _own_slurm() -> tuple[str, ...] | None:
    return SLURM if roots.host_release() in roots.SUITES.values() else None


def _install(packages: list[str]) -> None:
    missing = apt.missing(packages)
    if not missing:
        return
    _need_root(f"install {' '.join(missing)}")
    _say(f"installing {' '.join(missing)}")
    apt.install(missing)


def _needs_building(version: str) -> bool:
    try:
        roots.find(version)
    except apt.SetupError:
        return True
    return False


def _need_root(purpose: str) -> None:
    if os.geteuid() != 0:
        # Not only for this: namespaces, cgroups and device nodes need root as well.
        raise apt.SetupError(f"must be root to {purpose}: run the same command again as root")


def _say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)
