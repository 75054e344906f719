import pytest

from slurm_mig.slurm.config.drift import autodetect_of, drift, named_nodes
from slurm_mig.slurm.config.parse import ConfError

WANTED = """\
AutoDetect=off
Name=gpu Type=big MultipleFiles=/dev/a,/dev/b,/dev/c Cores=0-3 Flags=nvidia_gpu_env
Name=gpu Type=small MultipleFiles=/dev/a,/dev/d,/dev/e Cores=0-3 Flags=nvidia_gpu_env
Name=gpu Type=small MultipleFiles=/dev/a,/dev/f,/dev/g Cores=0-3 Flags=nvidia_gpu_env
Name=gpu Type=whole File=/dev/h Flags=nvidia_gpu_env
Name=gpu Type=whole File=/dev/i Flags=nvidia_gpu_env
"""


def differs(found: str, wanted: str = WANTED, nodes: tuple[str, ...] = ("n1",)) -> list[str]:
    return drift(found, wanted, nodes, "gres.conf")


LINES = WANTED.splitlines()


@pytest.mark.parametrize(
    "found",
    [
        WANTED,
        WANTED.replace("\n", "   # a comment\n\n"),
        WANTED.replace("Name=", "NAME = ").replace("File=", "file="),
        WANTED.replace(" ", "  \\\n  "),
        "\n".join([LINES[4], LINES[2], LINES[3], LINES[1], LINES[5]]),
        WANTED.replace("Cores=0-3", "Cores=0,1,2-3").replace("AutoDetect=off", ""),
        WANTED.replace(f"{LINES[5]}\n", "").replace("File=/dev/h ", "Files=/dev/h,/dev/i "),
        WANTED.replace(" Flags=nvidia_gpu_env\n", "\n").replace(
            "Cores=0-3\n", "Cores=0-3 Flags=NVIDIA_GPU_ENV\n", 1
        ),
        f"Name=license Count=5\n{WANTED}NodeName=other Name=gpu Type=x File=/dev/x\n",
        "\n".join(f"NodeName=n[1-3] {line}" for line in LINES),
        f"NodeName=n1 AutoDetect=off\n{WANTED}".replace("\nAutoDetect=off", "\nAutoDetect=nvml"),
    ],
)
def test_slurm_reads_the_same(found: str) -> None:
    assert differs(found) == []


@pytest.mark.parametrize(
    ("found", "minus", "plus"),
    [
        ("", 0, 5),
        (WANTED.replace("/dev/f", "/dev/x"), 1, 1),
        (WANTED.replace("Type=big", "Type=huge"), 1, 1),
        (WANTED.replace("AutoDetect=off", "AutoDetect=nvml"), None, None),
        (WANTED.replace(" Flags=nvidia_gpu_env", ""), 5, 5),
        (WANTED.replace(" Cores=0-3", ""), 3, 3),
        (WANTED.replace("/dev/b,/dev/c", "/dev/c,/dev/b"), 1, 1),
        ("\n".join([*LINES[:2], LINES[3], LINES[2], *LINES[4:]]), 1, 1),
        (WANTED + "Name=gpu Type=extra Count=2 Flags=nvidia_gpu_env\n", 1, 0),
        (WANTED.replace("File=/dev/h", "File=/dev/h Links=-1,0"), 1, 1),
    ],
)
def test_slurm_would_read_something_else(found: str, minus: int | None, plus: int | None) -> None:
    lines = differs(found)
    assert lines[:2] == ["--- gres.conf", "+++ wanted for n1"]
    if minus is not None:
        counted = [sum(line.startswith(sign) for line in lines[2:]) for sign in "-+"]
        assert counted == [minus, plus]


def test_the_order_means_nothing_to_autodetect() -> None:
    wanted = WANTED.replace("AutoDetect=off", "AutoDetect=nvml")
    lines = wanted.splitlines()
    assert differs("\n".join(reversed(lines)), wanted) == []


def test_nodes_that_differ_alike_share_a_diff() -> None:
    wanted = "\n".join(f"NodeName=n[1-4] {line}" for line in LINES)
    found = "\n".join([*(f"NodeName=n[1-2] {line}" for line in LINES), "NodeName=n4 " + LINES[5]])
    lines = differs(found, wanted, ("n1", "n2", "n3", "n4"))
    assert [line for line in lines if line.startswith("+++")] == [
        "+++ wanted for n3",
        "+++ wanted for n4",
    ]
    both = differs("", wanted, ("n1", "n2", "n3"))
    assert both[1] == "+++ wanted for n1 and 2 more nodes"


def test_nodes_that_a_text_names() -> None:
    assert sorted(named_nodes("NodeName=n[1-2],m Name=gpu\nName=gpu\n")) == ["m", "n1", "n2"]


@pytest.mark.parametrize("line", ["NodeName=n[1 Name=gpu", "Name=gpu Cores=a", "Name=gpu File=/d["])
def test_what_cannot_be_read_is_neither_same_nor_different(line: str) -> None:
    with pytest.raises(ConfError, match="line 1: "):
        differs(line)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", "off"),
        ("AutoDetect=NVML\n", "nvml"),
        ("AutoDetect=nvml\nNodeName=n[1-2] AutoDetect=off\n", "off"),
        ("AutoDetect=nvml\nNodeName=n2 AutoDetect=off\n", "nvml"),
    ],
)
def test_what_autodetect_is_said_to_a_node(text: str, mode: str) -> None:
    assert autodetect_of(text, "n1") == mode
