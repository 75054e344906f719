"""`slurm-mig plan`: what a wanted MIG configuration would change, before anything is changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import Refused, UsageError
from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.model import GpuIndex

# Of nvml.h: where instances can lie is told with MIG on only.
_FILLED_IN = (
    "GPU {0.gpu_index}: where instances can lie is taken from what is published of {0.name}; its "
    "driver tells it with MIG on only"
)
FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_LOOK_S = 60.0  # until a driver that does not answer is given up


@click.command("plan")
@click.option("-f", "--file", type=FILE, help="The wanted configurations; - is standard input.")
@click.option("-c", "--config", metavar="LABEL", help="Which of them, if the file has several.")
@click.option(
    "--gpu",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Plan for an empty GPU of this model, not for this machine's; repeat for several.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a diff.")
@click.option("--export", "as_export", is_flag=True, help="Print the present state as a file.")
@click.option("--generate", is_flag=True, help="Print a file with the usual configurations.")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path | None,
    config: str | None,
    models: tuple[str, ...],
    as_json: bool,
    as_export: bool,
    generate: bool,
) -> int:
    """Show what a wanted MIG configuration would change. Nothing is changed.

    For every GPU that the configuration names: which GPU instances stay, go and come, with
    their places and memory; what is in use; whether the GPU must be reset. GPUs that it does
    not name are left alone. If it cannot be had, it says why and what the nearest is that can,
    and exits 1.

    The file is in mig-parted's format, with some additions (docs/reconfigure.md). Begin with
    the usual configurations for the GPUs that are here:

    \b
      slurm-mig plan --generate > /etc/slurm-mig/mig.yaml
      slurm-mig plan -f /etc/slurm-mig/mig.yaml -c all-balanced
      slurm-mig plan --export > now.yaml                # the present state, to come back to
      slurm-mig plan -f mig.yaml -c all-balanced --gpu h100-80gb    # without any GPU

    Run it as root: NVML tells others neither what a GPU offers nor where its instances lie.
    """
    _one_way(file, config, as_json, as_export, generate)
    if file is not None:
        return _plan(_asked(models, root_of(ctx), look=True), file, config, as_json)
    gpus = _asked(models, root_of(ctx), look=False).gpus
    if as_export:
        from slurm_mig.gpu.config.migexport import export

        click.echo(export(gpus, config or "current"), nl=False)
    else:
        from slurm_mig.gpu.config.miggenerate import generate as generated

        click.echo(generated(gpus), nl=False)
    return 0


class _Asked(NamedTuple):
    """The GPUs to plan for, who is on them, and what of them is only assumed, by gpu_index."""

    gpus: Sequence[LiveGpu]
    occupied: Occupied
    assumed: Mapping[GpuIndex, Sequence[str]]


def _one_way(
    file: Path | None, config: str | None, as_json: bool, as_export: bool, generate: bool
) -> None:
    if as_export + generate + (file is not None) != 1:
        raise UsageError("give one of --file FILE, --export and --generate")
    if file is None and as_json:
        raise UsageError("--json goes with --file")
    if generate and config is not None:
        raise UsageError("--config goes with --file, or names what --export writes")


def _asked(models: Sequence[str], root: Path, *, look: bool) -> _Asked:
    from slurm_mig.gpu.config import offline

    if models:
        gpus = [offline.gpu(model, index) for index, model in enumerate(models)]
        pairs = zip(gpus, models, strict=True)
        unknown = {gpu.info.gpu_index: offline.unknown(model) for gpu, model in pairs}
        return _Asked(gpus, Occupied(), unknown)
    found, occupied = present(root, look=look)
    told = [offline.completed(gpu) for gpu in found]
    changed = [after for before, after in zip(found, told, strict=True) if before != after]
    assumed = {
        gpu.info.gpu_index: (_FILLED_IN.format(gpu.info),) for gpu in changed if gpu.profiles
    }
    return _Asked(told, occupied, assumed)


def present(
    root: Path, *, look: bool, limit_s: float = _LOOK_S
) -> tuple[tuple[LiveGpu, ...], Occupied]:
    """The GPUs of this machine and, with `look`, who is on them; WorkerLost after `limit_s`."""
    from slurm_mig.gpu.change.bounded import Progress, Pulse, watched
    from slurm_mig.gpu.nvml.partition_adapter import partition_session
    from slurm_mig.gpu.present.survey import survey

    def work(pulse: Pulse) -> tuple[tuple[LiveGpu, ...], Occupied]:
        pulse(Progress("looking at the GPUs"), limit_s)
        with partition_session() as nvml:
            found = survey(nvml)
            return found, _look(root, found) if look else Occupied()

    return watched(work, lambda _: None)


def _look(root: Path, gpus: Sequence[LiveGpu]) -> Occupied:
    """Who is on the GPUs of this machine. An NVML session is open."""
    from slurm_mig.gpu.change.holder_search import look
    from slurm_mig.gpu.change.holders import occupied
    from slurm_mig.gpu.nvml.processes import PynvmlProcesses
    from slurm_mig.settings import Settings

    return occupied(look(root, gpus, PynvmlProcesses(), Settings().look_timeout_s), gpus)


def _plan(asked: _Asked, file: Path, config: str | None, as_json: bool) -> int:
    from slurm_mig.gpu.config.migconfig import resolve, select
    from slurm_mig.gpu.config.migyaml import read
    from slurm_mig.gpu.planning.plan import plan

    read_config = read(file)
    label = select(read_config, config)
    wanted = resolve(read_config, label, asked.gpus)
    named = [gpu for gpu in asked.gpus if gpu.info.gpu_index in wanted]
    others = [gpu for gpu in asked.gpus if gpu.info.gpu_index not in wanted]
    plans = [plan(gpu, wanted[gpu.info.gpu_index], asked.occupied.busy(gpu)) for gpu in named]
    assumed = [
        line
        for gpu in named
        if wanted[gpu.info.gpu_index].instances
        for line in asked.assumed.get(gpu.info.gpu_index, ())
    ]
    for line in dict.fromkeys([*assumed, *asked.occupied.unseen]):
        click.echo(f"slurm-mig: note: {line}", err=True)
    if as_json:
        import json

        from slurm_mig.gpu.planning.planjson import to_json

        told = to_json(read_config.source, label, plans, others, asked.occupied, assumed)
        click.echo(json.dumps(told, indent=2))
    else:
        from slurm_mig.cli.plan_table import show

        show(f"{read_config.source}, {label}", plans, others, asked.occupied)
    problems = [problem for each in plans for problem in each.problems]
    if problems:
        raise Refused(f"config {label} cannot be applied", problems)
    return 0
