"""/etc/slurm-mig/config.toml, table [usage]: where records are gathered, and who may see them.

All optional, and as strict as [partition]: with a typo records would go where nobody looks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from slurm_mig.settings import Check, switch_problem, text_of, values_of

TABLE = "usage"
DATABASES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


class UsageSettings(NamedTuple):
    """What a site may choose.

    `database` is a URL of SQLAlchemy's. With `readable_by_users` a user may see the records of
    his own jobs. `chosen` names the settings that the site's file has.
    """

    database: str = "sqlite:////var/lib/slurm-mig/usage.db"
    readable_by_users: bool = False
    chosen: frozenset[str] = frozenset()


def load(root: Path) -> UsageSettings:
    """The site's settings, the defaults where it has none. Refused, with all that is wrong."""
    text = text_of(root)
    return UsageSettings() if text is None else parse(text)


def parse(text: str) -> UsageSettings:
    """The settings in `text`. Refused, with all that is wrong at once."""
    values = values_of(text, TABLE, _CHECKS)
    return UsageSettings()._replace(chosen=frozenset(values), **values)


def database_problem(value: object) -> str | None:
    """What is wrong with the URL of a database. It is not repeated: it may hold a password."""
    known = ", ".join(f"{scheme}…" for scheme in DATABASES)
    if not isinstance(value, str) or not value.isprintable() or not value.startswith(DATABASES):
        return f"write a URL as a text, one of {known}"
    if value.startswith(DATABASES[0]) and not _is_file(value.removeprefix(DATABASES[0])):
        return "SQLite's is a file from /: sqlite:////var/lib/slurm-mig/usage.db, four slashes"
    return None


def _is_file(path: str) -> bool:
    return path.startswith("/") and not path.endswith("/") and "?" not in path


_CHECKS: Mapping[str, Check] = {
    "database": database_problem,
    "readable_by_users": switch_problem,
}
