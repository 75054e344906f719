"""`python -m tests.sim`: simulated machines with NVIDIA GPUs.

eval "$(python -m tests.sim new DIR --gpu h100-80gb=balanced --gpu a100-40gb)"
slurm-mig discover
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sim.api import Sim
from tests.sim.errors import SimError
from tests.sim.worker import KINDS, work

Handler = Callable[[argparse.Namespace], int]


def _sim(options: argparse.Namespace) -> Sim:
    where = options.dir or os.environ.get("MIGSIM_DIR")
    if where is None:
        raise SimError("which machine? give DIR, or eval the lines that `new` prints")
    return Sim(Path(where))


def _cpus(text: str) -> list[int]:
    """ "0-3,8" as numbers."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise SimError(f"cannot read CPUs {text!r}: write 0-3,8")
        found += range(int(first), int(last or first) + 1)
    return found


def _new(options: argparse.Namespace) -> int:
    sim = Sim.new(
        options.dir,
        options.gpu,
        nodes=options.nodes,
        numbering=options.numbering,
        gap=options.gap,
        reversed_minors=options.minors == "reversed",
        driver=options.driver,
        cpus=[_cpus(text) for text in options.cpus] if options.cpus else None,
    )
    for name, value in sim.env().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _run(options: argparse.Namespace) -> int:
    return work(options.kind, options.memory, options.activity, options.seconds)


def _show(options: argparse.Namespace) -> int:
    print(json.dumps(_sim(options).show(), indent=2))
    return 0


def _fault(options: argparse.Namespace) -> int:
    sim = _sim(options)
    if options.clear:
        sim.clear_faults()
    if options.lose is not None:
        sim.lose(options.lose)
    if options.find is not None:
        sim.lose(options.find, False)
    if options.xid is not None:
        sim.xid(*options.xid)
    if options.call is not None:
        sim.fault(
            options.call,
            code=options.code,
            after=options.after,
            once=not options.sticky,
            late=options.late,
            kill=options.kill,
            hang_ms=options.hang_ms,
        )
    return 0


def _reboot(options: argparse.Namespace) -> int:
    _sim(options).reboot()
    return 0


def _reset(options: argparse.Namespace) -> int:
    sim = _sim(options)
    gpus = sim.show()["gpus"]
    chosen = options.gpu or []
    for bus_id in options.bus_id or []:
        found = [gpu["gpu_index"] for gpu in gpus if gpu["pci_bus_id"] == bus_id.upper()]
        if not found:
            raise SimError(f"no GPU {bus_id}: there are {[gpu['pci_bus_id'] for gpu in gpus]}")
        chosen += found
    if options.refuse:
        raise SimError(f"Resetting GPU {options.bus_id or chosen} is not supported.")
    for gpu in chosen or range(len(gpus)):
        sim.reset(gpu)
    return 0


def _nodes(options: argparse.Namespace) -> int:
    for path in _sim(options).make_nodes():
        print(path)
    return 0


def _partition(options: argparse.Namespace) -> int:
    sim = _sim(options)
    sim.partition(options.gpu, options.layout)
    if options.nodes:
        sim.make_nodes()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, handler: Handler, text: str, *, folder: bool = True):  # type: ignore[no-untyped-def]
        sub = verbs.add_parser(name, help=text, description=text)
        sub.set_defaults(handler=handler)
        if folder:
            sub.add_argument("dir", nargs="?", type=Path, help="the machine (default: MIGSIM_DIR)")
        return sub

    new = verb("new", _new, "Make a machine in DIR; prints the exports to eval.", folder=False)
    new.add_argument("dir", type=Path)
    new.add_argument("--gpu", action="append", required=True, metavar="MODEL[=LAYOUT]")
    new.add_argument("--no-nodes", dest="nodes", action="store_false", help="no nvidia-cap nodes")
    new.add_argument("--numbering", default="a", choices="ab", help="which half is GI 1")
    new.add_argument("--gap", action="store_true", help="leave MIG index 1 empty")
    new.add_argument("--minors", default="straight", choices=["straight", "reversed"])
    new.add_argument("--driver", default="570.133.20")
    new.add_argument("--cpus", action="append", metavar="LIST", help="near each GPU, in order")
    run = verb("run", _run, "Be a CUDA process: take a device, hold it.", folder=False)
    run.add_argument("--memory", default="1GiB", metavar="SIZE[,SIZE@SECONDS...]")
    run.add_argument("--activity", default="1", metavar="0..1[,0..1@SECONDS...]")
    run.add_argument("--seconds", type=float, help="how long (default: until SIGTERM)")
    run.add_argument("--kind", default="compute", choices=KINDS)
    verb("show", _show, "Print the live state as JSON.")
    fault = verb("fault", _fault, "Let something go wrong.")
    fault.add_argument("--call", help="an NVML function, or *")
    fault.add_argument("--code", default="0", help="what it answers: IN_USE, GPU_IS_LOST, ...")
    fault.add_argument("--after", type=int, default=0, help="after so many good calls")
    fault.add_argument("--sticky", action="store_true", help="always, not once")
    fault.add_argument("--late", action="store_true", help="when it has had its effect")
    fault.add_argument("--kill", action="store_true", help="SIGKILL the caller")
    fault.add_argument("--hang-ms", type=int, default=0)
    fault.add_argument("--lose", type=int, metavar="GPU", help="let it fall off the bus")
    fault.add_argument("--find", type=int, metavar="GPU", help="bring it back")
    fault.add_argument("--xid", type=int, nargs="+", metavar="N", help="GPU XID [GI [CI]]")
    fault.add_argument("--clear", action="store_true", help="forget all faults first")
    verb("reboot", _reboot, "Reboot the machine.")
    reset = verb("reset", _reset, "Reset GPUs (default: all), as nvidia-smi -r does.")
    reset.add_argument("--gpu", type=int, action="append")
    reset.add_argument("--bus-id", action="append", help="as NVML tells it: 00000000:07:00.0")
    reset.add_argument("--refuse", action="store_true", help="as in a cloud's virtual machine")
    verb("nodes", _nodes, "Make the missing nvidia-cap nodes, as nvidia-modprobe does.")
    partition = verb("partition", _partition, "Give a GPU another layout, whoever uses it.")
    partition.add_argument("--gpu", type=int, required=True)
    partition.add_argument("--layout", required=True)
    partition.add_argument("--nodes", action="store_true", help="and make the cap nodes")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.handler(options)
    except SimError as error:
        print(f"tests.sim: {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
