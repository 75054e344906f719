"""`python -m slurm_mig`: the same program as `slurm-mig`."""

from slurm_mig.cli import main

if __name__ == "__main__":
    main()
