"""A Node as a table for people. The only user of rich in `discover`."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slurm_mig.model import DeviceFile, Gpu, MigDevice, Node

_NOT_A_TERMINAL = 10_000  # columns: a file or a pipe gets whole lines, whatever COLUMNS says


def show(node: Node, console: Console | None = None) -> None:
    """Print `node` to standard output: plain text where that is no terminal."""
    console = console or _console()
    slices = sum(len(gpu.mig_devices) for gpu in node.gpus)
    console.print(
        f"{escape(node.name)}: NVIDIA driver {escape(node.driver_version)}, "
        f"{_count(len(node.gpus), 'GPU')}, {_count(slices, 'MIG slice')}",
        highlight=False,
    )
    if node.gpus:
        console.print(_table(node), highlight=False)
    for line in _remarks(node):
        console.print(line, highlight=False, soft_wrap=True)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_NOT_A_TERMINAL)


def _table(node: Node) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for title in ("GPU", "profile", "placement"):
        table.add_column(title, no_wrap=True)
    for title in ("MiB", "SMs"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("UUID", "device files", "state"):
        table.add_column(title, overflow="fold")
    for gpu in node.gpus:
        table.add_row(*_gpu_row(gpu), style="bold")
        for device in gpu.mig_devices:
            table.add_row(*_slice_row(device))
        table.add_section()
    return table


def _gpu_row(gpu: Gpu) -> tuple[str, ...]:
    name, memory = escape(gpu.name), str(gpu.memory_mib)
    state = f"{_mode(gpu)}, {_state(gpu.device_file)}"
    return (
        str(gpu.gpu_index),
        name,
        "",
        memory,
        "",
        escape(gpu.uuid),
        _file(gpu.device_file),
        state,
    )


def _slice_row(device: MigDevice) -> tuple[str, ...]:
    place = device.spec.placement
    _, gi_file, ci_file = device.device_files
    return (
        "",
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
    if gpu.mig_mode is None:
        return "cannot do MIG"
    return "MIG on" if gpu.mig_mode.current else "MIG off"


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
