"""`slurm-mig usage report`: who used what, what would have done, and who held slices idle."""

from datetime import datetime, tzinfo
from pathlib import Path

import click

from slurm_mig.cli.common import root_of, root_option
from slurm_mig.cli.usage.moments import Moment
from slurm_mig.cli.usage.reading import Place, place_options, reading, tell
from slurm_mig.cli.usage.showing import Form, form_options, show
from slurm_mig.usage.report.overview import BY
from slurm_mig.usage.report.words import when
from slurm_mig.usage.store.asking import Filters

_NAMES = ("user", "account", "partition", "profile", "node")


def _filters(command: click.decorators.FC) -> click.decorators.FC:
    for name in reversed(_NAMES):
        command = click.option(
            f"--{name}", multiple=True, metavar="NAME", help=f"Only of this {name}. Several times."
        )(command)
    return command


@click.command("report")
@click.option("--since", type=Moment(), default="7d", show_default=True, metavar="WHEN",
              help="From then on: 7d, 12h or 4w ago, or a date such as 2026-11-01.")  # fmt: skip
@click.option("--until", type=Moment(), metavar="WHEN", help="Before then. Else until now.")
@click.option("--by", type=click.Choice(BY), default="user", show_default=True,
              help="What to add up by.")  # fmt: skip
@_filters
@form_options
@place_options
@root_option
def command(
    since: float,
    until: float | None,
    by: str,
    as_json: bool,
    as_csv: bool,
    html: Path | None,
    db: str | None,
    records: tuple[Path, ...],
    **names: tuple[str, ...],
) -> None:
    """Show who used what, which smaller slices would have done, and who held slices idle.

    Hours of slices, mean and peak use, a table of right sizes with its rule and its doubts, and
    the slices that were held and hardly used. A job counts for the moment at which it ended.

    \b
      slurm-mig usage report --since 7d --by user
      slurm-mig usage report --since 2026-11-01 --until 2026-12-01 --by account --csv
      slurm-mig usage report --since 4w --by profile --html report.html
    """
    from slurm_mig.usage.report.as_csv import overview_csv
    from slurm_mig.usage.report.as_json import overview_json
    from slurm_mig.usage.report.overview import overview
    from slurm_mig.usage.report.overview_page import overview_page

    zone = datetime.now().astimezone().tzinfo
    assert zone is not None  # noqa: S101 (astimezone() gives one)
    filters = Filters(
        since,
        until,
        users=names["user"],
        accounts=names["account"],
        partitions=names["partition"],
        profiles=names["profile"],
        nodes=names["node"],
    )
    with reading(Place(root_of(click.get_current_context()), db, records), filters) as found:
        seen = overview(found.source, by)
    tell(found.problems)
    show(
        Form(as_json, as_csv, html),
        [overview_page(seen, _span(since, until, names, zone), zone)],
        lambda: overview_json(seen, since, until, found.problems),
        lambda: overview_csv(seen),
        f"From {found.name}.",
    )


def _span(
    since: float, until: float | None, names: dict[str, tuple[str, ...]], zone: tzinfo
) -> str:
    end = "" if until is None else f" until {when(until, zone)}"
    only = "".join(f", {name} {', '.join(chosen)}" for name, chosen in names.items() if chosen)
    return f"since {when(since, zone)}{end}{only}"
