"""Hundreds of short jobs at once, with accidents: what they do, and who tells of it."""
