"""What a configuration means for the GPUs that are there."""

import pytest

from slurm_mig.errors import Refused, UsageError
from slurm_mig.gpu.config.migconfig import DeviceFilter, gpu_name, resolve, select
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import LiveGpu, WantedGi, WantedGpu
from slurm_mig.model import GpuIndex
from tests.gpu.laidout import live_gpu

A100, H100 = "0x20B010DE", "0x233010DE"
OFF = WantedGpu(False)
EMPTY = WantedGpu(True)
MIXED = [live_gpu("a100-40gb"), live_gpu("a100-40gb", gpu_index=1), live_gpu("h100-80gb", "mig", 2)]
LAST = live_gpu("l40s", gpu_index=3)


def resolved(*entries: str, gpus: "list[LiveGpu] | None" = None) -> dict[GpuIndex, WantedGpu]:
    """What entries in flow style mean for these GPUs: two A100s, an H100, and an L40S."""
    lines = "".join(f"  - {{{entry}}}\n" for entry in entries)
    text = f"version: v1\nmig-configs:\n  x:\n{lines}"
    return resolve(parse(text.encode(), "mig.yaml"), "x", [*MIXED, LAST] if gpus is None else gpus)


def refused(*entries: str, gpus: "list[LiveGpu] | None" = None) -> list[str]:
    with pytest.raises(Refused, match="config x is not for this node") as error:
        resolved(*entries, gpus=gpus)
    return [problem.removeprefix("mig.yaml:") for problem in error.value.problems]


def on(**counts: int) -> str:
    """Fields of an entry with slices; `_5` in a name is `.5`."""
    inner = ", ".join(f"{name.replace('_', '.')}: {count}" for name, count in counts.items())
    return f"mig-enabled: true, mig-devices: {{{inner}}}"


def test_all_are_those_that_can() -> None:
    assert resolved("devices: all, mig-enabled: false") == {0: OFF, 1: OFF, 2: OFF}
    assert resolved(f"devices: all, {on()}") == {0: EMPTY, 1: EMPTY, 2: EMPTY}


def test_a_gpu_that_no_entry_names_is_left_out() -> None:
    assert resolved("devices: [1], mig-enabled: false") == {1: OFF}


def test_one_gpu_that_cannot_is_no_matter_without_mig() -> None:
    assert resolved("devices: [0, 3], mig-enabled: false") == {0: OFF}
    assert refused(f"devices: [3], {on()}") == ["4: GPU 3 (NVIDIA L40S) cannot do MIG"]
    assert refused(f"gpus: [{LAST.info.uuid}], {on()}") == ["4: GPU 3 (NVIDIA L40S) cannot do MIG"]


def test_filters_choose_models() -> None:
    wanted = resolved(
        f'device-filter: "{A100}", devices: all, {on(**{"3g_20gb": 2})}',
        f'device-filter: ["0x1", "{H100}"], devices: all, mig-enabled: false',
    )
    assert wanted[GpuIndex(0)] == wanted[GpuIndex(1)] == WantedGpu(True, (WantedGi("3g.20gb"),) * 2)
    assert wanted[GpuIndex(2)] == OFF


def test_filters_choose_boards() -> None:
    board = MIXED[0].pci_subsystem_id
    assert DeviceFilter(0x20B010DE, board).matches(MIXED[0])
    assert not DeviceFilter(0x20B010DE, board + 1).matches(MIXED[0])
    assert not DeviceFilter(0x20B110DE).matches(MIXED[0])
    found = resolved(f'device-filter: "{A100}:0x{board:08X}", devices: all, mig-enabled: false')
    assert found == {0: OFF, 1: OFF}


def test_an_entry_for_other_nodes_is_passed_over() -> None:
    """One file serves a fleet: mig-parted's own has an entry for each board there is."""
    other = 'device-filter: "0x20B710DE", devices: [0, 7], mig-enabled: false'
    assert resolved(other, "devices: all, mig-enabled: false").keys() == {0, 1, 2}
    assert refused(other) == ["4: no entry is about a GPU of this node that can do MIG"]
    assert refused("devices: all, mig-enabled: false", gpus=[LAST]) == refused(other)
    assert refused("devices: [], mig-enabled: false") == refused(other)


def test_a_filter_and_indices() -> None:
    """As mig-parted has it, a GPU must match both."""
    assert resolved(f'device-filter: "{A100}", devices: [1, 2], mig-enabled: false') == {1: OFF}
    assert refused(f'device-filter: "{A100}", devices: [2], mig-enabled: false') == [
        "4: no GPU in devices is of a model in device-filter"
    ]


def test_by_uuid_and_by_pci_address() -> None:
    uuid, address = MIXED[0].info.uuid.upper(), "0000:01:00.0"
    assert resolved(f"gpus: [{uuid}, {address}], mig-enabled: false") == {0: OFF, 1: OFF}


def test_gpus_that_are_not_there() -> None:
    nobody = "GPU-ffffffff-0000-0000-0000-000000000000"
    assert refused(
        "devices: [0, 4, 99], mig-enabled: false",
        f"gpus: [{nobody}, 0000:ff:00.0], mig-enabled: false",
    ) == [
        "4: no GPU 4: this node has 4, counted from 0",
        "4: no GPU 99: this node has 4, counted from 0",
        f"5: no GPU {nobody} on this node: `slurm-mig discover` lists those there are",
        "5: no GPU 00000000:ff:00.0 on this node: `slurm-mig discover` lists those there are",
    ]


def test_entries_that_contradict() -> None:
    """mig-parted would let the last one win, after a GPU was cut up twice."""
    first, second = "devices: all, mig-enabled: false", f"devices: [1, 2], {on()}"
    assert refused(first, second) == [
        f"5: GPU {index} is to be something else here than in mig.yaml:4: "
        "leave it out of one of them"
        for index in (1, 2)
    ]
    assert resolved(first, "devices: [1], mig-enabled: false").keys() == {0, 1, 2}


def test_others_are_those_that_no_entry_names() -> None:
    wanted = resolved(f"devices: others, {on()}", "devices: [1], mig-enabled: false")
    assert wanted == {0: EMPTY, 1: OFF, 2: EMPTY}
    both = resolved(
        f'device-filter: "{A100}", devices: others, {on()}',
        f'device-filter: "{H100}", devices: others, mig-enabled: false',
        f"devices: [0], {on(**{'7g_40gb': 1})}",
    )
    assert both == {0: WantedGpu(True, (WantedGi("7g.40gb"),)), 1: EMPTY, 2: OFF}


def test_two_kinds_of_others_contradict_too() -> None:
    told = refused(f"devices: others, {on()}", "devices: others, mig-enabled: false")
    assert len(told) == 3
    assert "something else here than in mig.yaml:4" in told[0]


def test_others_of_none_are_no_problem() -> None:
    wanted = resolved("devices: all, mig-enabled: false", f"devices: others, {on()}")
    assert set(wanted.values()) == {OFF}


def test_everything_at_once() -> None:
    told = refused(
        f"devices: [0, 9], {on(**{'1g_10gb+me': 1})}",
        f"devices: [0, 3], {on()}",
        f"devices: [2], {on(**{'1g_5gb': 1})}",
    )
    assert [problem.partition(":")[0] for problem in told] == ["4", "5", "5", "4", "6"]


class TestWhichConfig:
    CONFIG = parse(
        b"version: v1\nmig-configs:\n"
        b"  all-off: &a [{devices: all, mig-enabled: false}]\n  all-on: *a\n",
        "mig.yaml",
    )

    def test_by_its_name(self) -> None:
        assert select(self.CONFIG, "all-on") == "all-on"

    def test_the_only_one(self) -> None:
        one = self.CONFIG._replace(labels={"all-on": self.CONFIG.labels["all-on"]})
        assert select(one, None) == "all-on"

    def test_one_of_several(self) -> None:
        with pytest.raises(UsageError, match="has several configs: take one of all-off, all-on"):
            select(self.CONFIG, None)

    def test_none_of_them(self) -> None:
        with pytest.raises(UsageError, match="did you mean all-on"):
            select(self.CONFIG, "all_on")
        with pytest.raises(UsageError, match="no config 'x': it has all-off, all-on"):
            select(self.CONFIG, "x")

    def test_of_very_many(self) -> None:
        many = {f"c{n}": self.CONFIG.labels["all-on"] for n in range(99)}
        with pytest.raises(UsageError, match="c19, and 79 more"):
            select(self.CONFIG._replace(labels=many), None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GPU-1FC4A36F-0679-58e6-9451-2989636e0b43", "GPU-1fc4a36f-0679-58e6-9451-2989636e0b43"),
        ("0000:0A:00.0", "00000000:0a:00.0"),
        ("0:0a:00.0", "00000000:0a:00.0"),
        ("0a:00.0", "00000000:0a:00.0"),
        ("MIG-1fc4a36f-0679-58e6-9451-2989636e0b43", None),
        ("GPU-1fc4a36f", None),
        ("0000:0a:00", None),
        ("0000:0a:00.9", None),
        ("0", None),
        ("", None),
    ],
)
def test_names_of_gpus(text: str, name: "str | None") -> None:
    assert gpu_name(text) == name
