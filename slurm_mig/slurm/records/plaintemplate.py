"""Templates that are only lines, loops over lines and names: filled in without jinja2.

Loading jinja2 takes as long as all the rest of a command. Our own templates have one loop each
and no logic, so they seldom need it; whatever else stands in one is left to jinja2.
"""

import re
from collections.abc import Mapping, Sequence

_FOR = re.compile(r"[ \t]*\{% for (\w+) in (\w+) %\}\n?")
_ENDFOR = re.compile(r"[ \t]*\{% endfor %\}\n?")
_NAME = re.compile(r"\{\{ (\w+) \}\}")


def fill(text: str, values: Mapping[str, Sequence[object]]) -> str | None:
    """What jinja2 would make of the template (blocks trimmed), or None where only it knows."""
    done: list[str] = []
    body: list[str] = []
    loop: re.Match[str] | None = None
    for line in text.splitlines(keepends=True):
        starts = _FOR.fullmatch(line)
        if starts and loop is None and starts[2] in values:
            loop, body = starts, []
        elif loop and _ENDFOR.fullmatch(line):
            done += _repeat(body, loop[1], values[loop[2]])
            loop = None
        elif not _is_plain(line, loop):
            return None
        else:
            (done if loop is None else body).append(line)
    return None if loop else "".join(done)


def _is_plain(line: str, loop: re.Match[str] | None) -> bool:
    """Whether a line names nothing but the loop's own variable."""
    names = {loop[1]} if loop else set()
    if any(found[1] not in names for found in _NAME.finditer(line)):
        return False
    return not any(mark in _NAME.sub("", line) for mark in ("{{", "{%", "{#"))


def _repeat(body: Sequence[str], name: str, values: Sequence[object]) -> list[str]:
    pieces = "".join(body).split(f"{{{{ {name} }}}}")
    return [str(value).join(pieces) for value in values]
