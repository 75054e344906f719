"""Real Slurms over simulated GPUs, on one machine: `python -m tests.cluster`.

`setup` makes the Slurms ready (apt, roots). `up` makes machines (simulated, node: namespaces
laid out by the script enter), configures them (slurmconf, or slurm-mig itself) and starts
the daemons (bring_up, accounting). Cluster is what tests hold; Machines what another process
reads back. `down` is reap and a removed folder; guard calls it for a test that was killed.
slurmds asks one slurmd for its list without any cluster; reach asks a job what it may open.
"""
