"""A GpuPlan as people look at it: what stays, what goes, what comes, and what that takes. Pure."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from slurm_mig.gpu.partitioning import GiProfile, GiSpec
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.gpu.planning.plan import GpuPlan

Change = Literal["stays", "goes", "comes"]
_ORDER: tuple[Change, ...] = ("stays", "goes", "comes")


class Row(NamedTuple):
    """One GPU instance in the diff. `former` and `target` are None before it comes, after it goes.

    `profile` is None where the driver does not say what a profile has. `users`: who is on it.
    """

    change: Change
    former: GiSpec | None
    target: GiSpec | None
    profile: GiProfile | None
    users: tuple[str, ...]

    @property
    def spec(self) -> GiSpec:
        """What it is, or will be."""
        spec = self.target or self.former
        if spec is None:
            raise AssertionError("a row of nothing")
        return spec

    @property
    def compute(self) -> str:
        """Its compute instances: "all" in one, "none", or their profiles; both sides if changed."""
        before = None if self.former is None else _compute(self.former)
        after = None if self.target is None else _compute(self.target)
        if before is not None and after is not None and self.former != self.target:
            return f"{before} -> {after}"
        return after if after is not None else before or ""


def _compute(gi: GiSpec) -> str:
    names = [ci.ci_profile for ci in gi.cis]
    if names == [gi.profile]:
        return "all"
    return " + ".join(name.partition(".")[0] for name in names) or "none"


def rows(plan: GpuPlan, occupied: Occupied) -> list[Row]:
    """The GPU instances of one GPU, by their starts; at one place what goes before what comes."""
    kept = {(gi.profile, gi.placement) for gi in plan.keep}
    former = {(gi.profile, gi.placement): gi for gi in plan.former.instances}
    target = {(gi.profile, gi.placement): gi for gi in plan.target.instances}
    profiles = {profile.profile: profile for profile in plan.gpu.profiles}
    found = []
    for key in former.keys() | target.keys():
        name, place = key
        users = occupied.on(plan.gpu, place)
        profile = profiles.get(name)
        if key in kept:
            found.append(Row("stays", former[key], target.get(key), profile, users))
            continue
        if key in former:
            found.append(Row("goes", former[key], None, profile, users))
        if key in target:
            found.append(Row("comes", None, target[key], profile, ()))
    return sorted(found, key=_place)


def _place(row: Row) -> tuple[int, int]:
    return row.spec.placement.start, _ORDER.index(row.change)


def needs(plan: GpuPlan, occupied: Occupied) -> Iterator[str]:
    """What carrying it out takes of this GPU and its users, a line each."""
    if plan.former.mig != plan.target.mig:
        yield f"MIG is switched {'on' if plan.target.mig else 'off'}"
    if plan.needs_reset:
        yield "this GPU is reset (where that is not possible, as in many VMs: reboot)"
    exclusive = plan.needs_reset or plan.first_gi or plan.former.mig != plan.target.mig
    if exclusive and plan.steps:
        yield "nothing may have this GPU open meanwhile"
        yield from (f"has it open: {who}" for who in occupied.with_open(plan.gpu))
    if plan.unsolved:
        yield "its driver tells only with MIG on what fits: plan again then"
