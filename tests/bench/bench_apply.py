"""apply: its calls against the least there can be, its time on 8 GPUs, and one with nothing to do.

`python -m tests.bench.bench_apply`. Counted exactly, from a trace of every NVML call: changing
calls against the steps of the plan, refused ones, destroys. Timed in turn in the same run: 8 GPUs
from 7x1g to 3g+2g+2x1g and back, the driver's part (here the simulator's) apart; and the command
with nothing to do against discover (the aim: at most 1.5).
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from slurm_mig.gpu.planning.plan import plan
from tests.gpu.changing import Scene, scene_of, wish
from tests.layouts import PlacedGi, valid_layouts
from tests.sim.api import Sim
from tests.sim.models import load

MODELS = ("a100-40gb", "a30-24gb", "h100-80gb", "rtx-pro-6000-96gb")
CHANGES = 50  # of each model
RUNS = 15
CREATES = {
    "nvmlDeviceCreateGpuInstanceWithPlacement",
    "nvmlGpuInstanceCreateComputeInstance",
    "nvmlGpuInstanceCreateComputeInstanceWithPlacement",
}
DESTROYS = {"nvmlGpuInstanceDestroy", "nvmlComputeInstanceDestroy"}
SEVEN, MIXED = "7x1g.5gb", "3g.20gb/2g.10gb/2x1g.5gb"
CONFIG = """version: v1
mig-configs:
  seven:
    - {devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}
"""


def main() -> None:
    """Print the counts and the medians."""
    for key in MODELS:
        count(key)
    timed()
    nothing_to_do()


def count(key: str) -> None:
    """Random changes of one model: what was called against what the plan says."""
    layouts = [placed for placed in valid_layouts(load(key)) if placed]
    dice = random.Random(4)
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        scene = scene_of(Path(folder), os.environ.__setitem__, {}, [f"{key}=mig"])
        for _ in range(CHANGES):
            before, after = dice.sample(layouts, 2)
            total.update(counted(scene, before, after, Path(folder, "trace")))
    ratio = total["changes"] / total["least"]
    print(
        f"{key:<18} {CHANGES} changes: {total['changes']} changing calls, {total['least']} steps "
        f"({ratio:.2f}), {total['refused']} refused; {total['destroys']} destroys; "
        f"{total['all'] / CHANGES:.0f} calls an apply"
    )


def counted(
    scene: Scene, before: Sequence[PlacedGi], after: Sequence[PlacedGi], trace: Path
) -> Counter[str]:
    """The calls of one apply, by kind; `least`: the steps of its plan."""
    scene.sim.partition(0, "/".join(map(str, before)))
    scene.wanted = {0: wish("/".join(gi.profile.name for gi in after))}
    scene.live = scene.look()
    plans = [plan(scene.live[0], scene.wanted[0])]
    trace.write_text("")  # where nothing is to be done, nothing may be called
    scene.sim.trace(trace)
    assert scene.apply(plans).good
    scene.sim.trace(None)
    found = Counter(kinds(trace.read_text().splitlines()))
    found["least"] = len(plans[0].steps)
    return found


def kinds(lines: Sequence[str]) -> Iterator[str]:
    """What each traced call was."""
    for line in lines:
        _, call, code = line.split()
        yield "all"
        if call in CREATES | DESTROYS:
            yield "changes"
            yield from ["refused"] * (code != "0") + ["destroys"] * (call in DESTROYS)


def timed() -> None:
    """8 GPUs there and back, on the disk that holds the temporary files."""
    with tempfile.TemporaryDirectory() as folder:
        gpus = [f"a100-40gb={SEVEN}"] * 8
        scene = scene_of(Path(folder), os.environ.__setitem__, {}, gpus)
        took: dict[str, list[tuple[float, float, int]]] = {MIXED: [], SEVEN: []}
        for _ in range(RUNS):
            for layout, times in took.items():
                scene.wanted = {index: wish(layout) for index in range(8)}
                scene.live = scene.look()
                result = scene.apply(make_nodes=lambda _: scene.sim.make_nodes())
                assert result.outcome == "done", result
                driver = sum(step.seconds for step in result.took)
                times.append((result.seconds, driver, len(result.took)))
    for layout, times in took.items():
        seconds, driver = (median(one[at] for one in times) * 1000 for at in (0, 1))
        print(
            f"8 GPUs to {layout:<26} {times[0][2]:>3} steps: {seconds:6.0f} ms, "
            f"{driver:5.0f} ms of them in the simulator's changing calls"
        )


def nothing_to_do() -> None:
    """The command where all is as wanted, against discover."""
    with tempfile.TemporaryDirectory() as folder:
        sim = Sim.new(Path(folder, "sim"), [f"a100-40gb={SEVEN}"] * 8)
        config = Path(folder, "wanted.yaml")
        config.write_text(CONFIG)
        ours = str(Path(sys.executable).with_name("slurm-mig"))
        commands = {
            "discover": [ours, "discover"],
            "apply, nothing to do": [ours, "apply", "--file", str(config), "--config", "seven"],
        }
        took: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, words in commands.items():
                begin = time.perf_counter()
                env = {**os.environ, **sim.env()}
                subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL)
                took[name].append(time.perf_counter() - begin)
    for name, seconds in took.items():
        print(f"{name:<22} {median(seconds) * 1000:7.1f} ms")
    pairs = zip(took["apply, nothing to do"], took["discover"], strict=True)
    print(f"{'ratio':<22} {median(mine / theirs for mine, theirs in pairs):7.2f} (at most 1.5)")


if __name__ == "__main__":
    main()
