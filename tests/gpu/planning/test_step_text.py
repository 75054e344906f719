"""The steps of a plan in words, and where they happen."""

import pytest

from slurm_mig.gpu.partitioning import CiSpec, GiSpec
from slurm_mig.gpu.planning.plan_steps import (
    CreateCi,
    CreateGi,
    DestroyCi,
    DestroyGi,
    Reset,
    SetMode,
    Step,
)
from slurm_mig.gpu.planning.step_text import place_of, step_text
from slurm_mig.model import Placement

AT_4 = Placement(4, 4)
BIG = GiSpec("3g.40gb", AT_4, ())
STEPS: dict[str, tuple[Step, Placement | None]] = {
    "destroy compute instance 3g.40gb of 3g.40gb@4": (
        DestroyCi("GPU-0", BIG, CiSpec("3g.40gb")), AT_4,
    ),
    "destroy 3g.40gb@4": (DestroyGi("GPU-0", BIG), AT_4),
    "switch MIG on": (SetMode("GPU-0", True), None),
    "switch MIG off": (SetMode("GPU-0", False), None),
    "reset": (Reset("GPU-0"), None),
    "create 3g.40gb@4": (CreateGi("GPU-0", "3g.40gb", AT_4), AT_4),
    "create compute instance 1c.3g.40gb in the one at 4": (
        CreateCi("GPU-0", AT_4, CiSpec("1c.3g.40gb")), AT_4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", STEPS)
def test_steps_in_words(text: str) -> None:
    step, place = STEPS[text]
    assert (step_text(step), place_of(step)) == (text, place)
