"""The words of `slurmd -Z --conf`: what a dynamic node is to be, with other GPUs. Pure.

A node that is deleted and made anew is only what these words say: so they come from those it was
started with, or else from all that slurmctld shows of it.
"""

from collections.abc import Iterator, Mapping

from slurm_mig.errors import Refused
from slurm_mig.slurm.config.gresvalue import with_gpus
from slurm_mig.slurm.config.spans import Span, spans
from slurm_mig.slurm.version import SlurmVersion
from slurm_mig.slurm.ways import allows_port

# As `scontrol show node -o` shows them -> as --conf takes them, with what need not be said.
_FIELDS = (
    ("CPUTot", "CPUs", ""),
    ("Boards", "Boards", "1"),
    ("Sockets", "Sockets", ""),
    ("CoresPerSocket", "CoresPerSocket", ""),
    ("ThreadsPerCore", "ThreadsPerCore", ""),
    ("RealMemory", "RealMemory", ""),
    ("TmpDisk", "TmpDisk", "0"),
    ("Weight", "Weight", "1"),
    ("CoreSpecCount", "CoreSpecCount", "0"),
    ("CPUSpecList", "CPUSpecList", ""),
    ("MemSpecLimit", "MemSpecLimit", "0"),
    ("AvailableFeatures", "Feature", ""),
)
_NOTHING = {"", "(null)", "N/A"}


def from_conf(conf: str, gpus: str | None) -> str:
    """The words a node was started with, with these gpus ("gpu:1g.10gb:7"), the rest as it was.

    None is for no gpus at all: slurmd is to detect them. Raises Refused.
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


def from_node(
    fields: Mapping[str, str], gpus: str | None, version: SlurmVersion, slurmd_port: int = 6818
) -> str:
    """The same from what `scontrol show node -o` shows: keys as there, values as texts.

    `slurmd_port` is SlurmdPort=; a node with another one gets its Port=. Raises Refused.
    """
    words = [
        f"{key}={_quoted(fields[shown])}"
        for shown, key, usual in _FIELDS
        if fields.get(shown, "") not in _NOTHING | {usual}
    ]
    port = fields.get("Port", "")
    if port not in _NOTHING | {str(slurmd_port)}:
        if not allows_port(version):
            what = f"`slurmd -Z --conf` of Slurm {version} takes no Port="
            raise Refused(what, [f"the node's port is {port}: use SlurmdPort={slurmd_port}"])
        words.append(f"Port={port}")
    gres = fields.get("Gres", "")
    value = _gres("" if gres in _NOTHING else gres, gpus)
    return " ".join([*words, *([f"Gres={value}"] if value else [])])


def _gres(present: str, gpus: str | None) -> str:
    try:
        return with_gpus(present, gpus or "")
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


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
