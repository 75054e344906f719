"""Carrying a plan out: a transaction with a journal, and all that has to be done around it."""
