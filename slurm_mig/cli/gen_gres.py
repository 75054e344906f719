"""`slurm-mig gen-gres`: write the gres.conf that isolates every slice."""

from pathlib import Path

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.errors import UsageError
from slurm_mig.generate.build import Generated, Request, for_inventory, for_node
from slurm_mig.slurm.gres import GresOptions
from slurm_mig.slurm.version import SlurmVersion

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("gen-gres")
@click.option("--output", type=FILE, help="Keep the lines in a marked block of this file.")
@click.option("--check", type=FILE, help="Compare with this file; exit 1 and a diff on drift.")
@click.option("--gres-line", is_flag=True, help="Print the node's Gres= value for slurm.conf.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
@click.option("--explain", is_flag=True, help="Say in comments why, and which index is what.")
@click.option("--slurm-version", metavar="VERSION", help="For this Slurm; else ask slurmd -V.")
@click.option(
    "--autodetect",
    type=click.Choice(["off", "nvml"]),
    default="off",
    show_default=True,
    help="Whether slurmd finds the slices too, and matches these lines.",
)
@click.option(
    "--types",
    type=click.Choice(["full", "profile"]),
    default="full",
    show_default=True,
    help="Types with the GPU's name, as Slurm detects them, or 3g.40gb alone.",
)
@click.option("--node", metavar="NAME", help="Put NodeName=NAME before each line.")
@click.option("--inventory", type=FILE, multiple=True, help="Files of discover --json.")
@click.argument("files", nargs=-1, type=FILE, metavar="[FILE...]")
@root_option
@click.pass_context
def command(
    ctx: click.Context,
    output: Path | None,
    check: Path | None,
    gres_line: bool,
    as_json: bool,
    explain: bool,
    slurm_version: str | None,
    autodetect: str,
    types: str,
    node: str | None,
    inventory: tuple[Path, ...],
    files: tuple[Path, ...],
) -> int:
    """Write the gres.conf that isolates every slice of this node.

    One line a slice or whole GPU, in the order in which Slurm will count them. With
    --inventory, of many nodes: equal ones under one host list. Nothing is written when
    anything is wrong with a node; every reason is told.

    \b
      slurm-mig gen-gres --output /etc/slurm/gres.conf
      slurm-mig gen-gres --gres-line                     # for slurm.conf
      slurm-mig gen-gres --check /etc/slurm/gres.conf
      slurm-mig gen-gres --inventory n1.json n2.json     # for the controller
    """
    _one_of(output=output, check=check, gres_line=gres_line, json=as_json)
    _inventory_or_node(node, inventory, files)
    options = GresOptions(_version(slurm_version), autodetect == "nvml", types == "profile")
    request = Request(options, node, explain, root_of(ctx))
    made = _from_files([*inventory, *files], request) if inventory else _from_here(request)
    for warning in made.warnings:
        click.echo(f"slurm-mig: warning: {warning}", err=True)
    if check is not None:
        return _check(check, made)
    _put(made, request, output, gres_line, as_json)
    return 0


def _one_of(**given: object) -> None:
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} do not go together")


def _inventory_or_node(
    node: str | None, inventory: tuple[Path, ...], files: tuple[Path, ...]
) -> None:
    if files and not inventory:
        raise UsageError(f"what is {files[0]}? Files go after --inventory")
    if inventory and node is not None:
        raise UsageError("--node and --inventory do not go together: the files name the nodes")


def _version(given: str | None) -> SlurmVersion:
    if given is not None:
        return SlurmVersion.parse(given)
    from slurm_mig.slurm.scontrol import installed_version

    return installed_version()


def _from_here(request: Request) -> Generated:
    from slurm_mig.gpu.nvml.adapter import session
    from slurm_mig.gpu.present.discover import discover

    with session() as nvml:
        node = discover(nvml, request.root, request.node_name)
    return for_node(node, request)


def _from_files(paths: list[Path], request: Request) -> Generated:
    from slurm_mig.gpu.present.inventory_reader import read_nodes

    return for_inventory(read_nodes(paths), request)


def _check(path: Path, made: Generated) -> int:
    from slurm_mig.generate.output import check

    differs = check(path, made)
    for line in differs:
        click.echo(line)
    if differs:
        click.echo(f"slurm-mig: {path} is not what the slices want: --output mends it", err=True)
    return 1 if differs else 0


def _put(
    made: Generated, request: Request, output: Path | None, gres_line: bool, as_json: bool
) -> None:
    if output is not None:
        from slurm_mig.generate.output import write

        written = write(output, made)
        state = "written; restart slurmd to read it" if written else "unchanged"
        click.echo(f"{output}: {state}", err=True)
    elif gres_line:
        for group in made.groups:
            prefix = f"NodeName={group.node_names} Gres=" if made.of_inventory else ""
            click.echo(f"{prefix}{group.gres}")
    elif as_json:
        import json

        from slurm_mig.generate.output import to_json

        click.echo(json.dumps(to_json(made, request), indent=2))
    else:
        click.echo(made.text, nl=False)
