"""What is there now: NVML and the driver's files put together, shown, written and read back."""
