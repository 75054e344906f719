"""What people see of a plan: each GPU instance once, and what the change takes."""

import pytest

from slurm_mig.gpu.partitioning import LiveGpu, WantedGi, WantedGpu
from slurm_mig.gpu.planning.occupied import Occupied
from slurm_mig.gpu.planning.plan import GpuPlan, plan
from slurm_mig.gpu.planning.plandiff import Row, needs, rows
from slurm_mig.model import Placement
from tests.gpu.laidout import live_gpu

NOBODY = Occupied()


def planned(
    gpu: LiveGpu, *instances: WantedGi, mig: bool = True, seen: Occupied = NOBODY
) -> GpuPlan:
    return plan(gpu, WantedGpu(mig, instances), seen.busy(gpu))


def lines(made: GpuPlan, seen: Occupied = NOBODY) -> list[str]:
    """The rows as "goes 3g.20gb@4 all"."""
    return [_line(row) for row in rows(made, seen)]


def _line(row: Row) -> str:
    return f"{row.change} {row.spec.profile}@{row.spec.placement.start} {row.compute}"


def test_what_stays_goes_and_comes() -> None:
    gpu = live_gpu("a100-40gb", "3g.20gb@4/2g.10gb@0/1g.5gb@2")
    made = planned(gpu, WantedGi("3g.20gb"), *[WantedGi("1g.5gb")] * 4)
    assert lines(made) == [
        "goes 2g.10gb@0 all",
        "comes 1g.5gb@0 all",
        "comes 1g.5gb@1 all",
        "stays 1g.5gb@2 all",
        "comes 1g.5gb@3 all",
        "stays 3g.20gb@4 all",
    ]
    first = rows(made, NOBODY)[0].profile
    assert first is not None
    assert first.memory_mib == 9856


def test_compute_instances() -> None:
    gpu = live_gpu("a100-40gb", "3g.20gb@0:1c:2c/3g.20gb@4:none")
    same = planned(
        gpu, WantedGi("3g.20gb", 0, ("1c.3g.20gb", "2c.3g.20gb")), WantedGi("3g.20gb", 4, ())
    )
    assert lines(same) == ["stays 3g.20gb@0 2c + 1c", "stays 3g.20gb@4 none"]
    assert same.steps == ()
    changed = planned(gpu, WantedGi("3g.20gb", 0), WantedGi("3g.20gb", 4, ("1c.3g.20gb",)))
    assert lines(changed) == ["stays 3g.20gb@0 2c + 1c -> all", "stays 3g.20gb@4 none -> 1c"]


def test_one_with_fewer_sms_than_there_are() -> None:
    """By their names the two are the same; the plan makes it anew all the same."""
    gpu = live_gpu("h100-80gb", "1g.20gb@0:id0")
    made = planned(gpu, WantedGi("1g.20gb"))
    assert lines(made) == ["stays 1g.20gb@0 all -> all"]
    assert made.steps


def test_users_are_on_what_is_there() -> None:
    gpu = live_gpu("a100-40gb", "3g.20gb@4")
    seen = Occupied(instances={gpu.info.uuid: {Placement(4, 4): ("process 7 of eva",)}})
    made = planned(gpu, WantedGi("7g.40gb"), seen=seen)
    assert [(row.change, row.users) for row in rows(made, seen)] == [
        ("comes", ()),
        ("goes", ("process 7 of eva",)),
    ]
    assert made.problems


def test_a_driver_that_tells_no_profiles() -> None:
    gpu = live_gpu("a100-40gb")._replace(profiles=())
    made = planned(gpu, WantedGi("7g.40gb"))
    assert rows(made, NOBODY) == []
    assert [*needs(made, NOBODY)][
        -1
    ] == "its driver tells only with MIG on what fits: plan again then"


@pytest.mark.parametrize(
    ("key", "layout", "mig", "needed"),
    [
        ("a100-40gb", "off", True, ["switched on", "is reset", "nothing may"]),
        ("h100-80gb", "off", True, ["switched on", "nothing may"]),
        ("h100-80gb", "mig", True, ["nothing may"]),
        ("h100-80gb", "1g.10gb", True, []),
        ("a100-40gb", "7g.40gb", False, ["switched off", "is reset", "nothing may"]),
        ("h100-80gb", "off", False, []),
    ],
)
def test_what_a_change_takes(key: str, layout: str, mig: bool, needed: list[str]) -> None:
    instances = [WantedGi("1g.10gb")] * 2 if mig else []
    told = [*needs(planned(live_gpu(key, layout), *instances, mig=mig), NOBODY)]
    assert len(told) == len(needed)
    assert all(word in line for word, line in zip(needed, told, strict=True)), told


def test_who_has_the_gpu_open_is_named_where_it_matters() -> None:
    gpu = live_gpu("h100-80gb", "mig")
    seen = Occupied(gpus={gpu.info.uuid: ("process 812 of root (nv-hostengine)",)})
    told = [*needs(planned(gpu, WantedGi("1g.10gb")), seen)]
    assert told[1] == "has it open: process 812 of root (nv-hostengine)"
    beside = live_gpu("h100-80gb", "1g.10gb")
    assert [*needs(planned(beside, *[WantedGi("1g.10gb")] * 2), seen)] == []
