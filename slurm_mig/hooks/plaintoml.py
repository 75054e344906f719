"""The plain part of TOML, in which settings are written, without the module tomllib: to load
that takes longer than a whole prolog. What is not plain, tomllib reads.
"""

from slurm_mig.hooks.jsonlight import loads

Table = dict[str, object]


def tables(text: str) -> dict[str, Table] | None:
    """Table name -> its settings; None when the text needs a real TOML parser.

    Plain are `[name]`, below it `name = value`, and comments on lines of their own, where names
    are of letters, digits, - and _, and the value is a number, true, false, a "string" without
    backslash, or a list of such strings, all on the line. JSON agrees with TOML on these.
    """
    found: dict[str, Table] = {}
    table: Table | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        line = line.strip(" \t")
        if not line.isprintable():
            return None
        if not line or line[0] == "#":
            continue
        if line[0] == "[":
            name = line[1:-1]
            if line[-1] != "]" or not _is_word(name) or name in found:
                return None
            table = found[name] = {}
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if table is None or not equals or not _is_word(key) or key in table:
            return None
        if not _is_plain(value):
            return None
        table[key] = loads(value)
    return found


def _is_word(name: str) -> bool:
    return name.isascii() and name.replace("_", "").replace("-", "").isalnum()


def _is_plain(value: str) -> bool:
    if value in ("true", "false"):
        return True
    if value.isascii() and value.isdigit():
        return value == "0" or value[0] != "0"
    if "\\" in value or not value.isprintable():
        return False
    if value[:1] == '"':
        return value.count('"') == 2 and value[-1] == '"' and len(value) > 1
    return value[:1] == "[" and value[-1] == "]" and _is_list(value[1:-1])


def _is_list(inside: str) -> bool:
    words = inside.split(",") if inside.strip() else []
    return all(_is_plain(word.strip()) and word.strip()[0] == '"' for word in words)
