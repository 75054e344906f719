"""`python -m tests.cluster`: real Slurms over simulated GPUs, on this machine."""

import argparse
import sys

from tests.cluster import apt
from tests.cluster.setup import setup


def main() -> int:
    """Run one command; its exit code."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except apt.SetupError as error:
        print(f"tests.cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("setup", help="install and build what the tests need")
    command.add_argument("--system", action="store_true", help="also the Slurm of Debian sid")
    command.add_argument("--accounting", action="store_true", help="also slurmdbd and MariaDB")
    command.set_defaults(run=lambda a: setup(system=a.system, accounting=a.accounting))
    return parser


if __name__ == "__main__":
    sys.exit(main())
