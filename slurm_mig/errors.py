"""Every error that a command reports, in one tree; the class carries the exit code.

Exit codes (a contract): 0 done, 1 refused or failed, 2 usage, 3 a bug, 130 interrupted.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # the hooks load this module, and collections would take them longer than it
    from collections.abc import Sequence


class SlurmMigError(Exception):
    """What a user is told in one line: what, where, and what to do next."""

    exit_code = 1


class UsageError(SlurmMigError):
    """The command line itself is wrong."""

    exit_code = 2


class Refused(SlurmMigError):
    """Nothing was changed, for these reasons, all of them at once."""

    def __init__(self, what: str, problems: "Sequence[str]") -> None:
        super().__init__(what)
        self.what = what
        self.problems = tuple(problems)

    def __reduce__(self) -> "tuple[type[Refused], tuple[str, tuple[str, ...]]]":
        return Refused, (self.what, self.problems)  # so that it comes whole from another process

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.what}: {self.problems[0]}"
        return "\n  ".join([f"{self.what}: {len(self.problems)} problems", *self.problems])


class NvmlError(SlurmMigError):
    """NVML could not answer.

    `code` is the nvmlReturn_t as an int, or None when the library never answered one.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class JournalError(SlurmMigError):
    """What was written down about the GPUs cannot be read, written, or believed."""


class CapsError(SlurmMigError):
    """The driver's files below /proc/driver or /dev say something that cannot be."""


class CommandError(SlurmMigError):
    """A command of the site's is not there, failed, or did not end in time."""


class SlurmError(SlurmMigError):
    """Slurm is not there, did not answer, or is of a version that we cannot serve."""


class SlurmNotAnswering(SlurmError):
    """slurmctld could not be asked: nothing is known of what it would have said.

    `unsent`: the question cannot have reached it, so nothing was changed either.
    """

    def __init__(self, message: str, unsent: bool = False) -> None:
        super().__init__(message, unsent)
        self.unsent = unsent

    def __str__(self) -> str:
        return str(self.args[0])


class SlurmRefused(SlurmError):
    """slurmctld was asked and said no; nothing was changed."""


class NoSuchNode(SlurmRefused):
    """slurmctld was asked and knows no node, or not all nodes, of those names."""


class StoreError(SlurmMigError):
    """The database of usage records cannot be reached, read, or written; or is not ours."""


class HookError(SlurmMigError):
    """A hook cannot vouch for a job's slices, or for what it was told about them."""
