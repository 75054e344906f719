"""What has to be done to Slurm around a repartitioning, by hand: the baseline of bench_reconfigure.

A script, run on a simulated node: `python3 -I -S bare.py WORDS`, WORDS being JSON: `node`, `way`,
`files` (path -> text), `types` (what slurmctld shall believe), `conf` (a dynamic node's words),
`apply` (the command that changes the GPUs, whose time does not count). It prints the seconds of
each step as JSON. Only the standard library.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PAUSE_S = 0.02
SITE = "/run/cluster/site"


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def shown(node: str) -> dict[str, str]:
    """The node's fields, as slurmctld has them; empty while it does not know the node."""
    asked = ["scontrol", "show", "node", "-o", node]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)


def until_registered(node: str, types: str, began: float) -> None:
    """Until slurmctld has what a slurmd registered that was started since."""
    while True:
        found = shown(node)
        start = found.get("SlurmdStartTime", "None")
        fresh = start not in ("None", "Unknown") and _seconds(start) >= int(began)
        state = found.get("State", "UNKNOWN")
        answers = not {"NOT_RESPONDING", "UNKNOWN", "DOWN"} & set(state.split("+"))
        if found.get("Gres", "").replace("(S:0)", "") == types and fresh and answers:
            return
        time.sleep(PAUSE_S)


def _seconds(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def until_back(node: str) -> None:
    """Until it takes jobs."""
    out = {"DRAIN", "NOT_RESPONDING", "UNKNOWN", "DOWN"}
    while out & set(shown(node).get("State", "DRAIN").split("+")):
        time.sleep(PAUSE_S)


def tell(wish: dict[str, Any]) -> None:
    """The way of the node."""
    if wish["way"] == "reconfigure":
        run("scontrol", "reconfigure")
    else:
        run("scontrol", "delete", f"nodename={wish['node']}")


def write(wish: dict[str, Any]) -> None:
    """The files that Slurm reads."""
    for path, text in wish["files"].items():
        Path(path).resolve().write_text(text)


def main(wish: dict[str, Any]) -> None:
    """Do it."""
    node, took, at = wish["node"], {}, time.monotonic()

    def over(step: str) -> None:
        nonlocal at
        took[step] = time.monotonic() - at
        at = time.monotonic()

    run("scontrol", "update", f"nodename={node}", "state=drain", "reason=by hand")
    over("drain")
    run(f"{SITE}/slurmd-stop")
    over("stop slurmd")
    run(*wish["apply"])
    at = time.monotonic()
    write(wish)
    tell(wish)
    over("tell")
    began = time.time()
    run(f"{SITE}/slurmd-start", *([wish["conf"]] if wish["conf"] else []))
    until_registered(node, wish["types"], began)
    over("start slurmd")
    run("slurmd", "-G", "-N", node, *(["-Z", "--conf", wish["conf"]] if wish["conf"] else []))
    over("slurmd -G")
    run("scontrol", "update", f"nodename={node}", "state=resume")
    until_back(node)
    over("resume")
    print(json.dumps(took))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
