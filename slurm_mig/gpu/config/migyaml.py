"""A MigConfig from its file. The only importer of yaml.

The text is composed into yaml's nodes, never into objects, and those are copied into our own
tree with every bound that root needs who reads other people's files: of bytes, of depth, of
values (aliases grow), and only plain values.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.migconfig import MigConfig
from slurm_mig.gpu.config.migspec import read_spec
from slurm_mig.gpu.config.migtree import Fields, Items, Leaf, Tree

MAX_BYTES = 256 * 1024  # mig-parted's own file for every GPU there is has 12 KiB
_MAX_VALUES = 100_000
_MAX_DEPTH = 16
_TAG = "tag:yaml.org,2002:"
_PLAIN = ("str", "int", "float", "bool", "null", "timestamp", "merge")
# The words of YAML 1.1, which mig-parted's reader takes too, and PyYAML but for y and n.
_WORDS = (("true", ("y", "yes", "true", "on")), ("false", ("n", "no", "false", "off")))
_FLAGS = {
    spelled: flag
    for flag, words in _WORDS
    for word in words
    for spelled in (word, word.capitalize(), word.upper())
}
_NULLS = {"", "~", "null", "Null", "NULL"}


def read(path: Path) -> MigConfig:
    """The wanted partitionings in the file `path`; "-" is standard input.

    Raises Refused with everything that is wrong, each with its line.
    """
    return parse(bytes_of(path), source_of(path))


def source_of(path: Path) -> str:
    """How the file `path` is called in problems."""
    return "standard input" if str(path) == "-" else str(path)


def bytes_of(path: Path) -> bytes:
    """What the file holds, not yet held against the format. Raises Refused."""
    try:
        data = _bytes_of(path)
    except OSError as error:
        raise Refused(source_of(path), [f"cannot be read: {error.strerror}"]) from None
    if len(data) > MAX_BYTES:
        raise Refused(source_of(path), [f"is longer than {MAX_BYTES // 1024} KiB"])
    return data


def _bytes_of(path: Path) -> bytes:
    """At most one byte more than is allowed. OSError also for what is no regular file."""
    if str(path) == "-":
        if sys.stdin is None:
            raise Refused("standard input", ["it is closed: name a file"])
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hang us
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is no regular file")
        return file.read(MAX_BYTES + 1)


def parse(data: bytes, source: str) -> MigConfig:
    """The wanted partitionings in `data`; `source` begins every problem. Raises Refused."""
    problems: list[str] = []
    tree = _Copy(source, problems).whole(_composed(data, source))
    config = read_spec(tree, source, problems)
    if problems:
        raise Refused(f"{source} is not a MIG configuration", sorted(problems, key=_line))
    return config


def _line(problem: str) -> int:
    """The line that a problem begins with, after its source."""
    number = problem.partition(": ")[0].rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _composed(data: bytes, source: str) -> yaml.Node:
    """yaml's nodes for the one document in `data`."""
    try:
        node = yaml.compose(data.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(source, [f"{source}:{line}: not UTF-8"]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise Refused(source, [f"{source}:{line}: not YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise Refused(source, [f"not YAML: {' '.join(str(error).split())}"]) from None
    except (ValueError, OverflowError):  # of an escape such as "\U99999999"
        raise Refused(source, ["not YAML: an escape that is no character"]) from None
    except RecursionError:
        raise Refused(source, ["not YAML: nested without end"]) from None
    if node is None:
        raise Refused(source, ["is empty"])
    return node


class _Copy:
    """Copies yaml's nodes into a Tree, and notes what has no place in such a file."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self._source = source
        self._problems = problems
        self._values = 0

    def whole(self, node: yaml.Node) -> Tree:
        """The tree below `node`. Raises Refused when it is too large to be honest."""
        return self._tree(node, 0)

    def _tree(self, node: yaml.Node, depth: int) -> Tree:
        line = node.start_mark.line + 1
        self._values += 1
        if depth > _MAX_DEPTH or self._values > _MAX_VALUES:
            what = "nested too deeply" if depth > _MAX_DEPTH else "its aliases grow without end"
            raise Refused(self._source, [f"{self._source}:{line}: {what}"])
        if isinstance(node, yaml.ScalarNode):
            return self._leaf(node, line)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return Items(line, tuple(self._tree(item, depth + 1) for item in node.value))
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._fields(node, line, depth)
        self._note(line, f"{node.tag!r} has no place here: write plain values")
        return Leaf(line, "null", "")

    def _fields(self, node: yaml.MappingNode, line: int, depth: int) -> Fields:
        """A mapping; what `<<` brings gives way to the mapping's own keys."""
        own: dict[str, tuple[int, Tree]] = {}
        merged: dict[str, tuple[int, Tree]] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            value = self._tree(value_node, depth + 1)
            if key_node.tag == _TAG + "merge":
                merged = dict(self._merged(value, key_line, own)) | merged
                continue
            key = self._key(key_node, key_line, depth)
            if key in own:
                self._note(key_line, f"{key!r} comes twice: first in line {own[key][0]}")
            elif key is not None:
                own[key] = key_line, value
        return Fields(line, merged | own)

    def _merged(
        self, value: Tree, line: int, own: dict[str, tuple[int, Tree]]
    ) -> Iterator[tuple[str, tuple[int, Tree]]]:
        """What `<<` brings. The first of several wins, as YAML says."""
        if own:
            # mig-parted's reader lets it win over what stands above it, YAML does not.
            self._note(line, "put << before the other keys, where all readers agree what it means")
        for one in reversed(value.values) if isinstance(value, Items) else (value,):
            if isinstance(one, Fields):
                yield from one.values.items()
            else:
                self._note(line, "<< wants a mapping")

    def _key(self, node: yaml.Node, line: int, depth: int) -> str | None:
        tree = self._tree(node, depth + 1)
        if isinstance(tree, Leaf) and tree.kind in ("text", "number"):
            return tree.text
        self._note(line, f"put the key {getattr(node, 'value', '')!r:.40} in quotes")
        return None

    def _leaf(self, node: yaml.ScalarNode, line: int) -> Leaf:
        if node.tag.removeprefix(_TAG) not in _PLAIN:
            self._note(line, f"{node.tag!r} has no place here: write plain values")
        kind = _kind(node)
        return Leaf(line, kind, _FLAGS[node.value] if kind == "flag" else node.value)

    def _note(self, line: int, problem: str) -> None:
        self._problems.append(f"{self._source}:{line}: {problem}")


def _kind(node: yaml.ScalarNode) -> Literal["text", "number", "flag", "null"]:
    """What mig-parted's reader takes a value for."""
    if node.style is not None:
        return "text"
    if node.value in _FLAGS:
        return "flag"
    if node.value in _NULLS:
        return "null"
    # PyYAML counts in sixties: 0000:25:00.0 is a PCI address to everybody else.
    number = node.tag in (_TAG + "int", _TAG + "float") and ":" not in node.value
    return "number" if number else "text"
