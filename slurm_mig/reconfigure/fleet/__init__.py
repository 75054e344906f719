"""Many nodes: waves, what is on the disk of a run, and how its nodes are reached."""
