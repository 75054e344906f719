"""The diff that people read."""

import io

from rich.console import Console

from slurm_mig.cli.plan_table import show
from slurm_mig.gpu.partitioning import LiveGpu, WantedGi, WantedGpu
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.gpu.planning.plan import plan
from slurm_mig.model import Placement
from tests.gpu.laidout import live_gpu

NOBODY = Occupied()
H100 = live_gpu("h100-80gb", "3g.40gb@4/2g.20gb@0")
L40S = live_gpu("l40s", gpu_index=1)


def shown(
    *instances: WantedGi,
    gpu: LiveGpu = H100,
    seen: Occupied = NOBODY,
    mig: bool = True,
    colour: bool = False,
) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=200, force_terminal=colour, color_system="standard" if colour else None
    )
    plans = [plan(gpu, WantedGpu(mig, instances), seen.busy(gpu))]
    show("mig.yaml, x", plans, [L40S], seen, console)
    return file.getvalue()


def test_a_change() -> None:
    uuid = H100.info.uuid
    assert shown(WantedGi("3g.40gb"), WantedGi("1g.10gb"), WantedGi("1g.10gb", 3, ())) == (
        "mig.yaml, x: 1 GPU of 1 to change; GPU instances: 1 stay, 1 go, 2 come\n"
        "\n"
        f"GPU 0  NVIDIA H100 80GB HBM3  {uuid}: to change\n"
        "         instance  placement    MiB  SMs  compute\n"
        "  goes   2g.20gb   0:2        20096   32  all\n"
        "  comes  1g.10gb   2:1         9984   16  all\n"
        "  comes  1g.10gb   3:1         9984   16  none\n"
        "  stays  3g.40gb   4:4        40448   60  all\n"
        "\n"
        f"GPU 1  NVIDIA L40S  {L40S.info.uuid}: left alone\n"
    )


def test_nothing_to_do() -> None:
    text = shown(WantedGi("3g.40gb"), WantedGi("2g.20gb"))
    assert text.startswith("mig.yaml, x: nothing to do\n")
    assert ": as wanted\n" in text
    off = shown(gpu=live_gpu("h100-80gb"), mig=False)
    assert ": as wanted, MIG off\n" in off
    assert "placement" not in off


def test_not_possible() -> None:
    text = shown(*[WantedGi("3g.40gb")] * 3)
    assert text.startswith("mig.yaml, x: not possible on 1 of 1 GPU\n")
    assert "  problem: 3 3g.40gb wanted, of which" in text
    assert "(what fits: " in text
    assert "placement" not in text.partition("problem")[0]


def test_users_have_a_column_and_a_line_each() -> None:
    users = ("process 7 of eva (python [x], Slurm job 17)", "process 8 of eva (python)")
    seen = Occupied(instances={H100.info.uuid: {Placement(4, 4): users}})
    text = shown(WantedGi("2g.20gb"), seen=seen)
    assert "in use by\n" in text
    assert (
        "  goes   3g.40gb   4:4        40448   60  all      process 7 of eva (python [x]," in text
    )
    assert f"\n{' ' * 51}process 8 of eva (python)\n" in text
    assert "problem: " in text


def test_needs_are_told_below() -> None:
    text = shown(WantedGi("1g.5gb"), gpu=live_gpu("a100-40gb"))
    assert "\n  MIG is switched on\n  this GPU is reset (" in text


def test_markup_in_names_is_shown_as_it_is() -> None:
    odd = H100._replace(info=H100.info._replace(name="[red]GPU[/red]"))
    assert "GPU 0  [red]GPU[/red]  " in shown(gpu=odd)


def test_what_is_unknown_of_a_profile() -> None:
    gpu = H100._replace(profiles=())
    text = shown(gpu=gpu, mig=False)
    assert "  goes  3g.40gb   4:4          ?    ?  all\n" in text


def test_colours_on_a_terminal_only() -> None:
    assert "\x1b[" not in shown(WantedGi("7g.80gb"))
    assert "\x1b[31m" in shown(WantedGi("7g.80gb"), colour=True)
