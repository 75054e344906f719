"""Who is on the GPUs, for a plan."""

from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.model import Placement
from tests.gpu.laidout import live_gpu

GPU, OTHER = live_gpu("a100-40gb", "2x3g.20gb"), live_gpu("a100-40gb", "2x3g.20gb", 1)
LOW, HIGH = Placement(0, 4), Placement(4, 4)
SEEN = Occupied(
    instances={GPU.info.uuid: {LOW: ("process 7 of eva",), HIGH: ()}},
    gpus={GPU.info.uuid: ("process 9 of root",)},
)


def test_busy_are_the_places_that_are_there() -> None:
    assert SEEN.busy(GPU) == {LOW, HIGH}
    assert SEEN.busy(OTHER) == frozenset()


def test_who_is_on_an_instance() -> None:
    assert SEEN.on(GPU, LOW) == ("process 7 of eva",)
    assert SEEN.on(GPU, HIGH) == SEEN.on(OTHER, LOW) == ()


def test_who_has_the_gpu_open() -> None:
    assert SEEN.with_open(GPU) == ("process 9 of root",)
    assert SEEN.with_open(OTHER) == ()


def test_nobody_seen() -> None:
    assert Occupied().busy(GPU) == frozenset()
    assert Occupied().unseen == ()
