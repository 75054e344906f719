"""What a real slurmctld makes of a slurm.conf: `scontrol show node`, in short-lived namespaces.

No slurmd and no munge: slurmctld alone is asked what it believes of the nodes of its file.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster import apt, enter, roots

HEAD = """\
ClusterName=once
AuthType=auth/none
CredType=cred/none
SlurmctldHost=ctl(127.0.0.1)
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/pid
SlurmctldLogFile={folder}/log
PluginDir={plugins}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
GresTypes=gpu,nic
"""
_ASK = """\
for folder in "$@"; do
  export SLURM_CONF=$folder/slurm.conf
  slurmctld -D -i >$folder/said 2>&1 & pid=$!
  for turn in $(seq 200); do
    # Too early, scontrol would wait a second.
    grep -q "Running as primary" $folder/said && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.02
  done
  scontrol -a show node -o >$folder/nodes 2>>$folder/said
  kill -9 $pid; wait $pid
done 2>/dev/null
exit 0
"""
_FIELD = re.compile(r"(?:^|\s)([A-Za-z_]+)=")
# What differs from one look to the next.
_OF_THE_MOMENT = {"LastBusyTime", "BootTime", "SlurmdStartTime", "CPULoad", "FreeMem"}

_SUBMIT = """\
export SLURM_CONF=$1/slurm.conf
shift
slurmctld -D -i >$(dirname $SLURM_CONF)/said 2>&1 & pid=$!
for turn in $(seq 200); do
  grep -q "Running as primary" $(dirname $SLURM_CONF)/said && break
  sleep 0.02
done
for request in "$@"; do
  sbatch -o /dev/null --wrap true $request >/dev/null 2>$(dirname $SLURM_CONF)/why && echo yes \
    || tail -n 1 $(dirname $SLURM_CONF)/why
done
kill -9 $pid
exit 0
"""
# One slurmd -Z after the other, each node deleted before the next: words, then a gres.conf.
_DYNAMIC = """\
export SLURM_CONF=$1/slurm.conf; folder=$1; shift
mkdir $folder/spool
slurmctld -D -i >>$folder/said 2>&1 & pid=$!
for turn in $(seq 200); do
  grep -qs "Running as primary" $folder/said && break
  sleep 0.02
done
while [ $# -gt 0 ]; do
  printf '%s' "$2" >$folder/gres.conf
  slurmd -D -N d1 -Z --conf "$1" >>$folder/said 2>&1 & slurmd=$!
  for turn in $(seq 100); do
    scontrol -a show node d1 -o >$folder/shown 2>/dev/null
    grep -qE "State=IDLE.*SlurmdStartTime=2" $folder/shown && break
    kill -0 $slurmd || break
    sleep 0.1
  done
  cat $folder/shown
  kill -9 $slurmd; wait $slurmd
  scontrol delete nodename=d1 || echo "not deleted"
  shift 2
done 2>>$folder/said
kill -9 $pid
exit 0
"""
NOT_AVAILABLE = "Requested node configuration is not available"

Files = Mapping[str, str]
Nodes = dict[str, dict[str, str]]


def read_by_slurm(version: str, confs: Sequence[Files], names: Sequence[str]) -> list[Nodes]:
    """What the slurmctld of a release says of the nodes of each of these configurations.

    A configuration is its files by name; its "slurm.conf" goes below our HEAD. `names` are all
    names that must be known to be hosts. Needs root.
    Raises apt.SetupError where there is no such Slurm; AssertionError with what slurmctld said
    where it does not take a configuration.
    """
    slurm = roots.find(version)
    with tempfile.TemporaryDirectory(prefix="slurmctld-") as name:
        top = Path(name)
        folders = [top / str(at) for at in range(len(confs))]
        for folder, files in zip(folders, confs, strict=True):
            _write(folder, files, slurm.plugin_dir(None))
        _write_hosts(top, names)
        _inside(slurm, top, ["bash", "-c", _ASK, "ask", *map(str, folders)])
        return [_nodes(folder) for folder in folders]


def dynamic_nodes(
    version: str, starts: Sequence[tuple[str, str]], more: str = ""
) -> list[dict[str, str]]:
    """What slurmctld shows of one dynamic node at each start of its slurmd, deleted in between.

    A start is the words of --conf and the text of gres.conf. Needs root.
    """
    slurm = roots.find(version)
    with tempfile.TemporaryDirectory(prefix="slurmctld-") as name:
        top = Path(name)
        folder = top / "c"
        conf = f"MaxNodeCount=8\nSlurmdSpoolDir={folder}/spool\nSlurmdPidFile={folder}/slurmd.pid\n"
        conf += f"SlurmdParameters=config_overrides\n{more}NodeName=a\nPartitionName=p Nodes=ALL\n"
        _write(folder, {"slurm.conf": conf}, slurm.plugin_dir(None))
        _write_hosts(top, ["a", "d1"])
        words = [word for start in starts for word in start]
        done = _inside(slurm, top, ["bash", "-c", _DYNAMIC, "dynamic", str(folder), *words])
        lines = done.stdout.splitlines()
        assert len(lines) == len(starts), done.stdout + (folder / "said").read_text(
            errors="replace"
        )
    return [_fields(line) for line in lines]


def accepts(version: str, conf: str, names: Sequence[str], requests: Sequence[str]) -> list[bool]:
    """Whether slurmctld takes a job with these options of sbatch, each; it says no in one way.

    AssertionError where it refuses a job for another reason.
    """
    slurm = roots.find(version)
    with tempfile.TemporaryDirectory(prefix="slurmctld-") as name:
        top = Path(name)
        _write(top / "c", {"slurm.conf": conf}, slurm.plugin_dir(None))
        _write_hosts(top, names)
        done = _inside(slurm, top, ["bash", "-c", _SUBMIT, "submit", str(top / "c"), *requests])
        answers = done.stdout.splitlines()
        said = (top / "c/said").read_text(errors="replace")
    assert len(answers) == len(requests), said
    unknown = [answer for answer in answers if answer != "yes" and NOT_AVAILABLE not in answer]
    assert not unknown, f"{unknown} {said}"
    return [answer == "yes" for answer in answers]


def hostnames(version: str, host_lists: Sequence[str]) -> list[list[str] | None]:
    """What `scontrol show hostnames` makes of each; None where it refuses."""
    slurm = roots.find(version)
    answers: list[list[str] | None] = []
    with tempfile.TemporaryDirectory(prefix="hostnames-") as name:
        top = Path(name)
        _write_hosts(top, [])
        conf = {"slurm.conf": "NodeName=x\nPartitionName=p Nodes=x\n"}
        _write(top / "c", conf, slurm.plugin_dir(None))
        ask = f"export SLURM_CONF={top}/c/slurm.conf\n" + (
            'for each in "$@"; do scontrol show hostnames "$each" || echo REFUSED; echo ---; done'
        )
        done = _inside(slurm, top, ["bash", "-c", ask, "ask", *host_lists])
    for answer in done.stdout.split("---\n")[:-1]:
        names = answer.split()
        answers.append(None if "REFUSED" in names else names)
    return answers


def _inside(
    slurm: roots.Slurm, top: Path, words: Sequence[str]
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-I", "-S", enter.__file__, json.dumps(_plan(slurm, top)), *words],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        timeout=120,
    )
    if done.returncode != 0:
        raise apt.SetupError(f"no namespaces for slurmctld (it needs root): {done.stderr}")
    return done


def _write_hosts(top: Path, names: Sequence[str]) -> None:
    (top / "resolv.conf").touch()
    addresses = [f"127.1.{at // 250}.{at % 250 + 1} {host}" for at, host in enumerate(names)]
    (top / "hosts").write_text("\n".join(["127.0.0.1 localhost ctl", *addresses, ""]))


def _write(folder: Path, files: Files, plugins: str) -> None:
    (folder / "state").mkdir(parents=True)
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    for name, text in files.items():
        head = HEAD.format(folder=folder, plugins=plugins) if name == "slurm.conf" else ""
        (folder / name).write_bytes((head + text).encode(errors="surrogateescape"))


def _plan(slurm: roots.Slurm, top: Path) -> list[list[str]]:
    view = str(top / "mnt/view")
    steps = [["die_with_parent"], ["unshare", "mount", "uts", "net"]]
    steps += [["hostname", "ctl"], ["loopback"]]
    steps.append(["scratch", str(top / "mnt")])
    etc = "/etc"
    if not slurm.is_host:
        steps.append(["another_root", str(slurm.root), view, "passwd", "group"])
        etc = f"{view}/etc"
    steps += [
        ["bind", str(top / name), f"{etc}/{name}"]
        for name in ("hosts", "resolv.conf")
        if slurm.is_host or (slurm.root / "etc" / name).exists()
    ]
    if not slurm.is_host:
        steps += [["chroot", view], ["chdir", "/"]]
    return steps


def _nodes(folder: Path) -> Nodes:
    text = (folder / "nodes").read_text(errors="surrogateescape")
    assert text, (
        (folder / "said").read_text(errors="replace")
        + "\n"
        + "".join(
            f"--- {path}\n{path.read_text(errors='replace')}" for path in folder.glob("*.conf")
        )
    )
    nodes = {}
    for line in text.splitlines():
        fields = _fields(line)
        nodes[fields["NodeName"]] = fields
    return nodes


def _fields(line: str) -> dict[str, str]:
    found = list(_FIELD.finditer(line))
    ends = [match.start() for match in found[1:]] + [len(line)]
    fields = {
        match[1]: line[match.end() : end].strip() for match, end in zip(found, ends, strict=True)
    }
    fields["State"] = fields["State"].replace("*", "")
    if "Reason" in fields:
        fields["Reason"] = fields["Reason"].partition(" [")[0]
    return {key: value for key, value in fields.items() if key not in _OF_THE_MOMENT}
