"""What the monitor gives its snapshots to, so that Prometheus gets them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from slurm_mig.errors import SlurmMigError
from slurm_mig.usage.metrics import textfile
from slurm_mig.usage.metrics.endpoint import Endpoint
from slurm_mig.usage.metrics.exposition import Exposition
from slurm_mig.usage.metrics.settings import MetricsSettings, address
from slurm_mig.usage.monitor.snapshot import Sink, Snapshot


@contextlib.contextmanager
def metrics_sink(root: Path, settings: MetricsSettings) -> Iterator[Sink | None]:
    """The sink, for as long as the block runs; None where the site wants no metrics.

    It never waits for a reader. It raises SlurmMigError for a round whose metrics cannot be
    shown: the file cannot be written, or the address is taken (which is tried again meanwhile).
    """
    if not settings.listen and not settings.textfile_dir:
        yield None
        return
    exposition = Exposition(root, users=settings.labels_user)
    endpoint = None
    if settings.listen:
        endpoint = Endpoint(exposition.registry, address(settings.listen))

    def sink(snapshot: Snapshot) -> None:
        exposition.latest = snapshot
        if settings.textfile_dir:
            textfile.write(root, settings.textfile_dir, exposition.text())
        if endpoint is not None and endpoint.problem is not None:
            raise SlurmMigError(f"no metrics at {endpoint.problem}")

    try:
        yield sink
    finally:
        if endpoint is not None:
            endpoint.close()
        if settings.textfile_dir:
            textfile.remove(root, settings.textfile_dir)
