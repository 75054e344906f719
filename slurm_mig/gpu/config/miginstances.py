"""`mig-devices` and `mig-instances` of a file: the GPU instances that somebody wants. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from slurm_mig.gpu.config.migreader import Reader
from slurm_mig.gpu.config.migtree import Fields, Items, Leaf, Tree
from slurm_mig.gpu.partitioning import WantedGi
from slurm_mig.gpu.profile import Profile, gi_profile, parse

MOST = 64  # of one profile: no GPU has room for more than twelve
_INSTANCE = ("profile", "start", "compute")


def mig_devices(read: Reader, tree: Tree) -> tuple[WantedGi, ...]:
    """mig-parted's form: how many of each profile, and nothing about where."""
    counts: Counter[str] = Counter()
    fields = read.fields(tree, "mig-devices")
    before = read.noted
    for name, (line, value) in fields.values.items():
        profile = _profile(read, name, line)
        count = read.number(value, name)
        if count is not None and count > MOST:
            read.note(line, f"no GPU has room for {count} of {name}")
        elif profile is not None and count is not None:
            counts[str(profile)] += count
    if fields.values and not any(counts.values()) and read.noted == before:
        read.note(fields.line, "all counts are 0: write mig-devices: {} for no slices")
    return packed(counts)


def packed(counts: "Counter[str]") -> tuple[WantedGi, ...]:
    """As few GPU instances as can hold these MIG devices, the largest first.

    A profile with a `c` does not say which GPU instance it is to lie in. Taken from the largest
    down, each goes into the first GPU instance of its kind that has slices left.
    """
    whole: list[WantedGi] = []
    rooms: dict[str, list[list[Profile]]] = {}
    for profile in sorted((parse(name) for name in counts.elements()), key=_largest_first):
        name = gi_profile(str(profile))
        if profile.ci_slices == profile.gi_slices:
            whole.append(WantedGi(name))
            continue
        there = rooms.setdefault(name, [])
        room = next((cis for cis in there if _left(cis) >= profile.ci_slices), None)
        if room is None:
            there.append([profile])
        else:
            room.append(profile)
    divided = (
        WantedGi(name, cis=tuple(map(str, cis))) for name, there in rooms.items() for cis in there
    )
    return in_order([*whole, *divided])


def _largest_first(profile: Profile) -> tuple[int, int, str]:
    return -profile.gi_slices, -profile.ci_slices, str(profile)


def _left(cis: Sequence[Profile]) -> int:
    return cis[0].gi_slices - sum(ci.ci_slices for ci in cis)


def in_order(instances: Sequence[WantedGi]) -> tuple[WantedGi, ...]:
    """The same instances in the one order that says nothing: largest first, then by start."""

    def key(gi: WantedGi) -> tuple[int, int, str, int, tuple[str, ...]]:
        profile = parse(gi.profile)
        start = -1 if gi.start is None else gi.start
        return -profile.gi_slices, -profile.memory_gb, gi.profile, start, gi.cis or ()

    return tuple(sorted(instances, key=key))


def mig_instances(read: Reader, tree: Tree) -> tuple[WantedGi, ...]:
    """Our form: GPU instances one by one, each with its start and compute instances, if given."""
    found: list[WantedGi] = []
    items = read.items(tree, "mig-instances")
    if len(items) > MOST:
        read.note(tree.line, f"mig-instances: no GPU has room for {len(items)}")
        return ()
    for item in items:
        fields = read.fields(item, "an instance", _INSTANCE)
        if isinstance(item, Fields):
            found += _instance(read, fields)
    return in_order(found)


def _instance(read: Reader, fields: Fields) -> Iterator[WantedGi]:
    tree = read.child(fields, "profile", "an instance")
    name = None if tree is None else read.text(tree, "profile")
    profile = None if tree is None or name is None else _profile(read, name, tree.line)
    start = None
    if "start" in fields.values:
        start = read.number(fields.values["start"][1], "start")
    if profile is None:
        return
    if profile.ci_slices != profile.gi_slices:
        read.note(
            fields.line,
            f"{profile} is a compute instance: write profile: {gi_profile(str(profile))} "
            f"and compute: [{profile}]",
        )
        return
    yield WantedGi(str(profile), start, _compute(read, fields, profile))


def _compute(read: Reader, fields: Fields, gi: Profile) -> tuple[str, ...] | None:
    """The compute instances of one GPU instance; None: one with all of it."""
    if "compute" not in fields.values:
        return None
    line, tree = fields.values["compute"]
    if isinstance(tree, Leaf) and tree.kind == "null":
        read.note(line, "compute has no value: write [] for no compute instance")
        return None
    found = [_ci(read, item, gi) for item in read.items(tree, "compute")]
    cis = [ci for ci in found if ci is not None]
    if sum(ci.ci_slices for ci in cis) > gi.gi_slices:
        read.note(line, f"compute: more than the {gi.gi_slices} slices of a {gi}")
    if not isinstance(tree, Items) or cis == [gi]:
        return None
    return tuple(str(ci) for ci in cis)


def _ci(read: Reader, tree: Tree, gi: Profile) -> Profile | None:
    name = read.text(tree, "compute")
    profile = None if name is None else _profile(read, name, tree.line)
    if profile is not None and gi_profile(str(profile)) != str(gi):
        read.note(tree.line, f"compute: a {gi} cannot hold {profile}: write such as 1c.{gi}")
        return None
    return profile


def _profile(read: Reader, name: str, line: int) -> Profile | None:
    try:
        return parse(name)
    except ValueError as error:
        read.note(line, str(error) if len(name) <= 40 else f"{name[:40]!r}... is no MIG profile")
        return None
