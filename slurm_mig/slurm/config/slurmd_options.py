"""The options that slurmd was started with, as far as they change its list of GPUs. Pure."""

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from slurm_mig.errors import UsageError

# The longer name first: each word is compared with its beginning.
_WITH_VALUE = ("-f", "-N", "--conf-server", "--conf")
_ALONE = ("-Z",)


class SlurmdOptions(NamedTuple):
    """What of slurmd's command line counts, and in `words` what `slurmd -G` needs of it too.

    None where it was not given. With `conf_server` no file that was named counts, and `words`
    have neither: `slurmd -G` would fetch new files over those that slurmd runs with.
    """

    words: tuple[str, ...] = ()
    node_name: str | None = None
    conf: str | None = None
    conf_server: str | None = None


def parse_slurmd_options(text: str) -> SlurmdOptions:
    """Read a command line such as SLURMD_OPTIONS holds. Raises UsageError for a broken one."""
    try:
        found = list(_kept(shlex.split(text)))
    except ValueError as why:
        raise UsageError(f"slurmd's options {text!r} cannot be read: {why}") from why
    values = dict(pair for pair in found if len(pair) == 2)
    server = values.get("--conf-server")
    left_out = ("--conf-server", "-f") if server is not None else ()
    words = tuple(word for pair in found if pair[0] not in left_out for word in pair)
    conf = values.get("-f") if server is None else None
    return SlurmdOptions(words, values.get("-N"), conf, server)


def _kept(words: list[str]) -> Iterator[tuple[str, ...]]:
    left = iter(words)
    for word in left:
        name = next((name for name in _WITH_VALUE if word.startswith(name)), word)
        if name in _ALONE:
            yield (name,)
        if name not in _WITH_VALUE:
            continue
        value = word.removeprefix(name).removeprefix("=") or next(left, None)
        if value is None:
            raise ValueError(f"{name} without a value")
        yield name, value
