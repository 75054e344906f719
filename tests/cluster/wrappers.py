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
[ -d {view}/usr ] || exec {program} "$@"
exec chroot {view} /bin/sh -c 'cd "$0" 2>/dev/null; exec "$@"' "$PWD" {program} "$@"
"""


def write(slurm: Slurm, folder: Path) -> None:
    """Fill the folder; it stays empty where the machine's own Slurm is meant."""
    folder.mkdir()
    if slurm.is_host:
        return
    for place, names in PROGRAMS.items():
        for name in names:
            file = folder / name
            file.write_text(_TEXT.format(view=VIEW, program=f"/{place}/{name}"))
            file.chmod(0o755)
