"""`slurm-mig discover`: show the GPUs and MIG slices of this machine."""

import click

from slurm_mig.cli.common import root_of, root_option


@click.command("discover")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@root_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the GPUs and MIG slices of this machine.

    For every slice: its profile, where it lies on the GPU, its UUID, and the three device
    files that a job must be able to open to use it: the GPU, the GPU instance and the compute
    instance. A file that is missing or is the wrong device is shown with the command that
    makes it right. Nothing is changed.

    Run it as root: NVML does not tell others how much memory a partitioned GPU has, nor where
    its slices lie.

    \b
      slurm-mig discover
      slurm-mig discover --json > $(hostname -s).json    # for gen-gres --inventory
    """
    from slurm_mig.gpu.nvml.adapter import session
    from slurm_mig.gpu.present.discover import discover

    with session() as nvml:
        node = discover(nvml, root_of(ctx))
    if as_json:
        import json

        from slurm_mig.gpu.present.inventory import to_json

        click.echo(json.dumps(to_json(node), indent=2))
        return
    from slurm_mig.cli.discover_table import show

    show(node)
