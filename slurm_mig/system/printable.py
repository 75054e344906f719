"""Text of others (command lines, what programs print) on one line of ours, and not too long."""


def printable(text: str, limit: int = 200) -> str:
    """`text` on one line; what a terminal would obey is escaped, what is too long is cut.

    Spaces and line ends become single spaces. Never longer than `limit`.
    """
    words = " ".join(text.split())
    shown = "".join(_shown(character) for character in words[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def command_line(raw: bytes, name: str, limit: int = 80) -> str:
    """A /proc/PID/cmdline for people; `name` in brackets where there is none, as ps does."""
    text = raw.replace(b"\0", b" ").decode("utf-8", "backslashreplace")
    return printable(text, limit) or f"[{printable(name, limit - 2)}]"


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
