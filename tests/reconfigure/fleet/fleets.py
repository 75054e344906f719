"""A fleet in memory: the loop itself on every node, and Slurm, slurm.conf and ssh between them.

Whatever anybody calls is a moment at which he can be killed, and at which it is held that no node
takes jobs with other slices than Slurm believes in, and that no more nodes are out of service than
may be.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.gpu.change.prepare import Request
from slurm_mig.gpu.config import offline
from slurm_mig.gpu.partitioning import GiSpec, Layout, LiveCi, LiveGi, LiveGpu
from slurm_mig.gpu.planning.plan import plan
from slurm_mig.model import CiId, GiId, MigMode
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.fleet import files, waves
from slurm_mig.reconfigure.fleet.conduct import conduct
from slurm_mig.reconfigure.fleet.engine import FleetEvent, FleetRun, FleetWorld
from slurm_mig.reconfigure.fleet.holding import PUBLISHED, TOUCHED
from slurm_mig.reconfigure.fleet.member import Machine, obey
from slurm_mig.reconfigure.fleet.members import Members
from slurm_mig.reconfigure.fleet.reached import ReachEngine
from slurm_mig.reconfigure.fleet.record import NodeEntry, RunRecord, reopened
from slurm_mig.reconfigure.fleet.wire import event_line, read_order, report_line
from slurm_mig.reconfigure.phases import gpu_types
from slurm_mig.reconfigure.record import FORMER, TARGET
from slurm_mig.reconfigure.world import Held
from slurm_mig.settings import Settings
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_reach import FakeReach, Ran, Say
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.gpu.changing import BOOT_ID
from tests.reconfigure.fleet import runs
from tests.reconfigure.worlds import (
    FORMER_TYPES,
    MIXED,
    SEVEN,
    TARGET_TYPES,
    UUID,
    Bench,
    Killed,
    Publisher,
    gres,
)


def _gpu(layout: Layout) -> LiveGpu:
    """An H100 that is cut up like this."""
    empty = offline.gpu("h100-80gb")
    info = empty.info._replace(uuid=UUID, mig_mode=MigMode(True, True))
    sms = {each.profile: each.sm_count for each in empty.profiles}
    instances = tuple(_live(at, gi, sms[gi.profile]) for at, gi in enumerate(layout.instances))
    return empty._replace(info=info, instances=instances)


def _live(number: int, gi: GiSpec, sm_count: int) -> LiveGi:
    cis = tuple(LiveCi(CiId(0), ci, sm_count) for ci in gi.cis)
    return LiveGi(GiId(number), gi.profile, gi.placement, cis)


def _as_planned() -> LiveGpu:
    return _gpu(plan(_gpu(SEVEN), MIXED).target)


GPUS = {gres(FORMER_TYPES): _gpu(SEVEN), gres(TARGET_TYPES): _as_planned()}


class Member(Bench):
    """One node of the fleet: its world is that of a single one, but for who tells Slurm."""

    def __init__(self, fleet: "Fleet", name: str, *, dynamic: bool = False) -> None:
        root = fleet.root / name
        boot = root / BOOT_ID
        boot.parent.mkdir(parents=True)
        boot.write_text("boot-0\n")
        super().__init__(root, name=name, slurm=fleet.slurm, dynamic=dynamic)
        self.fleet = fleet
        self.reached = True
        self.kill_in = 0  # calls until it is killed

    def call(self, name: str) -> None:
        self.fleet.must_be_sound()
        if self.kill_in:
            self.kill_in -= 1
            if not self.kill_in:
                raise Killed(name)
        super().call(name)

    def obey(self, given: bytes, say: Say) -> Ran:
        """`slurm-mig member`."""
        order = read_order(given.decode())
        world = self.world()._replace(
            tell=lambda event: say(event_line(event).encode()), publisher=HoldingPublisher(self)
        )
        gpus = (GPUS[gres(self.live)],)
        settings = Settings(lock_timeout_s=0.2)
        request = Request(self.root, settings, run=lambda work, watch: gpus)  # type: ignore[arg-type]
        machine = Machine(self.name, lambda notes: gres(self.live), lambda notes: "")
        report = obey(world, request, order, machine)
        say(report_line(report).encode())
        return Ran(0)


class HoldingPublisher(Publisher):
    """As fleet/holding.py: gres.conf by itself, slurm.conf when others do."""

    def choose(self, node: object) -> Mapping[str, str]:
        return {"way": "dynamic" if self.bench.dynamic else "reconfigure"}

    def publish(self, name: str, notes: Mapping[str, str], *, back: bool) -> None:
        bench = self.bench
        if bench.dynamic:
            return super().publish(name, notes, back=back)
        bench.call("publish")
        if notes.get(PUBLISHED) == (FORMER if back else TARGET):
            return None
        node = bench.slurm.nodes[bench.name]
        node.slurmd_gres = gres(bench.live)
        told = gpu_types(FakeSlurmClient(bench.slurm).node(bench.name)) == bench.live
        if back and told and not notes.get(TOUCHED) and not notes.get(PUBLISHED):
            return None
        raise Held("waits")


class Conf:
    """slurm.conf, which one machine writes, and the reconfigure after it."""

    def __init__(self, fleet: "Fleet") -> None:
        self.fleet = fleet

    def begin(self, name: str) -> None:
        self.fleet.call("begin")

    def publish(self, name: str, held: Sequence[NodeEntry]) -> None:
        fleet = self.fleet
        fleet.call("publish")
        if fleet.edited:
            fleet.edited = False
            raise Refused("changed by hand since this reconfigure began", ["+# by hand"])
        for one in held:
            fleet.slurm.nodes[one.name].conf_gres = one.gres
        fleet.call("files written")
        if fleet.deaf:
            fleet.deaf -= 1
            raise SlurmMigError("slurmctld does not answer")
        fleet.reread()
        fleet.publications.append({one.name: one.goal for one in held})
        fleet.call("published")

    def end(self, name: str) -> None:
        self.fleet.call("end")


class Fleet:
    """All of it. `kill_at`: the conductor is killed at that call of his."""

    def __init__(
        self, root: Path, count: int, at_once: int, may_fail: int = 1, *, dynamic: int = 0
    ) -> None:
        self.root, self.at_once = root, at_once
        self.slurm = FakeSlurm(SlurmVersion.parse("24.11.5"), clock=lambda: 1_800_000_000.0)
        names = runs.names(count)
        self.members = {
            name: Member(self, name, dynamic=at < dynamic) for at, name in enumerate(names)
        }
        self.start = runs.record(count, at_once=at_once, may_fail=may_fail)
        self.publications: list[Mapping[str, str]] = []
        self.calls: list[str] = []
        self.kill_at: int | None = None
        self.before: Callable[[], object] = lambda: None  # what happens before every call
        self.edited = False
        self.deaf = 0
        self.lost: dict[str, Callable[[], bool]] = {}
        self.events: list[FleetEvent] = []

    def call(self, name: str) -> None:
        """The conductor makes a call, or has made it."""
        self.must_be_sound()
        self.calls.append(name)
        if self.kill_at == len(self.calls):
            raise Killed(name)
        self.before()

    def must_be_sound(self) -> None:
        """AssertionError where a job could start on what it did not ask for, or too many drain."""
        for member in self.members.values():
            member.must_be_sound()
        out = [name for name, node in self.slurm.nodes.items() if "DRAIN" in node.flags]
        assert len(out) <= self.at_once, out

    def reread(self) -> None:
        """`scontrol reconfigure`: whoever runs is started anew, whoever was stopped is not."""
        FakeSlurmClient(self.slurm).reconfigure()
        for name, member in self.members.items():
            if member.loaded is None and name in self.slurm.nodes:
                self.slurm.stop_slurmd(name)

    def run(self) -> RunRecord:
        """A new run."""
        files.begin(self.root, self.start)
        return self._conduct(self.start)

    def resume(self) -> RunRecord:
        """The same, taken up again."""
        found = files.read(self.root, runs.RUN)
        assert found is not None
        return self._conduct(reopened(files.take_over(self.root, found)))

    def _conduct(self, record: RunRecord) -> RunRecord:
        def tell(event: FleetEvent) -> None:
            self.events.append(event)
            self.call(f"{event.node} {event.phase} {event.state}")

        world = FleetWorld(self.root, Client(self), tell, lambda: 0.0, lambda seconds: None)
        members = Members(FakeReach(self._program), ["slurm-mig"], lambda seconds: None)
        run = FleetRun(world, record)
        run.note()
        return conduct(run, ReachEngine(members, Conf(self)))

    def _program(self, node: str, given: bytes, words: Sequence[str], say: Say) -> Ran:
        assert words == ("slurm-mig", "member")
        self.call(f"order {node}")
        member = self.members[node]
        if not member.reached:
            return Ran(None)
        try:
            return member.obey(given, say)
        except Killed:
            if self.kill_at == len(self.calls):
                raise  # the conductor
            return Ran(None, b"", b"Connection closed by remote host\n")

    def types(self, name: str) -> Mapping[str, int]:
        return self.members[name].live

    def is_right(self, name: str, types: Mapping[str, int]) -> bool:
        """Whether it is in service with these slices, and slurm.conf has them too."""
        node = self.slurm.nodes[name]
        same = node.dynamic or node.conf_gres == node.gres
        return same and self.members[name].is_right(types)

    def must_have_ended(self, record: RunRecord) -> None:
        """Every node is as its outcome says."""
        for one in record.nodes:
            node = self.slurm.nodes[one.name]
            if one.outcome in ("done", "nothing"):
                assert self.is_right(one.name, TARGET_TYPES), one
            elif one.outcome in ("former", "refused", "unreached", ""):
                assert self.is_right(one.name, FORMER_TYPES), one
            else:
                assert "DRAIN" in node.flags, one
                assert node.reason.startswith("slurm-mig re"), node.reason
                assert "--resume" in node.reason or "recover" in node.reason, node.reason
        assert waves.begun(record) == ()


class Client(FakeSlurmClient):
    """The conductor's own, each call of which is seen."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet.slurm)
        self.fleet = fleet

    def _ask(self, what: str) -> None:
        self.fleet.call(what)
        super()._ask(what)


__all__ = ["FORMER_TYPES", "TARGET_TYPES", "Fleet", "Killed", "records"]
