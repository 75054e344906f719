"""Configless Slurm: slurmctld hands its files out, and only those where it runs count. Pure."""

from collections.abc import Mapping

_PARAMETERS, _HOST = "slurmctldparameters", "slurmctldhost"


def hands_out(config: Mapping[str, str]) -> bool:
    """Whether slurmctld does so. `config` is what it has in force, keys in lower case."""
    return "enable_configless" in config.get(_PARAMETERS, "").lower().split(",")


def controllers(config: Mapping[str, str]) -> str:
    """The machines where slurmctld may run, for a person."""
    hosts = [value for key, value in sorted(config.items()) if key.startswith(_HOST)]
    names = [host.partition("(")[0].strip() for host in hosts]
    return " or ".join(filter(None, names)) or "the machine where slurmctld runs"
