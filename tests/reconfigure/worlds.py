"""A node in memory that is reconfigured: its GPUs, slurmd, Slurm, and all that happens to them.

After every call that the loop makes it is held that the node, if it takes jobs, takes them with
the slices that live, that slurmd has loaded and that slurmctld believes in. Every call is also a
moment at which the loop can be killed.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from slurm_mig.errors import SlurmMigError
from slurm_mig.gpu.change.transaction import DONE, FORMER, NOTHING, Result
from slurm_mig.gpu.partitioning import CiSpec, GiSpec, Layout, WantedGi, WantedGpu
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.model import Placement
from slurm_mig.reconfigure import drained
from slurm_mig.reconfigure import record as records
from slurm_mig.reconfigure.record import TARGET, Record, RecordGpu
from slurm_mig.reconfigure.run import Run
from slurm_mig.reconfigure.world import Event, Options, Place, Said, World
from slurm_mig.slurm.controller.client import NodeState, Reservation
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeNode, FakeSlurm, FakeSlurmClient

NODE, UUID, RUN = "n1", "GPU-1", "a1b2c3d4"
SEVEN = Layout(
    True, tuple(GiSpec("1g.10gb", Placement(at, 1), (CiSpec("1g.10gb"),)) for at in range(7))
)
MIXED = WantedGpu(True, tuple(map(WantedGi, ("3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"))))
FORMER_TYPES = {"1g.10gb": 7}
SAVES_WITHIN_S = 7.0  # slurmctld waits for up to 5 s from one time to the next, and a little
TARGET_TYPES = {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}


class Killed(BaseException):
    """kill -9, as far as a process can do that to itself."""


class Saved(NamedTuple):
    """What slurmctld has on its disk."""

    when: float
    nodes: Mapping[str, FakeNode]
    reservations: Mapping[str, Reservation]


def gres(types: Mapping[str, int]) -> str:
    """As `Gres=` says it."""
    return ",".join(f"gpu:{kind}:{count}" for kind, count in types.items())


class Bench:
    """The node and its cluster. `broken`: what fails, by the name of the call, so many times."""

    def __init__(
        self,
        root: Path,
        *,
        release: str = "24.11.5",
        dynamic: bool = False,
        reboot: bool = False,
        smoke: bool = False,
        name: str = NODE,
        slurm: FakeSlurm | None = None,
    ) -> None:
        self.root, self.name = root, name
        self.now = 1_800_000_000.0
        self.slurm = slurm or FakeSlurm(SlurmVersion.parse(release), clock=lambda: self.now)
        node = self.slurm.add(name, gres(FORMER_TYPES), dynamic=dynamic)
        if reboot:  # we are its RebootProgram
            node.down, node.flags = True, {"DRAIN", "REBOOT_ISSUED"}
            node.reason = f"{drained.reason(RUN, 'mixed')} : reboot issued"
        self.reboot = reboot
        self.dynamic = dynamic
        self.smoke = smoke
        self.silent: set[int] = set()  # those that tell nothing
        self.told: dict[int, Said] = {}  # what test jobs tell that is not so, by gres_index
        self.live: Mapping[str, int] = dict(FORMER_TYPES)
        self.loaded: Mapping[str, int] | None = dict(FORMER_TYPES)  # by the slurmd that runs
        self.broken: dict[str, int] = {}
        self.hindrances: list[str] = []  # why it could not be published, as is known before
        self.calls: list[str] = []
        self.events: list[Event] = []
        self.kill_at: int | None = None
        self.at: dict[str, Callable[[], object]] = {}  # what happens just before a call
        self.before: Callable[[], object] = lambda: None  # what happens before every call
        self.timers: list[tuple[float, Callable[[], object]]] = []
        self.crash_at: int | None = None
        self.history: list[Saved] = []
        self.chooses: Callable[[Sequence[Saved]], Saved] = lambda saved: saved[0]
        self.lenient = False  # a resume is on its way to a slurmctld that has just come back

    def call(self, name: str) -> None:
        """The loop makes a call, or has made it."""
        self.must_be_sound()
        self.calls.append(name)
        if self.kill_at == len(self.calls):
            raise Killed(name)
        self.before()
        self._save()
        if self.crash_at == len(self.calls):
            self.crash()
            self.lenient = name == "resume"
        act = self.at.pop(name, None)
        if act is not None:
            act()
        if self.broken.get(name, 0) > 0:
            self.broken[name] -= 1
            raise SlurmMigError(f"{name} is broken")

    def must_be_sound(self) -> None:
        """AssertionError where a job could start on what it did not ask for."""
        if self.lenient:
            return
        node = self.slurm.nodes.get(self.name)
        if node is None or self.loaded is None or node.flags & {"DRAIN", "NOT_RESPONDING"}:
            # Any slurmd that says it booted would be taken into service.
            assert node is None or "REBOOT_ISSUED" not in node.flags or self.agrees, self.calls
            return
        assert gres(self.loaded) == gres(self.live) == node.gres, (self.calls[-3:], node)

    def _save(self) -> None:
        nodes = {
            name: replace(node, flags=set(node.flags)) for name, node in self.slurm.nodes.items()
        }
        self.history.append(Saved(self.now, nodes, dict(self.slurm.reservations)))

    def crash(self) -> None:
        """slurmctld is killed, and comes back with something that it had in the last seconds.

        `chooses` says with which; the first is the oldest that can be. What slurm.conf says it
        reads anew, and a slurmd that runs registers once more.
        """
        young = [one for one in self.history if one.when >= self.now - SAVES_WITHIN_S]
        before = self.history[: len(self.history) - len(young)][-1:]
        saved, now = self.chooses([*before, *young]), self.slurm.nodes
        self.slurm.nodes = {
            name: replace(node, flags=set(node.flags)) for name, node in saved.nodes.items()
        }
        self.slurm.reservations = dict(saved.reservations)
        for name, node in self.slurm.nodes.items():
            if node.conf_gres is not None:
                node.conf_gres = now[name].conf_gres
                node.gres = node.conf_gres or ""
                node.slurmd_gres = now[name].slurmd_gres
            elif self.loaded is not None:
                node.slurmd_gres = gres(self.loaded)
            if self.loaded is None:
                self.slurm.stop_slurmd(name)
            else:
                self.slurm.start_slurmd(name)

    @property
    def agrees(self) -> bool:
        """Whether slurmctld believes in what lives."""
        return gres(self.live) == self.slurm.nodes[self.name].gres

    def sleep(self, seconds: float) -> None:
        """Time goes by, and what was to happen happens."""
        self.now += seconds
        due = [act for when, act in self.timers if when <= self.now]
        self.timers = [pair for pair in self.timers if pair[0] > self.now]
        for act in due:
            act()

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        self.timers.append((self.now + seconds, act))

    def world(self, **options: Any) -> World:
        tell = self.events.append

        def told(event: Event) -> None:
            tell(event)
            self.call(f"{event.phase} {event.state}")

        return World(
            root=self.root,
            client=Client(self),
            gpus=Gpus(self),
            slurmd=Slurmd(self),
            publisher=Publisher(self),
            trials=Trials(self),
            options=Options(**{"register_s": 20.0, **options}),
            tell=told,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def record(self) -> Record:
        """A new one, on the disk."""
        made = Record(
            run_id=RUN,
            owner=records.new_id(),
            boot_id="boot",
            node=self.name,
            what="mixed",
            goal=TARGET,
            phase="DRAIN",
            reason=drained.reason(RUN, "mixed"),
            gpus=(RecordGpu(UUID, SEVEN, MIXED),),
            smoke=self.smoke,
        )
        records.begin(self.root, made)
        return made

    def run(self, **options: float) -> Run:
        """A new one under way."""
        return Run(self.world(**options), self.record())

    def again(self, **options: float) -> Run:
        """What was cut short, taken over."""
        found = records.read(self.root)
        assert found is not None
        return Run(self.world(**options), records.take_over(self.root, found))

    @property
    def node(self) -> "set[str]":
        """The state of the node."""
        return set(FakeSlurmClient(self.slurm).node(self.name).state)

    @property
    def reason(self) -> str:
        return self.slurm.nodes[self.name].reason

    def is_right(self, types: Mapping[str, int]) -> bool:
        """Whether it is in service with these slices."""
        node = self.slurm.nodes[self.name]
        in_service = not node.flags & {"DRAIN", "NOT_RESPONDING", "INVALID_REG"}
        has = {gres(self.live), gres(self.loaded or {}), node.gres} == {gres(types)}
        return in_service and has and records.read(self.root) is None


class Client(FakeSlurmClient):
    """The port, each call of which is seen."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.slurm)
        self.bench = bench

    def _ask(self, what: str) -> None:
        self.bench.call(what)
        super()._ask(what)

    def drain(self, name: str, reason: str) -> None:
        super().drain(name, reason)
        self.bench.lenient = False

    def _answer(self) -> None:
        self.bench.call("answered")
        super()._answer()


class Gpus:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.outcome: str | None = None

    def change(self, wanted: Mapping[str, WantedGpu], *, back: bool) -> Result:
        self.bench.call("change")
        assert self.bench.loaded is None, "slurmd runs"
        (want,) = wanted.values()
        types = dict(Counter(gi.profile for gi in want.instances))
        if self.bench.broken.get("apply", 0) > 0:  # it went back by itself
            self.bench.broken["apply"] -= 1
            return Result(FORMER, "no")
        if types == self.bench.live:
            return Result(NOTHING)
        self.bench.live = types
        self.bench.call("changed")
        return Result(DONE)


class Slurmd:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def runs(self) -> bool:
        self.bench.call("runs")
        return self.bench.loaded is not None

    def started(self) -> float | None:
        node = self.bench.slurm.nodes.get(self.bench.name)
        return None if node is None else node.slurmd_start

    def last_words(self) -> str:
        return "fatal: no more"

    def stop(self) -> None:
        self.bench.call("stop")
        self.bench.loaded = None
        if self.bench.name in self.bench.slurm.nodes:
            self.bench.slurm.stop_slurmd(self.bench.name)
        self.bench.call("stopped")

    def start(self, words: Mapping[str, str]) -> None:
        bench = self.bench
        bench.call("start")
        if bench.loaded is None:
            bench.call("start slurmd")
            if bench.name not in bench.slurm.nodes:
                node = bench.slurm.add(bench.name, gres(bench.live), dynamic=True)
                node.flags.add("DRAIN")
            node = bench.slurm.nodes[bench.name]
            bench.loaded = _types(node.slurmd_gres)
            bench.slurm.start_slurmd(bench.name)
            bench.call("started")

    def renew_map(self) -> Sequence[str]:
        self.bench.call("map")
        if self.bench.loaded != self.bench.live:
            raise SlurmMigError("slurmd and the slices do not agree")
        return ()


class Publisher:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def choose(self, node: NodeState) -> Mapping[str, str]:
        return {"way": "fake"}

    def begin(self, name: str, notes: Mapping[str, str]) -> None:
        self.bench.call("begin")

    def needs_it_empty(self, notes: Mapping[str, str]) -> bool:
        return self.bench.dynamic

    def types(self, notes: Mapping[str, str]) -> Mapping[str, int]:
        self.bench.call("types")
        return dict(self.bench.live)

    def hindrances(self, notes: Mapping[str, str]) -> Sequence[str]:
        return self.bench.hindrances

    def types_after(self, notes: Mapping[str, str], plans: Sequence[GpuPlan]) -> Mapping[str, int]:
        return dict(Counter(gi.profile for plan in plans for gi in plan.target.instances))

    def start_words(self, notes: Mapping[str, str], reason: str) -> Mapping[str, str]:
        return {}

    def end(self, name: str) -> None:
        self.bench.call("end")

    def publish(self, name: str, notes: Mapping[str, str], *, back: bool) -> None:
        bench = self.bench
        bench.call("publish")
        if bench.dynamic:
            if bench.name in bench.slurm.nodes:
                Client(bench).delete_node(bench.name)
            return
        bench.slurm.publish(bench.name, gres(bench.live))
        bench.call("files written")
        Client(bench).reconfigure()
        if bench.loaded is None:
            bench.slurm.stop_slurmd(bench.name)


class Trials:
    """Test jobs tell as soon as they run, and truly, but for what Bench.told has."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def places(self) -> Mapping[int, Place]:
        self.bench.call("places")
        kinds = [kind for kind, count in (self.bench.loaded or {}).items() for _ in range(count)]
        return {number: Place(kind, f"MIG-{number}") for number, kind in enumerate(kinds)}

    def partition(self, node: NodeState) -> str:
        return node.partitions[0]

    def begin(self, name: str) -> str:
        self.bench.call("trials begin")
        return "true"

    def said(self, name: str) -> Mapping[int, Said]:
        self.bench.call("said")
        slurm, found = self.bench.slurm, {}
        for number in slurm.batches:
            job = slurm.jobs[number]
            for held in job.held or () if job.state == "RUNNING" else ():
                (place,) = held.indices or ()
                if place in self.bench.silent:
                    continue
                found[number] = self.bench.told.get(place, Said(0, (place,), (f"MIG-{place}",)))
        return found

    def end(self, name: str) -> None:
        self.bench.call("trials end")


def _types(value: str) -> dict[str, int]:
    parts = (one.split(":") for one in value.split(","))
    return {kind: int(count) for _, kind, count in parts}
