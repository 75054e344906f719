"""Plans as a readable diff. The only user of rich in `plan`."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.planning.plandiff import Row, needs, rows

_UNBROKEN = 10_000  # columns: a file or a pipe gets whole lines, whatever COLUMNS says
_COLOURS = {"stays": "dim", "goes": "red", "comes": "green"}


def show(
    what: str,
    plans: Sequence[GpuPlan],
    others: Sequence[LiveGpu],
    occupied: Occupied,
    console: Console | None = None,
) -> None:
    """Print the diff of `plans`. `what` names the config, `others` are GPUs left alone."""
    console = console or _console()
    _line(console, f"{escape(what)}: {_summary(plans, occupied)}")
    for plan in plans:
        _gpu(console, plan, occupied)
    for gpu in others:
        _line(console, "", f"{_name(gpu)}: left alone")


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_UNBROKEN)


def _line(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _summary(plans: Sequence[GpuPlan], occupied: Occupied) -> str:
    refused = sum(bool(plan.problems) for plan in plans)
    if refused:
        return f"not possible on {refused} of {_count(len(plans), 'GPU')}"
    changed = [plan for plan in plans if plan.steps]
    if not changed:
        return "nothing to do"
    found = [row.change for plan in changed for row in rows(plan, occupied)]
    counts = ", ".join(f"{found.count(word)} {word}" for word in ("stays", "goes", "comes"))
    counts = counts.replace("stays", "stay").replace("goes", "go").replace("comes", "come")
    return f"{_count(len(changed), 'GPU')} of {len(plans)} to change; GPU instances: {counts}"


def _gpu(console: Console, plan: GpuPlan, occupied: Occupied) -> None:
    head = f"{_name(plan.gpu)}: {_verdict(plan)}"
    _line(console, "", head)
    if plan.impossible is None and (plan.former.instances or plan.target.instances):
        table = _table(rows(plan, occupied))
        with console.capture() as drawn:
            console.print(table, highlight=False)
        console.file.writelines(f"{line.rstrip(' ')}\n" for line in drawn.get().splitlines())
    _line(console, *(f"  {escape(need)}" for need in needs(plan, occupied)))
    known = f"GPU {plan.gpu.info.gpu_index} ({plan.gpu.info.name}): "  # the heading says it
    for problem in plan.problems:
        _line(console, f"  [red]problem[/red]: {escape(problem.removeprefix(known))}")


def _name(gpu: LiveGpu) -> str:
    info = gpu.info
    return f"GPU {info.gpu_index}  {escape(info.name)}  {escape(info.uuid)}"


def _verdict(plan: GpuPlan) -> str:
    if plan.problems:
        return "[red]not possible[/red]"
    if plan.steps:
        return "to change"
    return "as wanted" if plan.target.mig else "as wanted, MIG off"


def _table(found: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    columns = ("", "", "instance", "placement", "MiB", "SMs", "compute", "in use by")
    used = any(row.users for row in found)
    for title in columns if used else columns[:-1]:
        numbers = title in ("MiB", "SMs")
        table.add_column(title, justify="right" if numbers else "left", no_wrap=True)
    for row in found:
        for cells in _cells(row):
            table.add_row(*cells[: len(table.columns)], style=_COLOURS[row.change])
    return table


def _cells(row: Row) -> Iterator[tuple[str, ...]]:
    """The line of one GPU instance, and one more for each further user."""
    spec, profile = row.spec, row.profile
    first, *others = row.users or ("",)
    yield (
        "",
        row.change,
        escape(spec.profile),
        f"{spec.placement.start}:{spec.placement.size}",
        "?" if profile is None else str(profile.memory_mib),
        "?" if profile is None else str(profile.sm_count),
        escape(row.compute),
        escape(first),
    )
    for other in others:
        yield (*[""] * 7, escape(other))


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
