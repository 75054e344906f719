"""Text in mig-parted's format: the present state, and the usual configurations. Pure.

The same GPUs give the same bytes. A GPU is written in mig-parted's own form where that names
its layout exactly; else by instances with their starts, which only slurm-mig reads.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.miginstances import in_order, packed
from slurm_mig.gpu.partitioning import GiProfile, GiSpec, Layout, LiveGi, LiveGpu, WantedGi
from slurm_mig.gpu.profile import parse

_PLAIN_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9._+-]+")
OFF = ("mig-enabled: false",)
Described: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]  # device-filters, an entry's lines
_WORDS = ("yes", "true", "on", "no", "false", "off", "null")


def export(gpus: Sequence[LiveGpu], label: str = "current") -> str:
    """The present state of these GPUs as a file with one config, called `label`.

    Read back and resolved on the same GPUs it is what they are. GPUs that cannot do MIG are
    left out. What the format cannot say is said in a comment.
    """
    able = [gpu for gpu in gpus if gpu.info.mig_mode is not None]
    groups: dict[tuple[str, ...], list[int]] = {}
    for gpu in able:
        groups.setdefault(_state(gpu), []).append(gpu.info.gpu_index)
    entries = [
        _entry("all" if len(groups) == 1 else str(indices), (), state)
        for state, indices in groups.items()
    ]
    if not entries:
        raise Refused("nothing to export", ["no GPU here can do MIG"])
    remarks = [*_remarks(able)]
    return "\n".join([*remarks, *_file({label: entries})])


def config_text(labels: Mapping[str, Sequence[Described]], *, with_filters: bool) -> str:
    """A file of configs for all devices, by label; the filters are left out unless wanted."""
    entries = {
        label: [_entry("all", filters if with_filters else (), state) for filters, state in found]
        for label, found in labels.items()
    }
    return "\n".join(_file(entries))


def _file(labels: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[str]:
    yield "version: v1"
    yield "mig-configs:"
    for label, entries in labels.items():
        yield f"  {_label(label)}:"
        for entry in entries:
            yield from entry
        yield ""


def _label(label: str) -> str:
    """A label as a YAML key that is text for every reader."""
    plain = _PLAIN_LABEL.fullmatch(label) and label.lower() not in _WORDS
    return label if plain else json.dumps(label, ensure_ascii=False)


def _entry(devices: str, filters: Sequence[str], state: Sequence[str]) -> list[str]:
    lines = [f"devices: {devices}", *state]
    if filters:
        lines.insert(0, f"device-filter: {json.dumps(list(filters))}")
    return [f"    {'  ' if number else '- '}{line}" for number, line in enumerate(lines)]


def _state(gpu: LiveGpu) -> tuple[str, ...]:
    """What one GPU is, as the lines of an entry after `devices`."""
    layout = gpu.layout
    if not layout.mig:
        return OFF
    counts = _counts(layout)
    if counts is not None and _ways(gpu.profiles, layout) == 1:
        return counts_text(counts)
    instances = (f"  - {{{_instance(gi)}}}" for gi in layout.instances)
    return "mig-enabled: true", "mig-instances:", *instances


def _instance(gi: GiSpec) -> str:
    text = f"profile: {gi.profile}, start: {gi.placement.start}"
    names = [ci.ci_profile for ci in gi.cis]
    return text if names == [gi.profile] else f"{text}, compute: [{', '.join(names)}]"


def counts_text(counts: Mapping[str, int]) -> tuple[str, ...]:
    """MIG on, with so many of each profile, in mig-parted's form."""
    lines = (f'  "{name}": {count}' for name, count in counts.items())
    return "mig-enabled: true", "mig-devices:" if counts else "mig-devices: {}", *lines


def _counts(layout: Layout) -> Mapping[str, int] | None:
    """mig-parted's form of a layout, if reading that gives the same GPU instances again."""
    names = sorted((ci.ci_profile for gi in layout.instances for ci in gi.cis), key=_largest_first)
    counts = Counter(names)
    there = in_order(
        [
            WantedGi(gi.profile, None, None if cis == (gi.profile,) else cis)
            for gi in layout.instances
            for cis in [tuple(ci.ci_profile for ci in gi.cis)]
        ]
    )
    return counts if packed(counts) == there else None


def _largest_first(name: str) -> tuple[int, int, int, str]:
    profile = parse(name)
    return -profile.gi_slices, -profile.ci_slices, -profile.memory_gb, name


def _ways(profiles: Sequence[GiProfile], layout: Layout) -> int:
    """In how many ways these GPU instances can lie on the GPU; two means "several".

    Alike are instances of one profile with the same compute instances. 0 where unknown.
    """
    offered = {profile.profile: profile for profile in profiles}
    kinds = Counter((gi.profile, tuple(ci.ci_profile for ci in gi.cis)) for gi in layout.instances)
    if any(name not in offered for name, _ in kinds):
        return 0
    pieces = [
        ([(place.start, place.start + place.size) for place in offered[name].placements], count)
        for (name, _), count in kinds.items()
    ]
    return min(2, sum(1 for _, _ in zip(range(2), _arrangements(pieces, ()), strict=False)))


_Span = tuple[int, int]


def _arrangements(
    pieces: Sequence[tuple[Sequence[_Span], int]], taken: tuple[_Span, ...]
) -> Iterator[tuple[_Span, ...]]:
    """Every way to place so many of each kind apart from each other."""
    if not pieces:
        yield taken
        return
    (spans, count), *others = pieces
    if count == 0:
        yield from _arrangements(others, taken)
        return
    for number, span in enumerate(spans):
        if all(span[1] <= first or last <= span[0] for first, last in taken):
            rest = (spans[number + 1 :], count - 1)
            yield from _arrangements([rest, *others], (*taken, span))


def _remarks(gpus: Sequence[LiveGpu]) -> Iterator[str]:
    """What is there and cannot be said in the format."""
    for gpu in gpus:
        for gi in gpu.instances:
            for remark in _unsaid(gpu, gi):
                yield f"# GPU {gpu.info.gpu_index}, {gi.profile} at {gi.placement.start}: {remark}"


def _unsaid(gpu: LiveGpu, gi: LiveGi) -> Iterator[str]:
    most = next((p.sm_count for p in gpu.profiles if p.profile == gi.profile), None)
    next_start = 0
    for ci in gi.cis:
        if ci.spec.ci_profile == gi.profile and most is not None and ci.sm_count < most:
            yield f"its compute instance has {ci.sm_count} SMs here, made anew all {most}"
        if ci.spec.start is not None and ci.spec.start != next_start:
            yield f"{ci.spec.ci_profile} starts at slice {ci.spec.start} here, made anew maybe not"
        next_start = (ci.spec.start or 0) + parse(ci.spec.ci_profile).ci_slices
