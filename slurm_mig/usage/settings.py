"""/etc/slurm-mig/config.toml, table [usage]: where records are gathered, and who may see them.

All optional, and as strict as [partition]: with a typo records would go where nobody looks.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.settings import FILE, tables, text_of

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
    problems: list[str] = []
    table = tables(text, problems).get(TABLE, {})
    if not isinstance(table, dict):
        problems.append(f"{TABLE} is no table: write [{TABLE}] on a line of its own")
        table = {}
    values = _checked(table, problems)
    if problems:
        raise Refused(FILE, problems)
    return UsageSettings()._replace(chosen=frozenset(values), **values)


def _checked(table: Mapping[str, object], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in table.items():
        check = _CHECKS.get(name)
        why = "there is no such setting" if check is None else check(value)
        if why is None:
            values[name] = value
        else:
            where = f"[{TABLE}] {name!a}" if check is None else name
            problems.append(f"{where}: {why}")
    return values


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


def _is_truth(value: object) -> str | None:
    return None if isinstance(value, bool) else "write true or false"


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "database": database_problem,
    "readable_by_users": _is_truth,
}
