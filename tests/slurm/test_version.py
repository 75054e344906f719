import pytest

from slurm_mig.errors import SlurmError, UsageError
from slurm_mig.slurm.version import SlurmVersion


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("22.05.8", SlurmVersion(22, 5, 8)),
        ("slurm 24.11.5\n", SlurmVersion(24, 11, 5)),
        ("slurm-wlm 22.05.8\n", SlurmVersion(22, 5, 8)),
        ("slurm 26.05.0-0rc1", SlurmVersion(26, 5, 0)),
        ("25.11.10", SlurmVersion(25, 11, 10)),
        ("24.11", SlurmVersion(24, 11, 99)),
    ],
)
def test_reads_what_people_and_slurmd_write(text: str, version: SlurmVersion) -> None:
    assert SlurmVersion.parse(text) == version


@pytest.mark.parametrize(
    "text", ["", "24", "24.", "v24", "latest", "124.11.5", "24.111", "1.24.11"]
)
def test_what_is_no_version_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a Slurm version"):
        SlurmVersion.parse(text)


def test_two_numbers_are_not_enough_where_the_third_decides() -> None:
    with pytest.raises(UsageError, match="all three numbers"):
        SlurmVersion.parse("23.02")


def test_a_slurm_that_knows_no_mig_is_refused() -> None:
    with pytest.raises(SlurmError, match=r"21\.08\.8 is too old"):
        SlurmVersion.parse("slurm 21.08.8")


def test_is_printed_as_it_was_given() -> None:
    assert [str(SlurmVersion.parse(text)) for text in ("22.05.8", "24.11")] == ["22.05.8", "24.11"]


@pytest.mark.parametrize(
    ("last_before", "first", "what"),
    [
        ("22.05.5", "22.05.6", "finds_caps_by_minor"),
        ("23.02.5", "23.02.6", "names_slices_as_nvml"),
        ("24.11.1", "24.11.2", "wants_whole_sockets"),
    ],
)
def test_where_slurm_changed(last_before: str, first: str, what: str) -> None:
    assert not getattr(SlurmVersion.parse(last_before), what)
    assert getattr(SlurmVersion.parse(first), what)
    assert getattr(SlurmVersion.parse("26.05"), what)


def test_links_of_slices_went_in_23_02_7() -> None:
    assert SlurmVersion.parse("23.02.6").gives_slices_links
    assert not SlurmVersion.parse("23.02.7").gives_slices_links


def test_the_name_buffer_grew_in_25_11_5() -> None:
    sizes = [SlurmVersion.parse(text).name_buffer for text in ("25.11.4", "25.11.5")]
    assert sizes == [64, 96]
