"""What slurm.conf and cgroup.conf must say so that slices are scheduled and kept apart. Pure.

Source of the defaults: slurm.conf(5) and cgroup.conf(5) of Slurm 22.05 and later.
"""

from collections.abc import Iterator

from slurm_mig.doctor.facts import Facts
from slurm_mig.doctor.finding import Finding
from slurm_mig.slurm.version import SlurmVersion

SELECT = "slurm.conf: SelectType=select/cons_tres  (then restart slurmctld and every slurmd)"
_CONS_TRES_IS_DEFAULT = SlurmVersion(23, 11, 0)


def select_type(facts: Facts) -> Iterator[Finding]:
    """Only select/cons_tres schedules GPUs one by one, with all of --gpus, --gpus-per-task."""
    if facts.conf is None:
        return
    kind = (facts.conf.get("SelectType") or "").lower().removeprefix("select/")
    if kind == "cons_tres":
        return
    if not kind and facts.version is not None and facts.version >= _CONS_TRES_IS_DEFAULT:
        return
    if kind in ("", "linear"):
        what = "is select/linear" if kind else "is not set, and the default was select/linear"
        yield Finding("wrong", "SelectType", f"{what}: a job gets all slices of a node", SELECT)
    else:
        yield Finding("risky", "SelectType", f"is {kind}: --gpus and its kin do not work", SELECT)


def task_plugin(facts: Facts) -> Iterator[Finding]:
    """task/cgroup is what denies a job the others' device files."""
    if facts.conf is None:
        return
    plugins = [word.removeprefix("task/") for word in facts.conf.words("TaskPlugin")]
    if "cgroup" not in plugins:
        now = facts.conf.get("TaskPlugin") or "not set"
        line = ",".join(f"task/{word}" for word in (*plugins, "cgroup") if word != "none")
        yield Finding(
            "wrong",
            "TaskPlugin",
            f"is {now}, without task/cgroup: every job can open every slice",
            f"slurm.conf: TaskPlugin={line}",
        )


def constrain_devices(facts: Facts) -> Iterator[Finding]:
    """cgroup.conf's ConstrainDevices: the default is no."""
    if facts.conf is None:
        return
    if facts.cgroup is None or not facts.cgroup.yes("ConstrainDevices"):
        where = "cgroup.conf does not exist" if facts.cgroup is None else "is not yes"
        yield Finding(
            "wrong",
            "ConstrainDevices",
            f"{where}: every job can open every slice",
            "cgroup.conf: ConstrainDevices=yes",
        )


def proctrack(facts: Facts) -> Iterator[Finding]:
    """The hooks know a job's processes by their cgroup."""
    if facts.conf is None:
        return
    kind = facts.conf.get("ProctrackType") or "proctrack/cgroup"  # the default
    if kind.lower().removeprefix("proctrack/") != "cgroup":
        yield Finding(
            "risky",
            "ProctrackType",
            f"is {kind}: processes can leave their job, and then outlive it on a slice",
            "slurm.conf: ProctrackType=proctrack/cgroup",
        )


def gres_types(facts: Facts) -> Iterator[Finding]:
    """Slurm does not load what GresTypes does not name."""
    if facts.conf is not None and "gpu" not in facts.conf.words("GresTypes"):
        line = ",".join([*facts.conf.words("GresTypes"), "gpu"])
        yield Finding(
            "wrong",
            "GresTypes",
            "does not name gpu: Slurm does not know the slices",
            f"slurm.conf: GresTypes={line}",
        )


def accounting(facts: Facts) -> Iterator[Finding]:
    """slurmctld dies of a gres in AccountingStorageTRES without slurmdbd."""
    if facts.conf is None:
        return
    tres = [w for w in facts.conf.words("AccountingStorageTRES") if w.startswith("gres/")]
    store = (facts.conf.get("AccountingStorageType") or "").lower()
    if tres and not store.endswith("/slurmdbd"):
        yield Finding(
            "wrong",
            "AccountingStorageTRES",
            f"names {tres[0]} without slurmdbd: slurmctld does not start",
            "slurm.conf: AccountingStorageType=accounting_storage/slurmdbd, or leave the TRES out",
        )
