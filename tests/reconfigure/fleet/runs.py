"""Records of runs for the tests of many nodes."""

from slurm_mig.reconfigure.fleet.record import NodeEntry, RunOptions, RunRecord

RUN = "0a1b2c3d"
TEXT = """\
version: v1
mig-configs:
  mixed:
    - devices: all
      mig-enabled: true
      mig-devices: {3g.40gb: 1, 2g.20gb: 1, 1g.10gb: 2}
"""


def names(count: int) -> tuple[str, ...]:
    """n01, n02, ..."""
    return tuple(f"n{number:02}" for number in range(1, count + 1))


def record(
    count: int = 4,
    *,
    run_id: str = RUN,
    engine: str = "reach",
    at_once: int = 2,
    may_fail: int = 1,
    begun: float = 1_800_000_000.0,
) -> RunRecord:
    """A run that has not begun."""
    return RunRecord(
        run_id=run_id,
        owner="owner",
        boot_id="boot",
        host="ctl",
        label="mixed",
        text=TEXT,
        rollback=False,
        options=RunOptions(engine, at_once, may_fail),
        nodes=tuple(NodeEntry(name) for name in names(count)),
        begun=begun,
    )
