"""What must stand beside gres.conf so that its lines isolate anything: comments for its head."""

from collections.abc import Iterator, Sequence

from slurm_mig.slurm.records.gres import GresGroup, GresOptions

SETTINGS = (
    "slurm.conf   GresTypes=gpu  SelectType=select/cons_tres  TaskPlugin=task/cgroup",
    "cgroup.conf  ConstrainDevices=yes  (without it every job can open every slice)",
)

CONSTRAIN = """\
ConstrainDevices=yes denies a job every device file that gres.conf names and that it was not
given. It says nothing of the files that gres.conf does not name: slices made later are open to
every job until slurmd has read this file anew.""".splitlines()

INDEX = """\
gres_index is what SLURM_JOB_GPUS tells a job's prolog: a place in slurmd's list, not a minor
and not NVML's index. It holds for the Gres= above, with its types in that order.""".splitlines()

CONFIG_ONLY = """\
AutoDetect=off: these lines stand alone, and Slurm knows no UUID. Where CUDA must find the
slices by itself, a TaskProlog has to set CUDA_VISIBLE_DEVICES; or use --autodetect nvml.
""".splitlines()

AUTODETECTED = """\
AutoDetect=nvml: Slurm matches these lines with what it detects, word for word, and gives jobs
the slices' UUIDs. Cores are left to it: a line with others would drop its device.""".splitlines()

ACCOUNTING = """\
AccountingStorageTRES is for clusters with slurmdbd: there it lets limits and reports name the
types. Without slurmdbd leave it out.""".splitlines()


def comments(groups: Sequence[GresGroup], options: GresOptions, explain: bool) -> list[str]:
    """Lines for the head of gres.conf; many of them with `explain`."""
    lines = [_node_line(group) for group in groups]
    lines += [*SETTINGS, _tres(groups)]
    if explain:
        form = AUTODETECTED if options.autodetect else CONFIG_ONLY
        for paragraph in (CONSTRAIN, form, ACCOUNTING, INDEX):
            lines += ["", *paragraph]
        lines += [f"Types as Slurm {options.version} names them."]
        lines += [line for group in groups for line in _indices(group)]
    return lines


def _node_line(group: GresGroup) -> str:
    names = group.node_names or group.nodes[0]
    return f"slurm.conf   NodeName={names} Gres={group.gres}"


def _tres(groups: Sequence[GresGroup]) -> str:
    names = dict.fromkeys(name for group in groups for name, _ in group.types)
    tres = ",".join(["gres/gpu", *(f"gres/gpu:{name}" for name in names)])
    return f"slurm.conf   AccountingStorageTRES={tres}  (only with slurmdbd)"


def _indices(group: GresGroup) -> Iterator[str]:
    if group.node_names is not None:
        yield f"{group.node_names}:"
    for record in group.records:
        what = record.profile or "whole GPU"
        # A UUID is one node's own.
        uuid = f"  {record.uuid}" if len(group.nodes) == 1 else ""
        yield f"  gres_index {record.gres_index:>3}  {what:<14} {record.files[0]}{uuid}"
