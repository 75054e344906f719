"""The table of `discover`: what a person sees, on a terminal and in a file."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from slurm_mig.cli.discover_table import show
from slurm_mig.gpu.present.discover import discover
from slurm_mig.model import Node
from tests.fakes import FakeGpu, FakeNvml, empty, slice_of
from tests.gpu.driver_tree import lay_out

WIDE = 300


def text_of(node: Node, *, width: int = WIDE, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
    )
    show(node, console)
    return out.getvalue()


def words(line: str) -> list[str]:
    return line.split()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """An H100 with a slice whose node is missing, a GPU with MIG off, one without MIG."""
    nvml = FakeNvml(
        [
            FakeGpu((slice_of("3g.40gb", 4, 4, 1), empty("1g.10gb", 0, 1, 9))),
            FakeGpu(),
            FakeGpu(None, "NVIDIA L40S", 46068),
        ]
    )
    lay_out(tmp_path, nvml)
    (tmp_path / "dev/nvidia-caps/nvidia-cap13").unlink()
    return discover(nvml, tmp_path, "n1")


def row(text: str, word: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if word in line and "problem:" not in line]
    return words(line)


def test_the_first_line_sums_up(node: Node) -> None:
    assert text_of(node).splitlines()[0] == "n1: NVIDIA driver 570.86.15, 3 GPUs, 1 MIG slice"


def test_a_slice_is_one_line_with_everything(node: Node) -> None:
    assert row(text_of(node), "MIG-") == [
        "0", "3g.40gb", "4:4", "40000", "48", "MIG-00000000-0000-0000-0001-000000000000",
        "nvidia-cap12", "(240:12", "0444)", "nvidia-cap13", "(240:13", "missing)",
        "1", "problem",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "state"),
    [(0, "on ok"), (1, "off ok"), (2, "cannot ok")],
)
def test_each_gpu_says_whether_it_does_mig(node: Node, gpu: int, state: str) -> None:
    uuid = node.gpus[gpu].uuid
    (line,) = [line for line in text_of(node).splitlines() if uuid in line]
    assert words(line)[-2:] == words(state)


def test_problems_and_warnings_follow_whole(node: Node) -> None:
    last = text_of(node).splitlines()[-2:]
    assert last[0].startswith("problem: GPU 0: /dev/nvidia-caps/nvidia-cap13 is missing: make it")
    assert last[0].endswith("or `mknod -m 444 /dev/nvidia-caps/nvidia-cap13 c 240 13`")
    assert last[1] == (
        "warning: GPU 0: GPU instance 9 (1g.10gb) has no compute instance: no job can use it"
    )


def test_a_problem_of_a_shared_file_is_told_once(tmp_path: Path) -> None:
    nvml = FakeNvml([FakeGpu((slice_of("2g.20gb", 0, 2, 3, "1c.2g.20gb", "1c.2g.20gb"),))])
    lay_out(tmp_path, nvml)
    (tmp_path / "dev/nvidia0").unlink()
    assert text_of(discover(nvml, tmp_path)).count("/dev/nvidia0 is missing") == 1


def test_an_unknown_placement_is_said_to_be(tmp_path: Path, node: Node) -> None:
    nvml = FakeNvml([FakeGpu((slice_of("7g.80gb", 0, 8, 0),))], root_user=False)
    text = text_of(discover(nvml, lay_out(tmp_path / "other", nvml)))
    assert row(text, "MIG-")[2:4] == ["not", "told"]
    assert "warning: NVML tells placements" in text


def test_without_gpus_there_is_no_table() -> None:
    assert text_of(Node("n1", "570.86.15", ())).splitlines() == [
        "n1: NVIDIA driver 570.86.15, 0 GPUs, 0 MIG slices"
    ]


def test_a_file_gets_no_escape_codes_and_a_terminal_does(node: Node) -> None:
    assert "\x1b[" not in text_of(node)
    assert "\x1b[" in text_of(node, terminal=True)


def test_commands_can_be_copied_from_a_narrow_terminal(node: Node) -> None:
    """They are not broken into lines."""
    assert "`mknod -m 444 /dev/nvidia-caps/nvidia-cap13 c 240 13`" in text_of(node, width=60)


def test_uuids_are_whole_where_the_terminal_is_as_wide_as_most(node: Node) -> None:
    text = text_of(node, width=124)
    for gpu in node.gpus:
        assert gpu.uuid in text
        assert all(device.uuid in text for device in gpu.mig_devices)


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    text = text_of(Node("[red]n1", "[/]", (), warnings=("[bold]",)))
    assert text.splitlines() == [
        "[red]n1: NVIDIA driver [/], 0 GPUs, 0 MIG slices",
        "",
        "warning: [bold]",
    ]


def test_standard_output_that_is_no_terminal_gets_whole_lines(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    show(node)
    out = capsys.readouterr().out
    assert row(out, "MIG-")[-2:] == ["1", "problem"]
    assert max(map(len, out.splitlines())) < 400
    assert out.splitlines() == [line.rstrip() for line in out.splitlines()]
