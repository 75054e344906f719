"""Every check, in the order in which an administrator would go through them. Pure."""

from collections.abc import Callable, Iterator

from slurm_mig.doctor import conf_checks, gres_checks, hook_checks, monitor_checks, version_checks
from slurm_mig.doctor.facts import Facts
from slurm_mig.doctor.finding import LEVELS, Finding

Check = Callable[[Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    conf_checks.select_type,
    conf_checks.gres_types,
    conf_checks.task_plugin,
    conf_checks.constrain_devices,
    conf_checks.proctrack,
    conf_checks.accounting,
    gres_checks.device_files,
    gres_checks.node_line,
    gres_checks.gres_drift,
    gres_checks.environment_flags,
    gres_checks.agreement,
    gres_checks.slurmd_age,
    gres_checks.gres_map,
    hook_checks.scripts,
    hook_checks.prolog_and_epilog,
    hook_checks.task_prolog,
    hook_checks.prolog_flags,
    hook_checks.timeouts,
    hook_checks.requeue,
    hook_checks.settings,
    monitor_checks.monitor,
    monitor_checks.records,
    version_checks.slurm_release,
    version_checks.nvml_plugin,
    version_checks.driver,
    gres_checks.machine,
)


def examine(facts: Facts) -> list[Finding]:
    """All that is to be said of a node, the worst first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    found += [Finding("unknown", what, why) for what, why in facts.could_not_look]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))
