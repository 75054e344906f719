"""The Slurm side: gres.conf, types, versions. Knows nothing of NVML."""
