"""What the monitor left of itself: its lock, its sums, its metrics. Nothing of it is touched."""

import os
import socket
import time
from pathlib import Path

from slurm_mig.doctor.monitor_facts import JobSampled, MonitorFacts
from slurm_mig.errors import HookError, Refused, SlurmMigError
from slurm_mig.files import under
from slurm_mig.system import rootfiles
from slurm_mig.system.epoch import FOLDER
from slurm_mig.usage import sums
from slurm_mig.usage.metrics.textfile import NAME
from slurm_mig.usage.monitor import listening
from slurm_mig.usage.monitor.daemon import LOCK
from slurm_mig.usage.monitor.handover import PLACE
from slurm_mig.usage.monitor.jobs import OpenJob, OpenJobs
from slurm_mig.usage.monitor.settings import MonitorSettings, load

UNIT = "slurm-mig-monitor.service"
_UNITS = (f"/etc/systemd/system/{UNIT}", f"/etc/systemd/system/multi-user.target.wants/{UNIT}")
_LIMIT = 4 << 20
_ANSWER_S = 3.0
_ENOUGH = 1 << 20  # bytes of an answer


def look(root: Path, answer_s: float = _ANSWER_S) -> MonitorFacts:
    """All of it; the metrics are waited for so long.

    Raises SlurmMigError where it cannot be told whether a monitor runs.
    """
    settings, problem = _settings(root)
    lock = _lock(root)
    pid = None if lock is None else _holder(root, lock)
    found = MonitorFacts(
        wanted=any(os.path.lexists(under(root, unit)) for unit in _UNITS) or bool(settings.chosen),
        ran=lock is not None,
        pid=pid,
        problem=problem,
        listen=settings.listen,
        textfile=settings.textfile_dir,
    )
    if pid is None:
        return found
    return found._replace(
        jobs=_jobs(root, settings.period_s),
        unanswered=_unanswered(settings.listen, answer_s) if settings.listen else None,
        textfile_age_s=_textfile_age_s(root, settings.textfile_dir),
    )


def _settings(root: Path) -> tuple[MonitorSettings, str | None]:
    """The site's, or the defaults and what is wrong."""
    try:
        return load(root), None
    except Refused as why:
        return MonitorSettings(), "; ".join(why.problems)


def _lock(root: Path) -> os.stat_result | None:
    """The file that a monitor holds while it runs; None: none has run since the boot."""
    try:
        return under(root, f"{FOLDER}/{LOCK}").lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SlurmMigError(f"{FOLDER}/{LOCK}: {error.strerror}: run it as root") from None


def _holder(root: Path, lock: os.stat_result) -> int | None:
    """Whose lock it is, by the kernel's list: to try the lock would keep a monitor from it."""
    try:
        listed = under(root, "/proc/locks").read_text("ascii", "replace")
    except OSError as error:
        raise SlurmMigError(f"/proc/locks: {error.strerror}: whether it runs is unknown") from None
    file = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    for words in map(str.split, listed.splitlines()):
        if len(words) >= 6 and words[1] == "FLOCK" and words[5] == file:
            return int(words[4])
    return None


def _jobs(root: Path, period_s: float) -> tuple[JobSampled, ...]:
    """The jobs that hold slices, and how old the newest sample of each is."""
    try:
        jobs = OpenJobs(str(root), make=False)
    except FileNotFoundError:  # no prolog has run since the boot
        return ()
    except (OSError, HookError) as why:
        raise SlurmMigError(f"{FOLDER}/jobs: {why}") from None
    try:
        found = jobs.look()
    except OSError as error:
        raise SlurmMigError(f"{FOLDER}/jobs: {error.strerror}") from None
    finally:
        jobs.close()
    return tuple(_sampled(root, job, period_s) for job in found.values() if job.slices)


def _sampled(root: Path, job: OpenJob, period_s: float) -> JobSampled:
    held_s = max(0.0, time.time() - (job.start_s or 0.0))
    try:
        told = sums.read(rootfiles.read_in(str(root), PLACE, job.name, _LIMIT))
    except (OSError, HookError):
        told = None
    if told is None:
        return JobSampled(job.job_id, held_s, None, period_s)
    last = [row[sums.LAST_S] for row in told.slices if row[sums.SAMPLES] and not row[sums.GONE]]
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    age_s = max(0.0, now_s - max(last)) if last else None
    return JobSampled(job.job_id, held_s, age_s, told.numbers[sums.PERIOD_S])


def _unanswered(listen: str, answer_s: float) -> str | None:
    """Why no metrics come from there within that time; None where they do."""
    place = listening.address(listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(place.host, place.host)  # noqa: S104
    end = time.monotonic() + answer_s
    try:
        with socket.create_connection((host, place.port), answer_s) as channel:
            channel.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            got = b""
            while b"slurm_mig_" not in got and len(got) < _ENOUGH:
                channel.settimeout(max(0.01, end - time.monotonic()))
                data = channel.recv(1 << 16)
                if not data:
                    return "something else than the monitor answers there"
                got += data
    except TimeoutError:
        return f"no answer within {answer_s:g} s"
    except OSError as error:
        return error.strerror or str(error)
    return None if b"slurm_mig_" in got else "something else than the monitor answers there"


def _textfile_age_s(root: Path, folder: str) -> float | None:
    if not folder:
        return None
    try:
        return max(0.0, time.time() - under(root, f"{folder}/{NAME}").stat().st_mtime)
    except OSError:
        return None
