"""In a test job: what it can open, and what CUDA is told, as one line of JSON.

A script (`python3 -I -S -B trial.py ROOT`), for `slurm-mig reconfigure --smoke`. Where jobs are
not constrained (the gres map says so), what Slurm says that the job has is told for what it can
open.
"""

import sys
from posix import environ

if __name__ == "__main__":  # -I and -S leave no way to this package but its own place
    sys.path.insert(0, __file__.rpartition("/slurm_mig/")[0] or "/")

from slurm_mig.errors import HookError
from slurm_mig.hooks import gres_map, jsonlight, probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def look(root: str, variables: "Mapping[bytes, bytes]") -> "dict[str, object]":
    """`opened`: places in slurmd's list; `visible`: the words of CUDA_VISIBLE_DEVICES."""
    the_map = gres_map.load(root)
    opened: list[int] = sorted(probe.opened(root, the_map))
    if the_map.constrained is False:
        opened = [int(word) for word in _words(variables, b"SLURM_JOB_GPUS") if word.isdigit()]
    return {"opened": opened, "visible": _words(variables, b"CUDA_VISIBLE_DEVICES")}


def _words(variables: "Mapping[bytes, bytes]", name: bytes) -> list[str]:
    text = variables.get(name, b"").decode("ascii", "replace")
    return [word for word in text.split(",") if word]


def main() -> int:
    """Whether it could look."""
    try:
        told = jsonlight.dumps(look(sys.argv[1], environ))
    except (HookError, OSError) as why:
        told = str(why)
        sys.stdout.write(f"{told}\n")
        return 1
    sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
