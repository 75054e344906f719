"""`slurm-mig doctor`: say what is wrong or risky on this node, and what mends it."""

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.doctor.facts import HookFacts
from slurm_mig.doctor.finding import LEVELS, Finding

_COLOURS = {"wrong": "red", "risky": "yellow", "note": "cyan", "unknown": "magenta"}
_WORDS = {"unknown": "could not look"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--slurmd-options",
    envvar="SLURMD_OPTIONS",
    show_envvar=True,
    default="",
    metavar="TEXT",
    help="What slurmd was started with, such as '-N n1 -f /opt/slurm/etc/slurm.conf'.",
)
@root_option
@click.pass_context
def command(ctx: click.Context, as_json: bool, slurmd_options: str) -> int:
    """Say what is wrong or risky on this node, and what mends it.

    Reads slurm.conf, cgroup.conf, gres.conf, config.toml, the GPUs and their device files, what
    the monitor and the hooks left, asks slurmd for its list, and changes nothing. Each finding
    comes with the line to add or the command to run. Exit 1 when anything is wrong; what is only
    risky, or could not be looked at, is said and leaves it at 0.
    """
    from slurm_mig.doctor.look import look
    from slurm_mig.doctor.table import examine
    from slurm_mig.gresmap.make import Request
    from slurm_mig.slurm.config.slurmd_options import parse_slurmd_options

    root = root_of(ctx)
    request = Request(root, parse_slurmd_options(slurmd_options))
    facts = look(request, _hook_facts(str(root)))
    findings = examine(facts)
    if as_json:
        _print_json(facts.node_name, facts.slurm_client, findings)
    else:
        if facts.slurm_client:
            click.echo(f"{facts.node_name}: slurmctld is asked by {facts.slurm_client}")
        _print(facts.node_name, findings)
    return 1 if any(finding.level == "wrong" for finding in findings) else 0


def _hook_facts(root: str) -> HookFacts:
    from slurm_mig.hooks import registry, settings

    found = settings.load(root)
    kills = found.foreign_process == "kill"
    # The lock, one look over /proc, and the time that processes are given to go.
    prolog_s = registry.LOCK_WAIT_S + 1 + (found.leftover_wait_s if kills else 0)
    return HookFacts(found.problem, prolog_s, registry.LOCK_WAIT_S + 1 + found.leftover_wait_s)


def _print_json(node: str, client: str | None, findings: list[Finding]) -> None:
    import json

    listed = [finding._asdict() for finding in findings]
    told = {"version": 1, "node": node, "slurm_client": client, "findings": listed}
    click.echo(json.dumps(told, indent=2))


def _print(node: str, findings: list[Finding]) -> None:
    for finding in findings:
        word = _WORDS.get(finding.level, finding.level)
        mark = click.style(f"{word}:", fg=_COLOURS[finding.level])
        click.echo(f"{mark} {finding.about}: {finding.what}")
        if finding.remedy:
            click.echo(f"    {finding.remedy}")
    counts = [
        f"{count} {_WORDS.get(level, level)}"
        for level in LEVELS
        if (count := sum(finding.level == level for finding in findings))
    ]
    click.echo(f"{node}: {', '.join(counts) or 'nothing to say: all is well'}")
