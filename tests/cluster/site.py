"""The commands that a site would have to stop and start its daemons, for each cluster.

They need nothing of their caller's environment, and do by scripts what systemd does elsewhere:
slurmd is started with what stands in a file (SLURMD_OPTIONS in Debian's /etc/default/slurmd).
"""

import shlex
from pathlib import Path

from tests.cluster.machines import Machines
from tests.cluster.slurmconf import CONTROLLER

FOLDER = "/run/cluster/site"
SLURMD_STOP, SLURMD_START = f"{FOLDER}/slurmd-stop", f"{FOLDER}/slurmd-start"
SLURMCTLD_RESTART = f"{FOLDER}/slurmctld-restart"
OPTIONS = "slurmd.options"  # in the folder of each node
# Where slurmctld is not killed, nobody has to wait until it has saved.
AT_ONCE = "state_save_s = 0.01\n"
CONFIG = f"""\
[reconfigure]
slurmd_stop_command = ["{SLURMD_STOP}"]
slurmd_start_command = ["{SLURMD_START}"]
slurmctld_restart_command = ["{SLURMCTLD_RESTART}"]
{AT_ONCE}"""
_HEAD = """\
#!/bin/sh
export PATH=/run/cluster/bin:$PATH
export LD_LIBRARY_PATH=/run/cluster/lib MIGSIM_DIR=/run/sim
end() {  # stops the process of a pid file, if it runs
    pid=$(head -n 1 "$1" 2>/dev/null) || return 0
    tries=0
    kill "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries + 1)); [ $tries -le 400 ] || exit 1; sleep 0.05
    done
}
"""
# As systemd does with RuntimeDirectory=slurm in slurmd's unit.
_STOP = "end /run/cluster/nodes/$(uname -n)/slurmd.pid; rm -rf /run/slurm\n"
# With words of its own it is started with those, and from then on.
_START = f"""\
options=/run/cluster/nodes/$(uname -n)/{OPTIONS}
[ -z "$1" ] || printf "%s\\n" "-Z --conf '$1'" >$options
eval "exec slurmd -N $(uname -n) $(cat $options)"
"""
_RESTART = "end /run/cluster/slurmctld.pid\n"


def write(machines: Machines) -> None:
    """Put them into the cluster's folder; its machines run already."""
    folder = machines.folder / Path(FOLDER).name
    folder.mkdir()
    there = shlex.join(machines.command(CONTROLLER, ["slurmctld"]))
    for name, text in (("slurmd-stop", _STOP), ("slurmd-start", _START)):
        _script(folder / name, text)
    _script(folder / "slurmctld-restart", f"{_RESTART}exec {there}\n")


def _script(path: Path, text: str) -> None:
    path.write_text(_HEAD + text)
    path.chmod(0o755)
