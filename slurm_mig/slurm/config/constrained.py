"""Whether Slurm's device cgroup keeps jobs from each other's slices."""

from slurm_mig.slurm.config.conf import Conf


def constrained(slurm: Conf | None, cgroup: Conf | None) -> bool | None:
    """Whether it does; None where slurm.conf could not be found.

    A cgroup.conf that is not there (None) constrains nothing. Raises ConfError.
    """
    if slurm is None:
        return None
    plugins = [word.removeprefix("task/") for word in slurm.words("TaskPlugin")]
    return "cgroup" in plugins and cgroup is not None and cgroup.yes("ConstrainDevices")
