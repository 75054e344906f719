"""All metrics of one moment in the formats of Prometheus."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from slurm_mig.usage.metrics.drift import Drift, by_driver, by_nvml
from slurm_mig.usage.metrics.instances import live
from slurm_mig.usage.metrics.node import drift_series, map_series, monitor_series, tally_series
from slurm_mig.usage.metrics.nodemap import MapReader
from slurm_mig.usage.metrics.series import COUNTER, Series
from slurm_mig.usage.metrics.slices import View, gpu_series, job_series, slice_series
from slurm_mig.usage.metrics.sources import MapState
from slurm_mig.usage.metrics.tally import TallyReader
from slurm_mig.usage.monitor.snapshot import Snapshot


def _boottime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Exposition(Collector):
    """The latest snapshot, and what is read of the node when somebody asks. Thread-safe.

    `users`: whether metrics may say whose a job is. Before the first snapshot only the node's
    metrics are there.
    """

    def __init__(
        self, root: Path, *, users: bool = False, boottime_s: Callable[[], float] = _boottime_s
    ) -> None:
        self.latest: Snapshot | None = None
        self._root, self._users, self._boottime_s = root, users, boottime_s
        self._map, self._tally = MapReader(root), TallyReader(root)
        self._lock = threading.Lock()
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing: without it the registry would collect once when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client asks for it."""
        for one in self._series():
            if one.values:
                yield _family(one)

    def text(self) -> bytes:
        """In the text format."""
        return generate_latest(self.registry)

    def _series(self) -> list[Series]:
        with self._lock:
            state, tally = self._map.state(), self._tally.tally()
        found = [*map_series(state), *tally_series(tally)]
        snapshot = self.latest
        found += drift_series(self._drift(state, snapshot))
        if snapshot is None:
            return found
        view = View(snapshot, state, self._boottime_s())
        found += [*slice_series(view), *gpu_series(view)]
        found += [*job_series(snapshot, users=self._users), *monitor_series(snapshot)]
        return found

    def _drift(self, state: MapState, snapshot: Snapshot | None) -> Drift | None:
        """None where the map says nothing of now, or nobody could look."""
        if state.stale is not False:
            return None
        seen = live(self._root)
        drift = None if seen is None else by_driver(state.slices, seen)
        if snapshot is not None and snapshot.layout:
            drift = (drift or Drift()) | by_nvml(state.slices, snapshot.layout)
        return drift


def _family(one: Series) -> Metric:
    kind = CounterMetricFamily if one.kind == COUNTER else GaugeMetricFamily
    family = kind(one.name, one.help, labels=one.labels)
    for value in one.values:
        family.add_metric(value.labels, value.value)
    return family
