"""What a configuration would make of a node, by the gpus that slurmctld has of it alone.

Nobody asks the node. Its types say of which models its GPUs are, as far as the table of models
has them; how many there are is told exactly only where MIG is off, for the same slices may lie on
fewer or on more GPUs. So every answer is one of three: this, it cannot be had, or it cannot be
told, with why.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from slurm_mig.errors import Refused
from slurm_mig.gpu.config import offline
from slurm_mig.gpu.config.migconfig import MigConfig, resolve
from slurm_mig.gpu.planning.plan import plan
from slurm_mig.model import GpuIndex
from slurm_mig.reconfigure import paper
from slurm_mig.reconfigure.fleet.model_types import Model, shape, types_of
from slurm_mig.reconfigure.phases import gpu_types
from slurm_mig.reconfigure.world import Types
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.slurm.records.gres import GresOptions
from slurm_mig.slurm.version import SlurmVersion

ONLY_THE_NODE = (
    "the steps, and whether MIG has to be switched on or a GPU reset",
    "on how many GPUs slices lie, and which GPUs have none",
)
_PERHAPS = "perhaps not to be had"
_BY_NAME = "the configuration names GPUs one by one"
_SUBSYSTEM = "the configuration has boards' subsystem ids"


Guess = Mapping[Model, Types]  # which of its types are whose


class Foreseen(NamedTuple):
    """`types` are those that slurmctld would have, with the counts of `gpu_count` GPUs.

    Without `exact` there may be more GPUs, and then more of each. `types` is None where nothing
    can be told: `why` says what of. `problem`: it cannot be had there. `lines`: for people.
    """

    lines: tuple[str, ...] = ()
    types: Types | None = None
    gpu_count: int | None = None
    exact: bool = False
    why: str = ""
    problem: str = ""


class _Unknown(Exception):
    """It cannot be told; with why."""


class _Impossible(Exception):
    """It cannot be had."""


def foresee(node: NodeState, config: MigConfig, label: str, version: SlurmVersion) -> Foreseen:
    """What it would be. Reads the table of models; else pure."""
    has = gpu_types(node)
    try:
        if not has:
            raise _Unknown("slurmctld has no gpus of it")
        _must_be_for_all(config, label)
        options, guesses = _guesses(has, GresOptions(version, False, paper.has_short_types(node)))
        if len(guesses) > 1:
            return _agreed([(guess, config, label, options) for guess in guesses])
        return _made(guesses[0], config, label, options)
    except _Unknown as why:
        return Foreseen(why=str(why))
    except _Impossible as why:
        return Foreseen(problem=str(why))


def _agreed(guesses: Sequence[tuple[Guess, MigConfig, str, GresOptions]]) -> Foreseen:
    """What comes of all of them alike. Raises _Unknown where it does not."""
    names = " or ".join(model.name for guess, *_ in guesses for model in guess)
    try:
        found = [_made(*each) for each in guesses]
    except (_Unknown, _Impossible):
        raise _Unknown(f"by its types it may have {names}") from None
    if len({one._replace(lines=(), types=None) for one in found}) > 1 or any(
        one.types != found[0].types for one in found
    ):
        raise _Unknown(f"by its types it may have {names}")
    (line,) = found[0].lines
    return found[0]._replace(lines=(f"{names}, {line.partition(', ')[2]}",))


def _must_be_for_all(config: MigConfig, label: str) -> None:
    for entry in config.labels[label]:
        if entry.devices.kind in ("indices", "gpus"):
            raise _Unknown(f"{_BY_NAME} ({entry.where})")
        if any(one.subsystem_id is not None for one in entry.filters):
            raise _Unknown(f"{_SUBSYSTEM} ({entry.where})")


def _guesses(has: Types, options: GresOptions) -> tuple[GresOptions, list[Guess]]:
    """The ways to read its types; one model for all of them comes before several."""
    for each in (options, options._replace(autodetect=True)):
        models = types_of(each)
        if alike := [model for model in models if has.keys() <= models[model].keys()]:
            return each, [{model: has} for model in alike]
    return options, [_mixed(has, types_of(options))]


def _mixed(has: Types, models: Mapping[Model, Mapping[str, str]]) -> Guess:
    found: dict[Model, dict[str, int]] = {}
    for kind, count in has.items():
        owners = [model for model, names in models.items() if kind in names]
        if not owners:
            shown = f"of type {kind}" if kind else "without a type"
            raise _Unknown(f"no model is known that has gpus {shown}")
        if len(owners) > 1:
            names = " or ".join(model.name for model in owners)
            raise _Unknown(f"its gpus of type {kind} may be of {names}")
        found.setdefault(owners[0], {})[kind] = count
    return found


def _made(guess: Guess, config: MigConfig, label: str, options: GresOptions) -> Foreseen:
    """Every GPU of a model gets the same: one of each is planned for."""
    gpus = [offline.gpu(model.key, index) for index, model in enumerate(guess)]
    certain = not any(offline.unknown(model.key) for model in guess)
    try:
        wanted = resolve(config, label, gpus)
    except Refused as why:
        text = "; ".join(why.problems)
        for index, model in enumerate(guess):
            text = text.replace(f"GPU {index} ({model.name})", model.name)
        raise _Unknown(f"{_PERHAPS}: {text}") from None  # a driver may offer more, and other ids
    names = types_of(options)
    types: dict[str, int] = {}
    lines, total, exact = [], 0, True
    for gpu, (model, has) in zip(gpus, guess.items(), strict=True):
        count, all_whole = model.gpus(has, options)
        total, exact = total + count, exact and all_whole
        will: Types = has
        if (want := wanted.get(GpuIndex(gpu.info.gpu_index))) is not None:
            made = plan(gpu, want)
            if made.problems:
                text = "; ".join(one.partition(": ")[2] for one in made.problems)
                raise _not_to_be_had(f"{model.name}: {text}", certain)
            will = {kind: number * count for kind, number in model.after(made, options).items()}
        for kind, number in will.items():
            types[kind] = types.get(kind, 0) + number
        how_many = f"{count}" if all_whole else f"{count} or more"
        lines.append(f"{model.name}, {how_many}: {_change(has, will, names[model])}")
    return Foreseen(tuple(lines), types, total, exact)


def _change(has: Types, will: Types, names: Mapping[str, str]) -> str:
    return shape(has, names) if has == will else f"{shape(has, names)} -> {shape(will, names)}"


def _not_to_be_had(problem: str, certain: bool) -> Exception:
    """The table's stand-ins forbid nothing."""
    return _Impossible(problem) if certain else _Unknown(f"{_PERHAPS}: {problem}")


def left_unknown(found: Foreseen) -> Iterator[str]:
    """What of it only the node can tell, for people."""
    yield from ONLY_THE_NODE[:1]
    if not found.exact:
        yield from ONLY_THE_NODE[1:]
