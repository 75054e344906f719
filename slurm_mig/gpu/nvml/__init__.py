"""NVML: the port, its adapter over nvidia-ml-py, and NVML's return codes."""
