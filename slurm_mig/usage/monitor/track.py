"""What the monitor remembers of a job and its slices from one round to the next."""

from slurm_mig.usage.monitor.adding import Reading
from slurm_mig.usage.monitor.energy import Power
from slurm_mig.usage.monitor.handover import HandOver
from slurm_mig.usage.monitor.jobs import HeldSlice, OpenJob
from slurm_mig.usage.monitor.session import Found
from slurm_mig.usage.monitor.snapshot import ActivityNow, ProcessNow
from slurm_mig.usage.sums import GONE, JobSums, Row


class SliceTrack:
    """A slice of a job.

    `before` is the reading that the next one may follow, `since_s` when those began that follow
    each other without a break (both None: nothing, or a break). The rest is what was seen last.
    """

    def __init__(self, one: HeldSlice, row: Row) -> None:
        self.slice = one
        self.row = row
        self.before: Reading | None = None
        self.since_s: float | None = None
        self.found: Found | None = None
        self.missing: set[int] = set()  # in which sessions it was not there
        self.processes: tuple[ProcessNow, ...] | None = None
        self.activity: ActivityNow | None = None

    @property
    def is_gone(self) -> bool:
        """Whether it was there and is no more: sampled never again."""
        return bool(self.row[GONE])

    def break_off(self) -> None:
        """Whatever is read next follows nothing."""
        self.before = self.since_s = None
        self.processes, self.activity = None, None


class JobTrack:
    """A job, its sums, and the file that hands them over (None: nothing is written)."""

    def __init__(self, job: OpenJob, sums: JobSums, file: HandOver | None) -> None:
        self.job, self.sums, self.file = job, sums, file
        self.slices = [
            SliceTrack(one, row) for one, row in zip(job.slices, sums.slices, strict=True)
        ]
        self.power: dict[int, Power] = {}  # by the GPU's minor, as `SliceTrack.before`

    def go_on_from(self, other: "JobTrack") -> None:
        """Have in memory what another track of this job has of the same slices."""
        known = {track.slice.key: track for track in other.slices}
        for track in self.slices:
            if (old := known.get(track.slice.key)) is not None:
                track.before, track.since_s, track.found = old.before, old.since_s, old.found
                track.missing, track.processes = old.missing, old.processes
                track.activity = old.activity
        self.power = other.power

    def break_off(self) -> None:
        """Whatever is read next follows nothing."""
        self.power.clear()
        for track in self.slices:
            track.break_off()
