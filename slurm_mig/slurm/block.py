"""Our part of a file that is also others': a marked block, the rest left as it is."""

from slurm_mig.errors import Refused
from slurm_mig.slurm.lines import file_lines

BEGIN = "# BEGIN slurm-mig"
END = "# END slurm-mig"


def wrap(body: str, label: str = "") -> str:
    """The body between its marks. A label tells several blocks in one file apart."""
    lines = [line.rstrip() for line in body.rstrip().splitlines()]
    return "\n".join([_mark(BEGIN, label), *lines, _mark(END, label), ""])


def replace(text: str, block: str, label: str = "") -> str:
    """`text` with its block of this label replaced by `block`, or with `block` at its end.

    Raises Refused where the marks are not whole pairs: then nobody knows whose a line is.
    """
    lines = file_lines(text)
    place = _find(lines, label)
    if place is None:
        if text and not text.endswith("\n"):
            text += "\n"
        return text + block
    first, last = place
    return "".join([*lines[:first], block, *lines[last + 1 :]])


def extract(text: str, label: str = "") -> str:
    """What stands between the marks of this label; "" without them. Raises Refused as replace()."""
    lines = file_lines(text)
    place = _find(lines, label)
    return "".join(lines[place[0] + 1 : place[1]]) if place else ""


def stretches(text: str) -> list[tuple[str, int, int]]:
    """Label, line of the first mark and of the last, of every block. Raises Refused as replace().

    Lines are counted from 0, as file_lines() has them.
    """
    found = _find_all(file_lines(text))
    return [(label, first, last) for label, (first, last) in found.items()]


def _find(lines: list[str], label: str) -> tuple[int, int] | None:
    return _find_all(lines).get(label)


def _find_all(lines: list[str]) -> dict[str, tuple[int, int]]:
    """First and last line of the block of each label, after a look at every mark."""
    found: dict[str, tuple[int, int]] = {}
    opened: tuple[str, int] | None = None
    for at, line in enumerate(lines):
        begins, ends = _label(line, BEGIN), _label(line, END)
        if begins is not None:
            if opened is not None or begins in found:
                raise _damaged(at, line)
            opened = begins, at
        elif ends is not None:
            if opened is None or opened[0] != ends:
                raise _damaged(at, line)
            found[ends] = opened[1], at
            opened = None
    if opened is not None:
        raise _damaged(opened[1], lines[opened[1]])
    return found


def _mark(mark: str, label: str) -> str:
    return f"{mark} {label}" if label else mark


def _label(line: str, mark: str) -> str | None:
    line = line.strip()
    if line == mark or line.startswith(f"{mark} "):
        return line[len(mark) :].strip()
    return None


def _damaged(at: int, line: str) -> Refused:
    problem = f"line {at + 1} ({line.strip()}) has no partner, or is there twice: mend it by hand"
    return Refused("the marked block is damaged", [problem])
