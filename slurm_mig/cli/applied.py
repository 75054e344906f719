"""What `apply` and `recover` share: signals, and how an outcome is told."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from slurm_mig.cli.common import say
from slurm_mig.errors import JournalError, SlurmMigError
from slurm_mig.gpu.change.apply import Outcome

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible(root: Path) -> Iterator[None]:
    """Have SIGTERM, and the end of the terminal, end it as Ctrl-C does: by going back.

    A second one, while it goes back, leaves a journal; then it is told.
    """
    own = os.getpid()

    def interrupt(_: int, __: FrameType | None) -> None:
        if os.getpid() == own:  # not in a worker: its parent decides
            raise KeyboardInterrupt

    # What is ignored (nohup) stays so.
    numbers = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except KeyboardInterrupt as why:
        for line in (*getattr(why, "__notes__", ()), *_open_journal(root)):
            say(f"slurm-mig: {line}")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_journal(root: Path) -> Iterator[str]:
    from slurm_mig.gpu.change import journal

    try:
        if journal.read(root) is not None:
            yield "the change is not at its end: run `slurm-mig recover`"
    except JournalError as why:
        yield str(why)


@contextmanager
def refusing(what: str, *, as_json: bool) -> Iterator[None]:
    """Have what ends it before anything was changed told as JSON too, where that is wanted."""
    try:
        yield
    except SlurmMigError as why:
        if as_json:
            from slurm_mig.gpu.change.apply_json import refusal_json

            click.echo(json.dumps(refusal_json(what, why), indent=2))
        raise


def tell(what: str, outcome: Outcome, *, as_json: bool) -> int:
    """Print an outcome; its exit code. Raises SlurmMigError where it is not as wanted."""
    if as_json:
        from slurm_mig.gpu.change.apply_json import to_json

        click.echo(json.dumps(to_json(what, outcome), indent=2))
    else:
        for line in _lines(what, outcome):
            click.echo(line)
    for remark in outcome.remarks:
        say(f"slurm-mig: warning: {remark}")
    if not outcome.good:
        _fail(what, outcome)
    return 0


def _lines(what: str, outcome: Outcome) -> Iterator[str]:
    result = outcome.result
    for took in result.took:
        yield f"{took.seconds:9.3f} s  {took.what}"
    for gpu in result.gpus:
        yield f"{gpu.gpu_uuid}: {gpu.holds}"
    for path in outcome.nodes:
        yield f"made {path}"
    if outcome.stopped:
        yield f"stopped meanwhile: {', '.join(outcome.stopped)}"
    words = {
        "nothing": "nothing to do",
        "done": f"done in {result.seconds:.3f} s",
        "former": f"as before, after {result.seconds:.3f} s",
        "reboot": "waits for a reboot",
        "stuck": "not at its end",
    }
    yield f"{what}: {words[result.outcome]}"


def _fail(what: str, outcome: Outcome) -> NoReturn:
    result = outcome.result
    parts = {
        "former": "not applied, and all GPUs are as before",
        "reboot": "a reboot is needed",
        "stuck": "neither as wanted nor as before",
    }
    problems = [*filter(None, (result.problem,)), *outcome.troubles]
    head = parts.get(result.outcome, "the GPUs are as wanted, but")
    told = filter(None, (what, head, "; ".join(problems), result.next_step))
    raise SlurmMigError(": ".join(told))
