"""From the slices that are there to the lines that isolate them.

Everything is looked at first; a refusal names every reason at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.files import under
from slurm_mig.model import Node
from slurm_mig.slurm.config import block
from slurm_mig.slurm.records import advice, refusals, types
from slurm_mig.slurm.records.gres import GresGroup, GresOptions, line, node_gres
from slurm_mig.slurm.records.templates import fill_in, site_template

TEMPLATE = "gres.conf.j2"
SITE_TEMPLATES = "/etc/slurm-mig/templates"


class Request(NamedTuple):
    """What is wanted: for which Slurm, said to which node, with how many words.

    `node_name` puts NodeName= before each line; None is for a node's own file.
    """

    options: GresOptions
    node_name: str | None = None
    explain: bool = False
    root: Path = Path("/")


class Generated(NamedTuple):
    """The block for gres.conf, and what it was made from.

    `label` tells its marks from those of other blocks in one file.
    """

    text: str
    label: str
    groups: tuple[GresGroup, ...]
    warnings: tuple[str, ...]
    of_inventory: bool

    @property
    def nodes(self) -> list[str]:
        """Every node that the block is about."""
        return [node for group in self.groups for node in group.nodes]


def for_node(node: Node, request: Request) -> Generated:
    """The lines of one node. Raises Refused where the node as it stands forbids them."""
    made = node_gres(node, request.options)
    problems = refusals.problems(node, made, request.options)
    if not node.gpus:
        problems.append("this node has no GPU")
    if request.node_name is not None:
        problems += _bad_name(request.node_name)
    if problems:
        raise Refused(f"no gres.conf for {node.name}", problems)
    name = request.node_name or node.name
    group = GresGroup(request.node_name, (name,), made.records, made.types)
    text = _text((group,), request, request.node_name or "")
    return Generated(
        text, request.node_name or "", (group,), tuple(refusals.warnings(node, made)), False
    )


def for_inventory(nodes: Iterable[Node], request: Request) -> Generated:
    """The lines of many nodes, equal ones under one host list.

    The nodes are looked at one by one, so that `nodes` may be longer than memory.
    Raises Refused with the problems of all of them.
    """
    from slurm_mig.slurm.records.fold import Fold

    folding, problems, warnings = Fold(), [], []
    try:
        for node in nodes:
            if not node.gpus:
                warnings.append(f"{node.name}: left out: it has no GPU")
                continue
            made = node_gres(node, request.options)
            wrong = _bad_name(node.name) + refusals.problems(node, made, request.options)
            problems += [f"{node.name}: {problem}" for problem in wrong]
            warnings += [f"{node.name}: {each}" for each in refusals.warnings(node, made)]
            folding.add(made)
    except Refused as unreadable:  # which `nodes` tells at its end, so that ours join it
        problems += unreadable.problems
    problems += [f"{name}: is in the inventory more than once" for name in folding.duplicates]
    groups = folding.groups()
    names = [name for group in groups for name, _ in group.types]
    of_many = refusals.same_to_slurm(names, request.options)
    problems += [each for each in of_many if not any(each in one for one in problems)]
    if problems:
        raise Refused("no gres.conf for this inventory", problems)
    return Generated(_text(groups, request, ""), "", groups, tuple(warnings), True)


def _text(groups: Sequence[GresGroup], request: Request, label: str) -> str:
    lines = list(_lines(groups, request.options))
    comments = advice.comments(groups, request.options, request.explain)
    return block.wrap(_rendered(groups, comments, lines, request.root), label)


def _lines(groups: Iterable[GresGroup], options: GresOptions) -> Iterator[str]:
    mode = "nvml" if options.autodetect else "off"
    for group in groups:
        prefix = f"NodeName={group.node_names} " if group.node_names else ""
        yield f"{prefix}AutoDetect={mode}"
        for record in group.records:
            yield line(record, group.node_names)


def _rendered(
    groups: Sequence[GresGroup], comments: list[str], lines: list[str], root: Path
) -> str:
    folder = under(root, SITE_TEMPLATES)
    own = site_template(TEMPLATE, folder)
    text = fill_in(TEMPLATE, folder, {"comments": comments, "lines": lines, "groups": groups})
    if own is not None:
        _check_site_template(own, text, lines, groups)
    return text


def _check_site_template(
    own: Path, text: str, lines: list[str], groups: Sequence[GresGroup]
) -> None:
    """A site's template may add what it likes, but not lose or change a device."""
    from slurm_mig.slurm.config.drift import drift

    nodes = [node for group in groups for node in group.nodes]
    differs = drift(text, "\n".join(lines), nodes, str(own))
    if differs:
        changed = [line for line in differs[2:] if line[0] in "+-"]
        raise Refused(f"{own}: Slurm would read other devices than it was given", changed)


def _bad_name(name: str) -> list[str]:
    why = types.misread_node(name)
    return [f"node name {name!r}: {why}"] if why else []
