"""The daemons that watch the GPUs (DCGM and its like): stopped around a change, and started again.

What is about to be stopped is written down first. So whatever ends this process, the daemons
that ran before are known: `slurm-mig recover`, or the next apply, starts them again.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from slurm_mig.errors import CommandError, HookError, Refused
from slurm_mig.gpu.change.sitecommand import filled, must, run
from slurm_mig.settings import UNIT, Settings, is_unit
from slurm_mig.system import epoch, rootfiles

NAME = "stopped-clients.json"
FILE = f"{epoch.FOLDER}/{NAME}"
_LIMIT = 1 << 16
_SYSTEMD = "run/systemd/system"  # is there where systemd runs the machine (sd_booted(3))
_BEGINS = frozenset({"activating", "reloading", "refreshing"})
# What a program says of a daemon that does not run (systemctl(1), LSB). What else it answers,
# such as that it cannot reach systemd, is no answer.
_DOES_NOT_RUN = frozenset({3, 4})
_DOES_NOT_RUN_BY_LSB = frozenset({1, 2, 3, 4})


class Stopping:
    """What was stopped (in that order), and what then did not start again, each with the reason."""

    def __init__(self, units: Sequence[str]) -> None:
        self.units = tuple(units)
        self.failed: tuple[str, ...] = ()


def running(root: Path, settings: Settings, units: Sequence[str]) -> list[str]:
    """Those of these units that run, or are just starting. CommandError when it cannot be told."""
    chosen = "active_command" in settings.chosen
    if not chosen and not (root / _SYSTEMD).is_dir():
        return []  # a machine without systemd has no units
    return [unit for unit in dict.fromkeys(units) if _runs(settings, unit, chosen)]


@contextmanager
def stopped(root: Path, settings: Settings, units: Sequence[str]) -> Iterator[Stopping]:
    """Have those of `units` that run stopped while the block lasts. The node's lock is held.

    Raises Refused when one does not stop; then those that were stopped run again. However the
    block ends, all are started again, the last one first; those that did not start are in
    `Stopping.failed`, and in a note on the error with which the block ended, if it did.
    """
    waiting = _read(root)  # for whom an earlier run was killed before it started them again
    try:
        found = running(root, settings, units)
    except CommandError as error:
        raise Refused("it cannot be told which GPU clients run", [str(error)]) from None
    stopping = Stopping(list(dict.fromkeys([*waiting, *found])))
    if not stopping.units:
        yield stopping
        return
    try:
        _write(root, stopping.units)
    except (OSError, HookError) as error:
        why = [f"{error}: which GPU clients are to be stopped must be written down first"]
        raise Refused(FILE, why) from None
    try:
        _stop(root, settings, found)
        yield stopping
        stopping.failed = start_again(root, settings)
    except BaseException as error:  # an interrupt of that last line too
        stopping.failed = start_again(root, settings)
        for problem in stopping.failed:
            error.add_note(problem)
        raise


def start_again(root: Path, settings: Settings) -> tuple[str, ...]:
    """Start all that was stopped and not started since, the last one first; what went wrong.

    Whoever did not start stays written down. Idempotent. The node's lock is held.
    """
    try:
        units = list(_read(root))
    except Refused as error:
        return (str(error),)
    failed = []
    for unit in reversed(tuple(units)):
        try:
            must(filled(settings.start_command, UNIT, unit), settings.start_timeout_s)
        except CommandError as error:
            failed.append(f"{unit} was stopped and did not start again: {error}")
            continue
        units.remove(unit)
        try:
            _write(root, units)
        except (OSError, HookError) as error:
            failed.append(f"{FILE}: {error}: it still names {unit}, which runs again: remove it")
    return tuple(failed)


def _stop(root: Path, settings: Settings, units: Sequence[str]) -> None:
    problems = []
    for unit in units:
        try:
            must(filled(settings.stop_command, UNIT, unit), settings.stop_timeout_s)
        except CommandError as error:
            problems.append(f"{unit} could not be stopped: {error}")
    try:
        staying = [] if problems else running(root, settings, units)
    except CommandError as error:
        problems, staying = [str(error)], []
    problems += [f"{unit} runs on, though it was stopped: look at its log" for unit in staying]
    if problems:
        raise Refused("GPU clients are in the way", problems)


def _runs(settings: Settings, unit: str, chosen: bool) -> bool:
    words = filled(settings.active_command, UNIT, unit)
    done = run(words, settings.stop_timeout_s)
    if done.code == 0 or done.said.strip() in _BEGINS:
        return True
    if done.code in (_DOES_NOT_RUN_BY_LSB if chosen else _DOES_NOT_RUN):
        return False
    raise CommandError(f"whether {unit} runs could not be told ({done.code}): {done.reason}")


def _read(root: Path) -> tuple[str, ...]:
    """The units written down in this boot. Refused when the file is not to be believed."""
    try:
        data = rootfiles.read_in(str(root), epoch.FOLDER, NAME, _LIMIT)
        return _units(json.loads(data), epoch.boot_id(str(root)))
    except FileNotFoundError:
        return ()
    except (OSError, HookError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refused(FILE, [f"{why}: start your GPU clients by hand, then remove it"]) from None


def _units(said: dict[str, object], boot_id: str) -> tuple[str, ...]:
    units = said["units"]
    if not isinstance(units, list) or not all(isinstance(u, str) and is_unit(u) for u in units):
        raise ValueError("it lists no units")
    return tuple(units) if said["boot_id"] == boot_id else ()


def _write(root: Path, units: Sequence[str]) -> None:
    """Have these units written down; none: no file. Raises OSError, HookError."""
    folder = rootfiles.open_folder(str(root), epoch.FOLDER, make=0o755)
    try:
        if not units:
            rootfiles.remove(folder, NAME)
            return
        said = {"version": 1, "boot_id": epoch.boot_id(str(root)), "units": list(units)}
        rootfiles.replace_file(folder, NAME, json.dumps(said).encode(), 0o644)
    finally:
        os.close(folder)
