"""Where `job` and `report` have their records from, and the options that say so."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from slurm_mig.cli.common import say
from slurm_mig.cli.usage.options import db_option
from slurm_mig.errors import SlurmMigError
from slurm_mig.files import under
from slurm_mig.usage.report.source import Source
from slurm_mig.usage.store.asking import Filters

Command = TypeVar("Command", bound=Callable[..., Any])
RECORDS = "/var/lib/slurm-mig/usage"


class Place(NamedTuple):
    """What the command line says: a database, files, or neither: whatever there is."""

    root: Path
    db: str | None
    records: tuple[Path, ...]


class Reading(NamedTuple):
    """Records, where they are from in words, and what of them could not be read."""

    source: Source
    name: str
    problems: list[str]


def place_options(command: Command) -> Command:
    """Add `--db` and `--records`."""
    records = click.option(
        "--records",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="PATH",
        help="Read files of records, or folders of them, and no database. Several times. Without a"
        " database at all, the records of this node are read.",
    )
    return db_option(records(command))


@contextmanager
def reading(place: Place, filters: Filters) -> Iterator[Reading]:
    """The rows that match, until the block ends. Raises SlurmMigError."""
    if place.db is not None and place.records:
        raise click.UsageError("--db and --records exclude each other")
    if place.records:
        yield _of_files(place.records, filters)
    elif place.db is not None or _has_database(place.root):
        with _of_database(place, filters) as found:
            yield found
    else:
        yield _of_files([_own_records(place.root)], filters)


def tell(problems: list[str]) -> None:
    """What could not be read, on stderr: the rest is shown all the same."""
    for problem in problems:
        say(f"slurm-mig: warning: not counted: {problem}")


def _of_files(paths: "list[Path] | tuple[Path, ...]", filters: Filters) -> Reading:
    from slurm_mig.usage.report.files import read

    rows, problems = read(paths, filters)
    return Reading(rows, ", ".join(map(str, paths)), problems)


@contextmanager
def _of_database(place: Place, filters: Filters) -> Iterator[Reading]:
    from slurm_mig.usage.report.stored import Stored
    from slurm_mig.usage.store.database import opened

    with opened(place.root, place.db) as store:
        yield Reading(Stored(store, filters), store.name, [])


def _has_database(root: Path) -> bool:
    """Whether the site's database is a server's, or a file that is there and may be read."""
    from slurm_mig.usage.settings import load

    if os.geteuid() != 0 and not os.access(under(root, "/etc/slurm-mig/config.toml"), os.R_OK):
        return False  # a user, who is to have only what is meant for him
    scheme, _, path = load(root).database.partition("///")
    return not scheme.startswith("sqlite") or os.access(under(root, path), os.R_OK)


def _own_records(root: Path) -> Path:
    """This node's records; for a user, those of his own jobs, if they are there."""
    node = under(root, RECORDS)
    if os.geteuid() == 0 or os.access(node, os.R_OK | os.X_OK):
        if not node.exists():
            raise SlurmMigError(
                f"{node}: there are no records: the hooks write them (docs/hooks.md), and"
                " `slurm-mig usage collect` gathers those of other nodes"
            )
        return node
    from slurm_mig.usage.report.export import file_of

    own = under(root, file_of(os.geteuid()))
    if not os.access(own, os.R_OK):
        raise SlurmMigError(
            f"{own}: nothing is there for you: an administrator runs this as root, or lets users"
            " see their own jobs (readable_by_users in [usage] of /etc/slurm-mig/config.toml)"
        )
    return own
