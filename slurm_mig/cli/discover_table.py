"""A Node as a table for people. The only user of rich in `discover`."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slurm_mig.model import DeviceFile, Gpu, MigDevice, Node

_UNBROKEN = 10_000  # columns: a file or a pipe gets whole lines, whatever COLUMNS says
_NARROWEST = 124  # on a smaller terminal the lines go on below, but no UUID is torn up


def show(node: Node, console: Console | None = None) -> None:
    """Print `node` to standard output: plain text where that is no terminal."""
    console = console or _console()
    slices = sum(len(gpu.mig_devices) for gpu in node.gpus)
    console.print(
        f"{escape(node.name)}: NVIDIA driver {escape(node.driver_version)}, "
        f"{_count(len(node.gpus), 'GPU')}, {_count(slices, 'MIG slice')}",
        highlight=False,
        soft_wrap=True,
    )
    if node.gpus:
        _print(console, _gpus(node))
    if slices:
        _print(console, _slices(node))
    remarks = list(_remarks(node))
    for line in ["", *remarks] if remarks else []:
        console.print(line, highlight=False, soft_wrap=True)


def _console() -> Console:
    console = Console()
    width = max(console.width, _NARROWEST) if console.is_terminal else _UNBROKEN
    return Console(width=width)


def _print(console: Console, table: Table) -> None:
    """An empty line and `table`, without the spaces that rich leaves at the end of lines."""
    with console.capture() as drawn:
        console.print("", table, highlight=False)
    console.file.writelines(f"{line.rstrip(' ')}\n" for line in drawn.get().splitlines())


def _new_table(*columns: str, numbers: Sequence[str], folded: str) -> Table:
    """Columns that keep their width, but for `folded`; `numbers` are set to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in columns:
        table.add_column(
            title,
            justify="right" if title in numbers else "left",
            no_wrap=title != folded,
            overflow="fold",
        )
    return table


def _gpus(node: Node) -> Table:
    columns = ("GPU", "name", "MiB", "UUID", "device file", "MIG", "state")
    table = _new_table(*columns, numbers=("GPU", "MiB"), folded="name")
    for gpu in node.gpus:
        table.add_row(
            str(gpu.gpu_index),
            escape(gpu.name),
            str(gpu.memory_mib),
            escape(gpu.uuid),
            _file(gpu.device_file),
            _mode(gpu),
            _state(gpu.device_file),
        )
    return table


def _slices(node: Node) -> Table:
    columns = ("GPU", "slice", "placement", "MiB", "SMs", "UUID", "device files", "state")
    table = _new_table(*columns, numbers=("GPU", "MiB", "SMs"), folded="device files")
    for gpu in node.gpus:
        for device in gpu.mig_devices:
            table.add_row(str(gpu.gpu_index), *_slice(device))
    return table


def _slice(device: MigDevice) -> tuple[str, ...]:
    place = device.spec.placement
    _, gi_file, ci_file = device.device_files
    return (
        escape(device.profile),
        "not told" if place is None else f"{place.start}:{place.size}",
        str(device.memory_mib),
        str(device.sm_count),
        escape(device.uuid),
        f"{_file(gi_file)} {_file(ci_file)}",
        _state(gi_file, ci_file),
    )


def _file(file: DeviceFile) -> str:
    """ "nvidia-cap12 (240:12 0444)", as found; the folder is always the same."""
    numbers = f"{_or_unknown(file.major)}:{_or_unknown(file.minor)}"
    mode = "missing" if file.mode is None else f"{file.mode:04o}"
    return escape(f"{file.path.rpartition('/')[2]} ({numbers} {mode})")


def _or_unknown(number: int | None) -> str:
    return "?" if number is None else str(number)


def _mode(gpu: Gpu) -> str:
    """Whether the GPU is in MIG mode, or cannot be."""
    if gpu.mig_mode is None:
        return "cannot"
    return "on" if gpu.mig_mode.current else "off"


def _state(*files: DeviceFile) -> str:
    problems = sum(len(file.problems) for file in files)
    return _count(problems, "problem") if problems else "ok"


def _remarks(node: Node) -> Iterator[str]:
    """Problems, each once though slices share files; then warnings."""
    for gpu in node.gpus:
        slices = (file for device in gpu.mig_devices for file in device.device_files)
        problems = dict.fromkeys(p for file in (gpu.device_file, *slices) for p in file.problems)
        for problem in problems:
            yield f"[red]problem[/red]: GPU {gpu.gpu_index}: {escape(problem)}"
    for warning in node.warnings:
        yield f"[yellow]warning[/yellow]: {escape(warning)}"
    for gpu in node.gpus:
        for warning in gpu.warnings:
            yield f"[yellow]warning[/yellow]: GPU {gpu.gpu_index}: {escape(warning)}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
