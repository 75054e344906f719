"""The real world of a reconfigure: this machine, and the Slurm that it is of."""

import os
from collections.abc import Callable
from pathlib import Path

from slurm_mig.errors import SlurmError
from slurm_mig.gpu.change.bounded import Progress
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.reconfigure.node import Commands, NodeGpus, NodeSlurmd
from slurm_mig.reconfigure.publisher import NodePublisher
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.reconfigure.settings import load as load_reconfigure
from slurm_mig.reconfigure.trials import NodeTrials
from slurm_mig.reconfigure.world import Event, Options, World
from slurm_mig.settings import load
from slurm_mig.slurm.config.conf import find_slurm_conf, is_handed_out
from slurm_mig.slurm.controller.choose import choose_client
from slurm_mig.slurm.controller.client import SlurmClient
from slurm_mig.slurm.controller.patience import Patience
from slurm_mig.slurm.daemon import host_name


def request_of(root: Path) -> Request:
    """What an apply on this machine is given, but for what is wanted."""
    return Request(root, load(root))


def client_of(root: Path, chosen: ReconfigureSettings) -> SlurmClient:
    """What asks slurmctld, patiently. Raises SlurmError where Slurm is not installed."""
    return choose_client(root, Patience(total_s=chosen.answer_timeout_s)).client


def world_of(
    root: Path,
    node: str | None,
    options: Options,
    tell: Callable[[Event], object],
    publisher: type[NodePublisher] = NodePublisher,
) -> tuple[str, World]:
    """The node's name, and its world. Raises SlurmMigError."""
    name = node or host_name()
    conf = find_slurm_conf(root)
    if conf is None:
        raise SlurmError("no slurm.conf was found: name it with SLURM_CONF")
    if is_handed_out(conf):
        # Slurm's commands look in /run/slurm, which may be gone while slurmd is stopped.
        os.environ["SLURM_CONF"] = str(conf)
    chosen = load_reconfigure(root)
    client = client_of(root, chosen)
    options = options._replace(
        timeout_s=chosen.timeout_s if options.timeout_s is None else options.timeout_s,
        register_s=chosen.register_timeout_s,
        saved_s=chosen.state_save_s,
        smoke=chosen.smoke if options.smoke is None else options.smoke,
        smoke_s=chosen.smoke_timeout_s,
    )

    def watch(progress: Progress) -> None:
        tell(Event("PARTITION", "", "goes on", progress.doing))

    return name, World(
        root=root,
        client=client,
        gpus=NodeGpus(request_of(root)._replace(watch=watch)),
        slurmd=NodeSlurmd(root, conf, name, _commands(chosen)),
        publisher=publisher(root, conf, name, client, chosen),
        trials=NodeTrials(root, chosen.smoke_command, chosen.smoke_partition),
        options=options,
        tell=tell,
    )


def _commands(chosen: ReconfigureSettings) -> Commands:
    bound_s = chosen.command_timeout_s
    return Commands(chosen.slurmd_stop_command, chosen.slurmd_start_command, bound_s, bound_s)
