"""How the monitor looks at the layout of all GPUs: with NVML open anyway, and seldom."""

import json

from slurm_mig.errors import NvmlError
from slurm_mig.system import epoch
from slurm_mig.usage.monitor.layout import AGAIN_S, Layout
from slurm_mig.usage.monitor.shown import as_json_value
from tests.fake_usage import UsageMachine
from tests.usage.monitor.scene import MakeScene, Scene

LAYOUTS = ("a100-40gb=3g.20gb@4/2x1g.5gb", "h100-80gb")


def seen(node: Scene) -> list[int]:
    """How many instances each GPU of the snapshot's layout has."""
    return [len(gpu.instances) for gpu in node.monitor.snapshot().layout]


def test_all_gpus_are_looked_at_when_a_job_comes(scene: MakeScene) -> None:
    node = scene(*LAYOUTS)
    node.tick()
    assert node.monitor.snapshot().layout == ()
    assert node.machine.sessions == 0
    node.begin(7, 0)
    node.tick()
    layout = node.monitor.snapshot().layout
    assert [(gpu.mig, len(gpu.instances)) for gpu in layout] == [(True, 3), (False, 0)]
    wanted = [(gre["mig"]["gi_id"], 0, gre["mig"]["uuid"]) for gre in node.gres[:3]]
    assert sorted(layout[0].instances) == sorted(wanted)
    node.end(7)
    node.tick()
    assert node.monitor.snapshot().layout == ()
    assert node.machine.opened == 0


def test_a_new_partitioning_is_a_new_session_and_a_new_look(scene: MakeScene) -> None:
    node = scene(*LAYOUTS)
    node.begin(7, 3)
    node.tick()
    node.machine.partition(0, "7x1g.5gb")
    node.tick()
    assert seen(node) == [3, 0]  # nobody said a word
    epoch.next_generation(str(node.root))
    node.tick()
    assert seen(node) == [7, 0]


def test_a_change_of_which_nobody_told_is_seen_in_the_end(scene: MakeScene) -> None:
    node = scene(*LAYOUTS)
    node.begin(7, 3)
    node.tick()
    node.machine.partition(0, "7x1g.5gb")
    node.tick(AGAIN_S)
    assert seen(node) == [7, 0]


def test_while_the_gpus_are_partitioned_nothing_is_said(scene: MakeScene) -> None:
    node = scene(*LAYOUTS)
    node.begin(7, 3)
    node.tick()
    journal = node.root / "var/lib/slurm-mig/journal.json"
    journal.parent.mkdir(parents=True)
    journal.write_text("{}")
    node.tick()
    assert node.monitor.snapshot().layout == ()
    journal.unlink()
    node.tick()
    assert seen(node) == [3, 0]


def test_it_is_in_the_json(scene: MakeScene) -> None:
    node = scene(*LAYOUTS)
    node.begin(7, 3)
    node.tick()
    told = json.loads(json.dumps(as_json_value(node.monitor.snapshot())))
    assert [gpu["mig"] for gpu in told["layout"]] == [True, False]


def test_of_a_gpu_that_does_not_answer_nothing_is_said() -> None:
    machine, layout = UsageMachine(LAYOUTS, lambda: 0.0), Layout()
    machine.lost.add(0)
    with machine.session() as nvml:
        layout.look(nvml, 1, 0.0)
        assert [gpu.gpu_uuid for gpu in layout.gpus] == [machine.gpu_uuid(1)]
        layout.forget()
        assert layout.gpus == ()


def test_nvml_that_fails_as_a_whole_says_nothing() -> None:
    machine, layout = UsageMachine(LAYOUTS, lambda: 0.0), Layout()
    machine.failing["gpu_count"] = NvmlError("NVML: unknown error")
    with machine.session() as nvml:
        layout.look(nvml, 1, 0.0)
    assert layout.gpus == ()
