"""The file that the stubs in hooks/ start: `python3 -I -S -B __main__.py HOOK`.

A job without GPUs ends here, before anything is loaded: most jobs of most nodes are such.
"""

import sys
from posix import _exit, environ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def has_gpus(variables: "Mapping[bytes, bytes]") -> bool:
    """Whether Slurm says that this job or step has any.

    A hook of the node's has the first. Of a task with --gpus-per-task=TYPE:N, Slurm 22.05 says
    only what was asked for, as SLURM_GPUS_PER_TASK and the like.
    """
    if variables.get(b"SLURM_JOB_GPUS") or variables.get(b"SLURM_STEP_GPUS"):
        return True
    asked = any(name.startswith(b"SLURM_GPUS") for name in variables)
    return asked or b"gpu" in variables.get(b"SLURM_TRES_PER_TASK", b"")


if __name__ == "__main__":
    if not has_gpus(environ):
        _exit(0)
    # -I and -S leave no way to this package but its own place.
    sys.path.insert(0, __file__.rpartition("/slurm_mig/")[0] or "/")
    from slurm_mig.hooks.run import run

    code = run(sys.argv[1], environ)
    try:
        sys.stdout.flush()
    finally:
        # All files are closed; to take the interpreter apart would keep the next job waiting.
        _exit(code)
