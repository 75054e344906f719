"""Debian's packages: install them quietly, or take a file out of one without installing it.

Everything is derived from the machine's own apt sources, which are never changed.
"""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class SetupError(Exception):
    """Set-up cannot go on; the text says what to do."""


def mirror() -> str:
    """Where this machine gets Debian from. Raises SetupError when from nowhere."""
    if found := _listed_mirror():
        return found
    run(["apt-get", "update", "--quiet"])  # a new machine may not have looked yet
    if found := _listed_mirror():
        return found
    raise SetupError("no apt source of this machine is Debian's main: the tests need a Debian 12")


def _listed_mirror() -> str | None:
    fields = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"
    listed = run(["apt-get", "indextargets", "--format", fields, "Identifier: Packages"])
    for line in listed.splitlines():
        *what, uri = line.split("|")
        if what == ["Debian", "Debian", "main"]:
            return uri.rstrip("/")
    return None


def run(command: Sequence[str], folder: Path | None = None, **env: str) -> str:
    """The command's standard output. Raises SetupError with its last words."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", **env}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise SetupError(f"{' '.join(command[:4])} … failed: {' / '.join(words)}")
    return done.stdout


def missing(packages: Sequence[str]) -> list[str]:
    """Which of `packages` are not installed."""
    asked = ["dpkg-query", "-W", "-f", "${binary:Package} ${db:Status-Status}\n", *packages]
    found = subprocess.run(asked, capture_output=True, text=True).stdout
    have = {re.split("[ :]", line)[0] for line in found.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in have]


def install(packages: Sequence[str]) -> None:
    """Install packages without starting what they bring, now or at the next boot."""
    run(["apt-get", "update", "--quiet"])
    with nothing_starts():
        options = ["--yes", "--quiet", "--no-install-recommends"]
        run(["apt-get", "install", *options, *packages], DEBIAN_FRONTEND="noninteractive")
    daemons = [name for name in packages if name in {"munge", "slurmctld", "slurmd", "slurmdbd"}]
    if daemons and Path("/usr/bin/systemctl").exists():
        run(["systemctl", "disable", "--quiet", *daemons])


@contextlib.contextmanager
def nothing_starts(policy: Path = POLICY) -> Iterator[None]:
    """Packages that are installed meanwhile start no daemon (invoke-rc.d asks `policy`)."""
    # A site's own policy stays in force: it was there first.
    if policy.exists():
        yield
        return
    try:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)


def unpack(packages: Sequence[str], suite: str, into: Path, *, alone: bool = False) -> None:
    """Unpack packages of a suite, and all that they need unless `alone`, below `into`.

    Nothing is installed and no maintainer script runs: what these would do (accounts, links,
    services) is neither needed below `into` nor wanted. Raises SetupError.
    """
    with tempfile.TemporaryDirectory(prefix="apt-") as name:
        apt = _private_apt(suite, Path(name))
        run([*apt, "update"])
        if alone:
            run([*apt, "download", *packages], Path(name))
        else:
            run([*apt, "install", "--yes", "--no-install-recommends", "--download-only", *packages])
        for file in Path(name).rglob("*.deb"):
            run(["dpkg-deb", "-x", str(file), str(into)])


def _private_apt(suite: str, folder: Path) -> list[str]:
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()  # a machine on which nothing is installed
    (folder / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] {mirror()} {suite} main contrib\n"
    )
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": folder,
        "Dir::State::Status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",  # apt's own user may not reach this folder
    }
    return ["apt-get", "--quiet", *[f"-o{key}={value}" for key, value in settings.items()]]
