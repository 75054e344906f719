"""Real Slurms over simulated GPUs, on one machine: `python -m tests.cluster`."""
