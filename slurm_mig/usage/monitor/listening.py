"""Where the monitor shows its metrics: those settings of the table [monitor]. Pure."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import NamedTuple

from slurm_mig.settings import Check, switch_problem


class Address(NamedTuple):
    """Where to listen. Port 0, which no site can choose, means any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")


def address(listen: str) -> Address:
    """`listen` taken apart: "127.0.0.1:9835", "[::1]:9835". Raises ValueError."""
    found = _ADDRESS.fullmatch(listen)
    if found is None:
        raise ValueError("write an address and a port, such as 127.0.0.1:9835 or [::]:9835")
    host, port = found[1] or found[2], int(found[3])
    version = 6 if found[1] else 4
    if ip_address(host).version != version or not 0 < port < 1 << 16:  # ValueError: no address
        raise ValueError(f"{listen} is no address and port")
    return Address(host, port)


def _listen_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return 'write an address and a port in quotes, such as "127.0.0.1:9835"; "" for none'
    try:
        if value:
            address(value)
    except ValueError as why:
        return str(why)
    return None


def _folder_problem(value: object) -> str | None:
    if not isinstance(value, str) or (value and (value[0] != "/" or not value.isprintable())):
        return 'write a path from /, "" for none'
    return "it has .. in it" if ".." in value.split("/") else None


CHECKS: Mapping[str, Check] = {
    "listen": _listen_problem,
    "textfile_dir": _folder_problem,
    "labels_user": switch_problem,
}
