"""The steps of a plan in words, for the journal, progress and messages. Pure."""

from slurm_mig.gpu.planning.plan_steps import CreateGi, DestroyCi, DestroyGi, Reset, SetMode, Step
from slurm_mig.model import Placement


def step_text(step: Step) -> str:
    """Such as "create 3g.40gb@4"."""
    if isinstance(step, DestroyCi):
        place = f"{step.gi.profile}@{step.gi.placement.start}"
        return f"destroy compute instance {step.ci.ci_profile} of {place}"
    if isinstance(step, DestroyGi):
        return f"destroy {step.gi.profile}@{step.gi.placement.start}"
    if isinstance(step, SetMode):
        return f"switch MIG {'on' if step.on else 'off'}"
    if isinstance(step, Reset):
        return "reset"
    if isinstance(step, CreateGi):
        return f"create {step.profile}@{step.placement.start}"
    return f"create compute instance {step.ci.ci_profile} in the one at {step.placement.start}"


def place_of(step: Step) -> Placement | None:
    """The place of the GPU instance that a step is about; None: the whole GPU."""
    if isinstance(step, SetMode | Reset):
        return None
    return step.gi.placement if isinstance(step, DestroyCi | DestroyGi) else step.placement
