"""Our part of a file that is also others': a marked block, the rest left as it is."""

from slurm_mig.errors import Refused

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
    lines = text.splitlines(keepends=True)
    place = _find(lines, label)
    if place is None:
        if text and not text.endswith("\n"):
            text += "\n"
        return text + block
    first, last = place
    return "".join([*lines[:first], block, *lines[last + 1 :]])


def extract(text: str, label: str = "") -> str:
    """What stands between the marks of this label; "" without them. Raises Refused as replace()."""
    lines = text.splitlines(keepends=True)
    place = _find(lines, label)
    return "".join(lines[place[0] + 1 : place[1]]) if place else ""


def _find(lines: list[str], label: str) -> tuple[int, int] | None:
    """First and last line of the block of this label, after a look at every mark."""
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
    return found.get(label)


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
