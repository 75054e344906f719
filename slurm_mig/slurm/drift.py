"""Whether a gres.conf says what is wanted, in Slurm's eyes, and if not, how it differs.

Not differences: comments, spacing, the case of keys, File for Files, one line or several, the
order of lines of different types. The order within a type is the gres_index: it counts, but
not under AutoDetect=nvml, which sorts by itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff

from slurm_mig.slurm.fold import expand
from slurm_mig.slurm.parse import ConfError, ConfLine, parse

_ENV_FLAGS = {"nvidia_gpu_env", "amd_gpu_env", "intel_gpu_env", "opencl_env", "no_gpu_env"}


def drift(found: str, wanted: str, nodes: Iterable[str], name: str) -> list[str]:
    """A unified diff, as lines, from what `found` says of these nodes to what `wanted` says.

    Empty when Slurm would read the same. `name` is what the diff calls `found`; nodes that
    differ in the same way share one diff. Raises ConfError where `found` cannot be read.
    """
    left, right = _PerNode(found), _PerNode(wanted)
    alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[str]] = {}
    for node in nodes:
        alike.setdefault((left.places(node), right.places(node)), []).append(node)
    differing: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (old, new), names in alike.items():
        differing.setdefault((left.view(old), right.view(new)), []).extend(names)
    return [
        line
        for (old, new), names in differing.items()
        for line in unified_diff(old, new, name, f"wanted for {_some(names)}", lineterm="")
    ]


def named_nodes(text: str) -> list[str]:
    """Every node that a gres.conf names. Raises ConfError where it cannot be read."""
    return _PerNode(text).named()


def autodetect_of(text: str, node: str) -> str:
    """What a gres.conf says of AutoDetect= to a node: "off", "nvml" and so on. Raises ConfError."""
    return _PerNode(text).autodetect(node)


def node_lines(text: str, node: str) -> list[str]:
    """What a gres.conf says of a node's GPUs, as lines with its NodeName=. Raises ConfError."""
    found = _PerNode(text)
    return [f"NodeName={node} {line}" for line in found.view(found.places(node))]


class _PerNode:
    """What a gres.conf says to each node."""

    def __init__(self, text: str) -> None:
        self._lines = parse(text)
        self._for_all: list[int] = []
        self._for_node: dict[str, list[int]] = {}
        self._nodes: dict[str, list[str]] = {}
        for at, line in enumerate(self._lines):
            if line.node_names is None:
                self._for_all.append(at)
                continue
            for node in self._expand(line):
                self._for_node.setdefault(node, []).append(at)

    def places(self, node: str) -> tuple[int, ...]:
        """Which lines the node reads, in Slurm's order: those without NodeName= first."""
        return (*self._for_all, *self._for_node.get(node, ()))

    def view(self, places: Iterable[int]) -> tuple[str, ...]:
        """What a node that reads these lines is told, in one way of writing."""
        return tuple(_view([self._lines[at] for at in places]))

    def autodetect(self, node: str) -> str:
        """The node's AutoDetect=, in lower case."""
        return _autodetect([self._lines[at] for at in self.places(node)])

    def named(self) -> list[str]:
        """Every node that is named."""
        return list(self._for_node)

    def _expand(self, line: ConfLine) -> list[str]:
        host_list = line.node_names or ""
        if host_list not in self._nodes:
            self._nodes[host_list] = _expand(host_list, line)
        return self._nodes[host_list]


def _view(lines: Sequence[ConfLine]) -> Iterator[str]:
    autodetect = _autodetect(lines)
    yield f"AutoDetect={autodetect}"
    # Sorting is stable: within a type the lines keep their order.
    by_type = sorted(_records(lines), key=lambda record: record[0])
    for _, text in sorted(by_type) if autodetect == "nvml" else by_type:
        yield text


def _autodetect(lines: Sequence[ConfLine]) -> str:
    """The node's own AutoDetect= goes before the one for all; the last one said is meant."""
    own, common = None, None
    for line in lines:
        said = line.values.get("autodetect")
        if said is not None and line.node_names is not None:
            own = said.lower()
        elif said is not None:
            common = said.lower()
    return own or common or "off"


def _records(lines: Sequence[ConfLine]) -> Iterator[tuple[str, str]]:
    """(type, canonical line) of each device. Environment flags pass on to the next line."""
    flags = ""
    for line in sorted(lines, key=lambda line: line.number):
        if line.values.get("name", "").lower() != "gpu":
            continue
        own = _flags(line)
        if not _ENV_FLAGS & set(own.split(",")):
            own = ",".join(sorted(filter(None, {*own.split(","), *flags.split(",")})))
        flags = ",".join(sorted(_ENV_FLAGS & set(own.split(","))))
        yield from _devices(line, own)


def _devices(line: ConfLine, flags: str) -> Iterator[tuple[str, str]]:
    kind = line.values.get("type", "")
    rest = [f"Type={kind}"]
    tail = [f"Cores={_cores(line)}", f"Links={_links(line)}", f"Flags={flags}"]
    tail = [word for word in tail if not word.endswith("=")]
    if "multiplefiles" in line.values:
        files = ",".join(_expand(line.values["multiplefiles"], line))
        yield kind, " ".join(["Name=gpu", *rest, f"MultipleFiles={files}", *tail])
        return
    file = line.values.get("file", line.values.get("files"))
    if file is None:
        count = line.values.get("count", "1")
        yield kind, " ".join(["Name=gpu", *rest, f"Count={count}", *tail])
        return
    for each in _expand(file, line):
        yield kind, " ".join(["Name=gpu", *rest, f"File={each}", *tail])


def _flags(line: ConfLine) -> str:
    return ",".join(sorted(filter(None, line.values.get("flags", "").lower().split(","))))


def _links(line: ConfLine) -> str:
    return line.values.get("links", line.values.get("link", ""))


def _cores(line: ConfLine) -> str:
    """Core ranges in one way of writing: "0,1,2,3" and "0-3" are the same."""
    text = line.values.get("cores", line.values.get("cpus", ""))
    cores: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise ConfError(f"line {line.number}: Slurm cannot read Cores={text}")
        cores.update(range(int(first), int(last or first) + 1))
    return ",".join(str(core) for core in sorted(cores))


def _expand(host_list: str, line: ConfLine) -> list[str]:
    try:
        return expand(host_list)
    except ValueError as why:
        raise ConfError(f"line {line.number}: {why}") from why


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more nodes"
