"""When each job's device cgroup is looked at: soon, again while that tells nothing, and no more."""

from collections.abc import Mapping

from slurm_mig.usage.monitor.devices import DIFFERS, UNKNOWN, Looker, read
from slurm_mig.usage.monitor.track import JobTrack

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0


class _State:
    """What was seen of one job, and when it is looked at next (None: never)."""

    def __init__(self, track: JobTrack) -> None:
        text = track.file.devices() if track.file else None
        self.seen = None if text is None else read(text)
        known = self.seen is not None and self.seen.result != UNKNOWN
        self.next_s: float | None = None if known else 0.0
        self.pause_s = _FIRST_PAUSE_S


class Checks:
    """Of all jobs that are here."""

    def __init__(self, looker: Looker) -> None:
        self._looker = looker
        self._states: dict[str, _State] = {}

    def run(self, jobs: Mapping[str, JobTrack], now_s: float) -> list[str]:
        """Look where it is time to; a line for each job whose cgroup differs. Raises OSError."""
        self._states = {
            name: self._states.get(name) or _State(track) for name, track in jobs.items()
        }
        told = []
        for name, track in jobs.items():
            state = self._states[name]
            if state.next_s is not None and now_s >= state.next_s:
                told += self._look(track, state, _held_by_others(jobs, track), now_s)
        return told

    def _look(
        self, track: JobTrack, state: _State, held: frozenset[str], now_s: float
    ) -> list[str]:
        found, before = self._looker.look(track.job, held), state.seen
        state.seen, state.next_s = found, now_s + state.pause_s
        state.pause_s = min(2 * state.pause_s, _LONGEST_PAUSE_S)
        if found.result == DIFFERS and found != before:
            return []  # Slurm may not have come to it yet
        if found.result != UNKNOWN:
            state.next_s = None
        if track.file is not None and (before is None or found != before or state.next_s is None):
            track.file.put_devices(found.text())
        if found.result != DIFFERS:
            return []
        extra, missing = ",".join(found.extra), ",".join(found.missing)
        wrong = [f"can open {extra}"] * bool(extra) + [f"cannot open {missing}"] * bool(missing)
        return [f"job {track.job.job_id}: its device cgroup is wrong: it {' and '.join(wrong)}"]


def _held_by_others(jobs: Mapping[str, JobTrack], mine: JobTrack) -> frozenset[str]:
    others = (track for track in jobs.values() if track is not mine)
    return frozenset(one.name for track in others for one in track.job.slices)
