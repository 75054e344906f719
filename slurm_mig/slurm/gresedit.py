"""gres.conf with other lines for one node, and every line of another node as it was. Pure text.

In the node's own file its block is replaced. In a file that is many nodes' (NodeName= before
each line) the node gets a block with its name as the label, and leaves the host lists of our
other blocks, such as the one that `gen-gres --inventory` made.
"""

from collections.abc import Iterator, Sequence

from slurm_mig.errors import Refused
from slurm_mig.slurm.block import replace, stretches
from slurm_mig.slurm.drift import drift, named_nodes
from slurm_mig.slurm.hostlist import expand, fold
from slurm_mig.slurm.lines import file_lines, joined
from slurm_mig.slurm.spans import Span, spans

NODE_NAME = "nodename"


def with_block(text: str, node: str, block: str, label: str = "") -> str:
    """`text` with `block` for `node`; nothing changes where Slurm would read the same.

    `label` is the node's name in a file of many nodes (then each line of `block` has its
    NodeName=), and "" in the node's own. Raises Refused where a mark has no partner, or where
    lines outside of our blocks speak of the node's GPUs; ConfError where a line is none.
    """
    if not drift(text, block, [node], "gres.conf"):
        replace(text, block, label)  # a damaged mark is refused all the same
        return text
    others = [name for name in named_nodes(text) if name != node]
    new = replace(_without(text, node, label) if label else text, block, label)
    theirs = drift(new, block, [node], "gres.conf")
    if theirs:
        lines = [line[1:] for line in theirs if line.startswith("-") and line[:3] != "---"]
        what = f"lines outside the marked blocks speak of the GPUs of {node}; remove them"
        raise Refused(what, lines or theirs)
    _must_not_reach(others, text, new, label)
    return new


def _must_not_reach(others: Sequence[str], old: str, new: str, label: str) -> None:
    # "": a node that no line names, and that reads the lines for all.
    for_all = [""] if label else []
    differs = drift(new, old, [*others, *for_all], "gres.conf")
    if differs:
        what = "the change would reach other nodes: each line needs its NodeName="
        raise Refused(what, differs)


def _without(text: str, node: str, label: str) -> str:
    """The node taken out of the host lists of our other blocks."""
    lines = file_lines(text)
    for name, first, last in stretches(text):
        if name != label:
            inside = "".join(lines[first + 1 : last])
            lines[first + 1 : last] = [
                "".join(_narrowed(inside, node)),
                *[""] * (last - first - 2),
            ]
    return "".join(lines)


def _narrowed(inside: str, node: str) -> Iterator[str]:
    """The lines of a block, each without the node; one that named it alone is left out."""
    lines = file_lines(inside)
    at = 0
    for line in joined(inside):
        yield from lines[at : line.first - 1]
        raw = "".join(lines[line.first - 1 : line.last])
        yield _line_without(raw, node)
        at = line.last
    yield from lines[at:]


def _line_without(raw: str, node: str) -> str:
    span = next((span for span in spans(raw) if span.key.lower() == NODE_NAME), None)
    if span is None:
        return raw
    names = _expand(span)
    if node not in names:
        return raw
    left = [name for name in names if name != node]
    return raw[: span.start] + fold(left) + raw[span.end :] if left else ""


def _expand(span: Span) -> list[str]:
    try:
        if not span.whole:
            raise ValueError("it holds a backslash or goes over a line's end")
        return expand(span.value)
    except ValueError as why:
        raise Refused(f"NodeName={span.value} in the marked block", [str(why)]) from why
