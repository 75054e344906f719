"""The steps of a plan, made one by one: each is written down and told before it is made."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Final, Protocol

from slurm_mig.errors import NvmlError, SlurmMigError
from slurm_mig.gpu.change.bounded import Progress, Pulse
from slurm_mig.gpu.change.compare import gpu_text
from slurm_mig.gpu.change.driver_drift import offered
from slurm_mig.gpu.change.reset import ResetImpossible
from slurm_mig.gpu.change.transaction import Ports, Took
from slurm_mig.gpu.nvml.partition_port import PartitionNvml
from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.planning.plan_steps import CreateGi, DestroyCi, DestroyGi, Reset, SetMode, Step
from slurm_mig.gpu.planning.step_text import step_text
from slurm_mig.gpu.present.survey import Seen, look, survey_each
from slurm_mig.model import CiId, GiId, Placement, ProfileId

LOOKING: Final = "looking at the GPUs"


class RebootNeeded(SlurmMigError):
    """A MIG mode is pending and no reset brings it into force."""


class Note(Protocol):
    """Writes down the change about to be made; when it raises, that is not made."""

    def __call__(self, about: str) -> None: ...


class Execution:
    """Changes GPUs, with one NVML session at a time. Made by one worker, in its process."""

    def __init__(self, ports: Ports, pulse: Pulse, note: Note) -> None:
        self._ports = ports
        self._pulse = pulse
        self._note = note
        self._open: AbstractContextManager[PartitionNvml] | None = None
        self._session: PartitionNvml | None = None
        self.took: list[Took] = []
        self.total = 0  # steps that are to be made, as far as known

    def nvml(self) -> PartitionNvml:
        """The session, opened if none is."""
        if self._session is None:
            opening = self._ports.session()
            self._session = opening.__enter__()
            self._open = opening
        return self._session

    def close(self) -> None:
        """End the session: a GPU is not reset while anybody has it open, and we are somebody."""
        opened, self._open, self._session = self._open, None, None
        if opened is not None:
            with suppress(NvmlError):  # it is over for us in any case
                opened.__exit__(None, None, None)

    def look_afresh(self) -> Seen:
        """All GPUs, in a new session: an old one may tell what is no more."""
        self.bound(LOOKING, self._ports.bounds.call_s)
        self.close()
        return survey_each(self.nvml())

    def bound(self, doing: str, at_most_s: float) -> None:
        """Say what comes next and how long it may take."""
        self._pulse(Progress(doing, len(self.took), self.total), at_most_s)

    def carry_out(self, plan: GpuPlan) -> None:
        """Make the steps of a plan made of a fresh look. SlurmMigError at the first failure."""
        names = _Names(plan.gpu)
        for step in plan.steps:
            self._make(plan, step, lambda step=step: self._change(plan, names, step))  # type: ignore[misc]
            if isinstance(step, SetMode) and not plan.needs_reset and self._waits(plan):
                reset = Reset(step.gpu_uuid)  # of a family of which nobody knew
                self._make(plan, reset, lambda: self._reset(plan))

    def _make(self, plan: GpuPlan, step: Step, act: Callable[[], None]) -> None:
        what = f"{gpu_text(plan.gpu)}: {step_text(step)}"
        bounds = self._ports.bounds
        self.bound(what, bounds.reset_s if isinstance(step, Reset) else bounds.call_s)
        self._note(what)
        began = self._ports.clock()
        act()
        self.took.append(Took(what, self._ports.clock() - began))

    def _change(self, plan: GpuPlan, names: "_Names", step: Step) -> None:
        nvml, gpu_index = self.nvml(), plan.gpu.info.gpu_index
        if isinstance(step, DestroyCi):
            nvml.destroy_ci(gpu_index, *names.ci(step))
        elif isinstance(step, DestroyGi):
            nvml.destroy_gi(gpu_index, names.gi(step.gi.placement))
        elif isinstance(step, SetMode):
            nvml.set_mig_mode(gpu_index, step.on)
        elif isinstance(step, Reset):
            self._reset(plan)
        elif isinstance(step, CreateGi):
            profile_id = names.profile_id(nvml, step)
            made = nvml.create_gi(gpu_index, profile_id, step.placement)
            names.made[step.placement] = made
        else:
            nvml.create_ci(gpu_index, names.gi(step.placement), step.ci)

    def _waits(self, plan: GpuPlan) -> bool:
        mode = self.nvml().gpu(plan.gpu.info.gpu_index).mig_mode
        return mode is not None and mode.current != mode.pending

    def _reset(self, plan: GpuPlan) -> None:
        """Reset this GPU, once. RebootNeeded where only that can bring its mode into force."""
        info, name = plan.gpu.info, gpu_text(plan.gpu)
        if not self._waits(plan):
            return
        self.close()
        failure: SlurmMigError | None = None
        try:
            self._ports.reset(info.pci_bus_id)
        except SlurmMigError as why:
            failure = why
        if look(self.nvml(), info.gpu_index).info.uuid != info.uuid:
            raise SlurmMigError(f"{name}: another GPU is there after the reset")
        if not self._waits(plan):
            return
        if failure is None or isinstance(failure, ResetImpossible):
            why_not = failure or "the reset did not bring it into force"
            raise RebootNeeded(f"{name}: its MIG mode is pending: {why_not}")
        raise failure  # such as a client that came: another time it may succeed


class _Names:
    """The names that the driver gave to what is on a GPU, from a fresh look and as it is made."""

    def __init__(self, gpu: LiveGpu) -> None:
        self._gpu = gpu
        self._profiles = gpu.profiles
        self.made: dict[Placement, GiId] = {}

    def gi(self, placement: Placement) -> GiId:
        """The GPU instance at that place."""
        there = {gi.placement: gi.gi_id for gi in self._gpu.instances}
        return {**there, **self.made}[placement]

    def ci(self, step: DestroyCi) -> tuple[GiId, CiId]:
        """The compute instance that a step names."""
        (gi,) = (gi for gi in self._gpu.instances if gi.placement == step.gi.placement)
        return gi.gi_id, next(ci.ci_id for ci in gi.cis if ci.spec == step.ci)

    def profile_id(self, nvml: PartitionNvml, step: CreateGi) -> ProfileId:
        """The number of a profile. SlurmMigError where the driver offers no such thing."""
        self._profiles = self._profiles or nvml.profiles(self._gpu.info.gpu_index)
        offer = offered(self._profiles, step.profile, step.placement.size)
        if offer is None:
            names = ", ".join(one.profile for one in self._profiles)
            raise SlurmMigError(
                f"{gpu_text(self._gpu)}: its driver offers no {step.profile}, only {names}"
            )
        return offer.profile_id
