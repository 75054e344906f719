"""What whoever tells Slurm does alike, for one node and for many: the files, and the word.

Beside the publication `name` is `name-before`: how the files were, so that it is noticed who
changes them meanwhile. Errors are publish.py's.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from slurm_mig.gpu.change.sitecommand import must
from slurm_mig.reconfigure import publish, told
from slurm_mig.reconfigure.publication import Change, ConfWish, GresWish, Publication, prepare
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.slurm.controller.client import SlurmClient
from slurm_mig.slurm.ways import Kind


def keep(root: Path, name: str, wish: ConfWish | None, texts: Mapping[str, str | None]) -> None:
    """Keep how these files are; `wish` names the slurm.conf among them, and wants nothing."""
    changes = tuple(Change(path, text, text or "") for path, text in texts.items())
    publish.begin(root, _before(name), Publication(wish, (), None, (), changes))


def must_be_as_kept(root: Path, name: str, wait_s: float) -> None:
    """Raises Refused where somebody has changed a file since; then they are kept no more."""
    if publish.look(root, _before(name)) is not None:
        publish.carry_out(root, _before(name), wait_s)  # writes nothing: it compares
        forget(root, name)


def forget(root: Path, name: str) -> None:
    """Whatever was kept is kept no more."""
    publish.commit(root, _before(name))


def write(
    root: Path, name: str, conf: ConfWish | None, gres: Sequence[GresWish], wait_s: float
) -> int | None:
    """Write the files; the publication stays open. What tell() is to be given as `seen`."""
    publish.commit(root, name)  # of one that was cut short: what lives now counts
    publish.begin(root, name, prepare(conf, gres))
    written = publish.carry_out(root, name, wait_s)
    # Where nothing had to be written, it is told once more: slurmctld may have forgotten it.
    return told.begun(Path(conf.path)) if conf and written else None


def end(root: Path, name: str) -> None:
    """All is over."""
    publish.commit(root, name)
    forget(root, name)


def tell(
    conf: Path,
    way: str,
    seen: int | None,
    client: SlurmClient,
    settings: ReconfigureSettings,
    *,
    gather_s: float = 0.0,
) -> None:
    """Have slurmctld read its files, unless it has since they were written. Raises SlurmMigError.

    By `way`: as it runs, or by the site's command that restarts it. One after the other: a
    slurmctld that only starts is no good to stop. `gather_s`: others are given that long to write
    too, before it is done.
    """

    def restart() -> None:
        must(settings.slurmctld_restart_command, settings.command_timeout_s)

    wait_s = settings.publish_timeout_s + settings.command_timeout_s
    act = restart if way == Kind.RESTART.value else client.reconfigure
    told.tell(conf, way, seen, act, wait_s, gather_s)


def _before(name: str) -> str:
    return f"{name}-before"
