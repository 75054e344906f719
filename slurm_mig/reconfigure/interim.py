"""Stands in for publish.py until that is there."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from slurm_mig.files import under, write_atomic
from slurm_mig.generate import output
from slurm_mig.generate.build import Generated, Request, for_node
from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.present.discover import discover
from slurm_mig.reconfigure.node import Commands
from slurm_mig.slurm.client import SlurmClient
from slurm_mig.slurm.confedit import read_files, set_gpus
from slurm_mig.slurm.gres import GresOptions
from slurm_mig.slurm.version import SlurmVersion


def commands(root: Path) -> Commands:
    table = tomllib.loads(under(root, "/etc/slurm-mig/config.toml").read_text())["reconfigure"]
    return Commands(table["slurmd_stop_command"], table["slurmd_start_command"], 30, 120)


class Interim:
    needs_it_empty = False

    def __init__(self, root: Path, conf: Path, node: str, client: SlurmClient) -> None:
        self._root, self._conf, self._node, self._client = root, conf, node, client

    def types(self) -> Mapping[str, int]:
        return dict(self._made().groups[0].types)

    def publish(self, notes: Mapping[str, str]) -> None:
        made = self._made()
        output.write((self._conf.parent / "gres.conf"), made)
        group = made.groups[0]
        for path, text in set_gpus(read_files(self._conf), {self._node: group.gres}).items():
            write_atomic(path.resolve(), text)
        self._client.reconfigure()

    def _made(self) -> Generated:
        with session() as nvml:
            node = discover(nvml, self._root, self._node)
        version: SlurmVersion = self._client.version()
        return for_node(node, Request(GresOptions(version), self._node, False, self._root))
