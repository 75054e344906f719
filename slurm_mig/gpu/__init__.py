"""The NVIDIA side: NVML, the driver's files, profiles. Knows nothing of Slurm."""
