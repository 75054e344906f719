"""`slurm-mig task-prolog`."""

from slurm_mig.cli.hook import command_of

command = command_of("task-prolog", "Print the variables that give a task its slices.")
