"""Resetting one GPU: NVML offers no call for it, so a site's command does it."""

import re
from collections.abc import Callable

from slurm_mig.errors import CommandError
from slurm_mig.gpu.change.sitecommand import filled, run, shown
from slurm_mig.settings import BUS_ID, Settings

_BUS_ID = re.compile(r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]")
# "Resetting GPU ... is not supported", as in most virtual machines of clouds.
_NEVER = re.compile(r"not supported|unsupported", re.IGNORECASE)

Resetter = Callable[[str], None]


class ResetImpossible(CommandError):
    """This GPU cannot be reset here, however often it is tried: the node must be rebooted."""


def resetter(settings: Settings) -> Resetter:
    """`reset(pci_bus_id)`: reset that GPU and no other, to its end.

    It raises ResetImpossible where only a reboot helps, CommandError where it failed or did not
    end in time (then the GPU's state is unknown).
    """

    def reset(pci_bus_id: str) -> None:
        if _BUS_ID.fullmatch(pci_bus_id) is None:
            raise CommandError(f"{pci_bus_id!a} is no PCI bus id: no GPU was reset")
        if not settings.reset_command:
            raise ResetImpossible(
                f"GPU {pci_bus_id} needs a reset, and this site has no reset_command: reboot the "
                "node"
            )
        words = filled(settings.reset_command, BUS_ID, pci_bus_id)
        done = run(words, settings.reset_timeout_s)
        if done.code == 0:
            return
        what = f"GPU {pci_bus_id} was not reset: `{shown(words)}` failed with {done.code}"
        if _NEVER.search(done.said):
            raise ResetImpossible(f"{what}: {done.reason}: reboot the node instead")
        raise CommandError(f"{what}: {done.reason}: see who has it open with `slurm-mig plan`")

    return reset
