"""Job environment x gres map x what can be opened -> the job's slices, or why not. Pure."""

from slurm_mig.errors import HookError
from slurm_mig.hooks.slices import GresMap, Slice

_LONGEST = 8192


class Binding:
    """A job's slices, in gres order. `complete` is False where there may be more of them.

    `foreign` are slices that the job can open and that cannot be its own.
    """

    __slots__ = ("complete", "foreign", "slices")

    def __init__(
        self, slices: tuple[Slice, ...], *, complete: bool, foreign: tuple[Slice, ...] = ()
    ) -> None:
        self.slices = slices
        self.complete = complete
        self.foreign = foreign


def from_environment(gpus: str, the_map: GresMap) -> Binding:
    """What SLURM_JOB_GPUS says outside the job. HookError for a list that the map contradicts.

    Slurm tells a prolog only the last of several types (every version; the environment is
    overwritten type by type), so with two types on the node the list may lack slices.
    """
    slices = resolve(gpus, the_map)
    return Binding(slices, complete=len(the_map.types) < 2)


def from_opening(gpus: str, the_map: GresMap, opened: frozenset[int]) -> Binding:
    """The same, from inside the job: `opened` are the gres indices that it could open.

    HookError when a slice of the list does not open. A further one is the job's own only if
    the list names none of its type: of the last type, Slurm names all.
    """
    named = resolve(gpus, the_map)
    closed = [one.name for one in named if one.gres_index not in opened]
    if closed:
        raise HookError(f"the job cannot open {', '.join(closed)}, which Slurm gave it")
    types = {one.type for one in named}
    more = tuple(one for one in the_map.slices if one.gres_index in opened and one not in named)
    own = tuple(one for one in more if one.type not in types)
    foreign = tuple(one for one in more if one.type in types)
    slices = tuple(sorted(named + own, key=lambda one: one.gres_index))
    return Binding(slices, complete=True, foreign=foreign)


def of_task(gpus: str, the_map: GresMap, opened: frozenset[int], *, bound: bool) -> Binding:
    """A task's slices, from inside it. HookError for a list that the map contradicts.

    What opens is the task's. Slurm's list is the step's at best: where each task has GPUs of
    its own (`bound`), it names the same index to all of them, or none at all (22.05, with a
    type). Only where more opens than it names, and tasks are not bound, is something foreign.
    """
    named = resolve(gpus, the_map) if gpus else ()
    own = tuple(one for one in the_map.slices if one.gres_index in opened)
    if the_map.constrained is not True and len(own) == len(the_map) > len(named):
        return Binding(named, complete=False)  # nothing is constrained: believe the list
    if bound or not named or len(own) <= len(named):
        return Binding(own, complete=True)
    foreign = tuple(one for one in own if one not in named)
    return Binding(tuple(one for one in own if one in named), complete=True, foreign=foreign)


def share(slices: tuple[Slice, ...], task: int, tasks: int) -> tuple[Slice, ...]:
    """A task's part where Slurm gave all to each (22.05, --gpus-per-task=TYPE:N): of every type
    an equal number, no slice twice. All of them where that does not come out even."""
    mine: list[Slice] = []
    for kind in dict.fromkeys(one.type for one in slices):
        alike = [one for one in slices if one.type == kind]
        part, rest = divmod(len(alike), tasks)
        if rest or task >= tasks:
            return slices
        mine += alike[task * part : (task + 1) * part]
    return tuple(mine)


def resolve(gpus: str, the_map: GresMap) -> tuple[Slice, ...]:
    """The slices that a list names ("0,2", "0-2", UUIDs), each once, in gres order.

    HookError when it is empty, no list, or names what the map has not.
    """
    if len(gpus) > _LONGEST:
        raise HookError("SLURM_JOB_GPUS is too long to be a list of GPUs")
    indices = {index for word in gpus.split(",") for index in _indices(word, the_map)}
    return tuple(the_map.at(index) for index in sorted(indices))


def _indices(word: str, the_map: GresMap) -> "range":
    first, dash, last = word.partition("-")
    if _is_number(first) and (_is_number(last) if dash else True):
        low, high = int(first), int(last) if dash else int(first)
        if not low <= high < len(the_map):
            raise HookError(
                f"SLURM_JOB_GPUS names {word!a}, the gres map ends at {len(the_map) - 1}: "
                "restart slurmd"
            )
        return range(low, high + 1)
    for one in the_map.slices:
        if word and word == one.uuid:
            return range(one.gres_index, one.gres_index + 1)
    raise HookError(f"SLURM_JOB_GPUS names {word[:60]!a}, which is not in the gres map")


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 7
