"""`slurm-mig prolog`."""

from slurm_mig.cli.hook import command_of

command = command_of("prolog", "Check and note a job's slices before it starts.")
