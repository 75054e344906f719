"""One worker's try to bring the GPUs of a journal to a goal, the journal true at every moment."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from slurm_mig.errors import JournalError, SlurmMigError
from slurm_mig.gpu.change import journal as journals
from slurm_mig.gpu.change import state_files
from slurm_mig.gpu.change.bounded import Pulse
from slurm_mig.gpu.change.compare import differences, disturbed, gpu_text, layout_text
from slurm_mig.gpu.change.driver_drift import renamed
from slurm_mig.gpu.change.execute import Execution, RebootNeeded
from slurm_mig.gpu.change.journal import APPLYING, RESTORING, Journal, JournalGpu, Overtaken
from slurm_mig.gpu.change.transaction import GpuEnd, Ports
from slurm_mig.gpu.partitioning import Layout, LiveGpu
from slurm_mig.gpu.planning.plan import GpuPlan, plan, toward
from slurm_mig.gpu.planning.step_text import place_of
from slurm_mig.gpu.present.survey import Seen, look
from slurm_mig.model import Placement

TARGET: Final = "target"
FORMER: Final = "former"
_GONE = (
    f"it is gone from the bus (taken out for good? then move {state_files.FOLDER}/{journals.NAME} "
    "away, and apply again)"
)
_STATE = {TARGET: APPLYING, FORMER: RESTORING}


class Attempt:
    """`before`: the GPUs before the first change. `remarks`: what could not be looked at."""

    def __init__(self, ports: Ports, pulse: Pulse, journal: Journal, before: Seen) -> None:
        self.journal = journal
        self.remarks: tuple[str, ...] = ()
        self.work = Execution(ports, pulse, self._note)
        self._ports = ports
        self._before = before
        self._touched = defaultdict[str, set[Placement]](set)
        self._strict = True
        self._verified: dict[str, LiveGpu] = {}

    def reach(self, goal: str, plans: Mapping[str, GpuPlan] | None = None) -> dict[str, Layout]:
        """Bring every GPU of the journal to `goal`; what they are then, verified, by UUID.

        `plans`: the ways there, if they are known, by UUID. Raises SlurmMigError or OSError: on
        the way to the target at once, on the way back when all GPUs had their turn.
        """
        self._verified = {}
        self._set_out(goal)
        ways = plans if plans is not None else self._look_for_ways(goal)
        if goal == TARGET:
            self._refuse_if_silent(ways)
        problems = []
        for entry in self.journal.gpus:
            try:
                self._bring(entry, goal, ways.get(entry.gpu_uuid))
            except Overtaken:
                raise
            except (SlurmMigError, OSError) as why:
                if goal == TARGET:
                    raise
                problems.append(why)
        if problems:
            kind = RebootNeeded if _all_wait(problems) else SlurmMigError
            raise kind("; ".join(map(str, problems)))
        self._note(None)
        self.work.bound("making the device nodes", self._ports.bounds.nodes_s)
        self._ports.make_nodes(self._ports.root)
        return self._verify(goal)

    def is_at(self, goal: str, seen: Seen) -> bool:
        """Whether every GPU of the journal is exactly at `goal`."""
        there = seen.by_uuid()
        return all(
            entry.gpu_uuid in there
            and not (goal == TARGET and entry.wanted is not None)
            and not differences(there[entry.gpu_uuid], _layout(entry, goal, there[entry.gpu_uuid]))
            for entry in self.journal.gpus
        )

    def ends(self) -> tuple[GpuEnd, ...]:
        """What each GPU of the journal is now, or that nobody knows."""
        there: Mapping[str, LiveGpu] = self._verified
        if not there:
            with suppress(SlurmMigError):
                there = self.work.look_afresh().by_uuid()
        return tuple(
            GpuEnd(uuid, layout_text(there[uuid].layout) if uuid in there else "unknown")
            for uuid in (entry.gpu_uuid for entry in self.journal.gpus)
        )

    def wait_for_reboot(self) -> None:
        """Write down that a MIG mode waits for it."""
        self._strict = False
        self._write(self.journal._replace(reboot=True))

    def _set_out(self, goal: str) -> None:
        """On the way back the entry that is on the disk is enough: `recover` can go on from it."""
        self._strict = goal == TARGET
        self._write(self.journal._replace(state=_STATE[goal]))

    def _note(self, about: str | None) -> None:
        self._write(self.journal._replace(about=about, last=self.journal.about))

    def _write(self, entry: Journal) -> None:
        try:
            journals.write(self._ports.root, entry)
        except Overtaken:
            raise
        except JournalError:
            if self._strict:
                raise
        self.journal = entry

    def _look_for_ways(self, goal: str) -> dict[str, GpuPlan]:
        there = self.work.look_afresh().by_uuid()
        ways = {
            entry.gpu_uuid: _way(entry, goal, there[entry.gpu_uuid])
            for entry in self.journal.gpus
            if entry.gpu_uuid in there
        }
        self.work.total = len(self.work.took) + sum(len(way.steps) for way in ways.values())
        return ways

    def _bring(self, entry: JournalGpu, goal: str, way: GpuPlan | None) -> None:
        if way is None:
            raise self._silence(entry)
        if way.unsolved:
            self._carry_out(way)
            way = _way(entry, goal, look(self.work.nvml(), way.gpu.info.gpu_index))
            if way.unsolved:
                raise SlurmMigError(f"{gpu_text(way.gpu)}: MIG is on, but no profile is offered")
            self.work.total += len(way.steps)
        if way.problems:
            raise SlurmMigError("; ".join(way.problems))
        if goal == TARGET and entry.wanted is not None:
            self._solve(entry, way)
        self._carry_out(way)

    def _carry_out(self, way: GpuPlan) -> None:
        for step in way.steps:
            place = place_of(step)
            if place is not None:
                self._touched[step.gpu_uuid].add(place)
        self.work.carry_out(way)

    def _solve(self, entry: JournalGpu, solved: GpuPlan) -> None:
        """From now on it is known where all will be: on the disk too."""
        known = entry._replace(target=solved.target, wanted=None)
        gpus = tuple(known if one == entry else one for one in self.journal.gpus)
        self._write(self.journal._replace(gpus=gpus))

    def _verify(self, goal: str) -> dict[str, Layout]:
        seen = self.work.look_afresh()
        there = seen.by_uuid()
        problems = [*self._wrong(goal, there), *self._disturbed(there)]
        if problems:
            raise SlurmMigError(f"verified, and not as it should be: {'; '.join(problems)}")
        self.remarks, self._verified = tuple(seen.unseen.values()), there
        return {entry.gpu_uuid: there[entry.gpu_uuid].layout for entry in self.journal.gpus}

    def _wrong(self, goal: str, there: Mapping[str, LiveGpu]) -> Iterator[str]:
        for entry in self.journal.gpus:
            live = there.get(entry.gpu_uuid)
            if live is None:
                yield f"{entry.gpu_uuid} does not answer"
            else:
                yield from differences(live, _layout(entry, goal, live))

    def _disturbed(self, there: Mapping[str, LiveGpu]) -> Iterator[str]:
        """GPU instances that were to stay, on GPUs that were touched and on all others."""
        for before in self._before.gpus:
            after = there.get(before.info.uuid)
            if after is not None and not self._mode_was_changed(before, after):
                yield from disturbed(before, after, self._touched[after.info.uuid])

    def _mode_was_changed(self, before: LiveGpu, after: LiveGpu) -> bool:
        """By us: then nothing on that GPU was to stay."""
        ours = after.info.uuid in (entry.gpu_uuid for entry in self.journal.gpus)
        return ours and before.layout.mig != after.layout.mig

    def _refuse_if_silent(self, ways: Mapping[str, GpuPlan]) -> None:
        """With one of them missing the target cannot be reached: not a step towards it."""
        for entry in self.journal.gpus:
            if entry.gpu_uuid not in ways:
                raise self._silence(entry)

    def _silence(self, entry: JournalGpu) -> SlurmMigError:
        why = "; ".join(self.work.look_afresh().unseen.values()) or _GONE
        return SlurmMigError(f"{entry.gpu_uuid} does not answer: {why}")


def _way(entry: JournalGpu, goal: str, live: LiveGpu) -> GpuPlan:
    if goal == TARGET and entry.wanted is not None:
        return plan(live, entry.wanted)
    return toward(live, _layout(entry, goal, live))


def _layout(entry: JournalGpu, goal: str, live: LiveGpu) -> Layout:
    """In the names of the driver that is there now."""
    return renamed(entry.target if goal == TARGET else entry.former, live.profiles)


def _all_wait(problems: Iterable[Exception]) -> bool:
    return all(isinstance(why, RebootNeeded) for why in problems)
