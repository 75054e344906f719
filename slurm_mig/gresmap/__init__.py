"""The gres map: which slice each place in slurmd's list is. Made when slurmd starts."""
