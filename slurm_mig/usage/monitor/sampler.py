"""One round: what NVML says now of the slices of some jobs, added to their sums."""

from collections.abc import Iterable, Iterator

from slurm_mig.errors import NvmlError
from slurm_mig.gpu.nvml.usage_port import GpuEvent, UsageNvml, UsedBy
from slurm_mig.model import GiId
from slurm_mig.usage import sums
from slurm_mig.usage.monitor import adding, energy
from slurm_mig.usage.monitor.adding import Reading
from slurm_mig.usage.monitor.clock import Clock
from slurm_mig.usage.monitor.energy import Power
from slurm_mig.usage.monitor.layout import Layout
from slurm_mig.usage.monitor.pairs import Of, Pairs, Stretch
from slurm_mig.usage.monitor.session import Found, Gpu, Session
from slurm_mig.usage.monitor.settings import MonitorSettings
from slurm_mig.usage.monitor.snapshot import ActivityNow, GpuNow, ProcessNow
from slurm_mig.usage.monitor.tenants import Tenants
from slurm_mig.usage.monitor.track import JobTrack, SliceTrack

Pair = tuple[JobTrack, SliceTrack]
_GONE_AFTER = 2  # looks, each in a session of its own: one may fall into a change


class Sampler:
    """NVML's side of the monitor. `problem` says what failed in the last round."""

    def __init__(
        self, session: Session, tenants: Tenants, clock: Clock, settings: MonitorSettings
    ) -> None:
        self._session, self._tenants, self._clock = session, tenants, clock
        self._settings = settings
        self._pairs = Pairs(clock)
        self._number = 0
        self.problem: str | None = None
        self.gpus: dict[str, GpuNow] = {}
        self.layout = Layout()

    def round(self, jobs: Iterable[JobTrack], *, new: bool = False) -> None:
        """Sample every slice of these jobs; of `new` ones only, in between, the others go on.

        Nothing is raised: what fails is a gap of those that it is of, and tried again.
        """
        self.problem, now_s = None, self._clock.boottime_s()
        every = [(job, track) for job in jobs for track in job.slices if not track.is_gone]
        try:
            nvml = self._session.open(now_s, self._settings.period_s)
        except NvmlError as error:
            self._failed(error, every)
            return
        if self._number != self._session.number:
            self._pairs.drop()
            self._number = self._session.number
        self.layout.look(nvml, self._number, now_s)
        by_gpu: dict[str, list[Pair]] = {}
        for pair in every:
            by_gpu.setdefault(pair[1].slice.gpu_uuid, []).append(pair)
        if not new:
            self.gpus = {uuid: now for uuid, now in self.gpus.items() if uuid in by_gpu}
        self._processes(nvml, by_gpu)
        for uuid, pairs in by_gpu.items():
            self._gpu(nvml, uuid, pairs, now_s)
        self._activity(nvml, every, new=new)
        if not new:
            self._events(nvml, every)
        if self.problem is None:
            self._session.went_well()

    def idle(self) -> None:
        """No job holds a slice: let go of NVML."""
        self._session.close()
        self.layout.forget()
        self.gpus = {}
        self._pairs.drop()

    def break_off(self) -> None:
        """Time went by that is not to be counted."""
        self._pairs.break_off()

    def _failed(self, error: NvmlError, pairs: Iterable[Pair]) -> None:
        self.problem = self.problem or str(error)
        self._session.failed(self._clock.boottime_s(), self._settings.period_s)
        for job, track in pairs:
            track.break_off()
            job.power.pop(track.slice.gpu_minor, None)

    def _processes(self, nvml: UsageNvml, by_gpu: dict[str, list[Pair]]) -> None:
        """Who is on which GPU; what cannot be listed is left unknown."""
        self._listed: dict[str, tuple[UsedBy, ...]] = {}
        for uuid in by_gpu:
            try:
                self._listed[uuid] = nvml.processes(self._session.gpu(uuid).gpu_index)
            except NvmlError as error:
                self._failed(error, ())
        self._tenants.learn([one for listed in self._listed.values() for one in listed])

    def _gpu(self, nvml: UsageNvml, uuid: str, pairs: list[Pair], now_s: float) -> None:
        """The GPU itself, then each of the jobs' slices on it."""
        try:
            gpu = self._session.gpu(uuid)
            power = Power(nvml.energy_mj(gpu.gpu_index), nvml.power_w(gpu.gpu_index))
        except NvmlError as error:
            self._failed(error, pairs)
            return
        for job, track in pairs:
            self._slice(nvml, gpu, job, track, now_s)
        minor = pairs[0][1].slice.gpu_minor
        joules = None if power.energy_mj is None else power.energy_mj / 1000
        self.gpus[uuid] = GpuNow(
            gpu.gpu_index, minor, uuid, gpu.name, power.power_w, joules, gpu.compute_slices
        )
        for job in dict.fromkeys(job for job, _ in pairs):
            rows = [track.row for other, track in pairs if other is job and not track.is_gone]
            (row,) = [row for row in job.sums.gpus if row[0] == minor]
            late = now_s - row[sums.POWER_LAST_S] > adding.longest_s(self._settings.period_s)
            energy.add(row, rows, None if late else job.power.get(minor), power, now_s)
            job.power[minor] = power

    def _slice(
        self, nvml: UsageNvml, gpu: Gpu, job: JobTrack, track: SliceTrack, now_s: float
    ) -> None:
        track.found = found = self._session.find(gpu, track.slice)
        if found is None:
            self._is_missing(track)
            self._failed(NvmlError(f"{track.slice.name} is not there any more"), ())
            return
        try:
            now = self._reading(nvml, job, track, found)
        except NvmlError as error:
            self._failed(error, [(job, track)])
            return
        row = track.row
        row[sums.SHARE], row[sums.XIDS_ARE] = found.share or 0.0, float(gpu.xids)
        row[sums.SHARED_GI] = float(found.shared)
        if not adding.reading(row, track.before, now, now_s, self._settings.period_s):
            track.since_s = now_s
        track.before = now
        track.missing.clear()

    def _is_missing(self, track: SliceTrack) -> None:
        track.break_off()
        track.missing.add(self._session.number)
        if len(track.missing) >= _GONE_AFTER:
            track.row[sums.GONE] = 1.0

    def _reading(self, nvml: UsageNvml, job: JobTrack, track: SliceTrack, found: Found) -> Reading:
        own = self._own_processes(job, track)
        track.processes = own
        if not found.shared:
            memory: float | None = nvml.memory_used_mib(found.place)
        else:
            each = None if own is None else [one.memory_mib for one in own]
            memory = None if each is None or None in each else sum(one or 0.0 for one in each)
        count = None if own is None else len(own)
        return Reading(memory, found.shared, count, nvml.sram_uncorrected(found.place))

    def _own_processes(self, job: JobTrack, track: SliceTrack) -> tuple[ProcessNow, ...] | None:
        """The job's own on that slice; None where they could not be listed."""
        one, listed = track.slice, self._listed.get(track.slice.gpu_uuid)
        if listed is None:
            return None
        return tuple(
            ProcessNow(
                used.pid,
                tenant.start_ticks,
                used.memory_mib,
                tenant.name if self._settings.command_names else None,
            )
            for used in listed
            if (used.gi_id, used.ci_id) == (one.gi_id, one.ci_id)
            and (tenant := self._tenants.of(job.job, used.pid))
        )

    def _activity(self, nvml: UsageNvml, every: list[Pair], *, new: bool) -> None:
        wanted: dict[Of, list[Pair]] = {}
        for job, track in every:
            if self._settings.gpm and track.before is not None and track.found is not None:
                gpu = self._session.gpu(track.slice.gpu_uuid)
                if gpu.gpm:
                    gi_id = track.slice.gi_id
                    of = (gpu.gpu_index, None if gi_id is None else GiId(gi_id))
                    wanted.setdefault(of, []).append((job, track))
        if not new:
            self._pairs.keep(set(wanted))
        for of, pairs in wanted.items():
            if new and self._pairs.has(of):
                continue  # another job's pair: it would be cut in two
            try:
                stretch = self._pairs.next(nvml, of)
            except NvmlError as error:
                self._failed(error, ())
                stretch = None
            for _, track in pairs:
                _add_activity(track, stretch)

    def _events(self, nvml: UsageNvml, every: list[Pair]) -> None:
        try:
            events = nvml.events()
        except NvmlError:  # of a lost GPU: its slices have said so
            return
        for event in events:
            if event.xid is None:  # somebody changed the instances
                self._failed(NvmlError(f"GPU {event.gpu_index} was partitioned"), ())
                continue
            for track, attributed in _concerned(event, every):
                adding.xid(track.row, event.xid, attributed)


def _add_activity(track: SliceTrack, stretch: Stretch | None) -> None:
    track.activity = None
    if stretch is None or track.since_s is None or stretch.from_s < track.since_s:
        return
    track.activity = ActivityNow(*stretch.ratios)
    whole = track.slice.gi_id is None
    adding.activity(track.row, stretch.ratios, stretch.from_s, stretch.to_s, whole=whole)


def _concerned(event: GpuEvent, every: list[Pair]) -> Iterator[tuple[SliceTrack, bool]]:
    """The slices that an error may be of, and whether it is that slice's for sure."""
    for _, track in every:
        one, found = track.slice, track.found
        if found is None or found.place.gpu_index != event.gpu_index:
            continue
        if one.gi_id is None or event.gi_id is None:
            yield track, one.gi_id is None
        elif one.gi_id == event.gi_id:
            if event.ci_id is None:
                yield track, not found.shared
            elif event.ci_id == one.ci_id:
                yield track, True
