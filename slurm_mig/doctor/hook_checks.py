"""Whether Slurm runs the hooks, in time and in the right place. Pure."""

from collections.abc import Iterator

from slurm_mig.doctor.facts import Facts
from slurm_mig.doctor.finding import Finding
from slurm_mig.slurm.version import SlurmVersion

RUN_IN_JOB = SlurmVersion(24, 5, 0)
OWN_TIMEOUTS = SlurmVersion(25, 5, 0)
_MESSAGE_TIMEOUT_S = 10  # slurm.conf(5); slurmd tells the user "Prolog hung" 2 s before
_NAMES = {"prolog": "Prolog", "epilog": "Epilog", "taskprolog": "TaskProlog"}
_STUBS = {"prolog": "prolog", "epilog": "epilog", "taskprolog": "task-prolog"}


def scripts(facts: Facts) -> Iterator[Finding]:
    """What slurm.conf names must be there, run, and be root's own."""
    for key, found in facts.scripts.items():
        if not found:
            yield Finding(
                "wrong",
                _NAMES[key],
                f"names {facts.conf and facts.conf.get(key)}, which is not there",
                _line(facts, key),
            )
        for script in found:
            if not script.executable:
                what = f"{script.path} is not executable"
                yield Finding("wrong", _NAMES[key], what, f"chmod +x {script.path}")
            if script.others_may_write:
                what = f"{script.path} runs as root, and others than root may write to it"
                mend = f"chown root:root {script.path}; chmod go-w {script.path}"
                yield Finding("wrong", _NAMES[key], what, mend)


def prolog_and_epilog(facts: Facts) -> Iterator[Finding]:
    """Both of slurm-mig's, or neither: an epilog gives back what a prolog took."""
    if facts.conf is None:
        return
    on = {key: any(each.ours for each in facts.scripts.get(key, ())) for key in _NAMES}
    if on["prolog"] and on["epilog"]:
        return
    if on["prolog"] != on["epilog"]:
        off = "epilog" if on["prolog"] else "prolog"
        what = "is not slurm-mig's, though the other is: no usage is recorded"
        yield Finding("wrong", _NAMES[off], what, _line(facts, off))
        return
    for key, what in (
        ("prolog", "is not slurm-mig's: nobody verifies a job's slices"),
        ("epilog", "is not slurm-mig's: usage is not recorded, leftovers stay on slices"),
    ):
        yield Finding("risky", _NAMES[key], what, _line(facts, key))


def task_prolog(facts: Facts) -> Iterator[Finding]:
    """Without AutoDetect=nvml only a task prolog gives CUDA the slices' UUIDs."""
    if facts.conf is None or facts.gres_conf is None or not facts.slices:
        return
    if any(each.ours for each in facts.scripts.get("taskprolog", ())):
        return
    if facts.autodetects:
        what = "is not slurm-mig's: tasks of one job are not told apart by slice before 23.11.4"
        if facts.version is not None and facts.version < SlurmVersion(23, 11, 4):
            yield Finding("risky", "TaskProlog", what, _line(facts, "taskprolog"))
        return
    what = "is not slurm-mig's, and AutoDetect is off: CUDA finds no slice in any job"
    yield Finding("wrong", "TaskProlog", what, _line(facts, "taskprolog"))


def prolog_flags(facts: Facts) -> Iterator[Finding]:
    """When and where Slurm runs the prolog."""
    if facts.conf is None:
        return
    flags = facts.conf.words("PrologFlags")
    own = facts.conf.get("PrologFlags") or ""
    if facts.ours and not {"alloc", "contain", "x11", "runinjob"} & set(flags):
        yield Finding(
            "risky",
            "PrologFlags",
            "has no Alloc: a node on which a job starts no step runs no prolog",
            f"slurm.conf: PrologFlags={','.join(filter(None, [own, 'Alloc', 'Contain']))}",
        )
    if "serial" in flags:
        what = "has Serial: the prologs and epilogs of all slices of a node wait for each other"
        yield Finding("risky", "PrologFlags", what, "slurm.conf: leave Serial out of PrologFlags")
    if "runinjob" in flags and facts.version is not None and facts.version < RUN_IN_JOB:
        what = f"has RunInJob, which Slurm {facts.version} does not know (24.05 and later do)"
        yield Finding("wrong", "PrologFlags", what, "slurm.conf: PrologFlags=Alloc,Contain")
    elif "runinjob" in flags:
        what = "has RunInJob: Slurm tells epilogs no exit code, and usage records have none"
        yield Finding("note", "PrologFlags", what)


def timeouts(facts: Facts) -> Iterator[Finding]:
    """Slurm must not end a hook that is still within its own bounds: the node would drain."""
    if facts.conf is None or not facts.ours:
        return
    for key, wait_s in (
        ("Prolog", facts.hooks.prolog_wait_s),
        ("Epilog", facts.hooks.epilog_wait_s),
    ):
        own = f"{key}Timeout"
        set_s = _seconds(facts, own) if _has_own_timeouts(facts) else None
        name = "PrologEpilogTimeout" if set_s is None else own
        set_s = _seconds(facts, "PrologEpilogTimeout") if set_s is None else set_s
        if set_s is not None and set_s <= wait_s:
            yield Finding(
                "wrong",
                name,
                f"is {set_s:g} s, but the {key.lower()} may wait {wait_s:g} s:"
                " the node would drain",
                f"slurm.conf: {name}={int(wait_s) + 10}",
            )
    message_s = _seconds(facts, "MessageTimeout") or _MESSAGE_TIMEOUT_S
    if facts.hooks.prolog_wait_s > message_s - 2:
        yield Finding(
            "risky",
            "MessageTimeout",
            f"is {message_s:g} s, but the prolog may wait {facts.hooks.prolog_wait_s:g} s: "
            "users would be told that it hangs",
            f"slurm.conf: MessageTimeout={int(facts.hooks.prolog_wait_s) + 3}",
        )


def requeue(facts: Facts) -> Iterator[Finding]:
    """What becomes of the job whose prolog failed."""
    if facts.conf is None or not facts.ours:
        return
    if "nohold_on_prolog_fail" not in facts.conf.words("SchedulerParameters"):
        yield Finding(
            "note",
            "SchedulerParameters",
            "a job whose prolog fails is requeued and held, until an operator releases it",
            "slurm.conf: add nohold_on_prolog_fail to SchedulerParameters",
        )


def settings(facts: Facts) -> Iterator[Finding]:
    """A mistake in config.toml makes the hooks use their defaults."""
    if facts.hooks.problem is not None:
        what = f"{facts.hooks.problem}: the hooks use their defaults instead"
        yield Finding("wrong", "config.toml", what, "mend /etc/slurm-mig/config.toml")


def _line(facts: Facts, key: str) -> str:
    return f"slurm.conf: {_NAMES[key]}={facts.hook_folder}/{_STUBS[key]}"


def _has_own_timeouts(facts: Facts) -> bool:
    return facts.version is None or facts.version >= OWN_TIMEOUTS


def _seconds(facts: Facts, key: str) -> float | None:
    """A setting in seconds; None where it is not set, or is no number (INFINITE)."""
    value = facts.conf.get(key) if facts.conf else None
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
