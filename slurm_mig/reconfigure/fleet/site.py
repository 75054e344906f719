"""The real world of many nodes: this machine as a member, and as the one that conducts a run."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from slurm_mig.errors import SlurmError, SlurmMigError
from slurm_mig.reconfigure.fleet import looked, member, reached, reboots
from slurm_mig.reconfigure.fleet.engine import Engine, FleetEvent, FleetWorld
from slurm_mig.reconfigure.fleet.holding import HoldingPublisher
from slurm_mig.reconfigure.fleet.members import Members
from slurm_mig.reconfigure.fleet.publishing import WavePublisher
from slurm_mig.reconfigure.fleet.wire import Order, Report
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.reconfigure.settings import load as load_reconfigure
from slurm_mig.reconfigure.site import client_of, request_of, world_of
from slurm_mig.reconfigure.world import Event, Options, World
from slurm_mig.slurm.config.conf import find_slurm_conf
from slurm_mig.slurm.daemon import host_name
from slurm_mig.slurm.reach import ClusterShellReach


def obey(root: Path, order: Order, tell: Callable[[Event], object]) -> Report:
    """Carry an order out on this machine. Raises SlurmMigError where it cannot even begin."""
    world = _member(root, order, tell)
    publisher = cast("HoldingPublisher", world.publisher)
    machine = member.Machine(socket.gethostname(), publisher.gres, publisher.block)
    return member.obey(world, request_of(root), order, machine)


def look(root: Path, order: Order) -> dict[str, Any]:
    """What this machine would do. Raises SlurmMigError."""
    world = _member(root, order, _quiet)
    return looked.to_json(member.prospect(world, request_of(root), order, socket.gethostname()))


def fleet_world(root: Path, tell: Callable[[FleetEvent], object]) -> FleetWorld:
    """This machine as the one that conducts a run. Raises SlurmMigError."""
    return FleetWorld(root, client_of(root, load_reconfigure(root)), tell)


def engine_of(world: FleetWorld) -> Callable[[str], Engine]:
    """The engines, by the names that records have of them. Raises SlurmMigError."""
    chosen = load_reconfigure(world.root)

    def choose(name: str) -> Engine:
        if name == reached.NAME:
            return _reaching(world, chosen)
        if name == reboots.NAME:
            return reboots.RebootEngine(world.root, world.client, chosen)
        raise SlurmMigError(f"this slurm-mig knows no way {name!a} to nodes: take a newer one")

    return choose


def is_here(world: FleetWorld, node: str) -> bool:
    """Whether the node is this machine. Raises SlurmMigError."""
    here = host_name()
    return node == here or world.client.node(node).host_name.partition(".")[0] == here


def wait_of(root: Path, timeout_s: float | None) -> float:
    """How long jobs are waited for, where nobody said it."""
    return load_reconfigure(root).timeout_s if timeout_s is None else timeout_s


def _reaching(world: FleetWorld, chosen: ReconfigureSettings) -> Engine:
    conf = find_slurm_conf(world.root)
    if conf is None:
        raise SlurmError("no slurm.conf was found: name it with SLURM_CONF")
    reach = ClusterShellReach(chosen.remote_worker, chosen.fanout, chosen.remote_command)
    members = Members(reach, chosen.remote_slurm_mig, time.sleep)
    publisher = WavePublisher(world.root, conf, world.client, chosen)
    publisher.must_be_possible()
    return reached.ReachEngine(members, publisher)


def _member(root: Path, order: Order, tell: Callable[[Event], object]) -> World:
    options = Options(order.timeout_s, order.cancel_after_s, smoke=order.smoke)
    return world_of(root, order.node, options, tell, HoldingPublisher)[1]


def _quiet(_: Event) -> None:
    return None
