"""Whether the slices, gres.conf, slurm.conf's Gres=, slurmd and the map say the same. Pure."""

import re
from collections import Counter
from collections.abc import Iterator

from slurm_mig.doctor.facts import Facts
from slurm_mig.doctor.finding import Finding
from slurm_mig.slurm.records.gres import GresOptions, NodeGres, line, node_gres

MAKE_MAP = "slurm-mig gres-map"
RESTART = "systemctl restart slurmd  (which makes the map too)"
_SOCKETS = re.compile(r"\([^)]*\)")
_SLACK_S = 2.0  # between the clock of files and that of processes


def device_files(facts: Facts) -> Iterator[Finding]:
    """Nodes below /dev that are missing or wrong: slurmd waits 20 s for each, and dies."""
    for problem in _file_problems(facts):
        what, _, remedy = problem.partition(": ")
        yield Finding("wrong", "device files", what, remedy)


def machine(facts: Facts) -> Iterator[Finding]:
    """What discover found odd, though nothing is wrong by it."""
    if facts.node is None:
        return
    for warning in facts.node.warnings:
        yield Finding("note", "GPUs", warning)
    for gpu in facts.node.gpus:
        for warning in gpu.warnings:
            yield Finding("note", f"GPU {gpu.gpu_index}", warning)


def node_line(facts: Facts) -> Iterator[Finding]:
    """slurm.conf's Gres= wins over gres.conf: what it leaves out is no job's."""
    if facts.conf is None or facts.node is None or not facts.node.gpus:
        return
    line_of_node = facts.conf.node(facts.node_name)
    if line_of_node is None:
        what = f"no NodeName= line of {facts.conf.path} describes {facts.node_name}"
        yield Finding("note", "NodeName", f"{what}: right for a dynamic node only")
        return
    found = counts(line_of_node.get("gres", ""))
    forms = list(_forms(facts))
    if not forms or any(Counter(dict(made.types)) == found for made in forms):
        return
    what = f"is {line_of_node.get('gres') or 'not set'}, which are not the slices that are there"
    remedy = f"slurm.conf: NodeName={facts.node_name} ... Gres={forms[0].gres}"
    yield Finding("risky" if found else "wrong", "Gres", what, remedy)


def gres_drift(facts: Facts) -> Iterator[Finding]:
    """gres.conf against what gen-gres would write now, in any of its forms."""
    from slurm_mig.slurm.config.drift import drift

    if facts.gres_conf is None or not facts.slices:
        return
    differs = [
        drift(facts.gres_conf, _text(made, facts), [facts.node_name], "gres.conf")
        for made in _forms(facts)
    ]
    if differs and all(differs):
        lines = [each for each in differs[0][2:] if each[0] in "+-"]
        yield Finding(
            "risky",
            "gres.conf",
            f"is not what gen-gres would write now: {len(lines)} lines differ ({lines[0]})",
            "slurm-mig gen-gres --check FILE shows all; --output FILE mends it",
        )


def agreement(facts: Facts) -> Iterator[Finding]:
    """slurmd's own list against the slices: it decides who can open what."""
    told = _file_problems(facts)
    for problem in facts.disagreements:
        if problem in told:
            continue
        yield Finding("wrong", "slurmd", problem, f"slurm-mig gen-gres --output FILE; {RESTART}")


def gres_map(facts: Facts) -> Iterator[Finding]:
    """The map that the hooks read."""
    if facts.gres_map is None or not (facts.ours or facts.gres_map):
        return
    if not facts.gres_map:
        yield Finding("wrong", "gres map", "is missing: the hooks refuse every GPU job", MAKE_MAP)
    elif facts.gres_map.get("boot_id") != facts.boot_id:
        yield Finding("wrong", "gres map", "is of an earlier boot", RESTART)
    elif facts.gres_map.get("generation") != facts.generation:
        yield Finding("wrong", "gres map", "is older than the partitioning", RESTART)
    elif facts.fresh_map is not None and _without_time(facts.gres_map) != _without_time(
        facts.fresh_map
    ):
        yield Finding("wrong", "gres map", "is not what slurmd and the slices are now", RESTART)


def slurmd_age(facts: Facts) -> Iterator[Finding]:
    """slurmd denies only what it knew when it started."""
    start = facts.slurmd_start
    if start is None:
        return
    if facts.generation_changed is not None and facts.generation_changed > start + _SLACK_S:
        what = "started before the slices were made: every job can open those that it does not know"
        yield Finding("wrong", "slurmd", what, RESTART)
    if facts.gres_conf_changed is not None and facts.gres_conf_changed > start + _SLACK_S:
        yield Finding("risky", "slurmd", "started before gres.conf was last changed", RESTART)


def environment_flags(facts: Facts) -> Iterator[Finding]:
    """Without Flags= Slurm sets AMD's and Intel's variables as well."""
    if facts.gres_conf is None or facts.autodetects or not facts.slices:
        return
    if "_env" not in facts.gres_conf.lower():
        what = "has no Flags=: Slurm sets AMD's, Intel's and OpenCL's variables in every job too"
        yield Finding("note", "gres.conf", what, "gres.conf: Flags=nvidia_gpu_env on each line")


def _file_problems(facts: Facts) -> list[str]:
    """All that is wrong with device files, each once though slices share files."""
    gpus = facts.node.gpus if facts.node else ()
    files = [file for gpu in gpus for each in gpu.mig_devices for file in each.device_files]
    files += [gpu.device_file for gpu in gpus]
    return list(dict.fromkeys(problem for file in files for problem in file.problems))


def _forms(facts: Facts) -> Iterator[NodeGres]:
    """What gen-gres would make, in the form in which gres.conf is, then with short types."""
    if facts.node is None or facts.version is None:
        return
    for profile_types in (False, True):
        options = GresOptions(facts.version, facts.autodetects, profile_types)
        yield node_gres(facts.node, options)


def _text(made: NodeGres, facts: Facts) -> str:
    mode = "nvml" if facts.autodetects else "off"
    return "\n".join([f"AutoDetect={mode}", *(line(record) for record in made.records)])


def counts(gres: str) -> Counter[str]:
    """Types and counts in a Gres= value: "gpu:1g.5gb:7(S:0,1),shard:4" -> {"1g.5gb": 7}."""
    found = Counter[str]()
    for part in filter(None, _SOCKETS.sub("", gres).split(",")):
        name, *rest = part.split(":")
        if name.lower() == "gpu":
            count = int(rest.pop()) if rest and rest[-1].isdigit() else 1
            found[rest[0] if rest else ""] += count
    return found


def _without_time(made: object) -> object:
    """Nor that of gres.conf: other nodes' lines may have changed in it."""
    if not isinstance(made, dict):
        return made
    conf = made.get("gres_conf")
    conf = {**conf, "mtime_ns": None} if isinstance(conf, dict) else conf
    return {**made, "made_at": None, "gres_conf": conf}
