"""slurm-mig: NVIDIA MIG slices as a first-class resource of Slurm."""

__version__ = "0.1.0"
