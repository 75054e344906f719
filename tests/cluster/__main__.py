"""`python -m tests.cluster`: real Slurms over simulated GPUs, on this machine.

    setup                                      install and build what it needs
    up DIR --node n1:h100-80gb,a100-40gb ...   bring a cluster up
    exec [DIR] NODE COMMAND...                 run a program on a node (or on ctl)
    down [DIR]                                 stop it, leave nothing

Without DIR, exec and down mean the cluster that was brought up last.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from tests.cluster import apt, roots, simulated
from tests.cluster.bring_up import Options
from tests.cluster.cluster import Cluster, down
from tests.cluster.machines import STATE, Machines
from tests.cluster.node import ClusterError, environment
from tests.cluster.setup import setup
from tests.sim.errors import SimError


def main() -> int:
    """Run one command; its exit code."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except (apt.SetupError, ClusterError, SimError) as error:
        print(f"tests.cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _up(arguments: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    settings = dict(arguments.set)
    options = Options(arguments.slurm, settings=settings, accounting=arguments.accounting)
    try:
        cluster = Cluster.start(arguments.dir, simulated.parse_nodes(arguments.node), options)
        # From here on it stays up: a Ctrl-C that comes too late must not look like one in time.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        down(arguments.dir)  # if it came between these two lines
        raise
    _last().unlink(missing_ok=True)
    _last().symlink_to(cluster.folder)
    run = "python -m tests.cluster exec"
    print(f"Slurm {arguments.slurm} is up in {cluster.folder}; try: {run} ctl sinfo -N -o '%N %G'")


def _exec(arguments: argparse.Namespace) -> None:
    folder, words = _folder_and(arguments.words)
    if len(words) < 2:
        raise ClusterError("say which node, and what to run there: exec [DIR] NODE COMMAND...")
    # Becomes the program: its signals, terminal and exit code are the caller's.
    command = Machines.read(folder).command(words[0], words[1:])
    os.execvpe(command[0], command, environment())


def _down(arguments: argparse.Namespace) -> None:
    folder = _last_cluster() if arguments.dir is None else arguments.dir.absolute()
    down(folder)
    if _last().is_symlink() and _last().readlink() == folder:
        _last().unlink()


def _folder_and(words: list[str]) -> tuple[Path, list[str]]:
    if words and (Path(words[0]) / STATE).is_file():
        return Path(words[0]).absolute(), words[1:]
    return _last_cluster(), words


def _last_cluster() -> Path:
    if not _last().is_symlink():
        raise ClusterError("which cluster? None was brought up here: name its folder")
    return _last().readlink()


def _last() -> Path:
    return roots.cache() / "last-cluster"


def _setting(text: str) -> list[str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return [key, value]


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster", description=__doc__, formatter_class=raw
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("setup", help="install and build what the tests need")
    command.add_argument("--system", action="store_true", help="also the Slurm of Debian sid")
    command.add_argument("--accounting", action="store_true", help="also slurmdbd and MariaDB")
    command.add_argument(
        "--usage", action="store_true", help="also PostgreSQL, a browser, Prometheus"
    )
    command.set_defaults(
        run=lambda a: setup(system=a.system, accounting=a.accounting, usage=a.usage)
    )

    command = commands.add_parser("up", help="bring a cluster up")
    command.add_argument("dir", type=Path, metavar="DIR", help="a folder, new or empty")
    command.add_argument(
        "--node",
        action="append",
        required=True,
        metavar="NAME:GPU[=LAYOUT],...",
        help="once a node; GPUs as for `python -m tests.sim new`, with slices unless `=off`",
    )
    command.add_argument("--slurm", choices=[*roots.SUITES], default="22.05")
    command.add_argument("--accounting", action="store_true", help="slurmdbd and MariaDB too")
    command.add_argument(
        "--set",
        action="append",
        type=_setting,
        default=[],
        metavar="KEY=VALUE",
        help="a further line of slurm.conf",
    )
    command.set_defaults(run=_up)

    command = commands.add_parser("exec", help="run a program on a node, or on ctl")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="[DIR] NODE COMMAND...")
    command.set_defaults(run=_exec)

    command = commands.add_parser("down", help="stop a cluster and remove its folder")
    command.add_argument("dir", nargs="?", type=Path, metavar="DIR")
    command.set_defaults(run=_down)
    return parser


if __name__ == "__main__":
    sys.exit(main())
