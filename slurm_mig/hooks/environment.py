"""The job, as Slurm's environment describes it to a hook. Strict about what names files;
careful with what a user may have chosen (names, comments, bytes that are no text).
"""

from slurm_mig.errors import HookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 256


class Job:
    """What a hook needs of a job. Unknown is None."""

    __slots__ = (
        "account", "cluster", "exit_code", "gpus", "job_id", "node", "partition", "restarts",
        "signal", "sluid", "start", "uid", "user",
    )  # fmt: skip

    def __init__(self, environ: "Mapping[bytes, bytes]") -> None:
        """Raises HookError if the job has no number."""
        self.job_id = _job_id(environ.get(b"SLURM_JOB_ID"))
        self.uid = _number(environ.get(b"SLURM_JOB_UID"))
        self.restarts = _number(environ.get(b"SLURM_JOB_RESTART_COUNT")) or 0
        self.start = _number(environ.get(b"SLURM_JOB_START_TIME")) or None
        self.user = text(environ, b"SLURM_JOB_USER")
        self.account = text(environ, b"SLURM_JOB_ACCOUNT")
        self.partition = text(environ, b"SLURM_JOB_PARTITION")
        self.cluster = text(environ, b"SLURM_CLUSTER_NAME")
        self.node = text(environ, b"SLURMD_NODENAME")
        self.sluid = text(environ, b"SLURM_JOB_SLUID")
        self.gpus = (environ.get(b"SLURM_JOB_GPUS") or b"").decode("ascii", "backslashreplace")
        self.exit_code, self.signal = _ended(environ.get(b"SLURM_JOB_EXIT_CODE2"))


def text(environ: "Mapping[bytes, bytes]", name: bytes) -> str | None:
    """A variable as text that any log and any JSON can hold; None when unset or empty."""
    value = environ.get(name, b"")[:_LONGEST]
    return value.decode("utf-8", "backslashreplace") or None


def _number(value: bytes | None) -> int | None:
    """A plain decimal number, or None."""
    if value is None or not value.isdigit() or len(value) > 10:
        return None
    return int(value)


def _job_id(value: bytes | None) -> int:
    number = _number(value)
    if not number:
        raise HookError(f"SLURM_JOB_ID is no job's number: {(value or b'')[:40]!r}")
    return number


def _ended(value: bytes | None) -> tuple[int | None, int | None]:
    """Exit code and signal of SLURM_JOB_EXIT_CODE2 ("1:0"); None where it does not say."""
    code, colon, signal = (value or b"").partition(b":")
    return (_number(code), _number(signal)) if colon else (None, None)
