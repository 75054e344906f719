"""Stand-in daemons: files that say whether they run, and small scripts that start and stop them."""

import json
from pathlib import Path

from slurm_mig.settings import Settings

START = """\
echo "start $1" >> {log}
test -e {folder}/$1.broken && echo "cannot start $1" >&2 && exit 5
touch {folder}/$1.running
"""
STOP = """\
echo "stop $1" >> {log}
test -e {folder}/$1.hanging && exec sleep 100
test -e {folder}/$1.stubborn && exit 0
test -e {folder}/$1.refusing && echo "will not" >&2 && exit 1
rm -f {folder}/$1.running
"""
ACTIVE = """\
test -e {folder}/$1.unknown && exit 99
test -e {folder}/$1.running
"""


class Daemons:
    """A machine's daemons in `folder`, and the settings by which they are started and stopped."""

    def __init__(self, folder: Path, *units: str, clients: tuple[str, ...] | None = None) -> None:
        self.folder, self.log = folder, folder / "log"
        folder.mkdir()
        for unit in units:
            (folder / f"{unit}.running").touch()
        self.settings = Settings(
            clients=units if clients is None else clients,
            clients_if_blocking=(),
            stop_command=(self._script("stop", STOP), "{unit}"),
            start_command=(self._script("start", START), "{unit}"),
            active_command=(self._script("active", ACTIVE), "{unit}"),
            stop_timeout_s=10,
            start_timeout_s=10,
            chosen=frozenset({"active_command"}),
        )

    def _script(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text.format(folder=self.folder, log=self.log)}")
        path.chmod(0o755)
        return str(path)

    def mark(self, unit: str, kind: str) -> None:
        """Let a unit be `broken`, `hanging`, `stubborn`, `refusing` or `unknown`."""
        (self.folder / f"{unit}.{kind}").touch()

    def running(self) -> set[str]:
        """Those that run."""
        return {path.name.removesuffix(".running") for path in self.folder.glob("*.running")}

    def done(self) -> list[str]:
        """What was started and stopped, in that order, since it was last asked."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


def config(settings: Settings) -> str:
    """The settings as a site would write them."""
    lines = ["[partition]"]
    for name, value in settings._asdict().items():
        if name != "chosen":
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"
