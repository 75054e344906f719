"""Records what Slurm's commands print: `python -m tests.contract.record [RELEASE...]`.

The files in tests/golden/slurm/RELEASE are what tests/slurm/test_recorded.py reads, and were
made by this on real clusters; nobody edits them.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from slurm_mig.slurm import show_text
from tests.cluster import roots
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import bare, bare_gres, until

GOLDEN = Path(__file__).resolve().parents[1] / "golden/slurm"
SEPARATOR = "xSEPARATORx"
NAME = "x JobId=9 JOB_GRES=none  Nodes=n1 GRES=\nJobId=99 \"q'|="
REASON = "slurm-mig: State=IDLE [root@2020-01-01T00:00:00] x"
_SQUEUE = ("squeue", "--all", "--local", "--noheader")
_STATES = "--states=PD,R,S,CG,CF,SO,RS,SI,ST"
TEXTS = {
    "nodes.txt": ("scontrol", "--all", "--details", "--oneliner", "show", "node"),
    "jobs.txt": (*_SQUEUE, _STATES, f"--format={show_text.job_format(SEPARATOR)}"),
    "wanted.txt": (*_SQUEUE, _STATES, f"--Format={show_text.wanted_format(SEPARATOR)}"),
    "job1.txt": ("scontrol", "--details", "--oneliner", "show", "job", "1"),
    "job3_0.txt": ("scontrol", "--details", "--oneliner", "show", "job", "3_0"),
    "formats.txt": ("scontrol", "--json=list"),
    "config.txt": ("scontrol", "show", "config"),
}
JSONS = {
    "nodes.json": ("scontrol", "--all", "show", "node"),
    "no-node.json": ("scontrol", "--all", "show", "node", "nope"),
    "jobs.json": (*_SQUEUE, _STATES),
}
_SUBMIT = ("sbatch", "--output=/dev/null", "--chdir=/", "--wrap=sleep 300")


def record(release: str, folder: Path) -> None:
    """Bring a cluster up, fill it with jobs, and write down what is printed about it."""
    settings = {"SchedulerParameters": "batch_sched_delay=0"}
    cluster = Cluster.up(
        folder / "c", ["n1", "n2"], slurm=release, cpus=2, settings=settings, make_machine=bare,
        gres=bare_gres,
    )  # fmt: skip
    with cluster as running:
        _fill(running)
        version = running.exec("ctl", ["scontrol", "-V"]).stdout.split()[-1]
        place = GOLDEN / version
        place.mkdir(parents=True, exist_ok=True)
        env = {"TZ": "UTC0", "LC_ALL": "C"}
        for name, words in TEXTS.items():
            done = running.exec("ctl", list(words), check=False, env=env)
            said = done.stdout + (done.stderr if name == "formats.txt" else "")
            (place / name).write_text(_anonymous(said))
        for name, words in JSONS.items():
            done = running.exec("ctl", [*words, "--json=v0.0.42"], check=False, env=env)
            if done.returncode == 0:
                told = json.dumps(json.loads(done.stdout))
                (place / name).write_text(_anonymous(told) + "\n")


def _anonymous(said: str) -> str:
    """Without this machine's kernel."""
    return said.replace(os.uname().release, "6.1.0")


def _fill(cluster: Cluster) -> None:
    def run(*words: str) -> None:
        cluster.exec("ctl", list(words))

    run(*_SUBMIT, "--nodelist=n1", "--gres=gpu:1g.10gb:2", f"--job-name={NAME}", "--time=90")
    assert until(lambda: cluster.states()["n1"] == "mixed")
    run(*_SUBMIT, "--nodes=2", "--gpus=2")
    assert until(lambda: cluster.states()["n2"] == "mixed")
    run(*_SUBMIT, "--nodelist=n2", "--gres=gpu:1g.10gb:1", "--array=0-4%1", "--time=1-0")
    assert until(lambda: cluster.states()["n2"] == "allocated")
    run(*_SUBMIT, "--hold", "--gpus=3g.40gb:1", ":", "--gres=gpu:1g.10gb:1", "--nodelist=n1")
    run(*_SUBMIT, "--hold", "--ntasks=1", "--gpus-per-task=1g.10gb:1")
    run("scontrol", "update", "nodename=n1", "comment=a Reason=b [root@2020-01-01T00:00:00]")
    run("scontrol", "update", "nodename=n1", "state=drain", f"reason={REASON}")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or roots.SUITES:
        with tempfile.TemporaryDirectory() as name:
            record(wanted, Path(name))
