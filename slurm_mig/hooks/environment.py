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


class Task:
    """A task's place among those of its step on this node, and what each was asked to have.

    `gpus` is the number of GPUs for each task (--gpus-per-task, --tres-per-task); None: the
    tasks are not bound, or it cannot be told.
    """

    __slots__ = ("gpus", "local_id", "tasks")

    def __init__(self, environ: "Mapping[bytes, bytes]") -> None:
        self.local_id = _number(environ.get(b"SLURM_LOCALID")) or 0
        node = _number(environ.get(b"SLURM_NODEID")) or 0
        counts = _tasks_of_nodes(environ.get(b"SLURM_STEP_TASKS_PER_NODE", b""))
        self.tasks = counts[node] if node < len(counts) else 1
        asked = environ.get(b"SLURM_GPUS_PER_TASK", b"").split(b",")
        asked += [
            word.rpartition(b"gpu")[2].replace(b"=", b":")
            for word in environ.get(b"SLURM_TRES_PER_TASK", b"").split(b",")
            if b"gres/gpu" in word or b"gres:gpu" in word
        ]
        if asked == [b""]:  # srun keeps its own options from its tasks, but not what they mean
            bind = environ.get(b"SLURMD_TRES_BIND", b"").replace(b"+", b";").split(b";")
            asked = [word for word in bind if word.startswith(b"gpu:per_task:")]
        told = [_number(word.rpartition(b":")[2]) for word in asked if word]
        self.gpus = sum(number or 1 for number in told) or None


def _tasks_of_nodes(value: bytes) -> list[int]:
    """ "2(x3),1" -> [2, 2, 2, 1]; empty for anything odd, or too long to be true."""
    counts: list[int] = []
    for word in value.split(b","):
        tasks, _, times = word.removesuffix(b")").partition(b"(x")
        number, repeated = _number(tasks), _number(times) if times else 1
        if number is None or repeated is None or repeated > 1 << 16:
            return []
        counts += [number] * repeated
    return counts


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
