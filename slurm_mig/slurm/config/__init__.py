"""Slurm's files: read as Slurm reads them, and changed without touching another byte."""
