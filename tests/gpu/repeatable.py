"""How hypothesis runs here: the same examples every time, however slow the machine."""

from hypothesis import settings

REPEATABLE = settings(derandomize=True, deadline=None)
