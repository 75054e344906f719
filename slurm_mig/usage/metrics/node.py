"""The metrics of the node and of the monitor itself. Pure."""

from collections.abc import Iterator

from slurm_mig import __version__
from slurm_mig.usage.metrics.drift import Drift
from slurm_mig.usage.metrics.series import COUNTER, GAUGE, Series, series
from slurm_mig.usage.metrics.sources import DIFFERS, EXACT, UNKNOWN, MapState, Tally
from slurm_mig.usage.monitor.snapshot import ASLEEP, FAILING, PAUSED, SAMPLING, Snapshot

STATES = (ASLEEP, SAMPLING, FAILING, PAUSED)


def map_series(state: MapState) -> Iterator[Series]:
    """Whether what Slurm was told is what is there."""
    yield _one("map_stale", GAUGE, "1: hooks refuse jobs until the gres map is made anew",
               _number(state.stale))  # fmt: skip
    yield _one("gres_conf_changed", GAUGE, "1: gres.conf is not as it was when the map was made",
               _number(state.gres_conf_changed))  # fmt: skip


def drift_series(drift: Drift | None) -> Iterator[Series]:
    """Whether the GPUs are cut as the map has it; a stale map has its own metric."""
    if drift is None:
        return
    rows = [(("gone",), float(len(drift.gone))), (("new",), float(len(drift.new)))]
    text = "Slices of the map that are not there (gone), and others that are (new)"
    yield series("layout_drift_slices", GAUGE, text, ("kind",), rows)


def tally_series(tally: Tally | None) -> Iterator[Series]:
    """Sums over this month's records; a new month begins at 0. None: they cannot be read."""
    if tally is None:
        return
    yield _one("records", COUNTER, "Usage records closed on this node", tally.records)
    yield _one("leftover_processes", COUNTER, "Processes that jobs left on their slices",
               tally.leftovers)  # fmt: skip
    yield _one("repartitioned_slices", COUNTER, "Slices that were others when their job ended",
               tally.repartitioned)  # fmt: skip
    checks = {EXACT: tally.exact, DIFFERS: tally.differs, UNKNOWN: tally.unknown}
    text = "Jobs by what they could open, compared with what they were given"
    rows = [((result,), float(count)) for result, count in checks.items()]
    yield series("device_checks", COUNTER, text, ("result",), rows)


def monitor_series(snapshot: Snapshot) -> Iterator[Series]:
    """How the monitor itself is."""
    info = [((__version__, snapshot.node or ""), 1.0)]
    yield series("monitor_info", GAUGE, "The monitor", ("version", "node"), info)
    states = [((state,), float(state == snapshot.state)) for state in STATES]
    yield series("monitor_state", GAUGE, "1 for what the monitor does", ("state",), states)
    yield _one("monitor_rounds", COUNTER, "Rounds of looking at slices", snapshot.rounds)
    yield _one("monitor_failures", COUNTER, "Rounds that failed", snapshot.failures)
    yield _one("monitor_round_seconds", GAUGE, "What the last round took", snapshot.round_s)
    yield _one("monitor_period_seconds", GAUGE, "How often it looks, while a job holds a slice",
               snapshot.period_s)  # fmt: skip
    yield _one("monitor_round_timestamp_seconds", GAUGE, "When the last round was made",
               snapshot.taken_s)  # fmt: skip


def _one(name: str, kind: str, text: str, value: float | None) -> Series:
    return series(name, kind, text, (), [((), value)])


def _number(flag: bool | None) -> float | None:
    return None if flag is None else float(flag)
