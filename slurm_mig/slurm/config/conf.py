"""slurm.conf and cgroup.conf, read as Slurm reads them; each setting knows where it stands."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from slurm_mig.files import under
from slurm_mig.slurm.config.lines import ConfError, Joined, joined, pairs
from slurm_mig.slurm.records.fold import expand

# Where packages and slurmd (configless) put it; SLURM_CONF goes before.
USUAL_PLACES = (
    "/etc/slurm/slurm.conf",
    "/run/slurm/conf/slurm.conf",
    "/etc/slurm-llnl/slurm.conf",
    "/usr/local/etc/slurm.conf",
    "/opt/slurm/etc/slurm.conf",
    # /run/slurm, which leads there, goes when systemd stops slurmd (RuntimeDirectory=slurm).
    "/var/spool/slurmd/conf-cache/slurm.conf",
    "/var/lib/slurm/slurmd/conf-cache/slurm.conf",
)
HANDED_OUT = "/run/slurm/conf/slurm.conf"
_INCLUDE = re.compile(r"include\s+(?:\"([^\"]+)\"|(\S+))\s*$", re.IGNORECASE)
_DEEPEST = 10  # of files that include files
# A line that begins so describes one thing; its other words are no settings of the cluster.
_RECORDS = {"nodename", "partitionname", "nodeset", "downnodes", "frontendname"}
_YES, _NO = {"yes", "up", "true", "1"}, {"no", "down", "false", "0"}


class ConfLine(NamedTuple):
    """One line: the file and the lines in it (`first` to `last`, from 1) that it takes up.

    `values` is in the order of the line, keys as they are written.
    """

    file: Path
    first: int
    last: int
    values: tuple[tuple[str, str], ...]

    @property
    def record(self) -> str | None:
        """What the line describes ("nodename"), or None where it holds settings."""
        key = self.values[0][0].lower()
        return key if key in _RECORDS else None

    def get(self, key: str) -> str | None:
        """The value of `key` (in lower case) on this line; the last one, should it be twice."""
        found = [value for name, value in self.values if name.lower() == key]
        return found[-1] if found else None


class Conf(NamedTuple):
    """A file and those that it includes, as one. `path` is the file itself."""

    path: Path
    lines: tuple[ConfLine, ...]

    def get(self, key: str) -> str | None:
        """A setting, by its name in any case; the last one said counts, as for Slurm."""
        found = self.all(key)
        return found[-1] if found else None

    def all(self, key: str) -> tuple[str, ...]:
        """Every value of a setting that may be given more than once (Prolog=), in order."""
        found = (line.get(key.lower()) for line in self._settings())
        return tuple(value for value in found if value)

    def words(self, key: str) -> tuple[str, ...]:
        """A setting that is a list with commas, in lower case; empty without it."""
        return tuple(word.strip().lower() for word in (self.get(key) or "").split(",") if word)

    def yes(self, key: str, default: bool = False) -> bool:
        """A setting that is yes or no. Raises ConfError where it is neither."""
        value = self.get(key)
        if value is None:
            return default
        if value.lower() not in _YES | _NO:
            raise ConfError(f"{self.path}: {key}={value} is neither yes nor no")
        return value.lower() in _YES

    def of_kind(self, record: str) -> Iterator[ConfLine]:
        """The lines that describe such a thing: `record` is "nodename" or the like."""
        return (line for line in self.lines if line.record == record)

    def node_line(self, node: str) -> ConfLine | None:
        """The line that describes the node; None where there is none. Raises ConfError."""
        for line in self.of_kind("nodename"):
            if node in _names(line):
                return line
        return None

    def node(self, node: str) -> Mapping[str, str] | None:
        """What slurm.conf says of a node, NodeName=DEFAULT included, keys in lower case.

        None where no line describes the node. Raises ConfError for a host list that is none.
        """
        values: dict[str, str] = {}
        for line in self.of_kind("nodename"):
            own = {key.lower(): value for key, value in line.values}
            if own["nodename"].upper() == "DEFAULT":
                values |= own
            elif node in _names(line):
                return {**values, **own}
        return None

    def _settings(self) -> Iterable[ConfLine]:
        return (line for line in self.lines if line.record is None)


def find_slurm_conf(root: Path) -> Path | None:
    """The slurm.conf of this machine: SLURM_CONF's, or the first usual one that is there.

    A copy that was handed out by its own name, not by that of the link to it.
    """
    places = filter(None, (os.environ.get("SLURM_CONF"), *USUAL_PLACES))
    found = next((path for place in places if (path := under(root, place)).is_file()), None)
    return found.resolve() if found is not None and is_handed_out(found) else found


def handed_out(root: Path) -> Path | None:
    """The slurm.conf that slurmctld has handed out to this machine, if it has (configless)."""
    path = under(root, HANDED_OUT)
    return path.resolve() if path.is_file() else None


def is_handed_out(path: Path) -> bool:
    """Whether a file of Slurm's is such a copy: the next one overwrites what is written there."""
    folders = (path.parent, path.resolve().parent)
    return any(
        folder.name == "conf-cache" or folder.parts[-3:] == ("run", "slurm", "conf")
        for folder in folders
    )


def read_conf(path: Path, read: Callable[[Path], str] | None = None) -> Conf:
    """The file and all that it includes. Raises ConfError, which names the file and the line.

    `read` gives the text of a file; None is for what is on the disk.
    """
    return Conf(path, tuple(_lines(path, path.parent, _DEEPEST, read or read_text)))


def _lines(path: Path, folder: Path, depth: int, read: Callable[[Path], str]) -> Iterator[ConfLine]:
    if depth == 0:
        raise ConfError(f"{path}: files include each other more than {_DEEPEST} deep")
    for line in joined(read(path)):
        include = _INCLUDE.match(line.text)
        if include is not None:
            # Slurm looks beside slurm.conf, wherever the including file lies.
            yield from _lines(folder / (include[1] or include[2]), folder, depth - 1, read)
        else:
            yield ConfLine(path, line.first, line.last, _pairs(path, line))


def _pairs(path: Path, line: Joined) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(pairs(line))
    except ConfError as why:
        raise ConfError(f"{path}: {why}") from why


def read_text(path: Path) -> str:
    """A file of Slurm's: line ends, and bytes that are no text, as they are. Raises ConfError."""
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except OSError as why:
        raise ConfError(f"{path}: {why.strerror}") from why


def _names(line: ConfLine) -> list[str]:
    names = line.values[0][1]
    try:
        return expand(names)
    except ValueError as why:
        raise ConfError(f"{line.file}: line {line.last}: {why}") from why
