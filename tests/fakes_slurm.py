"""A cluster in memory behind the Slurm port, held to tests/contract/test_slurm_client.py.

`FakeSlurm` is the cluster: what slurmctld knows, what the nodes' slurmds would register, and
what can happen to both. `FakeSlurmClient` is its port. The rules that differ by release are
those that facts were seen of: 22.05 leaves GRES as they are when it reads its files again, and
keeps a drain's reason when the node registers badly; 24.11 and later do neither.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from slurm_mig.errors import NoSuchNode, SlurmNotAnswering, SlurmRefused, UsageError
from slurm_mig.slurm.controller import gres_text
from slurm_mig.slurm.controller.client import (
    ACTIVE,
    Batch,
    GresCount,
    HeldGres,
    Job,
    NodeState,
    Reservation,
    reason_text,
)
from slurm_mig.slurm.records.types import misread_node
from slurm_mig.slurm.version import SlurmVersion

_RECONFIGURES_GRES = SlurmVersion(23, 11, 0)
_NAMES_ACTIONS = SlurmVersion(26, 5, 0)


@dataclass
class FakeNode:
    """A node: `gres` as slurmctld has it, `slurmd_gres` as its slurmd would register it.

    `conf_gres` is what slurm.conf says; None makes it a dynamic node.
    """

    name: str
    gres: str
    conf_gres: str | None = None
    slurmd_gres: str = ""
    flags: set[str] = field(default_factory=set)
    down: bool = False
    reason: str = ""
    reason_time: float | None = None
    slurmd_start: float | None = None
    undrain: bool = False  # the drain is only that of a reboot that waits

    @property
    def dynamic(self) -> bool:
        """Whether it came by `slurmd -Z`."""
        return self.conf_gres is None


@dataclass
class FakeSlurm:
    """The cluster. A test changes it as an administrator, a user or an accident would.

    `unanswered` counts the calls that will not be answered; `lose_answers` those that are
    carried out and whose answer is lost.
    """

    release: SlurmVersion
    clock: Callable[[], float] = field(default=lambda: 1_800_000_000.0)
    nodes: dict[str, FakeNode] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    epilogs_end: bool = True
    on_hold: set[int] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)  # by job: the node that it asked for
    reserved_for: dict[int, str] = field(default_factory=dict)  # by job: its reservation
    batches: dict[int, Batch] = field(default_factory=dict)
    unanswered: int = 0
    lose_answers: int = 0
    actions: set[str] = field(default_factory=set)  # PowerActions of 26.05, by name
    reboot_program: Callable[[str], object] = field(default=lambda _: None)
    commands: list[str] = field(default_factory=list)  # every call that came, by its name
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def add(self, name: str, gres: str, *, dynamic: bool = False) -> FakeNode:
        """A node whose slurmd has registered just what was expected."""
        node = FakeNode(name, gres, None if dynamic else gres, gres)
        node.slurmd_start = self.clock()
        self.nodes[name] = node
        return node

    def submit(self, gres: str = "", node: str | None = None, **more: str) -> Job:
        """A job that wants `gres` ("gpu:1g.10gb:1"): it runs where there is room, or waits.

        `more` are fields of Job. Raises SlurmRefused for what no node has.
        """
        job = self.queue(gres, **more)
        self.release_job(job.job_id, node)
        return self.jobs[job.job_id]

    def queue(self, gres: str = "", **more: str) -> Job:
        """A job that is on hold: it waits until release_job()."""
        wanted = gres_text.counts(gres)
        if not any(_has(each, wanted) for each in self.nodes.values()):
            raise SlurmRefused("Requested node configuration is not available")
        number = next(self._ids)
        job = Job(number, str(number), "root", "wrap", "PENDING", "main", (), None, None, wanted)
        self.jobs[number] = job._replace(**more)  # type: ignore[arg-type]
        self.on_hold.add(number)
        return self.jobs[number]

    def release_job(self, number: int, node: str | None = None) -> None:
        """A job on hold may run, on the node where one is named."""
        self.on_hold.discard(number)
        if node is not None:
            self.places[number] = node
        self.schedule()

    def schedule(self) -> None:
        """Start what can start: never on a node that drains or is down."""
        for job in list(self.jobs.values()):
            if job.state != "PENDING" or job.job_id in self.on_hold:
                continue
            wanted = self.places.get(job.job_id)
            for node in self._candidates(wanted):
                takes = _takes(node) and not self._cleans_up(node) and self._lets_in(node, job)
                held = self._free(node, job.gres_wanted) if takes else None
                if held is not None:
                    self.jobs[job.job_id] = job._replace(
                        state="RUNNING", nodes=(node.name,), held=held
                    )
                    break

    def _candidates(self, wanted: str | None) -> list[FakeNode]:
        return [node for node in self.nodes.values() if wanted in (None, node.name)]

    def _cleans_up(self, node: FakeNode) -> bool:
        """While one job's epilog runs, no other starts on the node."""
        jobs = self.jobs.values()
        return any(job.state == "COMPLETING" and node.name in job.nodes for job in jobs)

    def _lets_in(self, node: FakeNode, job: Job) -> bool:
        """Whether it is kept for nobody, or for this job."""
        kept = {name for name, one in self.reservations.items() if node.name in one.nodes}
        mine = self.reserved_for.get(job.job_id)
        return mine in kept if kept else mine is None

    def end(self, number: int) -> None:
        """A job ends, or is cancelled; while its epilog runs, nobody says what it holds."""
        job = self.jobs[number]
        if job.nodes and not self.epilogs_end:
            self.jobs[number] = job._replace(state="COMPLETING", held=None)
        else:
            self.jobs[number] = job._replace(state="COMPLETED", held=())
        self.issue_reboots()

    def publish(self, name: str, gres: str) -> None:
        """slurm.conf and gres.conf get other GRES; nobody reads them yet."""
        node = self.nodes[name]
        node.conf_gres = node.slurmd_gres = gres

    def ask_reboot(self, name: str, reason: str) -> None:
        """A reboot is asked for: it waits for jobs, unless the node is rebooting already."""
        node = self.nodes[name]
        if node.flags & {"REBOOT_REQUESTED", "REBOOT_ISSUED"}:
            return
        node.undrain = "DRAIN" not in node.flags
        node.flags |= {"REBOOT_REQUESTED", "DRAIN"}
        node.reason, node.reason_time = reason, self.clock()

    def issue_reboots(self) -> None:
        """RebootProgram runs on the nodes that wait for it and are empty."""
        busy = {name for job in self.jobs.values() if job.state in ACTIVE for name in job.nodes}
        for node in list(self.nodes.values()):
            if "REBOOT_REQUESTED" in node.flags and node.name not in busy:
                node.flags = (node.flags - {"REBOOT_REQUESTED"}) | {"REBOOT_ISSUED"}
                node.down = True
                node.reason += " : reboot issued"
                self.reboot_program(node.name)

    def start_slurmd(self, name: str, *, booted: bool = False) -> None:
        """slurmd of a node registers with what its gres.conf says; `booted`: `slurmd -b`."""
        node = self.nodes[name]
        if "REBOOT_ISSUED" in node.flags:
            if not booted:  # slurmctld waits for a later boot
                return
            node.flags -= {"REBOOT_ISSUED", "DRAIN"}
            node.down = False
        node.slurmd_start = self.clock()
        node.flags.discard("NOT_RESPONDING")
        have = sum(one.number for one in gres_text.counts(node.slurmd_gres))
        want = sum(one.number for one in gres_text.counts(node.gres))
        if have >= want:  # the types of a dynamic node may differ: nobody says so
            node.flags.discard("INVALID_REG")
            return
        if "DRAIN" not in node.flags or self.release >= _RECONFIGURES_GRES:
            node.reason = f"gres/gpu count reported lower than configured ({have} < {want})"
            node.reason_time = self.clock()
        node.flags |= {"INVALID_REG", "DRAIN"}

    def stop_slurmd(self, name: str) -> None:
        """slurmd of a node is gone, and slurmctld has seen it."""
        self.nodes[name].flags.add("NOT_RESPONDING")

    def reread(self) -> None:
        """What `scontrol reconfigure` comes to."""
        if self.release >= _RECONFIGURES_GRES:
            self.restart()

    def restart(self) -> None:
        """slurmctld starts anew: GRES are slurm.conf's; jobs that do not fit are requeued."""
        for node in self.nodes.values():
            if node.conf_gres is not None and node.gres != node.conf_gres:
                node.gres = node.conf_gres
                self._requeue(node.name)
            self.start_slurmd(node.name)

    def _requeue(self, name: str) -> None:
        for job in self.jobs.values():
            if job.held and name in job.nodes:
                self.jobs[job.job_id] = job._replace(state="PENDING", nodes=(), held=())

    def used(self, name: str) -> tuple[HeldGres, ...]:
        """What jobs hold on a node."""
        return tuple(
            held for job in self.jobs.values() for held in job.held or () if held.node == name
        )

    def _free(self, node: FakeNode, wanted: Sequence[GresCount]) -> tuple[HeldGres, ...] | None:
        """The places that a job gets: indices count through the types in the order of Gres=."""
        taken = {index for held in self.used(node.name) for index in held.indices or ()}
        found, start = [], 0
        places: dict[str | None, list[int]] = {}
        for one in gres_text.counts(node.gres):
            own = range(start, start + one.number)
            places[one.type] = [index for index in own if index not in taken]
            start += one.number
        for each in wanted:
            free = places.get(each.type, [])
            if len(free) < each.number:
                return None
            indices = tuple(free[: each.number])
            found.append(HeldGres(node.name, each.name, each.type, each.number, indices))
        return tuple(found)


def _takes(node: FakeNode) -> bool:
    return not node.down and not node.flags & {"DRAIN", "NOT_RESPONDING"}


def _has(node: FakeNode, wanted: Sequence[GresCount]) -> bool:
    have = gres_text.counts(node.gres)
    return all(
        sum(one.number for one in have if each.type in (None, one.type)) >= each.number
        for each in wanted
    )


class FakeSlurmClient:
    """The port of a FakeSlurm, as one of the cluster's administrators uses it."""

    def __init__(self, cluster: FakeSlurm) -> None:
        self.cluster = cluster

    def about(self) -> str:
        return "a cluster in memory"

    def version(self) -> SlurmVersion:
        self._ask("version")
        return self.cluster.release

    def config(self) -> Mapping[str, str]:
        self._ask("config")
        usual = {"slurm_version": str(self.cluster.release), "selecttype": "select/cons_tres"}
        return {**usual, **self.cluster.settings}

    def is_up(self) -> bool:
        return self.cluster.unanswered == 0

    def node(self, name: str) -> NodeState:
        return self.nodes([name])[0]

    def nodes(self, names: Sequence[str] | None = None) -> tuple[NodeState, ...]:
        self._ask("nodes")
        shown = self._shown()
        asked = list(shown) if names is None else [_checked(name) for name in names]
        if missing := [name for name in asked if name not in shown]:
            raise NoSuchNode(f"slurmctld knows no node {', '.join(missing)}")
        return tuple(self._state(shown[name]) for name in asked)

    def jobs_on(self, name: str) -> tuple[Job, ...]:
        self._known("jobs_on", name)
        jobs = self.cluster.jobs.values()
        return tuple(job for job in jobs if job.state in ACTIVE and name in job.nodes)

    def pending_jobs(self) -> tuple[Job, ...]:
        self._ask("pending_jobs")
        return tuple(job for job in self.cluster.jobs.values() if job.state == "PENDING")

    def drain(self, name: str, reason: str) -> None:
        said = _checked_reason(reason)
        node = self._known("drain", name)
        node.flags.add("DRAIN")
        self._because(node, said)

    def down(self, name: str, reason: str) -> None:
        said = _checked_reason(reason)
        node = self._known("down", name)
        node.down = True
        for job in self.jobs_on(name):
            self.cluster.jobs[job.job_id] = job._replace(state="PENDING", nodes=(), held=())
        self._because(node, said)

    def set_reason(self, name: str, reason: str) -> None:
        said = _checked_reason(reason)
        self._because(self._known("set_reason", name), said)

    def resume(self, name: str) -> None:
        node = self._known("resume", name)
        if "INVALID_REG" in node.flags:
            raise SlurmRefused("slurm_update error: Invalid node state specified")
        if not (node.down or "DRAIN" in node.flags):
            return self._answer()
        node.flags -= {"DRAIN", "REBOOT_REQUESTED", "REBOOT_ISSUED"}
        node.down = False
        if self.cluster.release < _RECONFIGURES_GRES:
            node.reason = ""  # later releases leave it for a while
        self.cluster.schedule()
        return self._answer()

    def reconfigure(self) -> None:
        self._ask("reconfigure")
        self.cluster.reread()
        self._answer()

    def reboot(self, names: Sequence[str], reason: str, *, action: str | None = None) -> None:
        said, asked = _checked_reason(reason), [_checked(name) for name in names]
        if not asked:
            raise UsageError("no node to reboot was named")
        self._ask("reboot")
        if action is not None and self.cluster.release < _NAMES_ACTIONS:
            raise SlurmRefused(f"Slurm {self.cluster.release} knows no PowerAction")
        if action is not None and action not in self.cluster.actions:
            raise SlurmRefused("scontrol_reboot_nodes error: Invalid power action")
        if action is None and not self.cluster.settings.get("rebootprogram"):
            raise SlurmRefused("no RebootProgram is set in slurm.conf")
        if missing := [name for name in asked if name not in self.cluster.nodes]:
            raise NoSuchNode(f"slurmctld knows no node {', '.join(missing)}")
        for name in asked:
            self.cluster.ask_reboot(name, said)
        self.cluster.issue_reboots()
        self._answer()

    def cancel_reboot(self, name: str) -> None:
        node = self._known("cancel_reboot", name)
        if "REBOOT_REQUESTED" not in node.flags:
            raise SlurmRefused("slurm_update error: Invalid node state specified")
        node.flags.discard("REBOOT_REQUESTED")
        if node.undrain:
            node.flags.discard("DRAIN")
            node.reason = ""
        self.cluster.schedule()
        self._answer()

    def create_node(self, name: str, settings: Mapping[str, str]) -> None:
        _checked(name)
        self._ask("create_node")
        if name in self._shown():
            raise SlurmRefused(f"node {name} already exists")
        if {key.lower(): value for key, value in settings.items()}.get("state") != "CLOUD":
            raise SlurmRefused("Only State=FUTURE and State=CLOUD allowed")
        self.cluster.add(name, "", dynamic=True).flags |= {"CLOUD", "POWERED_DOWN"}
        self._answer()

    def delete_node(self, name: str) -> None:
        node = self._known("delete_node", name)
        if not node.dynamic:
            raise SlurmRefused(f"node {name} is slurm.conf's: only dynamic ones are deleted")
        if self.jobs_on(name):
            raise SlurmRefused(f"delete_node nodename={name}: Requested nodes are busy")
        del self.cluster.nodes[name]
        self._answer()

    def cancel(self, job: Job) -> None:
        self._ask("cancel")
        for other in list(self.cluster.jobs.values()):
            if other.cancels_as == job.cancels_as and other.state in ACTIVE | {"PENDING"}:
                self.cluster.end(other.job_id)
        self.cluster.schedule()

    def reservations(self) -> tuple[Reservation, ...]:
        self._ask("reservations")
        return tuple(self.cluster.reservations.values())

    def reserve(self, name: str, node: str) -> None:
        self._known("reserve", node)
        if name in self.cluster.reservations:
            raise SlurmRefused("Error creating the reservation: Duplicate reservation name")
        now = self.cluster.clock()
        self.cluster.reservations[name] = Reservation(name, (node,), True, now, now + 365 * 86400)
        self._answer()

    def release(self, name: str) -> None:
        self._ask("release")
        jobs = self.cluster.jobs
        ours = [jobs[job] for job, kept in self.cluster.reserved_for.items() if kept == name]
        if any(job.state == "RUNNING" for job in ours):
            raise SlurmRefused("delete_reservation: Requested reservation is in use")
        self.cluster.reservations.pop(name, None)
        self.cluster.schedule()
        self._answer()

    def submit(self, batch: Batch) -> int:
        self._ask("submit")
        if batch.reservation not in self.cluster.reservations:
            raise SlurmRefused("Batch job submission failed: Requested reservation is invalid")
        job = self.cluster.queue(batch.gres, name=batch.name)
        self.cluster.reserved_for[job.job_id] = batch.reservation
        self.cluster.batches[job.job_id] = batch
        self.cluster.release_job(job.job_id, batch.node)
        self._answer()
        return job.job_id

    def _shown(self) -> dict[str, FakeNode]:
        hidden = {"POWERED_DOWN"} if self.cluster.release < _RECONFIGURES_GRES else set()
        nodes = self.cluster.nodes.items()
        return {name: node for name, node in nodes if not node.flags & hidden}

    def _ask(self, what: str) -> None:
        self.cluster.commands.append(what)
        if self.cluster.unanswered > 0:
            self.cluster.unanswered -= 1
            raise SlurmNotAnswering(f"{what}: Unable to contact slurm controller", unsent=True)

    def _answer(self) -> None:
        """The end of each change: it is made, and may never be heard of."""
        if self.cluster.lose_answers > 0:
            self.cluster.lose_answers -= 1
            raise SlurmNotAnswering("Socket timed out on send/recv operation")

    def _known(self, what: str, name: str) -> FakeNode:
        _checked(name)
        self._ask(what)
        if name not in self.cluster.nodes:
            raise NoSuchNode(f"slurmctld knows no node {name}")
        return self.cluster.nodes[name]

    def _because(self, node: FakeNode, reason: str) -> None:
        node.reason, node.reason_time = reason, self.cluster.clock()
        self._answer()

    def _state(self, node: FakeNode) -> NodeState:
        used = self.cluster.used(node.name)
        on_it = [job for job in self.cluster.jobs.values() if node.name in job.nodes]
        states = {job.state for job in on_it} & ACTIVE
        base = "DOWN" if node.down else "MIXED" if states - {"COMPLETING"} else "IDLE"
        flags = {*node.flags, *(states & {"COMPLETING"})}
        return NodeState(
            name=node.name,
            state=frozenset({base, *flags, *({"DYNAMIC_NORM"} if node.dynamic else ())}),
            reason=node.reason,
            reason_user="root" if node.reason else None,
            reason_time=node.reason_time if node.reason else None,
            gres=gres_text.counts(node.gres),
            gres_used=used,
            slurmd_version=str(self.cluster.release),
            slurmd_start=node.slurmd_start,
            cpus=16,
            features=(),
            partitions=("main",),
            address="127.0.0.1",
            host_name=node.name,
        )


def _checked(name: str) -> str:
    if misread_node(name) or name.upper() == "ALL":
        raise UsageError(f"{name!r} is not the name of one node")
    return name


def _checked_reason(reason: str) -> str:
    if not reason_text(reason):
        raise UsageError("Slurm takes no node out of service without a reason")
    return reason_text(reason)
