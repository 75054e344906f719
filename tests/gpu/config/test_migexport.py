"""The present state as a file, and back: nothing is lost, whatever the GPU is cut into."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.migconfig import resolve
from slurm_mig.gpu.config.migexport import export
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import GiSpec, LiveGpu, WantedGi, WantedGpu
from slurm_mig.gpu.planning.plan import plan
from tests.gpu.laidout import live_gpu
from tests.layouts import layouts
from tests.sim.models import load, mig_keys

KEYS = mig_keys()


def body(*gpus: LiveGpu, label: str = "current") -> str:
    """The text after its first two lines and the label."""
    head, _, rest = export(gpus, label).partition(f"  {label}:\n")
    assert head.endswith("version: v1\nmig-configs:\n")
    return rest


def read_back(text: str, *gpus: LiveGpu, label: str = "current") -> dict[int, WantedGpu]:
    config = parse(text.encode(), "export")
    assert list(config.labels) == [label]
    return {int(index): wanted for index, wanted in resolve(config, label, gpus).items()}


def says(wanted: WantedGpu, gpu: LiveGpu) -> bool:
    """Whether what is wanted is what the GPU is, starts included where they are given."""
    there = [_shape(gi, with_start=True) for gi in gpu.layout.instances]
    if all(gi.start is None for gi in wanted.instances):
        there = [_shape(gi, with_start=False) for gi in gpu.layout.instances]
    found = [(gi.profile, gi.start, _cis(gi)) for gi in wanted.instances]
    return wanted.mig == gpu.layout.mig and Counter(map(str, found)) == Counter(map(str, there))


def _cis(gi: WantedGi) -> list[str]:
    return sorted((gi.profile,) if gi.cis is None else gi.cis)


def _shape(gi: GiSpec, *, with_start: bool) -> tuple[str, "int | None", list[str]]:
    start = gi.placement.start if with_start else None
    return gi.profile, start, sorted(ci.ci_profile for ci in gi.cis)


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_round_trip_of_any_layout(key: str, data: st.DataObject) -> None:
    gpus = [
        live_gpu(key, data.draw(layouts(load(key), without_ci=True), label=f"GPU {index}"), index)
        for index in range(data.draw(st.integers(1, 3), label="GPUs"))
    ]
    text = export(gpus)
    wanted = read_back(text, *gpus)
    assert wanted.keys() == set(range(len(gpus)))
    for gpu in gpus:
        assert says(wanted[gpu.info.gpu_index], gpu), text
    assert export(gpus) == text


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_made_anew_it_is_what_it_was(key: str, data: st.DataObject) -> None:
    """On the same GPU there is nothing to do; on an empty one each instance gets its place."""
    layout = data.draw(layouts(load(key), without_ci=True))
    gpu, empty = live_gpu(key, layout), live_gpu(key, "mig")
    text = export([gpu])
    wanted = read_back(text, gpu)[0]
    anew = plan(empty, wanted)
    assert anew.problems == ()
    there = [_shape(gi, with_start=True) for gi in gpu.layout.instances]
    assert [_shape(gi, with_start=True) for gi in anew.target.instances] == there
    if not text.startswith("#"):  # something that the format cannot say
        assert plan(gpu, wanted).steps == ()


@pytest.mark.parametrize("key", KEYS)
def test_round_trip_of_none(key: str) -> None:
    for layout in ("off", "mig"):
        gpu = live_gpu(key, layout)
        assert read_back(export([gpu]), gpu) == {0: WantedGpu(layout == "mig")}


def test_plain_where_there_is_one_way_to_lie() -> None:
    """mig-parted reads it too, and it says where everything is all the same."""
    assert body(live_gpu("a100-40gb", "7x1g.5gb")) == (
        '    - devices: all\n      mig-enabled: true\n      mig-devices:\n        "1g.5gb": 7\n'
    )
    assert '"2g.10gb": 3' in body(live_gpu("a100-40gb", "3x2g.10gb"))
    assert '"3g.20gb": 2' in body(live_gpu("a100-40gb", "2x3g.20gb"))
    assert '"1c.4g.20gb": 4' in body(live_gpu("a100-40gb", "4g.20gb:1c:1c:1c:1c"))


def test_with_starts_where_there_are_several() -> None:
    assert body(live_gpu("a100-40gb", "3g.20gb@4/2g.10gb@0/1g.5gb@3")) == (
        "    - devices: all\n      mig-enabled: true\n      mig-instances:\n"
        "        - {profile: 2g.10gb, start: 0}\n"
        "        - {profile: 1g.5gb, start: 3}\n"
        "        - {profile: 3g.20gb, start: 4}\n"
    )
    assert "start: 2" in body(live_gpu("a100-40gb", "2g.10gb@2"))


def test_with_starts_where_mig_parted_could_not_say_it() -> None:
    assert "{profile: 7g.40gb, start: 0, compute: []}" in body(
        live_gpu("a100-40gb", "7g.40gb:none")
    )
    divided = body(live_gpu("a100-40gb", "7g.40gb:1c:2c"))
    assert "compute: [" in divided or "mig-devices" in divided
    apart = body(live_gpu("a100-40gb", "3g.20gb@0:1c/3g.20gb@4:1c"))
    assert apart.count("compute: [1c.3g.20gb]") == 2  # mig-parted's form would pack them into one


def test_with_starts_where_the_driver_does_not_tell_the_places() -> None:
    gpu = live_gpu("a100-40gb", "7x1g.5gb")._replace(profiles=())
    assert body(gpu).count("start: ") == 7


def test_alike_gpus_share_an_entry() -> None:
    whole = [live_gpu("a100-40gb", "7x1g.5gb", index) for index in range(3)]
    assert body(*whole).count("devices: all") == 1
    mixed = body(*whole, live_gpu("h100-80gb", "off", 3))
    assert "- devices: [0, 1, 2]\n" in mixed
    assert "- devices: [3]\n      mig-enabled: false\n" in mixed


def test_gpus_that_cannot_do_mig_are_left_out() -> None:
    gpus = [live_gpu("a100-40gb", "mig"), live_gpu("l40s", gpu_index=1)]
    assert "devices: all" in body(*gpus)
    assert read_back(export(gpus), *gpus) == {0: WantedGpu(True)}
    with pytest.raises(Refused, match="no GPU here can do MIG"):
        export(gpus[1:])


def test_what_the_format_cannot_say_is_said() -> None:
    text = export([live_gpu("h100-80gb", "1g.20gb@2:id0", 4)])
    assert text.startswith(
        "# GPU 4, 1g.20gb at 2: its compute instance has 16 SMs here, made anew all 26\nversion: v1"
    )
    assert export([live_gpu("h100-80gb", "3g.40gb@0:2c:1c")]).startswith("version: v1")


@pytest.mark.parametrize(
    "label", ["current", "yes", "on", "n", "7", "a b", "a: b", "#", "'", '"', "é", "null", "a\\b"]
)
def test_any_label_is_read_back(label: str) -> None:
    gpu = live_gpu("a30-24gb", "mig")
    assert read_back(export([gpu], label), gpu, label=label) == {0: WantedGpu(True)}
