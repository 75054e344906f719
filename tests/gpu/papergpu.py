"""A GPU on paper: it carries out the steps of a plan, and refuses what a driver would.

The rules are those of tests/layouts.py and of the models' tables, never the product's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import strategies as st

from slurm_mig.gpu.nvml.port import GpuInfo
from slurm_mig.gpu.partitioning import (
    CiSpec,
    GiProfile,
    LiveCi,
    LiveGi,
    LiveGpu,
    WantedGi,
    WantedGpu,
)
from slurm_mig.gpu.planning.plan_steps import (
    CreateCi,
    CreateGi,
    DestroyCi,
    DestroyGi,
    Reset,
    SetMode,
    Step,
)
from slurm_mig.model import CiId, GiId, GpuIndex, GpuMinor, MigMode, Placement, ProfileId
from tests.gpu import oracle
from tests.layouts import PlacedGi, ci_divisions, compatible
from tests.sim import layout as sim_layout
from tests.sim import models
from tests.sim.models import CiProfile, GpuModel

UUID = "GPU-00000000-0000-0000-0000-000000000000"


class Refusal(AssertionError):
    """A driver would have refused this step."""


def profiles(model: GpuModel) -> tuple[GiProfile, ...]:
    """What NVML tells of that model."""
    return tuple(
        GiProfile(
            profile=each.name,
            profile_id=ProfileId(each.profile_id),
            slices=each.slices,
            memory_mib=each.memory_mib,
            sm_count=each.sm_count,
            max_count=each.max_count,
            placements=tuple(Placement(start, each.size) for start in each.starts),
        )
        for each in model.profiles
    )


@dataclass(frozen=True)
class PaperCi:
    """A compute instance."""

    profile: CiProfile
    start: int
    ci_id: int


@dataclass
class PaperGi:
    """A GPU instance."""

    placed: PlacedGi
    gi_id: int
    cis: list[PaperCi] = field(default_factory=list)

    @property
    def placement(self) -> Placement:
        """Where it is."""
        return Placement(self.placed.start, self.placed.profile.size)

    def free(self, profile: CiProfile, start: int) -> bool:
        """Whether a compute instance can be made there."""
        there = [*self.cis, PaperCi(profile, start, -1)]
        bits = [unit for ci in there for unit in range(ci.start, ci.start + ci.profile.size)]
        return (
            start in profile.starts
            and len(bits) == len(set(bits))
            and sum(ci.profile.slices for ci in there) <= self.placed.profile.slices
            and sum(ci.profile.sm_count for ci in there) <= self.placed.profile.sm_count
        )


@dataclass
class PaperGpu:
    """One GPU of a model."""

    model: GpuModel
    mode: MigMode
    instances: dict[Placement, PaperGi] = field(default_factory=dict)
    made: int = 0

    def copy(self) -> "PaperGpu":
        """Another one, just like it."""
        instances = {place: replace(gi, cis=list(gi.cis)) for place, gi in self.instances.items()}
        return PaperGpu(self.model, self.mode, instances, self.made)

    def do(self, step: Step) -> None:
        """Carry out one step. Raises Refusal."""
        match step:
            case DestroyCi(_, gi, ci):
                self._destroy_ci(self._at(gi.placement, gi.profile), ci)
            case DestroyGi(_, gi):
                self._need(not self._at(gi.placement, gi.profile).cis, step)
                del self.instances[gi.placement]
            case SetMode(_, on):
                self._set_mode(on)
            case Reset():
                self._need(not self.instances, step)
                self.mode = MigMode(self.mode.pending, self.mode.pending)
            case CreateGi(_, profile, placement):
                self._create_gi(profile, placement)
            case CreateCi(_, placement, ci):
                self._create_ci(self._at(placement), ci)

    def run(self, steps: Sequence[Step]) -> None:
        """Carry out all steps."""
        for step in steps:
            self.do(step)

    def live(self, *, hide_profiles: bool = False) -> LiveGpu:
        """How it looks."""
        info = GpuInfo(
            gpu_index=GpuIndex(0),
            gpu_minor=GpuMinor(0),
            uuid=UUID,
            name=self.model.name,
            pci_bus_id="00000000:07:00.0",
            memory_mib=self.model.memory_mib,
            mig_mode=self.mode if self.model.mig else None,
        )
        instances = sorted(self.instances.values(), key=lambda gi: gi.placement)
        return LiveGpu(
            info=info,
            pci_device_id=self.model.pci_device_id,
            pci_subsystem_id=self.model.pci_subsystem_id,
            mode_needs_reset=self.model.reset_for_mode,
            profiles=() if hide_profiles else profiles(self.model),
            instances=tuple(_live(gi) for gi in instances),
        )

    def _need(self, condition: bool, what: object) -> None:
        if not condition:
            raise Refusal(f"{what} on {self.model.key} with {list(self.instances.values())}")

    def _at(self, placement: Placement, profile: str | None = None) -> PaperGi:
        gi = self.instances.get(placement)
        if gi is None or profile not in (None, gi.placed.profile.name):
            raise Refusal(f"no {profile} at {placement}: {list(self.instances.values())}")
        return gi

    def _set_mode(self, on: bool) -> None:
        now = self.mode.current
        self._need(now == on or not self.instances, f"mode {on}")
        at_once = now == on or not self.model.reset_for_mode
        self.mode = MigMode(on if at_once else now, on)

    def _create_gi(self, profile: str, placement: Placement) -> None:
        new = PlacedGi(self.model.profile(profile), placement.start)
        others = [gi.placed for gi in self.instances.values()]
        self._need(self.mode.current, "no MIG")
        self._need(placement == Placement(new.start, new.profile.size), placement)
        self._need(new.start in new.profile.starts, new)
        self._need(compatible(sorted([*others, new], key=lambda gi: gi.start)), new)
        self.made += 1
        self.instances[placement] = PaperGi(new, 100 + self.made)

    def _create_ci(self, gi: PaperGi, spec: CiSpec) -> None:
        named = [ci for ci in gi.placed.profile.ci_profiles if ci.name == spec.ci_profile]
        if spec.ci_profile_id is not None:
            named = [ci for ci in named if ci.profile_id == spec.ci_profile_id]
        self._need(bool(named), spec)
        profile = max(named, key=lambda ci: ci.sm_count)
        starts = profile.starts if spec.start is None else (spec.start,)
        free = [start for start in starts if gi.free(profile, start)]
        self._need(bool(free), (spec, gi))
        self.made += 1
        gi.cis.append(PaperCi(profile, free[0], self.made))

    def _destroy_ci(self, gi: PaperGi, spec: CiSpec) -> None:
        found = [ci for ci in gi.cis if _spec(ci) == spec]
        self._need(len(found) == 1, (spec, gi))
        gi.cis.remove(found[0])


def _spec(ci: PaperCi) -> CiSpec:
    return CiSpec(ci.profile.name, ci.profile.profile_id, ci.start)


def _live(gi: PaperGi) -> LiveGi:
    cis = sorted(gi.cis, key=lambda ci: ci.start)
    live = tuple(LiveCi(CiId(ci.ci_id), _spec(ci), ci.profile.sm_count) for ci in cis)
    return LiveGi(GiId(gi.gi_id), gi.placed.profile.name, gi.placement, live)


def paper(key: str, layout: str = "mig") -> PaperGpu:
    """A GPU with a layout of the simulator's language; "off": MIG is off."""
    model = models.load(key)
    on = layout != "off"
    gpu = PaperGpu(model, MigMode(on, on))
    for gi in sim_layout.plan(model, layout) if on else ():
        place = Placement(gi.start, gi.profile.size)
        gpu._create_gi(gi.profile.name, place)
        for ci in gi.cis:
            spec = CiSpec(ci.profile.name, ci.profile.profile_id, ci.start)
            gpu._create_ci(gpu.instances[place], spec)
    return gpu


def want(*wishes: str) -> WantedGpu:
    """MIG on with these: "3g.40gb", "3g.40gb@4", "3g.40gb:2c:1c", "3g.40gb:none"."""
    return WantedGpu(True, tuple(wish(text) for text in wishes))


def wish(text: str) -> WantedGi:
    """One wanted GPU instance."""
    placed, *cis = text.split(":")
    profile, _, start = placed.partition("@")
    names = None if not cis else tuple(f"{ci}.{profile}" for ci in cis if ci != "none")
    return WantedGi(profile, int(start) if start else None, names)


@st.composite
def wishes(draw: st.DrawFn, model: GpuModel) -> WantedGpu:
    """Something that this GPU can be: some starts are named, some instances divided or empty."""
    placed = draw(st.permutations(draw(st.sampled_from(oracle.every_layout(model.key)))))
    every = []
    for gi in placed:
        start = draw(st.sampled_from((None, None, gi.start)))
        divisions = sorted(ci_divisions(gi.profile))
        slices = draw(st.sampled_from((None, None, None, (), *divisions)))
        names = None if slices is None else tuple(f"{n}c.{gi.profile.name}" for n in slices)
        every.append(WantedGi(gi.profile.name, start, names))
    return WantedGpu(True, tuple(every))


def random_wishes(random: Random, model: GpuModel) -> WantedGpu:
    """The same without hypothesis: for chains of changes, and for benchmarks."""
    placed = list(random.choice(oracle.every_layout(model.key)))
    random.shuffle(placed)
    every = []
    for gi in placed:
        start = random.choice((None, None, gi.start))
        divisions = [(), *sorted(ci_divisions(gi.profile))]
        slices = random.choice(divisions) if random.random() < 0.3 else None
        names = None if slices is None else tuple(f"{n}c.{gi.profile.name}" for n in slices)
        every.append(WantedGi(gi.profile.name, start, names))
    return WantedGpu(True, tuple(every))
