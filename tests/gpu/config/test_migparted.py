"""Held against mig-parted's own rules: what it reads we read, and it means the same."""

import json
from collections import Counter
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from slurm_mig.errors import Refused
from slurm_mig.gpu.config.migconfig import MigConfig, resolve
from slurm_mig.gpu.config.migyaml import parse
from slurm_mig.gpu.partitioning import WantedGpu
from tests.gpu import migparted
from tests.gpu.laidout import live_gpu
from tests.gpu.migparted import Lenient, Rejected, Spec

GPUS = [
    live_gpu("a100-40gb"),
    live_gpu("a100-40gb", "7x1g.5gb", 1),
    live_gpu("h100-80gb", gpu_index=2),
    live_gpu("l40s", gpu_index=3),
    live_gpu("a100-40gb", gpu_index=4),
]
A100, H100 = "0x20B010DE", "0x233010de"
BOARD = f"{A100}:0x{GPUS[0].pci_subsystem_id:08X}"

ODD = st.sampled_from([None, "", "all", "none", 7, -1, True, [], [0], {}, {"1g.5gb": 1}, 1.5])
FILTERS = st.sampled_from([A100, H100, BOARD, "0x1", f"{A100}:0x1"])
COUNTS = st.dictionaries(
    st.sampled_from(["1g.5gb", "2g.10gb", "1g.10gb", "1c.3g.20gb", "1g.5gb+me", "1g.24gb-me"]),
    st.integers(1, 3),
    max_size=3,
)
ON = {"mig-enabled": st.just(True), "mig-devices": COUNTS}
DEVICES = {"devices": st.just("all") | st.lists(st.integers(0, 5), max_size=3)}
FILTER = {"device-filter": FILTERS | st.lists(FILTERS, max_size=2) | st.sampled_from(["", None])}
ENTRIES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({**DEVICES, **ON}, optional=FILTER),
    st.fixed_dictionaries(
        {**DEVICES, "mig-enabled": st.just(False)},
        optional={**FILTER, "mig-devices": st.sampled_from([None, {}])},
    ),
)
# What may be wrong with an entry: a key, and what it then has.
SPOILT = {
    "devices": st.lists(st.integers(-1, 5) | st.none(), max_size=3) | ODD,
    "mig-enabled": ODD,
    "device-filter": st.lists(FILTERS | st.none() | st.just("A100"), max_size=2) | ODD,
    "mig-devices": st.dictionaries(
        st.sampled_from(["1g.5gb", "5gb", "1g.5gb+", ""]),
        st.integers(-1, 2) | st.just(100) | st.none(),
        min_size=1,
        max_size=2,
    )
    | ODD,
    "gpu-filter": st.none(),
}
LABELS = st.dictionaries(
    st.sampled_from("abc"), st.lists(ENTRIES, min_size=1, max_size=3), min_size=1, max_size=2
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A file, good or with one thing wrong in one entry, or in the whole."""
    configs = draw(LABELS)
    value: dict[str, Any] = {"version": "v1", "mig-configs": configs}
    spoil = draw(st.sampled_from(["nothing", "nothing", "entry", "entry", "drop", "file"]))
    entry = draw(st.sampled_from([entry for entries in configs.values() for entry in entries]))
    if spoil == "entry":
        key = draw(st.sampled_from([*SPOILT]))
        entry[key] = draw(SPOILT[key])
    elif spoil == "drop":
        del entry[draw(st.sampled_from([*entry]))]
    elif spoil == "file":
        key = draw(st.sampled_from(["version", "mig-configs", "extra"]))
        value[key] = draw(ODD | st.just("v2") | st.just({"a": []}) | st.just({"a": ["all"]}))
    return value


def ours(value: Any, *, pretty: bool) -> MigConfig | None:
    """What we read of the same file; None when we refuse it."""
    text = json.dumps(value, indent=2 if pretty else None)
    try:
        return parse(text.encode(), "mig.json")
    except Refused:
        return None


def theirs(value: Any) -> dict[str, list[Spec]] | None:
    """What mig-parted reads of it; None where it, or only we on purpose, refuse."""
    try:
        return migparted.load(value)
    except (Rejected, Lenient):
        return None


def counts_of(wanted: WantedGpu) -> Counter[str]:
    """The MIG devices that are wanted, by their profiles."""
    return Counter(ci for gi in wanted.instances for ci in gi.cis or (gi.profile,))


@settings(max_examples=600, deadline=None)
@given(files(), st.booleans())
def test_what_mig_parted_reads_we_read_and_nothing_else(value: Any, pretty: bool) -> None:
    config, specs = ours(value, pretty=pretty), theirs(value)
    event("read" if specs is not None else "refused")
    assert (config is None) == (specs is None), (config, specs)
    if config is None or specs is None:
        return
    assert config.labels.keys() == specs.keys()
    for label, entries in config.labels.items():
        for entry, spec in zip(entries, specs[label], strict=True):
            assert entry.wanted.mig == spec.enabled
            assert counts_of(entry.wanted) == Counter(dict(spec.counts))
            assert (entry.devices.kind == "all") == (spec.devices is None)
            assert entry.devices.indices == (spec.devices or ())
            assert len(entry.filters) == len(spec.filters)


GOOD_COUNTS = st.sampled_from([{}, {"1g.10gb": 2}, {"1g.10gb": 2, "7g.40gb": 0}])
GOOD_ENTRIES = st.fixed_dictionaries(
    {
        "devices": st.just("all") | st.lists(st.integers(0, 4), max_size=3),
        "mig-enabled": st.just(True),
        "mig-devices": GOOD_COUNTS,
    },
    optional={"device-filter": st.sampled_from([A100, H100, BOARD, "0x1", [A100, H100], []])},
)


@settings(max_examples=400, deadline=None)
@given(st.lists(GOOD_ENTRIES, min_size=1, max_size=4))
def test_the_same_gpus_become_the_same(entries: list[dict[str, Any]]) -> None:
    """What mig-parted would apply to a GPU is what we want of it, or we refuse and say why."""
    config = ours({"version": "v1", "mig-configs": {"x": entries}}, pretty=True)
    assert config is not None
    walked = migparted.walk(
        migparted.load({"version": "v1", "mig-configs": {"x": entries}})["x"], GPUS
    )
    try:
        wanted = resolve(config, "x", GPUS)
    except Refused as refused:
        event("refused")
        assert _has_reason(walked, str(refused))
        return
    event("resolved")
    assert wanted.keys() == walked.keys()
    for index, specs in walked.items():
        meant = {tuple(sorted(counts_of_spec(spec).items())) for spec in specs}
        assert meant == {tuple(sorted(counts_of(wanted[GPUS[index].info.gpu_index]).items()))}


def counts_of_spec(spec: Spec) -> Counter[str]:
    return Counter({name: count for name, count in spec.counts if count})


def _has_reason(walked: dict[int, list[Spec]], told: str) -> bool:
    """Whether the refusal is one of the documented ones, and for cause."""
    contradicting = [
        index
        for index, specs in walked.items()
        if len({tuple(sorted(counts_of_spec(spec).items())) for spec in specs}) > 1
    ]
    if "something else here" in told:
        return bool(contradicting)
    if "no entry is about" in told:
        return not walked
    # mig-parted says so when it comes to that GPU, or passes it over.
    return "cannot do MIG" in told or "is of a model in device-filter" in told
