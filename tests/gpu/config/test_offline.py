"""models.toml: the same numbers as the simulator's models, each with its source."""

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from slurm_mig.errors import UsageError
from slurm_mig.gpu.config import offline
from tests.gpu.laidout import live_gpu
from tests.sim import models

TABLE = tomllib.loads(resources.files("slurm_mig.gpu.config").joinpath("models.toml").read_text())
KEYS = models.keys()
MIG_KEYS = models.mig_keys()
# Our name of a field -> the simulator's.
FIELDS = {
    "name": "name",
    "mig": "mig",
    "memory_mib": "memory_mib",
    "units": "units",
    "mode_needs_reset": "reset_for_mode",
    "pci_device_id": "pci_device_id",
    "pci_subsystem_id": "pci_subsystem_id",
}
PROFILE_FIELDS = {
    "name": "name",
    "id": "profile_id",
    "slices": "slices",
    "memory_mib": "memory_mib",
    "sm_count": "sm_count",
    "max_count": "max_count",
    "size": "size",
    "starts": "starts",
}
UNKNOWN = {
    "starts": "placements",
    "size": "placements",
    "profile_id": "profile_id",
    "sm_count": "sm_count",
    "memory_mib": "memory_mib",
    "max_count": "max_count",
}


def row(key: str) -> dict[str, Any]:
    found: dict[str, Any] = TABLE["models"][key]
    return found


def source_text(key: str) -> tuple[str, list[str]]:
    """The simulator's file: its head, and what its comments say of each profile."""
    text = (models.FOLDER / f"{key}.toml").read_text()
    return text.partition("[[profile]]")[0], re.findall(r"^\[\[profile\]\]  # (.+)$", text, re.M)


def comments(key: str) -> Iterator[tuple[str, str]]:
    """Our field -> what the simulator's file says about where its number is from."""
    head, _ = source_text(key)
    for ours, theirs in FIELDS.items():
        found = re.search(rf"^{theirs} = .*?# (.+)$", head, re.M)
        if found:
            yield ours, found[1]


def test_the_same_models() -> None:
    assert set(TABLE["models"]) == set(KEYS)
    assert offline.keys() == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_the_same_numbers(key: str) -> None:
    model = models.load(key)
    for ours, theirs in FIELDS.items():
        assert row(key)[ours] == getattr(model, theirs), ours
    assert set(row(key)) == {*FIELDS, "unknown", "source", "profiles"}
    for profile, other in zip(row(key)["profiles"], model.profiles, strict=True):
        assert set(profile) - {"unknown"} == {*PROFILE_FIELDS, "source"}
        for ours, theirs in PROFILE_FIELDS.items():
            value = tuple(profile[ours]) if ours == "starts" else profile[ours]
            assert value == getattr(other, theirs), f"{other.name}: {ours}"


@pytest.mark.parametrize("key", KEYS)
def test_the_same_things_are_unknown(key: str) -> None:
    model = models.load(key)
    theirs = {ours for ours, name in FIELDS.items() if name in model.unknown}
    assert set(row(key)["unknown"]) == theirs
    for profile, other in zip(row(key)["profiles"], model.profiles, strict=True):
        expected = {UNKNOWN[field] for field in other.unknown if field in UNKNOWN}
        assert set(profile.get("unknown", ())) == expected, other.name


@pytest.mark.parametrize("key", KEYS)
def test_every_field_has_its_source(key: str) -> None:
    sources, marks = set(TABLE["sources"]), row(key)["source"]
    assert set(marks.values()) <= sources
    assert set(marks) == set(FIELDS) - {"name", "mig"}
    assert {field for field, mark in marks.items() if mark == "stand-in"} == set(
        row(key)["unknown"]
    )
    for field, comment in comments(key):
        if field in marks:
            assert _agrees(marks[field], comment), f"{field}: {comment}"


@pytest.mark.parametrize("key", MIG_KEYS)
def test_every_profile_has_its_source(key: str) -> None:
    _, told = source_text(key)
    for profile, comment in zip(row(key)["profiles"], told, strict=True):
        assert profile["source"] in TABLE["sources"]
        assert _agrees(profile["source"], comment), f"{profile['name']}: {comment}"


def _agrees(mark: str, comment: str) -> bool:
    """Whether the simulator's comment names the same source first."""
    others = {"guide": "no MIG", "pci-ids": "the public PCI id list"}
    return comment.startswith((mark, others.get(mark, mark)))


@pytest.mark.parametrize("key", KEYS)
def test_a_gpu_of_that_model(key: str) -> None:
    assert offline.gpu(key, 3) == live_gpu(key, gpu_index=3)


def test_a_model_that_nobody_knows() -> None:
    with pytest.raises(UsageError, match="did you mean h100-80gb\\? There are a100-40gb, a100-80"):
        offline.gpu("H100-80G")
    with pytest.raises(UsageError, match="'x' is known: There are a100"):
        offline.gpu("x")


class TestWhatIsNotKnown:
    def test_is_told(self) -> None:
        assert offline.unknown("h100-80gb") == ()
        assert offline.unknown("gh200-96gb") == (
            "gh200-96gb: not known from hardware, but assumed: the number of memory units",
            "gh200-96gb: not known from hardware, but assumed: where instances can lie of every "
            "profile",
        )
        assert len(offline.unknown("b200-180gb")) == 3
        assert all(
            "of 3g.90gb, 4g.90gb, 7g.180gb" in line for line in offline.unknown("b200-180gb")
        )

    @pytest.mark.parametrize("key", MIG_KEYS)
    def test_every_mark_makes_a_line(self, key: str) -> None:
        marks = {mark for profile in row(key)["profiles"] for mark in profile.get("unknown", ())}
        marks |= set(row(key)["unknown"]) - {"pci_subsystem_id"}
        assert len(offline.unknown(key)) == len(marks)


class TestCompleting:
    """A driver tells what fits with MIG on only."""

    @pytest.mark.parametrize("key", MIG_KEYS)
    def test_takes_what_is_published(self, key: str) -> None:
        gpu = live_gpu(key)
        found = offline.completed(gpu._replace(profiles=()))
        marks = {UNKNOWN.get(mark) for p in models.load(key).profiles for mark in p.unknown}
        assert found == (gpu if marks <= {None} else gpu._replace(profiles=()))

    def test_leaves_alone_what_was_told(self) -> None:
        gpu = live_gpu("a100-40gb")
        odd = gpu.profiles[0]._replace(profile="1g.99gb")
        assert offline.completed(gpu._replace(profiles=(odd,))).profiles == (odd,)

    def test_takes_nothing_of_an_unknown_model(self) -> None:
        gpu = live_gpu("a100-40gb")._replace(profiles=())
        other = gpu._replace(pci_device_id=0x123410DE)
        assert offline.completed(other) == other
        named = gpu._replace(info=gpu.info._replace(name="NVIDIA A100-PCIE-40GB"))
        assert offline.completed(named) == named

    def test_a_gpu_that_cannot_do_mig_stays_so(self) -> None:
        gpu = live_gpu("l40s")
        assert offline.completed(gpu) == gpu
