import pytest

from slurm_mig.slurm.version import SlurmVersion
from tests.doctor.good import GOOD, findings, gres_conf

NVML = {"gres_conf": gres_conf(nvml=True), "autodetect": "nvml"}


def said(version: str, **changes: object) -> list[tuple[str, str]]:
    """Level and words of what is said of the release."""
    found = findings(version=SlurmVersion.parse(version), **changes)
    return [(each.level, each.what) for each in found if each.about == f"Slurm {version}"]


@pytest.mark.parametrize(
    ("version", "level", "words"),
    [
        ("22.05.8", "risky", "invents links"),
        ("22.05.8", "note", "3g.39gb"),
        ("23.02.5", "note", "3g.39gb"),
        ("23.02.6", "risky", "invents links"),
        ("23.02.7", "note", "--gpus-per-task"),
        ("23.11.3", "note", "--gpus-per-task"),
    ],
)
def test_traps_of_autodetect(version: str, level: str, words: str) -> None:
    assert any(each[0] == level and words in each[1] for each in said(version, **NVML))
    assert said(version) == []


@pytest.mark.parametrize("version", ["23.11.4", "24.11.5", "25.05.3", "26.05.1"])
def test_releases_without_traps(version: str) -> None:
    assert said(version, **NVML) == []


def test_minors_and_indices_before_22_05_6() -> None:
    assert GOOD.node is not None
    first, second = GOOD.node.gpus
    swapped = GOOD.node._replace(gpus=(first._replace(gpu_minor=second.gpu_minor), second))
    assert "wrong" in dict(said("22.05.5", node=swapped, **NVML))
    assert "wrong" not in dict(said("22.05.6", node=swapped, **NVML))
    assert "wrong" not in dict(said("22.05.5", **NVML))


@pytest.mark.parametrize("version", ["23.02.2", "23.02.3"])
def test_changes_of_gres_that_are_ignored(version: str) -> None:
    ((level, what),) = said(version)
    assert level == "risky"
    assert "ignored even when slurmctld restarts" in what


@pytest.mark.parametrize(
    ("version", "risky"), [("25.11.0", True), ("25.11.2", True), ("25.11.3", False)]
)
def test_a_reconfigure_that_crashes(version: str, risky: bool) -> None:
    assert bool(said(version)) is risky


def test_the_library_s_name_before_24_05_5() -> None:
    assert "wrong" in dict(said("24.05.4", nvml_link=False, **NVML))
    assert said("24.05.5", nvml_link=False, **NVML) == []
    assert said("24.05.4", nvml_link=False) == []


def test_a_slurm_that_was_built_without_nvml() -> None:
    (finding,) = findings(nvml_plugin=False, **NVML)
    assert (finding.level, finding.about) == ("wrong", "AutoDetect")
    assert findings(nvml_plugin=None, **NVML) == []
    assert findings(nvml_plugin=False) == []


def test_autodetect_nvidia_sees_no_slices() -> None:
    found = [each for each in findings(autodetect="nvidia") if each.about == "AutoDetect"]
    assert [each.level for each in found] == ["wrong"]


@pytest.mark.parametrize(
    ("driver", "risky"),
    [("450.80.02", True), ("470.42", True), ("470.42.01", False), ("570.86", False), ("x", False)],
)
def test_old_drivers(driver: str, risky: bool) -> None:
    assert GOOD.node is not None
    found = findings(node=GOOD.node._replace(driver_version=driver))
    assert [each.about for each in found] == ([f"driver {driver}"] if risky else [])


def test_an_unknown_release_is_not_guessed_at() -> None:
    found = findings(version=None, **NVML)
    assert [each.about for each in found if "Slurm" in each.about] == []
