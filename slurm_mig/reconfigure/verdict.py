"""What is wrong with what test jobs have told. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from slurm_mig.reconfigure.world import Place, Said


def judge(
    asked: Mapping[int, str], said: Mapping[int, Said], places: Mapping[int, Place]
) -> Iterator[str]:
    """Every problem, by the jobs that have told so far. `asked`: the type that each asked for.

    Each is to have one place, of its type, that no other one has, and the UUID of that place in
    CUDA_VISIBLE_DEVICES. Without our task prolog Slurm puts a number there: one is enough.
    """
    had: dict[int, list[int]] = defaultdict(list)
    for job, one in said.items():
        if job not in asked:
            continue
        for place in one.opened:
            had[place].append(job)
        yield from (f"job {job} ({asked[job]}) {why}" for why in _alone(asked[job], one, places))
    for place, jobs in sorted(had.items()):
        if len(jobs) > 1:
            yield f"jobs {', '.join(map(str, jobs))} have all got slice {place}"


def _alone(kind: str, one: Said, places: Mapping[int, Place]) -> Iterator[str]:
    if one.code != 0:
        yield f"ended with {one.code}: {one.words or 'it said nothing'}"
        return
    if len(one.opened) != 1:
        yield f"can open {len(one.opened)} slices ({_list(one.opened)}), and not one"
        return
    (place,) = one.opened
    found = places.get(place)
    if found is None:
        yield f"can open slice {place}, which this node does not have"
    elif found.type != kind:
        yield f"got slice {place}, which is {found.type}"
    elif len(one.visible) != 1:
        yield f"has {len(one.visible)} words in CUDA_VISIBLE_DEVICES"
    elif not one.visible[0].isdecimal() and one.visible[0] != found.uuid:
        yield f"is told {one.visible[0]} and has {found.uuid}"


def _list(places: tuple[int, ...]) -> str:
    return ", ".join(map(str, places)) or "none"
