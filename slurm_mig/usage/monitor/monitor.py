"""The monitor without its waiting: the jobs that are here, and a round over them."""

from pathlib import Path

from slurm_mig.errors import HookError
from slurm_mig.usage import sums
from slurm_mig.usage.monitor import handover
from slurm_mig.usage.monitor.checks import Checks
from slurm_mig.usage.monitor.clock import Clock
from slurm_mig.usage.monitor.devices import Looker
from slurm_mig.usage.monitor.handover import HandOver
from slurm_mig.usage.monitor.jobs import OpenJob
from slurm_mig.usage.monitor.sampler import Sampler
from slurm_mig.usage.monitor.session import OpenNvml, Session
from slurm_mig.usage.monitor.settings import MonitorSettings
from slurm_mig.usage.monitor.shown import State, shown
from slurm_mig.usage.monitor.snapshot import (
    ASLEEP,
    FAILING,
    PAUSED,
    SAMPLING,
    Snapshot,
)
from slurm_mig.usage.monitor.tenants import Tenants
from slurm_mig.usage.monitor.track import JobTrack

_SLEPT_S = 0.2  # the clocks drift apart by no more while the machine is awake


class Monitor:
    """`jobs` are tracked by their names. `notes` are lines for the log, taken by whoever logs."""

    def __init__(
        self,
        root: Path,
        settings: MonitorSettings,
        open_nvml: OpenNvml,
        clock: Clock,
        *,
        writes: bool = True,
    ) -> None:
        """`writes` False: nothing is handed over. Raises OSError, HookError."""
        self._root, self._settings, self._clock = str(root), settings, clock
        self._session = Session(open_nvml, self._root)
        self._sampler = Sampler(self._session, Tenants(self._root), clock, settings)
        self._place = handover.folder(self._root) if writes else None
        self._checks = Checks(Looker(self._root)) if writes and settings.device_check else None
        self._drift_s = self._drift()
        self.state = State(ASLEEP)
        self.jobs: dict[str, JobTrack] = {}
        self.notes: list[str] = []
        self._unmeasured: set[str] = set()  # and told so

    def close(self) -> None:
        """Let go of NVML and of all files, which stay for the epilogs."""
        self._sampler.idle()
        for track in self.jobs.values():
            if track.file is not None:
                track.file.close()
        self.jobs = {}

    def meet(self, found: dict[str, OpenJob], *, all_read: bool = True) -> list[JobTrack]:
        """These jobs are here now; those that came are returned. Raises OSError.

        `all_read` False: there may be more, so nobody's file is removed.
        """
        for name, track in list(self.jobs.items()):
            if name not in found:
                del self.jobs[name]
                if track.file is not None:
                    track.file.close()
            elif track.job != found[name]:
                self._change(track, found[name])
        new = [begun for name in found.keys() - self.jobs if (begun := self._begin(found[name]))]
        self.jobs.update((track.job.name, track) for track in new)
        if self._place is not None and all_read:
            handover.clean(self._place, set(found))
        self._unmeasured &= found.keys()
        if not self.jobs:
            self._sampler.idle()
        return new

    def round(self, only: list[JobTrack] | None = None) -> None:
        """Sample these jobs, or all of them; write what comes of it. Raises OSError."""
        begin_s = self._clock.boottime_s()
        self._notice_sleep()
        tracks = list(self.jobs.values()) if only is None else only
        why = self._session.why_paused()
        if why is None and tracks:
            self._sampler.round(tracks, new=only is not None)
        elif why is not None:
            for track in tracks:
                track.break_off()
        for track in tracks:
            if track.file is not None:
                track.file.write()
        self._check_devices(begin_s)
        self._settle(why, self._clock.boottime_s() - begin_s)

    def _check_devices(self, now_s: float) -> None:
        try:
            self.notes += self._checks.run(self.jobs, now_s) if self._checks else []
        except OSError as error:
            self.notes.append(f"a device check is not kept: {handover.PLACE}: {error.strerror}")

    def snapshot(self) -> Snapshot:
        """What is known now."""
        asked = self.state.word in (SAMPLING, FAILING)
        layout = self._sampler.layout.gpus if asked else ()
        return shown(self.state, self.jobs, self._sampler.gpus, self._clock, self._settings, layout)

    def _begin(self, job: OpenJob) -> JobTrack | None:
        period_s, keys = self._settings.period_s, [one.key for one in job.slices]
        if self._place is None:
            return JobTrack(job, sums.new(keys, period_s), None)
        try:
            file = HandOver(self._place, job, period_s)
        except (OSError, HookError) as error:
            if job.name not in self._unmeasured:
                self.notes.append(f"job {job.job_id} is not measured: {handover.PLACE}: {error}")
            self._unmeasured.add(job.name)
            return None
        return JobTrack(job, file.sums, file)

    def _change(self, track: JobTrack, job: OpenJob) -> None:
        """A hook knows more of a job now, such as a slice that Slurm had not named."""
        if track.job.slices == job.slices:
            track.job = job
        elif (renewed := self._begin(job)) is not None:
            renewed.go_on_from(track)
            self.jobs[job.name] = renewed
            if track.file is not None:
                track.file.close()

    def _notice_sleep(self) -> None:
        drift_s = self._drift()
        if abs(drift_s - self._drift_s) > _SLEPT_S:
            self._sampler.break_off()
            for track in self.jobs.values():
                track.break_off()
        self._drift_s = drift_s

    def _drift(self) -> float:
        return self._clock.boottime_s() - self._clock.monotonic_s()

    def _settle(self, why: str | None, took_s: float) -> None:
        problem, before = self._sampler.problem, self.state
        word = PAUSED if why else FAILING if problem else SAMPLING if self.jobs else ASLEEP
        failed = word == FAILING
        if (word, why or problem) != (before.word, before.why) and word in (PAUSED, FAILING):
            self.notes.append(f"{word}: {why or problem}")
        elif before.word in (PAUSED, FAILING) and word == SAMPLING:
            self.notes.append("sampling again")
        self.state = State(
            word, why or problem, before.rounds + 1, before.failures + failed, took_s
        )
