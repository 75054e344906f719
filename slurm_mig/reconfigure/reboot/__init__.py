"""Slurm's own reboots as the way to a node: what is wanted of it, and its RebootProgram."""
