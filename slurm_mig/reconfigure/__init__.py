"""reconfigure: a node's GPUs, its files and Slurm brought to another partitioning together."""
