"""Nodes in memory that Slurm reboots: each carries its order out by itself, by the real loop.

Time goes by only while the run's command sleeps, or is dead. Whenever it does, it is held that no
more nodes are out of service than may be.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slurm_mig.errors import SlurmNotAnswering
from slurm_mig.reconfigure import loop
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.drained import begins, reason
from slurm_mig.reconfigure.fleet import files
from slurm_mig.reconfigure.fleet.conduct import conduct
from slurm_mig.reconfigure.fleet.engine import FleetEvent, FleetRun, FleetWorld
from slurm_mig.reconfigure.fleet.reboots import NAME, RebootEngine
from slurm_mig.reconfigure.fleet.record import RunRecord, reopened
from slurm_mig.reconfigure.loop import Ended
from slurm_mig.reconfigure.reboot import desired, worker
from slurm_mig.reconfigure.reboot.desired import Wanted
from slurm_mig.reconfigure.reboot.program import Task
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient
from tests.reconfigure.fleet.runs import names, record
from tests.reconfigure.worlds import FORMER_TYPES, TARGET_TYPES, Bench, Killed, gres

FOLDER = "/desired"


class Rebooting:
    """`silent` nodes never run RebootProgram; `carried` are the orders that came to an end."""

    def __init__(
        self, root: Path, count: int, at_once: int, may_fail: int = 1, release: str = "24.11.5"
    ) -> None:
        self.root, self.at_once = root, at_once
        self.now = 1_800_000_000.0
        self.slurm = FakeSlurm(SlurmVersion.parse(release), clock=lambda: self.now)
        self.slurm.settings["rebootprogram"] = "/usr/lib/slurm-mig/reboot"
        self.slurm.reboot_program = self._issued
        self.members = {}
        for name in names(count):
            (root / name).mkdir()
            self.members[name] = Bench(root / name, name=name, slurm=self.slurm)
        self.record = record(count, engine=NAME, at_once=at_once, may_fail=may_fail)
        self.chosen = ReconfigureSettings(desired_dir=FOLDER, reboot_timeout_s=600.0)
        self.silent: set[str] = set()
        self.carried: list[tuple[str, str]] = []
        self.events: list[FleetEvent] = []
        self.timers: list[tuple[float, Callable[[], object]]] = []
        self.kill_at: int | None = None
        self.steps = 0
        self.delay_s = 5.0
        self.lost_orders = 0  # which slurmctld is away for
        self.deaf = 0  # so many looks of the command that slurmctld will not answer

    @property
    def client(self) -> FakeSlurmClient:
        return _Client(self)

    def engine(self) -> RebootEngine:
        return RebootEngine(self.root, self.client, self.chosen)

    def world(self) -> FleetWorld:
        return FleetWorld(self.root, self.client, self._told, lambda: self.now, self.sleep)

    def run(self) -> RunRecord:
        """Conduct it."""
        files.begin(self.root, self.record)
        return conduct(FleetRun(self.world(), self.record), self.engine())

    def resume(self, **options: float) -> RunRecord:
        """Take it up again."""
        found = files.read(self.root, self.record.run_id)
        assert found is not None
        ours = files.take_over(self.root, found)
        run = FleetRun(self.world(), reopened(ours))
        run.note(options=ours.options._replace(**options))  # type: ignore[arg-type]
        return conduct(run, self.engine())

    def sleep(self, seconds: float) -> None:
        """Time goes by, and what was to happen happens."""
        self._step("sleep")
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """The same while nobody looks."""
        end = self.now + seconds
        while due := sorted((pair for pair in self.timers if pair[0] <= end), key=lambda p: p[0]):
            when, act = due[0]
            self.timers.remove(due[0])
            self.now = max(self.now, when)
            act()
            self.must_be_few()
        self.now = end
        self.must_be_few()

    def must_be_few(self) -> None:
        """No more are out of service than may be."""
        out = [
            node.name for node in self.slurm.nodes.values() if node.down or "DRAIN" in node.flags
        ]
        assert len(out) <= self.at_once, out

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        self.timers.append((self.now + seconds, act))

    def is_right(self, name: str) -> bool:
        """Whether it is in service with what is wanted."""
        types = FORMER_TYPES if self.record.rollback else TARGET_TYPES
        return self.members[name].is_right(types)

    def turn_back(self) -> None:
        """The next run rolls back what was done."""
        again = [one._replace(wave=0, stage="waiting", outcome="") for one in self.record.nodes]
        self.record = self.record._replace(
            run_id="ffffffff", label="", text="", rollback=True, nodes=tuple(again)
        )

    def is_former(self, name: str) -> bool:
        """Whether its slices are as before, and Slurm has those."""
        member = self.members[name]
        return member.live == FORMER_TYPES and self.slurm.nodes[name].gres == gres(FORMER_TYPES)

    def recover(self, name: str) -> None:
        """Somebody runs `slurm-mig recover` there."""
        bench = self.members[name]
        loop.recover(Run(bench.world(), records.take_over(bench.root, _open(bench))))

    def wanted(self) -> list[str]:
        """What is still wanted, by its files."""
        return sorted(path.name for path in (self.root / "desired").rglob("*.json"))

    def _told(self, event: FleetEvent) -> None:
        self.events.append(event)
        self._step(event.phase)

    def _step(self, what: str) -> None:
        self.steps += 1
        if self.steps == self.kill_at:
            raise Killed(what)

    def _issued(self, name: str) -> None:
        order = desired.order_of(self.root, FOLDER, name)
        assert order is not None, f"{name} would be rebooted"
        assert self.slurm.nodes[name].reason.startswith(begins(order.run))
        if name not in self.silent:
            self.after(self.delay_s, lambda: self._carry_out(name))

    def _carry_out(self, name: str) -> None:
        order = desired.order_of(self.root, FOLDER, name)
        assert order is not None
        bench = self.members[name]
        world = bench.world(keep_what_failed=True)
        wanted = desired.wanted_by(self.root, FOLDER, order.run)
        if wanted.rollback:
            ended = self._roll_back(bench, Task(order, wanted))
        elif records.read(bench.root) is not None:
            ended = loop.recover(Run(world, records.take_over(bench.root, _open(bench))))
        elif bench.live == TARGET_TYPES:
            task = Task(order, Wanted(order.run, "mixed", ""))
            ended = worker.release(world, name, task, Ended("nothing"))
        else:
            ours = self._record(bench, Task(order, wanted), smoke=bool(wanted.smoke))
            ended = loop.forward(Run(world, ours))
        self.carried.append((name, ended.outcome))

    def _record(self, bench: Bench, task: Task, **more: Any) -> records.Record:
        order, wanted = task
        why = reason(order.run, wanted.what)
        ours = bench.record()._replace(run_id=order.run, theirs=order.theirs, reason=why, **more)
        records.write(bench.root, ours)
        return ours

    def _roll_back(self, bench: Bench, task: Task) -> Ended:
        """As the worker, whose plans are the simulator's (reboot/test_worker.py)."""
        world = bench.world(keep_what_failed=True)
        if (found := records.read(bench.root)) is not None:
            assert found.run_id == task.order.run
            return loop.recover(Run(world, records.take_over(bench.root, found)))
        last = records.read(bench.root, records.LAST)
        if last is None:
            refused = Ended(worker.REFUSED, "no reconfigure of this node is known")
            return worker.release(world, bench.name, task, refused)
        if last.run_id == task.order.run and last.goal == "target":
            return worker.release(world, bench.name, task, Ended("nothing"))
        (gpu,) = last.gpus
        back = gpu._replace(target=records.wanted_of(gpu.former))
        return loop.forward(Run(world, self._record(bench, task, gpus=(back,))))


class _Client(FakeSlurmClient):
    """As the run's command has it."""

    def __init__(self, fleet: Rebooting) -> None:
        super().__init__(fleet.slurm)
        self._fleet = fleet

    def reboot(self, names: Sequence[str], reason: str, *, action: str | None = None) -> None:
        if self._fleet.lost_orders > 0:
            self._fleet.lost_orders -= 1
            self._fleet.deaf = 3
            raise SlurmNotAnswering("Unable to contact slurm controller", unsent=True)
        super().reboot(names, reason, action=action)

    def nodes(self, names: Sequence[str] | None = None) -> tuple[NodeState, ...]:
        if self._fleet.deaf > 0:
            self._fleet.deaf -= 1
            raise SlurmNotAnswering("Unable to contact slurm controller", unsent=True)
        return super().nodes(names)


def _open(bench: Bench) -> records.Record:
    found = records.read(bench.root)
    assert found is not None
    return found
