"""Which client asks slurmctld on this machine, and why."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import SlurmError, UsageError
from slurm_mig.slurm import rpc, scontrol
from slurm_mig.slurm.cli_client import CliClient
from slurm_mig.slurm.client import SlurmClient
from slurm_mig.slurm.patience import Patience
from slurm_mig.slurm.version import SlurmVersion


class Choice(NamedTuple):
    """A client, and why pyslurm is not used (None where it is)."""

    client: SlurmClient
    no_pyslurm: str | None

    def told(self) -> str:
        """For a person."""
        because = f" ({self.no_pyslurm})" if self.no_pyslurm else ""
        return f"{self.client.about()}{because}"


def choose_client(
    root: Path,
    patience: Patience | None = None,
    path: str | None = None,
    *,
    version_of: rpc.VersionOf = metadata.version,
    load: Callable[[], Any] = rpc.load,
) -> Choice:
    """pyslurm where it fits the Slurm that is installed, else Slurm's commands.

    slurmctld is not asked. Raises SlurmError where Slurm is not installed.
    """
    reason = rpc.unfit(client_version(path), root, version_of)
    if reason is None:
        try:
            return Choice(rpc.RpcClient(load(), patience, path), None)
        except (ImportError, OSError) as why:
            reason = f"pyslurm cannot be loaded: {why}"
    return Choice(CliClient(patience, path), reason)


def client_version(path: str | None = None) -> SlurmVersion:
    """The version of this machine's commands, which need not have a slurmd. Raises SlurmError."""
    try:
        return SlurmVersion.parse(scontrol.run(["scontrol", "-V"], path=path))
    except UsageError as why:
        raise SlurmError(f"`scontrol -V` printed {why}") from None
