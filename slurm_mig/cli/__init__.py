"""The command line: one small module a command, loaded only when it is asked for."""

import errno
import os
import sys
from typing import Any

import click

from slurm_mig import __version__
from slurm_mig.cli.common import root_option, say
from slurm_mig.cli.crash import report_bug
from slurm_mig.cli.lazy import LazyGroup
from slurm_mig.errors import SlurmMigError

# command -> (module, one line of help). The line stands here so that `--help` loads no command.
COMMANDS = {
    "discover": ("discover", "Show the GPUs and MIG slices of this machine."),
    "gen-gres": ("gen_gres", "Write the gres.conf that isolates every slice."),
    "plan": ("plan", "Show what a wanted MIG configuration would change."),
    "apply": ("apply", "Make the GPUs what a configuration wants, or leave them as they are."),
    "reconfigure": (
        "reconfigure",
        "Drain a node, repartition it, tell Slurm, give it back.",
    ),
    "recover": ("recover", "End what was cut short, after a crash or a reboot."),
    "monitor": ("monitor", "Sample what jobs make of their slices, while they run."),
    "prolog": ("prolog", "Check and note a job's slices before it starts."),
    "epilog": ("epilog", "End what a job left on its slices, and close its record."),
    "task-prolog": ("task_prolog", "Print the variables that give a task its slices."),
    "doctor": ("doctor", "Say what is wrong or risky on this node, and what mends it."),
    "usage": ("usage", "What jobs used: gather the records of all nodes, and ask them."),
    "reboot-program": ("reboot_program", "What Slurm runs to reboot: repartition, or reboot."),
    "gres-map": ("gres_map", "Tell the hooks which slice each place in slurmd's list is."),
}
# Those that people do not type.
UNLISTED = {"member": "member"}


_STDOUT, _STDERR = 1, 2
# Standard output went to a disk that takes no more: nobody's bug.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


class Program(LazyGroup):
    """All of them."""

    package = __name__
    table = COMMANDS
    unlisted = UNLISTED


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="slurm-mig")
@root_option
def cli() -> None:
    """NVIDIA MIG slices as a first-class resource of Slurm.

    Start with `slurm-mig discover`, then `slurm-mig gen-gres`.
    """


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; every error of ours ends here."""
    try:
        result: Any = cli.main(arguments, prog_name="slurm-mig", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        say("slurm-mig: interrupted")
        return 130
    except SlurmMigError as error:
        told = "\n  ".join([str(error), *getattr(error, "__notes__", ())])
        say(f"slurm-mig: {told}")
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has seen enough
        _drop_output()
        return 1
    except OSError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            return 130  # click tells a new line first, and the terminal is gone
        return _cannot_write(error) if error.errno in FULL else report_bug(error)
    except Exception as error:  # the one catcher: whatever is left is a bug of ours
        return report_bug(error)
    return result if isinstance(result, int) else 0


def _drop_output() -> None:
    """Keep Python from failing once more at its end, when it flushes what nobody takes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)


def _cannot_write(error: OSError) -> int:
    _drop_output()
    say(f"slurm-mig: the output could not be written: {error.strerror}")
    return 1


def main() -> None:
    """The `slurm-mig` program."""
    _take_closed_handles()
    if sys.stdout is not None:  # a label may have letters that the terminal's locale has not
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run())


def _take_closed_handles() -> None:
    """Where it was started without standard files, nothing else may get their numbers.

    Else what a library prints would go into the lock or the journal.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(handle)
