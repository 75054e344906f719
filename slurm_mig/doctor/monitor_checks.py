"""Whether what jobs make of their slices is measured, written down and fetched. Pure."""

from collections.abc import Iterator

from slurm_mig.doctor.facts import Facts
from slurm_mig.doctor.finding import Finding
from slurm_mig.doctor.monitor_facts import JobSampled, MonitorFacts

SWITCH_ON = "systemctl enable --now slurm-mig-monitor  (docs/usage.md)"
JOURNAL = "journalctl -u slurm-mig-monitor"
_GRACE_S = 60.0  # for a job to be found, and for what NVML makes wait
_PERIODS = 3
_TEXTFILE_S = 600.0  # while it sleeps, the file is written every five minutes
_LEAST_FREE_MIB = 64.0
_MUCH_MIB = 1024.0
_DAY_S = 86400.0


def monitor(facts: Facts) -> Iterator[Finding]:
    """Whether one runs, where one is wanted."""
    found = facts.monitor
    if found is None:
        return
    if found.problem is not None:
        what = f"[monitor]: {found.problem}: the monitor does not start"
        yield Finding("risky", "config.toml", what, "mend /etc/slurm-mig/config.toml")
    if found.pid is not None:
        yield from _running(found)
    elif found.wanted or found.ran:
        was = "ran since the boot, and does not any more" if found.ran else "does not run"
        what = f"{was}: usage records tell who held a slice, not what was made of it"
        yield Finding("risky", "monitor", what, f"{SWITCH_ON}; {JOURNAL}")
    elif facts.slices or facts.ours:
        what = "is not used: usage records tell who held a slice, not what was made of it"
        yield Finding("note", "monitor", what, SWITCH_ON)


def _running(found: MonitorFacts) -> Iterator[Finding]:
    unseen = [job for job in found.jobs if _is_unseen(job)]
    if unseen:
        named = ", ".join(str(job.job_id) for job in unseen[:5]) + ", ..." * (len(unseen) > 5)
        what = f"runs, and does not sample {len(unseen)} of {len(found.jobs)} jobs: {named}"
        yield Finding("risky", "monitor", what, f"{JOURNAL}; nvidia-smi")
    if found.unanswered is not None:
        what = f"{found.listen}: {found.unanswered}"
        mend = 'config.toml: another port in [monitor] listen, or "" for none; restart the monitor'
        yield Finding("risky", "metrics", what, mend)
    if found.textfile and _is_old(found):
        age = "is missing"
        if found.textfile_age_s is not None:
            age = f"is {found.textfile_age_s / 60:.0f} min old"
        what = f"the file in {found.textfile} {age}: node_exporter shows what was"
        yield Finding("risky", "metrics", what, JOURNAL)


def _is_unseen(job: JobSampled) -> bool:
    limit_s = _PERIODS * job.period_s + _GRACE_S
    return job.held_s > limit_s and (job.age_s is None or job.age_s > limit_s)


def _is_old(found: MonitorFacts) -> bool:
    longest_s = max((job.period_s for job in found.jobs), default=0.0)
    limit_s = _TEXTFILE_S + _PERIODS * longest_s
    return found.textfile_age_s is None or found.textfile_age_s > limit_s


def records(facts: Facts) -> Iterator[Finding]:
    """Whether hooks can write records, and somebody takes them."""
    found = facts.records
    if found is None:
        return
    about, folder = "usage records", "/var/lib/slurm-mig/usage"
    prune = "slurm-mig usage collect; then slurm-mig usage prune --before YYYY-MM"
    if found.settings_problem is not None:
        what = f"[usage]: {found.settings_problem}: records are not collected here"
        yield Finding("risky", "config.toml", what, "mend /etc/slurm-mig/config.toml")
    if found.problem is not None:
        what = f"{folder} cannot be written: {found.problem}: jobs end without a record"
        yield Finding("risky", about, what, f"chown root:root {folder}; chmod go-w {folder}; mount")
    elif found.free_mib is not None and found.free_mib < _LEAST_FREE_MIB:
        what = f"{found.free_mib:.0f} MiB are left for {folder}: then jobs end without a record"
        yield Finding("risky", about, what, f"make room there; {prune}")
    if found.held_mib > _MUCH_MIB:
        what = f"{found.held_mib:.0f} MiB since {found.oldest}: nothing is deleted by itself"
        yield Finding("note", about, what, prune)
    since = found.uncollected_since
    if since is not None and facts.now is not None and facts.now - since > _DAY_S:
        days = (facts.now - since) / _DAY_S
        what = f"some of {days:.0f} days ago are not in this machine's database"
        yield Finding("risky", about, what, "slurm-mig usage collect; slurm-mig-collect.timer")
