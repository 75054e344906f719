"""A hook's run from its environment to its exit code, and the one line that it leaves."""

import sys

from slurm_mig.errors import HookError
from slurm_mig.hooks import log, settings
from slurm_mig.hooks.log import Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from slurm_mig.hooks.settings import Settings

_DECISIONS = ("noted", "refused")


def run(hook: str, environ: "Mapping[bytes, bytes]", root: str | None = None) -> int:
    """Run `prolog`, `epilog` or `task-prolog`; returns what Slurm is told.

    Only a prolog says 1 when something could not be done: Slurm then drains the node.
    """
    if root is None:
        root = environ.get(b"SLURM_MIG_ROOT", b"").decode("utf-8", "surrogateescape")
    root = root.rstrip("/") or "/"
    line, chosen = Line(hook), settings.load(root)
    if chosen.problem:
        line.warn(f"defaults are used: {chosen.problem}")
    code = 1 if hook == "prolog" else 0
    try:
        code = _hook(hook)(root, environ, chosen, line)
    except (HookError, OSError) as error:
        line.warn(str(error), log.ERROR)
    except Exception as error:  # the one catcher: a bug of ours must not drain by an epilog
        line.warn(f"a bug in slurm-mig: {error!r} at {_where(error)}", log.ERROR)
    line.put(decision="ok" if not line.notes else _DECISIONS[code], exit=code)
    log.write(root, line, chosen.log_file if hook != "task-prolog" else "")
    if code:
        print(f"slurm-mig {hook}: {'; '.join(line.notes)}", file=sys.stderr)  # noqa: T201
    return code


def _hook(name: str) -> "Callable[[str, Mapping[bytes, bytes], Settings, Line], int]":
    if name == "prolog":
        from slurm_mig.hooks.prolog import prolog

        return prolog
    if name == "epilog":
        from slurm_mig.hooks.epilog import epilog

        return epilog
    from slurm_mig.hooks.task_prolog import task_prolog

    return task_prolog


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
