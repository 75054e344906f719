"""`slurm-mig plan`: what a wanted MIG configuration would change, before anything is changed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import Refused, UsageError
from slurm_mig.gpu.occupied import Occupied
from slurm_mig.gpu.partitioning import LiveGpu

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


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
    gpus, occupied, assumed = _gpus(models, root_of(ctx), look=file is not None)
    for line in assumed:
        click.echo(f"slurm-mig: note: {line}", err=True)
    if as_export:
        from slurm_mig.gpu.migexport import export

        click.echo(export(gpus, config or "current"), nl=False)
    elif generate:
        from slurm_mig.gpu.miggenerate import generate as generated

        click.echo(generated(gpus), nl=False)
    elif file is not None:
        return _plan(file, config, gpus, occupied, assumed, as_json)
    return 0


def _one_way(
    file: Path | None, config: str | None, as_json: bool, as_export: bool, generate: bool
) -> None:
    if as_export + generate + (file is not None) != 1:
        raise UsageError("give one of --file FILE, --export and --generate")
    if file is None and as_json:
        raise UsageError("--json goes with --file")
    if generate and config is not None:
        raise UsageError("--config goes with --file, or names what --export writes")


def _gpus(
    models: Sequence[str], root: Path, *, look: bool
) -> tuple[Sequence[LiveGpu], Occupied, Sequence[str]]:
    """The GPUs to plan for, who is on them, and what is only assumed of them."""
    from slurm_mig.gpu import offline

    if models:
        gpus = [offline.gpu(model, index) for index, model in enumerate(models)]
        notes = [line for model in dict.fromkeys(models) for line in offline.unknown(model)]
        return gpus, Occupied(), notes
    from slurm_mig.gpu.nvml_partition import partition_session
    from slurm_mig.gpu.survey import survey

    with partition_session() as nvml:
        found = survey(nvml)
    told = [offline.completed(gpu) for gpu in found]
    return told, _look(root) if look else Occupied(), [*_filled_in(found, told)]


def _filled_in(found: Sequence[LiveGpu], told: Sequence[LiveGpu]) -> Iterator[str]:
    """A line for each GPU whose driver does not tell the places."""
    for before, after in zip(found, told, strict=True):
        if before != after and after.profiles:
            yield (
                f"GPU {after.info.gpu_index}: its driver tells with MIG on only where instances "
                f"can lie: assumed is what is published of {after.info.name}"
            )


def _look(root: Path) -> Occupied:
    """Who is on the GPUs of this machine. Nobody looks yet, and the plan says so."""
    return Occupied(unseen=("who uses the GPUs was not looked at: apply does, before it changes",))


def _plan(
    file: Path,
    config: str | None,
    gpus: Sequence[LiveGpu],
    occupied: Occupied,
    assumed: Sequence[str],
    as_json: bool,
) -> int:
    from slurm_mig.gpu.migconfig import resolve, select
    from slurm_mig.gpu.migyaml import read
    from slurm_mig.gpu.plan import plan

    wanted_config = read(file)
    label = select(wanted_config, config)
    wanted = resolve(wanted_config, label, gpus)
    by_index = {gpu.info.gpu_index: gpu for gpu in gpus}
    plans = [
        plan(by_index[index], want, occupied.busy(by_index[index]))
        for index, want in wanted.items()
    ]
    others = [gpu for gpu in gpus if gpu.info.gpu_index not in wanted]
    if as_json:
        import json

        from slurm_mig.gpu.planjson import to_json

        told = to_json(wanted_config.source, label, plans, others, occupied, assumed)
        click.echo(json.dumps(told, indent=2))
    else:
        from slurm_mig.cli.plan_table import show

        show(f"{wanted_config.source}, {label}", plans, others, occupied)
    for line in occupied.unseen:
        click.echo(f"slurm-mig: warning: {line}", err=True)
    problems = [problem for each in plans for problem in each.problems]
    if problems:
        raise Refused(f"config {label} cannot be applied", problems)
    return 0
