"""How a node that was ordered by a reboot is, by what slurmctld says of it."""

import pytest

from slurm_mig.reconfigure import drained
from slurm_mig.reconfigure.fleet import rebooted
from slurm_mig.reconfigure.fleet.rebooted import AT_IT, QUIET, REBOOT, WAIT, Seen, Watch
from slurm_mig.reconfigure.reboot.desired import Order
from slurm_mig.slurm.controller.client import NodeState
from slurm_mig.slurm.version import SlurmVersion
from tests.fakes_slurm import FakeSlurm, FakeSlurmClient

RUN = "0a1b2c3d"
BEFORE, SINCE = 1_800_000_000.0, 1_800_000_100.0
ORDER = Order(RUN, "4e5f6071", None, "1g.10gb:7", int(BEFORE))
OURS = drained.reason(RUN, "mixed")


def node(
    *state: str, reason: str = "", start: float | None = BEFORE, gres: str = "gpu:1g.10gb:7"
) -> NodeState:
    slurm = FakeSlurm(SlurmVersion(24, 11, 5))
    slurm.add("n1", gres)
    found = FakeSlurmClient(slurm).node("n1")
    return found._replace(state=frozenset(state), reason=reason, slurmd_start=start)


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (node("MIXED", "DRAIN", "REBOOT_REQUESTED", reason=OURS), Seen(WAIT)),
        (node("DOWN", "DRAIN", "REBOOT_ISSUED", reason=OURS), Seen(REBOOT)),
        (node("IDLE", "DRAIN", reason=OURS), Seen(AT_IT)),
        (node("IDLE", "DRAIN", "NOT_RESPONDING", reason=OURS), Seen(AT_IT)),
        (node("UNKNOWN", "DRAIN", reason=OURS), Seen(AT_IT)),
        (node("IDLE", "DRAIN", "INVALID_REG", reason="gres/gpu count too low"), Seen(AT_IT)),
        (None, Seen(AT_IT)),
        # Between our resume and our drain: not at its end.
        (node("IDLE", "NOT_RESPONDING"), Seen(AT_IT)),
        (node("IDLE"), Seen(QUIET)),
        (node("IDLE", start=BEFORE + 1), Seen(QUIET)),
        (node("IDLE", start=None), Seen(QUIET)),
        (node("IDLE", start=SINCE), Seen(AT_IT, "done")),
        (node("MIXED", reason=OURS, start=SINCE), Seen(AT_IT, "done")),
        (
            node("DOWN", reason="reboot timed out"),
            Seen(AT_IT, "lost", "it is DOWN (reboot timed out)"),
        ),
    ],
)
def test_what_it_is_at(found: NodeState | None, seen: Seen) -> None:
    assert rebooted.see(found, ORDER) == seen


@pytest.mark.parametrize("reason", [drained.not_done(RUN, "x"), f"slurm-mig recover [{RUN}]: x"])
def test_its_reason_says_that_it_failed(reason: str) -> None:
    found = node("IDLE", "DRAIN", reason=reason, start=SINCE)
    assert rebooted.see(found, ORDER) == Seen(AT_IT, "drained", reason)


def test_what_another_run_left_is_to_be_recovered_all_the_same() -> None:
    found = node("IDLE", "DRAIN", reason="slurm-mig recover [ffffffff]: START failed", start=SINCE)
    assert rebooted.see(found, ORDER) == Seen(AT_IT, "drained", found.reason)


def test_another_run_s_reason_says_nothing() -> None:
    found = node("IDLE", "DRAIN", reason=drained.not_done("ffffffff", "x"))
    assert rebooted.see(found, ORDER) == Seen(AT_IT)


@pytest.mark.parametrize(("start", "seen"), [(SINCE, Seen(AT_IT, "done")), (BEFORE, Seen(QUIET))])
def test_somebody_finds_his_drain_as_he_left_it(start: float, seen: Seen) -> None:
    order = ORDER._replace(theirs="a fan is loud")
    found = node("IDLE", "DRAIN", reason="a fan is loud", start=start)
    assert rebooted.see(found, order) == seen
    assert rebooted.see(found._replace(reason="another"), order) == Seen(AT_IT)


def test_whether_it_has_other_gpus() -> None:
    assert not rebooted.is_other(node("IDLE"), ORDER)
    assert rebooted.is_other(node("IDLE", gres="gpu:1g.10gb:2,gpu:3g.40gb:1"), ORDER)
    assert rebooted.gpus_text(node("IDLE", gres="gpu:2,gpu:3g.40gb:1,nic:4")) == ":2,3g.40gb:1"


@pytest.mark.parametrize(
    ("found", "theirs"),
    [
        (node("IDLE"), None),
        (node("IDLE", "DRAIN", reason="a fan is loud"), "a fan is loud"),
        (node("IDLE", "DRAIN"), "drained without a reason"),
        (node("IDLE", "DRAIN", reason=OURS), None),
        (node("IDLE", reason="a fan is loud"), None),
    ],
)
def test_whose_drain_it_is(found: NodeState, theirs: str | None) -> None:
    assert rebooted.theirs_of(found) == theirs


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (node("IDLE"), ""),
        (node("MIXED", "DRAIN", reason="a fan is loud"), ""),
        (node("MIXED", "DRAIN", "REBOOT_REQUESTED", reason="a kernel"), "somebody else reboots it"),
        (node("DOWN", "DRAIN", "REBOOT_ISSUED", reason="a kernel"), "somebody else reboots it"),
        (node("DOWN", "DRAIN", "REBOOT_ISSUED", reason=OURS), ""),
        (node("DOWN", reason="broken"), "it is DOWN (broken): mend that first"),
        (
            node("IDLE", "DRAIN", reason=drained.reason("ffffffff", "x")),
            "reconfigure ffffffff is at it: wait for its end, or, if it was cut short, run",
        ),
        (
            node("IDLE", "DRAIN", reason=drained.reason("ffffffff.2", "x")),
            "reconfigure ffffffff.2 is at it",
        ),
        (node("IDLE", "DRAIN", reason=OURS), ""),
        (node("IDLE", "DRAIN", reason=drained.reason(f"{RUN}.2", "x")), ""),
        (node("IDLE", "DRAIN", reason=drained.not_done("ffffffff", "x")), ""),
        (node("IDLE", reason=drained.reason("ffffffff", "x")), ""),
        (node("IDLE", "POWERED_DOWN"), "it is IDLE+POWERED_DOWN"),
    ],
)
def test_what_forbids_an_order(found: NodeState, why: str) -> None:
    assert rebooted.forbids(found, RUN).startswith(why)
    assert bool(why) == bool(rebooted.forbids(found, RUN))


def test_since_when_it_is_at_what_it_is_at() -> None:
    now = 0.0
    watch = Watch(lambda: now)
    assert watch.seen("n1", WAIT) == (0.0, 0.0)
    now = 10.0
    assert watch.seen("n1", WAIT) == (10.0, 0.0)
    assert watch.seen("n1", REBOOT) == (0.0, 0.0)
    now = 14.0
    assert watch.seen("n1", "") == (4.0, 4.0)  # nobody knows: as before
    assert watch.seen("n1", AT_IT) == (0.0, 4.0)
    now = 20.0
    assert watch.seen("n1", AT_IT) == (6.0, 10.0)
    assert watch.seen("n2", "") == watch.seen("n2", QUIET) == (0.0, 0.0)
    assert (watch.moved("n1"), watch.moved("n2")) == (True, False)
    assert watch.seen("n1", WAIT) == (0.0, 0.0)  # it was ordered anew
