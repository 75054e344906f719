"""slurmctld: what is asked of it, in whose words, and what its answers mean."""
