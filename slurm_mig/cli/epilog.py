"""`slurm-mig epilog`."""

from slurm_mig.cli.hook import command_of

command = command_of("epilog", "End what a job left on its slices, and close its record.")
