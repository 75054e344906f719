"""The Slurm port over pyslurm where it fits: nodes, their state and their reason.

All the rest goes by Slurm's commands, because pyslurm 25.11 cannot say or do it rightly [seen]:
what of a node is used, and by which job (Node.allocated_gres is always empty, and
Job.get_resource_layout_per_node() can crash the process); what a job waits for (tres_per_job,
_node and _socket are None); a node's GRES (Node.modify of them corrupts the node).
"""

import importlib
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from slurm_mig.errors import NoSuchNode
from slurm_mig.slurm.config.conf import find_slurm_conf
from slurm_mig.slurm.controller import show_text
from slurm_mig.slurm.controller.cli_client import CliClient
from slurm_mig.slurm.controller.cli_words import checked, checked_reason
from slurm_mig.slurm.controller.client import GresCount, NodeState
from slurm_mig.slurm.controller.complaints import failure
from slurm_mig.slurm.controller.patience import Patience
from slurm_mig.slurm.version import SlurmVersion

VersionOf = Callable[[str], str]


def unfit(slurm: SlurmVersion, root: Path, version_of: VersionOf = metadata.version) -> str | None:
    """Why pyslurm cannot be used with the Slurm that is installed; None where it can.

    It is not imported for that: with another Slurm it may do anything, and without a slurm.conf
    its import ends the process.
    """
    try:
        found = version_of("pyslurm")
    except metadata.PackageNotFoundError:
        return "pyslurm is not installed"
    series = [int(number) for number in found.split(".")[:2] if number.isdigit()]
    if series != [slurm.year, slurm.month]:
        return f"pyslurm {found} is made for another Slurm than {slurm}"
    if find_slurm_conf(root) is None:
        return "pyslurm needs a slurm.conf, and none was found"
    return None


def load() -> Any:  # noqa: ANN401
    """The module. Raises ImportError or OSError where it or its libraries cannot be loaded."""
    return importlib.import_module("pyslurm")


class RpcClient(CliClient):
    """As slurm.client.SlurmClient, with the pyslurm that load() gave.

    NodeState.gres_used is None: ask jobs_on(). A call ends when Slurm's library gives up, after
    MessageTimeout: it cannot be ended before.
    """

    def __init__(
        self,
        pyslurm: Any,  # noqa: ANN401
        patience: Patience | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(patience, path)
        self._pyslurm = pyslurm

    def about(self) -> str:
        """As the port."""
        return f"pyslurm {self._pyslurm.__version__}; for jobs {super().about()}"

    def nodes(self, names: Sequence[str] | None = None) -> tuple[NodeState, ...]:
        """As the port."""
        asked = None if names is None else [checked(name) for name in names]
        found = self._patience.read(lambda _: self._load())
        if asked is None:
            return tuple(found.values())
        if missing := [name for name in asked if name not in found]:
            raise NoSuchNode(f"slurmctld knows no node {', '.join(missing)}")
        return tuple(found[name] for name in asked)

    def drain(self, name: str, reason: str) -> None:
        """As the port."""
        self._modify(name, state="DRAIN", reason=checked_reason(reason))

    def down(self, name: str, reason: str) -> None:
        """As the port."""
        self._modify(name, state="DOWN", reason=checked_reason(reason))

    def set_reason(self, name: str, reason: str) -> None:
        """As the port."""
        self._modify(name, reason=checked_reason(reason))

    def _end_drain(self, name: str) -> None:
        checked(name)
        self._patience.change(
            lambda _: self._try(lambda slurm: _change(slurm, name, state="RESUME")),
            lambda _: not self._load()[name].state & {"DRAIN", "DOWN"},
        )

    def _modify(self, name: str, **changes: str) -> None:
        checked(name)
        self._patience.read(lambda _: self._try(lambda slurm: _change(slurm, name, **changes)))

    def _load(self) -> dict[str, NodeState]:
        loaded = self._try(lambda slurm: slurm.Nodes.load())
        return {name: _node(found) for name, found in loaded.items()}

    def _try(self, call: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        try:
            return call(self._pyslurm)
        except self._pyslurm.RPCError as why:
            raise failure("pyslurm", why.errno, str(why)) from None


def _change(slurm: Any, name: str, **changes: str) -> None:  # noqa: ANN401
    slurm.Node(name).modify(slurm.Node(**changes))


def _node(found: Any) -> NodeState:  # noqa: ANN401
    reason = found.reason or ""
    return NodeState(
        name=found.name,
        state=show_text.states(found.state),
        reason=reason,
        reason_user=found.reason_user if reason else None,
        reason_time=float(found.reason_time) if reason and found.reason_time else None,
        gres=tuple(_count(gres, number) for gres, number in found.configured_gres.items()),
        gres_used=None,
        slurmd_version=found.slurm_version or None,
        slurmd_start=float(found.slurmd_start_time) if found.slurmd_start_time else None,
        cpus=found.total_cpus,
        features=tuple(found.available_features),
        partitions=tuple(found.partitions),
        address=found.address or "",
        host_name=found.hostname or "",
    )


def _count(gres: str, number: int) -> GresCount:
    name, _, kind = gres.removeprefix("gres/").partition(":")
    return GresCount(name, kind or None, int(number))
