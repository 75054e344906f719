"""What the checks of the monitor and of the usage records judge, as it was read."""

from typing import NamedTuple


class JobSampled(NamedTuple):
    """A job that holds slices now.

    `age_s` is how long ago the monitor last sampled it, None where it never did; `held_s` how
    long ago its prolog ran.
    """

    job_id: int
    held_s: float
    age_s: float | None
    period_s: float


class MonitorFacts(NamedTuple):
    """The monitor of this node.

    `wanted`: by its unit, or by a table [monitor] in config.toml. `pid` is the one that runs,
    None where none does; `ran`: one did since the boot. `problem` is what is wrong with its
    settings. `unanswered` says why the metrics at `listen` cannot be had, None where they can
    or were not asked for; `textfile_age_s` is None where there is no such file.
    """

    wanted: bool = False
    ran: bool = False
    pid: int | None = None
    problem: str | None = None
    jobs: tuple[JobSampled, ...] = ()
    listen: str = ""
    unanswered: str | None = None
    textfile: str = ""
    textfile_age_s: float | None = None


class RecordFacts(NamedTuple):
    """The usage records on this node. Times are in seconds since 1970.

    `problem` is why hooks cannot write them, `settings_problem` what is wrong with the table
    [usage]. `oldest` is the month of the oldest file, such as 2025-11. `uncollected_since` is
    when the first record ended that this machine's own database lacks; None where it has all,
    or where there is no such database (another machine may collect).
    """

    problem: str | None = None
    settings_problem: str | None = None
    free_mib: float | None = None
    held_mib: float = 0.0
    oldest: str | None = None
    uncollected_since: float | None = None
