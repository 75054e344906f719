"""What a node reads in a gres.conf that may be many nodes': a change elsewhere is not its own.

Hooks use it, so it knows less than Slurm does: what it cannot judge counts as the node's.
"""


def own_lines(data: bytes, node: str) -> bytes:
    """The lines of a gres.conf that are the node's or everybody's: no comments, no host lists."""
    if b"\\" in data:  # it may continue a line, or make a # mean itself
        return data
    name = node.encode()
    lines = (line.partition(b"#")[0].split() for line in data.split(b"\n"))
    return b"\n".join(filter(None, (b" ".join(_read(words, name)) for words in lines)))


def _read(words: "list[bytes]", node: bytes) -> "list[bytes]":
    """The words of a line that the node reads; none where it names others only."""
    for word in words:
        key, _, value = word.partition(b"=")
        if key.lower() == b"nodename":
            named = _names(value.strip(b'"'), node)
            if named is None:
                return words
            return [each for each in words if each is not word] if named else []
    return words


def _names(host_list: bytes, node: bytes) -> bool | None:
    """Whether a host list names the node; None where that cannot be judged."""
    if not host_list:
        return None
    while host_list:
        name, host_list = _first(host_list)
        prefix, bracket, ranges = name.partition(b"[")
        if not bracket:
            if name == node:
                return True
        elif node.startswith(prefix):
            held = _hold(ranges, node[len(prefix) :])
            if held is not False:
                return held
    return False


def _first(host_list: bytes) -> "tuple[bytes, bytes]":
    """What stands before the first comma outside of brackets, and the rest."""
    comma, bracket = host_list.find(b","), host_list.find(b"[")
    if 0 <= bracket < comma:
        comma = host_list.find(b",", host_list.find(b"]", bracket))
    if comma < 0:
        return host_list, b""
    return host_list[:comma], host_list[comma + 1 :]


def _hold(ranges: bytes, number: bytes) -> bool | None:
    """Whether `1-3,7]` has the number, as digits; a width that differs is taken for the same."""
    inside, bracket, after = ranges.partition(b"]")
    if not bracket or after:
        return None
    if not number.isdigit():
        return False
    for each in inside.split(b","):
        first, dash, last = each.partition(b"-")
        if not first.isdigit() or (dash and not last.isdigit()):
            return None
        if int(first) <= int(number) <= int(last or first):
            return True
    return False
