"""/etc/slurm-mig/config.toml, table [partition]: what a site may choose for a repartitioning.

All optional. Strict, unlike the hooks' table of the same file: nobody waits for a job here, and
with a typo the wrong daemons would be stopped or the wrong GPU reset. So every mistake refuses.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import HookError, Refused
from slurm_mig.system import rootfiles

FOLDER = "/etc/slurm-mig"
NAME = "config.toml"
FILE = f"{FOLDER}/{NAME}"
BUS_ID, UNIT = "{bus_id}", "{unit}"
MAKE_NODES = ("auto", "nvidia-modprobe", "mknod", "off")
_TABLES = frozenset({"hooks", "partition", "reconfigure", "monitor", "usage"})
_LIMIT = 1 << 20
_MAX_S = 3600.0
_UNIT_NAME = re.compile(
    r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,250}\.(service|socket|target|timer)"
)

Words = tuple[str, ...]
Check = Callable[[object], str | None]  # what is wrong with a value


class Settings(NamedTuple):
    """What a site may choose.

    `reset_command` resets one GPU, with its bus id for {bus_id}; empty: this site has none.
    `clients` are stopped before every change and started again after it, where they run;
    `clients_if_blocking` only where one of their processes is in the way.
    `stop_command`, `start_command` and `active_command` have a unit for {unit}; the last exits 0
    where it runs. `make_nodes` says by what missing device nodes are made.
    `chosen` names the settings that the site's file has.
    """

    reset_command: Words = ("nvidia-smi", "--gpu-reset", "-i", BUS_ID)
    clients: Words = (
        "nvidia-dcgm.service", "dcgm-exporter.service", "nvsm.service",
        "slurm-mig-monitor.service",
    )  # fmt: skip
    clients_if_blocking: Words = ("nvidia-persistenced.service",)
    stop_command: Words = ("systemctl", "stop", UNIT)
    start_command: Words = ("systemctl", "start", UNIT)
    active_command: Words = ("systemctl", "is-active", UNIT)
    reset_timeout_s: float = 120.0
    stop_timeout_s: float = 30.0
    start_timeout_s: float = 120.0
    lock_timeout_s: float = 10.0
    look_timeout_s: float = 10.0
    make_nodes: str = "auto"
    chosen: frozenset[str] = frozenset()


def load(root: Path) -> Settings:
    """The site's settings, the defaults where it has none. Refused, with all that is wrong."""
    text = text_of(root)
    return Settings() if text is None else parse(text)


def text_of(root: Path) -> str | None:
    """What the site's file holds, for every table's reader; None without one. Raises Refused."""
    try:
        data = rootfiles.read_in(str(root), FOLDER, NAME, _LIMIT)
        return data.decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(FILE, [f"{error.strerror}: it must be a file of root's, no link"]) from None
    except UnicodeDecodeError:
        raise Refused(FILE, ["it is not UTF-8 text"]) from None
    except HookError as error:
        raise Refused(FILE, [str(error)]) from None


def parse(text: str) -> Settings:
    """The settings in `text`. Refused, with all that is wrong at once."""
    values = values_of(text, "partition", _CHECKS, _contradictions)
    return Settings()._replace(chosen=frozenset(values), **values)


def values_of(
    text: str,
    table: str,
    checks: Mapping[str, Check],
    contradictions: Callable[[Mapping[str, Any]], list[str]] = lambda _: [],
) -> dict[str, Any]:
    """The settings that one table of `text` has, for that table's reader.

    `checks` say of each setting what is wrong with its value, None: nothing; `contradictions`
    what is wrong with them together. Refused, with all that is wrong at once.
    """
    problems: list[str] = []
    found = tables(text, problems).get(table, {})
    if not isinstance(found, dict):
        problems.append(f"{table} is no table: write [{table}] on a line of its own")
        found = {}
    values = _checked(table, found, checks, problems)
    problems += contradictions(values)
    if problems:
        raise Refused(FILE, problems)
    return values


def tables(text: str, problems: list[str]) -> Mapping[str, object]:
    """Every table in `text`; those that nobody knows go to `problems`. Raises Refused."""
    import tomllib  # only where there is something to parse

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(FILE, [f"it is no TOML: {error}"]) from None
    problems += [
        f"there is no table {name!a}: known are {', '.join(sorted(_TABLES))}"
        for name in found
        if name not in _TABLES
    ]
    return found


def _checked(
    table: str, found: Mapping[str, object], checks: Mapping[str, Check], problems: list[str]
) -> dict[str, Any]:
    """The settings that are right; what is wrong with the others goes to `problems`."""
    values: dict[str, Any] = {}
    for name, value in found.items():
        check = checks.get(name)
        why = "there is no such setting" if check is None else check(value)
        if why is not None:
            where = f"[{table}] {name!a}" if check is None else name
            problems.append(f"{where}: {why}")
        elif isinstance(value, list):
            values[name] = tuple(value)
        else:
            values[name] = float(str(value)) if name.endswith("_s") else value
    return values


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    default = Settings()
    clients = values.get("clients", default.clients)
    blocking = values.get("clients_if_blocking", default.clients_if_blocking)
    if "clients_if_blocking" not in values:  # whoever lists one of ours always wants it stopped
        return []
    twice = [unit for unit in blocking if unit in clients]
    return [f"clients_if_blocking: {unit!a} is in clients already" for unit in twice]


def _is_command(place: str, *, may_be_empty: bool = False) -> Check:
    """A check of a command's words, in one of which `place` must stand."""
    return lambda value: command_problem(value, place, may_be_empty=may_be_empty)


def command_problem(
    value: object, place: str | None, *, may_be_empty: bool = False, must: bool = True
) -> str | None:
    """What is wrong with a command's words; `place` may stand in them, and must, with `must`."""
    if not isinstance(value, list) or not all(_is_word(word) for word in value):
        example = f', "-i", "{place}"' if place else ', "-x"'
        return f'write a list of words, such as ["program"{example}]: no shell reads it'
    if not value:
        return None if may_be_empty else "it has no words"
    if "/" in value[0] and not value[0].startswith("/"):
        return f"{value[0]!a} is neither a name nor a path from /"
    places = [found for word in value for found in re.findall(r"\{[^{}]*\}?", word)]
    wrong = sorted({found for found in places if found != place})
    if wrong or (place is not None and place in value[0]):
        what = f"only {place} stands for something" if place else "nothing stands for something"
        return f"{what}, and not in the program: {wrong or value[0]}"
    # Without it the command would reset, or stop, more than was meant.
    return f"no word has {place} in it" if must and not places else None


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_units(value: object) -> str | None:
    if not isinstance(value, list):
        return 'write a list of units, such as ["nvidia-dcgm.service"]'
    wrong = [f"{one!a}" for one in value if not isinstance(one, str) or not is_unit(one)]
    if wrong:
        return f"no name of a systemd unit, with its .service: {', '.join(wrong)}"
    twice = sorted({f"{one!a}" for one in value if value.count(one) > 1})
    return f"twice: {', '.join(twice)}" if twice else None


def is_unit(value: str) -> bool:
    """Whether it can be a systemd unit's name, and nothing that a command takes for an option."""
    return _UNIT_NAME.fullmatch(value) is not None


def _is_seconds(value: object) -> str | None:
    return seconds_problem(value, _MAX_S)


def seconds_problem(value: object, most: float) -> str | None:
    """What is wrong with a time."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= most:  # type: ignore[operator]
        return f"write a number of seconds above 0, at most {most:g}"
    return None


def switch_problem(value: object) -> str | None:
    """What is wrong with what is on or off."""
    return None if isinstance(value, bool) else "write true or false"


def _is_make_nodes(value: object) -> str | None:
    return None if value in MAKE_NODES else f"one of {', '.join(MAKE_NODES)}"


_CHECKS: Mapping[str, Check] = {
    "reset_command": _is_command(BUS_ID, may_be_empty=True),
    "clients": _is_units,
    "clients_if_blocking": _is_units,
    "stop_command": _is_command(UNIT),
    "start_command": _is_command(UNIT),
    "active_command": _is_command(UNIT),
    "reset_timeout_s": _is_seconds,
    "stop_timeout_s": _is_seconds,
    "start_timeout_s": _is_seconds,
    "lock_timeout_s": _is_seconds,
    "look_timeout_s": _is_seconds,
    "make_nodes": _is_make_nodes,
}
