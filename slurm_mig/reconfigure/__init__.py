"""Drain, repartition, resume: one node, or many."""
