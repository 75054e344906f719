"""The words of `slurmd -Z --conf`: what a dynamic node is to be, with other GPUs. Pure.

A node that is deleted and made anew is only what these words say: so they come from those that it
was started with. What slurmctld shows of it has not all of them.
"""

from collections.abc import Iterator, Mapping

from slurm_mig.errors import Refused
from slurm_mig.slurm.config.gresvalue import with_gpus
from slurm_mig.slurm.config.spans import Span, spans


def from_conf(conf: str, gpus: str) -> str:
    """The words a node was started with, with these gpus ("gpu:1g.10gb:7"), the rest as it was.

    "" is for no gpus at all. Raises Refused.
    """
    found = {span.key.lower(): span for span in spans(conf)}
    problems = list(_problems(conf, found))
    if problems:
        raise Refused(f"slurmd's --conf {conf!r} cannot be changed", problems)
    gres = found.get("gres")
    value = _gres(gres.value if gres else "", gpus)
    if gres is None:
        return f"{conf.rstrip()} Gres={value}".strip() if value else conf
    if not value:
        return f"{conf[: _start(conf, gres)].rstrip()} {conf[gres.after :].lstrip()}".strip()
    return conf[: gres.start] + value + conf[gres.end :]


def _gres(present: str, gpus: str) -> str:
    try:
        return with_gpus(present, gpus)
    except ValueError as why:
        raise Refused("the node's Gres=", [str(why)]) from why


def _problems(conf: str, found: Mapping[str, Span]) -> Iterator[str]:
    read = spans(conf)
    if conf[read[-1].after if read else 0 :].strip():
        yield "Slurm cannot read it"
    if len(found) != len(read):
        yield "a key stands there twice"
    if any(not span.whole or span.operator for span in read):
        yield "it holds a backslash, a line's end, or an operator before a '='"
    if "\n" in conf:
        yield "it goes over more than one line"
    if "nodename" in found:
        yield "NodeName= is not for --conf: slurmd takes -N"


def _start(conf: str, span: Span) -> int:
    return conf.rindex(span.key, 0, span.start)
