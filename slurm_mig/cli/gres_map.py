"""`slurm-mig gres-map`: tell the hooks which slice each place in slurmd's list is."""

from pathlib import Path

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import SlurmMigError

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("gres-map")
@click.option("--json", "as_json", is_flag=True, help="Print the map; write nothing.")
@click.option(
    "--slurmd-options",
    envvar="SLURMD_OPTIONS",
    show_envvar=True,
    default="",
    metavar="TEXT",
    help="What slurmd was started with, such as '-N n1 -f /opt/slurm/etc/slurm.conf'.",
)
@click.option("--slurmd-list", type=FILE, help="What `slurmd -G` printed, instead of asking it.")
@click.option("--slurm-version", metavar="VERSION", help="The version of that slurmd.")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    as_json: bool,
    slurmd_options: str,
    slurmd_list: Path | None,
    slurm_version: str | None,
) -> None:
    """Tell the hooks which slice each place in slurmd's list is.

    Slurm tells a prolog the places of a job's slices in slurmd's own merged list. This asks
    slurmd for that list (`slurmd -G`), finds the slice that has each entry's device files, and
    writes /run/slurm-mig/gres-map.json, from which the hooks read it. It runs when slurmd
    starts (systemd/slurmd.service.d); run it by hand after every restart that systemd did not
    do. Where slurmd and the slices do not agree, there is no map, and the hooks refuse jobs.

    \b
      slurm-mig gres-map
      slurm-mig gres-map --json
    """
    from slurm_mig.gresmap.make import Request, make, renew
    from slurm_mig.slurm.config.slurmd_options import parse_slurmd_options
    from slurm_mig.slurm.version import SlurmVersion

    root = root_of(ctx)
    request = Request(
        root,
        parse_slurmd_options(slurmd_options),
        None if slurmd_list is None else _read(slurmd_list),
        None if slurm_version is None else SlurmVersion.parse(slurm_version),
    )
    if not as_json:
        _sweep(str(root))
    made, written = (make(request), False) if as_json else renew(request)
    for warning in made.warnings:
        click.echo(f"slurm-mig: warning: {warning}", err=True)
    if as_json:
        from slurm_mig.gresmap.store import text_of

        click.echo(text_of(made.gres_map), nl=False)
        return
    from slurm_mig.gresmap.store import MAP

    count = len(made.gres_map["gres"])
    click.echo(f"{MAP}: {'written' if written else 'unchanged'}, {count} gres", err=True)


def _sweep(root: str) -> None:
    """Close and store what killed hooks and dead jobs left behind."""
    from slurm_mig.errors import HookError
    from slurm_mig.hooks import dead

    try:
        dead.sweep(root)
    except (OSError, HookError) as why:
        click.echo(f"slurm-mig: warning: usage records wait to be stored: {why}", err=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as why:
        raise SlurmMigError(f"{path}: {why.strerror}") from why
