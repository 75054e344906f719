"""slurm.conf with other GPUs in the `Gres=` of certain nodes, and not a byte changed elsewhere.

Text in, text out: nothing is written here (slurm_mig.reconfigure.publish does).
"""

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.slurm.conf import Conf, ConfLine, read_conf, read_text
from slurm_mig.slurm.gresvalue import with_gpus
from slurm_mig.slurm.lines import ConfError, file_lines
from slurm_mig.slurm.nodeline import NAMES, Unsafe, per_node, with_gres

Texts = Mapping[Path, str]
Nodes = dict[str, dict[str, str]]
# Of such nodes slurmctld itself makes the GRES, or there is no node yet that has them.
_UNSAFE_STATES = ("FUTURE", "CLOUD", "EXTERNAL")


class ConfFiles(NamedTuple):
    """slurm.conf as read once: what it says, and the text of each of its files."""

    conf: Conf
    texts: Texts


def read_files(path: Path) -> ConfFiles:
    """Read slurm.conf and all that it includes. Raises ConfError."""
    texts: dict[Path, str] = {}

    def read(file: Path) -> str:
        if file not in texts:
            texts[file] = read_text(file)
        return texts[file]

    return ConfFiles(read_conf(path, read), texts)


def set_gpus(files: ConfFiles, wanted: Mapping[str, str]) -> dict[Path, str]:
    """The new text of each file that changes when these nodes have these gpus.

    `wanted`: node -> "gpu:1g.10gb:7", "" for none; other resources of a node's `Gres=` stay.
    Nothing changes where it says so already. Raises Refused, with all that forbids it.
    """
    described = describe(files.conf)
    places, problems = _places(files.conf, wanted)
    values: dict[ConfLine, dict[str, str]] = {}
    for node, line in places.items():
        problems += [f"{_where(line)}: {why}" for why in _state_problems(node, described[node])]
        try:
            gres = with_gpus(described[node].get("gres", ""), wanted[node])
        except ValueError as why:
            problems.append(f"{_where(line)}: {node}: {why}")
            continue
        if gres != described[node].get("gres", ""):
            values.setdefault(line, {})[node] = gres
    edits = dict(_edits(files.texts, values, problems))
    if problems:
        raise Refused(f"{files.conf.path}: Gres= cannot be changed", list(dict.fromkeys(problems)))
    changed = _texts(files.texts, edits)
    _check(files, changed, values)
    return changed


def describe(conf: Conf) -> Nodes:
    """What slurm.conf says of every node, NodeName=DEFAULT included, keys in lower case.

    Of lists that run parallel to NodeName= each node has its own share; of a node that stands
    there twice, the first line counts, as for Slurm. Raises ConfError.
    """
    nodes: Nodes = {}
    default: dict[str, str] = {}
    for line in conf.of_kind("nodename"):
        own = {key.lower(): value for key, value in line.values}
        if own[NAMES].upper() == "DEFAULT":
            default |= own
            continue
        try:
            for name, values in per_node(own):
                nodes.setdefault(name, {**default, **values})
        except ValueError as why:
            raise ConfError(f"{_where(line)}: {why}") from why
    return nodes


def diff(before: Texts, after: Texts) -> list[str]:
    """What changes, for people: a unified diff of every file, as lines."""
    return [
        line
        for file, text in after.items()
        for line in unified_diff(
            before.get(file, "").split("\n"), text.split("\n"), str(file), f"{file} (new)",
            lineterm="",
        )
    ]  # fmt: skip


def _places(conf: Conf, wanted: Mapping[str, str]) -> tuple[dict[str, ConfLine], list[str]]:
    """Which line describes each node, and what is wrong with that."""
    lines: dict[str, list[ConfLine]] = {node: [] for node in wanted}
    for line in conf.of_kind("nodename"):
        for name, _ in per_node({NAMES: line.values[0][1]}):
            if name in lines:
                lines[name].append(line)
    problems = []
    if any(conf.of_kind("frontendname")):
        problems.append("it has FrontendName=: such nodes have no slurmd of their own")
    for node, found in lines.items():
        if not found:
            problems.append(f"no NodeName= line describes {node}")
        elif conf.lines.count(found[0]) > 1:
            problems.append(f"{found[0].file} is included more than once: {node} is there twice")
        elif len(found) > 1:
            problems.append(f"{node} is there twice: {' and '.join(map(_where, found))}")
    return {node: found[0] for node, found in lines.items() if len(found) == 1}, problems


def _state_problems(node: str, said: Mapping[str, str]) -> Iterator[str]:
    state = said.get("state", "").upper()
    if any(state.startswith(unsafe) for unsafe in _UNSAFE_STATES):
        yield f"{node} has State={state}: its GRES are not changed by way of slurm.conf"


def _edits(
    texts: Texts, values: Mapping[ConfLine, Mapping[str, str]], problems: list[str]
) -> Iterator[tuple[ConfLine, str]]:
    for line, wanted in values.items():
        try:
            yield line, with_gres(_raw(texts[line.file], line), wanted)
        except Unsafe as why:
            problems += [f"{_where(line)}: {problem}" for problem in why.problems]


def _raw(text: str, line: ConfLine) -> str:
    return "".join(file_lines(text)[line.first - 1 : line.last])


def _texts(texts: Texts, edits: Mapping[ConfLine, str]) -> dict[Path, str]:
    changed = {}
    for file in dict.fromkeys(line.file for line in edits):
        lines = file_lines(texts[file])
        for line, new in edits.items():
            if line.file == file:
                lines[line.first - 1 : line.last] = [new, *[""] * (line.last - line.first)]
        changed[file] = "".join(lines)
    return changed


def _check(files: ConfFiles, changed: Texts, values: Mapping[ConfLine, Mapping[str, str]]) -> None:
    """Read what was made: every node must be as it was, but for the `Gres=` that were wanted."""
    wanted = {node: gres for nodes in values.values() for node, gres in nodes.items()}
    before = describe(files.conf)
    for node, gres in wanted.items():
        before[node]["gres"] = gres
    if describe(read_conf(files.conf.path, {**files.texts, **changed}.__getitem__)) != before:
        raise SlurmMigError(f"{files.conf.path}: the change would reach other nodes: not made")


def _where(line: ConfLine) -> str:
    return f"{line.file}: line {line.first}"
