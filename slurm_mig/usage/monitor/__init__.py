"""The monitor: what a node's jobs make of their slices, sampled while they run."""
