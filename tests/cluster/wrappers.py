"""Programs for a node's PATH that run another Debian's Slurm where its files are in view."""

from pathlib import Path

from tests.cluster.node import VIEW
from tests.cluster.roots import Slurm

PROGRAMS = {
    "usr/bin": (
        *("sacct", "sacctmgr", "salloc", "sattach", "sbatch", "sbcast", "scancel", "scontrol"),
        *("sdiag", "sinfo", "sprio", "squeue", "sreport", "srun", "sshare", "sstat", "strigger"),
    ),
    "usr/sbin": ("slurmctld", "slurmd", "slurmdbd"),
}
# A job finds these on its PATH too, but is inside the view already.
_TEXT = """\
#!/bin/sh
{first}[ -d {view}/usr ] || exec {program} "$@"
exec chroot {view} /bin/sh -c 'cd "$0" 2>/dev/null; exec "$@"' "$PWD" {program} "$@"
"""


def write(slurm: Slurm, folder: Path, before_slurmd: str) -> None:
    """Fill the folder; it stays empty where the machine's own Slurm is meant.

    `before_slurmd` are lines of a shell.
    """
    folder.mkdir()
    if slurm.is_host:
        return
    for place, names in PROGRAMS.items():
        for name in names:
            file = folder / name
            first = before_slurmd if name == "slurmd" else ""
            file.write_text(_TEXT.format(first=first, view=VIEW, program=f"/{place}/{name}"))
            file.chmod(0o755)
