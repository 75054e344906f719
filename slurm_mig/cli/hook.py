"""`slurm-mig prolog | epilog | task-prolog`: the hooks by hand, or from a script of the site.

In slurm.conf name the stubs in hooks/ instead: they do the same, and start much faster.
"""

import os

import click

from slurm_mig.cli.common import root_of, root_option

_HELP = """{what}

    It reads the job from Slurm's environment (SLURM_JOB_ID, SLURM_JOB_GPUS and so on), as the
    stub hooks/{name} does, which slurm.conf should name: that one starts in a fraction of the
    time. Exit codes are Slurm's business; see docs/hooks.md.
    """


def command_of(name: str, what: str) -> click.Command:
    """The command that runs one hook."""

    @click.command(name, help=_HELP.format(what=what, name=name))
    @root_option
    @click.pass_context
    def command(ctx: click.Context) -> int:
        from slurm_mig.hooks.__main__ import has_gpus
        from slurm_mig.hooks.run import run

        return 0 if not has_gpus(os.environb) else run(name, os.environb, str(root_of(ctx)))

    return command
