"""What the monitor gives its snapshots to, so that Prometheus gets them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from slurm_mig.errors import SlurmMigError
from slurm_mig.usage.metrics import textfile
from slurm_mig.usage.metrics.endpoint import Endpoint
from slurm_mig.usage.metrics.exposition import Exposition
from slurm_mig.usage.monitor.listening import address
from slurm_mig.usage.monitor.settings import MonitorSettings
from slurm_mig.usage.monitor.snapshot import Sink, Snapshot


@contextlib.contextmanager
def metrics_sink(root: Path, settings: MonitorSettings) -> Iterator[Sink | None]:
    """The sink, for as long as the block runs; None where the site wants no metrics.

    It never waits for a reader. It raises SlurmMigError once for each reason why metrics cannot
    be shown: the file cannot be written, or the address is taken (it is tried again meanwhile).
    """
    if not settings.listen and not settings.textfile_dir:
        yield None
        return
    showing = _Showing(root, settings)
    try:
        yield showing.show
    finally:
        showing.close()


class _Showing:
    """Both ways, as far as they were chosen."""

    def __init__(self, root: Path, settings: MonitorSettings) -> None:
        self._root, self._folder = root, settings.textfile_dir
        self._exposition = Exposition(root, users=settings.labels_user)
        self._endpoint: Endpoint | None = None
        if settings.listen:
            self._endpoint = Endpoint(self._exposition.registry, address(settings.listen))
        self._wrote = False
        self._told: tuple[str, ...] = ()

    def show(self, snapshot: Snapshot) -> None:
        """As a sink."""
        self._exposition.latest = snapshot
        problems = tuple(filter(None, (self._write(), self._unserved())))
        if problems != self._told:  # not again every few seconds
            self._told = problems
            if problems:
                raise SlurmMigError("; ".join(problems))

    def _write(self) -> str | None:
        if not self._folder:
            return None
        try:
            textfile.write(self._root, self._folder, self._exposition.text())
        except SlurmMigError as why:
            return str(why)
        self._wrote = True
        return None

    def _unserved(self) -> str | None:
        problem = None if self._endpoint is None else self._endpoint.problem
        return None if problem is None else f"no metrics at {problem}"

    def close(self) -> None:
        """Stop serving; and take our file away, but no other monitor's."""
        if self._endpoint is not None:
            self._endpoint.close()
        if self._wrote:
            textfile.remove(self._root, self._folder)
