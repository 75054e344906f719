"""What we ask of slurmctld, and the nouns of its answers. Pure.

Two adapters keep to this port, held to one contract (tests/contract/test_slurm_client.py):
Slurm's commands (cli_client) and pyslurm (rpc); choose.choose_client takes one.

Every call may raise SlurmNotAnswering: within the client's patience no answer came. A change may
then have been made all the same, unless the error says `unsent`: look before the next step.
SlurmRefused is an answer, and so is NoSuchNode. Times are in seconds since 1970.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from slurm_mig.slurm.version import SlurmVersion

# The states of a job that may hold anything of a node.
ACTIVE = frozenset(
    {
        *("RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING"),
        *("STAGE_OUT", "STOPPED", "SIGNALING", "RESIZING"),
    }
)


def reason_text(reason: str) -> str:
    """A reason as it will be read back: one line, without quotes at its ends."""
    printable = "".join(letter if letter.isprintable() else " " for letter in reason)
    return " ".join(printable.split()).strip("\"' ")


class GresCount(NamedTuple):
    """So many of a gres: ("gpu", "1g.10gb", 7); the type is None where none was said."""

    name: str
    type: str | None
    number: int


class HeldGres(NamedTuple):
    """So many of a gres on a node that are taken, and which: `indices` are gres_index.

    `indices` is None where Slurm does not say which (a gres without files).
    """

    node: str
    name: str
    type: str | None
    number: int
    indices: tuple[int, ...] | None


class NodeState(NamedTuple):
    """A node as slurmctld sees it.

    `state` has the base state and the flags in upper case: {"IDLE", "DRAIN", "DYNAMIC_NORM"}.
    `reason` is "" without one, and no sign of a drain: 24.11 leaves it on nodes that are well,
    and overwrites it when a drained node registers badly.
    `gres` is what slurmctld believes the node has, which a dynamic node may not have any more;
    of one that registered badly it means nothing (22.05 shows the smaller number there).
    `gres_used` is what jobs hold of it, but for those that are COMPLETING; None where this
    client cannot tell.
    `slurmd_version` is None, and `slurmd_start` too, before slurmd has registered.
    """

    name: str
    state: frozenset[str]
    reason: str
    reason_user: str | None
    reason_time: float | None
    gres: tuple[GresCount, ...]
    gres_used: tuple[HeldGres, ...] | None
    slurmd_version: str | None
    slurmd_start: float | None
    cpus: int
    features: tuple[str, ...]
    partitions: tuple[str, ...]
    address: str
    host_name: str

    @property
    def drains(self) -> bool:
        """Whether it takes no more jobs because someone drained it."""
        return "DRAIN" in self.state

    @property
    def answers(self) -> bool:
        """Whether slurmctld reaches its slurmd, as far as it knows."""
        return not self.state & {"NOT_RESPONDING", "DOWN", "UNKNOWN"}

    @property
    def registered_badly(self) -> bool:
        """Whether its slurmd has less than slurm.conf says."""
        return "INVALID_REG" in self.state

    @property
    def is_dynamic(self) -> bool:
        """Whether it came by `slurmd -Z`, so that no slurm.conf names it."""
        return "DYNAMIC_NORM" in self.state


class Job(NamedTuple):
    """A job, an array's task or part of a heterogeneous job.

    `job_id` is Slurm's own number of it; `shown` is what squeue prints and commands take: "3_1",
    "4+0", of an array's waiting tasks "3_[5-9]". `state` is one word ("COMPLETING").
    `time_limit_s` is None without a limit, `end_time` where no end is known.
    `gres_wanted` is what the job asked for, per node, task, socket and in all, in one list.
    `held` is what it holds on the node that was asked for; () in pending_jobs(), and for a job
    that holds none. None is not known: take it for all. So it is while a job is COMPLETING:
    Slurm says then that it holds nothing, but its epilog runs and its processes may.
    """

    job_id: int
    shown: str
    user: str
    name: str
    state: str
    partition: str
    nodes: tuple[str, ...]
    time_limit_s: int | None
    end_time: float | None
    gres_wanted: tuple[GresCount, ...]
    held: tuple[HeldGres, ...] | None = ()

    @property
    def may_hold(self) -> bool:
        """Whether it holds, or may hold, any gres on the node that was asked for."""
        return self.held is None or bool(self.held)

    @property
    def cancels_as(self) -> str:
        """What to cancel: a heterogeneous job goes as a whole, an array's limit is no part."""
        return re.sub(r"[+%]\d+", "", self.shown)


class Reservation(NamedTuple):
    """Nodes that are kept for somebody's jobs. `active`: now, and not only from some time on."""

    name: str
    nodes: tuple[str, ...]
    active: bool
    start: float | None
    end: float | None


class Batch(NamedTuple):
    """A batch job of root's on one node, for one gres, in a reservation of that node.

    `name` is no other job's: by it a submission is found whose answer was lost. `script` is a
    shell's. It is never requeued.
    """

    name: str
    node: str
    partition: str
    gres: str
    reservation: str
    script: str
    limit_minutes: int


def unless_completing(job: Job) -> Job:
    """The job, with nothing known of what it holds while it is COMPLETING."""
    return job._replace(held=None) if job.state == "COMPLETING" else job


class SlurmClient(Protocol):
    """slurmctld, asked patiently: it may be slow, restarting, or handing over to another."""

    def about(self) -> str:
        """Which client this is, for a person."""

    def version(self) -> SlurmVersion:
        """slurmctld's own version."""

    def config(self) -> Mapping[str, str]:
        """slurmctld's configuration in force, keys in lower case; "(null)" is left out."""

    def is_up(self) -> bool:
        """Whether some slurmctld answers now. Not patient, and raises nothing."""

    def node(self, name: str) -> NodeState:
        """One node. Raises NoSuchNode."""

    def nodes(self, names: Sequence[str] | None = None) -> tuple[NodeState, ...]:
        """Those nodes, in that order, or all. Raises NoSuchNode, which names all that are not."""

    def jobs_on(self, name: str) -> tuple[Job, ...]:
        """The jobs that are on the node now, and what each holds there. Raises NoSuchNode."""

    def pending_jobs(self) -> tuple[Job, ...]:
        """The jobs that wait, of all partitions."""

    def drain(self, name: str, reason: str) -> None:
        """No more jobs for the node; overwrites who drained it, and why, before."""

    def resume(self, name: str) -> None:
        """End a drain or a DOWN, if there is one. Raises SlurmRefused where it is INVALID_REG."""

    def down(self, name: str, reason: str) -> None:
        """Take the node down: its jobs are killed."""

    def set_reason(self, name: str, reason: str) -> None:
        """Say another reason, without another state."""

    def reconfigure(self) -> None:
        """Have all daemons read their files again; returns before they are done."""

    def reboot(self, names: Sequence[str], reason: str, *, action: str | None = None) -> None:
        """Have slurmd run RebootProgram on these nodes as soon as no job is on them.

        Until then they drain (REBOOT_REQUESTED), and then they are DOWN (REBOOT_ISSUED) until
        slurmd says that it booted; then they are in service (nextstate=RESUME). A node that is
        rebooting already is passed over without a word: look. `action` names a PowerAction of
        26.05 instead of RebootProgram. Raises NoSuchNode, and SlurmRefused where there is no
        program to run; then no node is touched.
        """

    def cancel_reboot(self, name: str) -> None:
        """Take back a reboot that waits for jobs; a drain of before stays, with reboot's reason.

        Raises SlurmRefused where none is waiting: none was asked for, or it was issued.
        """

    def create_node(self, name: str, settings: Mapping[str, str]) -> None:
        """Make a dynamic node, as `scontrol create` takes it (State=CLOUD or FUTURE only).

        Raises SlurmRefused where there is one of that name, as far as can be seen: 22.05 shows
        a CLOUD node to nobody before it is powered up. `slurmd -Z` needs none of this: it makes
        its node itself.
        """

    def delete_node(self, name: str) -> None:
        """Delete a dynamic node. SlurmRefused while jobs are on it, or for a static one."""

    def cancel(self, job: Job) -> None:
        """Have a job end; one that has ended already is no error."""

    def reservations(self) -> tuple[Reservation, ...]:
        """All of them."""

    def reserve(self, name: str, node: str) -> None:
        """Keep a node, from now on without an end, for root's jobs that name the reservation.

        Jobs that run there go on. Others start there in a reservation with the flag MAINT only,
        seen on 22.05 and 24.11. Raises SlurmRefused where there is one of that name.
        """

    def release(self, name: str) -> None:
        """End a reservation; none of that name is no error. SlurmRefused while jobs run in it."""

    def submit(self, batch: Batch) -> int:
        """The number of the job. Raises SlurmRefused."""
