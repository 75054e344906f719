"""Types against the examples of Slurm's own runs (22.05.8, 24.11.5, 26.05.5)."""

import pytest

from slurm_mig.slurm.records import types
from slurm_mig.slurm.version import SlurmVersion
from tests.slurm.nodes import A100, H100, RTX, gpu, mig_device, whole_gpu

OLD = SlurmVersion(22, 5, 8)
LAST_OLD = SlurmVersion(23, 2, 5)
NEW = SlurmVersion(24, 11, 5)
LONG_NAMES = SlurmVersion(25, 11, 5)


@pytest.mark.parametrize(
    ("name", "profile", "full"),
    [
        (A100, "1g.5gb", "nvidia_a100_1g.5gb"),
        (A100, "1g.5gb+me", "nvidia_a100_1g.5gb+me"),
        (A100, "1c.3g.20gb", "nvidia_a100_1c.3g.20gb"),
        (H100, "3g.40gb", "nvidia_h100_80gb_hbm3_3g.40gb"),
        (H100, "1c.3g.40gb", "nvidia_h100_80gb_hbm3_1c.3g.40gb"),
        (RTX, "1g.24gb-me", "nvidia_rtx_pro_6000_blackwell_server_edition_1g.24gb-me"),
        ("A100-PCIE-40GB", "1g.5gb", "a100_1g.5gb"),
    ],
)
def test_a_slice_ends_as_nvml_names_it(name: str, profile: str, full: str) -> None:
    assert types.full_slice_type(gpu(name=name), mig_device(profile, 7), NEW) == full


@pytest.mark.parametrize(
    ("name", "profile", "full"),
    [
        (A100, "1g.5gb+me", "nvidia_a100_1g.5gb"),  # 4.75 GiB
        (A100, "3g.20gb", "nvidia_a100_3g.20gb"),  # 19.5: halves go up
        (H100, "3g.40gb", "nvidia_h100_80gb_hbm3_3g.39gb"),  # 39.25
        (H100, "1c.3g.40gb", "nvidia_h100_80gb_hbm3_3g.39gb"),
        (H100, "7g.80gb", "nvidia_h100_80gb_hbm3_7g.79gb"),  # 78.5
    ],
)
@pytest.mark.parametrize("version", [OLD, LAST_OLD])
def test_before_23_02_6_it_ends_in_slices_and_rounded_gib(
    name: str, profile: str, full: str, version: SlurmVersion
) -> None:
    assert types.full_slice_type(gpu(name=name), mig_device(profile, 7), version) == full


def test_a_name_too_long_for_slurm_falls_back_to_slices_and_memory() -> None:
    parent, device = gpu(name=RTX), mig_device("1c.2g.24gb+me.all", 7)
    base = "nvidia_rtx_pro_6000_blackwell_server_edition"
    assert len(f"{RTX} MIG {device.profile}") >= 64
    assert types.full_slice_type(parent, device, NEW) == f"{base}_1c.2g.24gb"
    assert types.full_slice_type(parent, device, LONG_NAMES) == f"{base}_1c.2g.24gb+me.all"


def test_the_longest_name_that_fits() -> None:
    device = mig_device("1g.5gb", 7)
    fits = gpu(name="N" * (63 - len(" MIG 1g.5gb")))
    longer = gpu(name=fits.name + "N")
    assert types.detected_profile(fits, mig_device("1g.5gb", 7), NEW) == "1g.5gb"
    # 4.75 GiB goes up here, where the versions before 23.02.6 round.
    assert types.detected_profile(longer, device, NEW) == "1g.5gb"


def test_a_whole_gpu_keeps_its_whole_name() -> None:
    assert types.gpu_type(whole_gpu()) == "nvidia_a100-sxm4-40gb"
    assert types.gpu_type(whole_gpu(name=H100)) == "nvidia_h100_80gb_hbm3"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (A100, "a100"),
        (H100, "h100"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA L40S", "l40s"),
        (RTX, "rtx_pro_6000"),
        ("Tesla T4", "t4"),
        ("NVIDIA Graphics Device", "graphics_device"),
    ],
)
def test_the_short_name_of_a_whole_gpu_is_its_model(name: str, short: str) -> None:
    assert types.short_gpu_type(whole_gpu(name=name)) == short


@pytest.mark.parametrize(
    "name", ["nvidia_a100_1g.5gb+me", "1c.3g.40gb", "rtx_pro_6000", "1g.24gb-me", "a"]
)
def test_words_that_slurm_reads_as_they_are(name: str) -> None:
    assert types.misread_type(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a:b",
        "a,b",
        "a=b",
        "a#b",
        'a"b',
        "a'b",
        "a b",
        "a[1]",
        "a(s:0)",
        "ä",
        "a\n",
        "-a",
        "a\\",
    ],
)
def test_words_that_slurm_would_cut(name: str) -> None:
    assert types.misread_type(name) is not None
    assert types.misread_node(name) is not None


@pytest.mark.parametrize("name", ["4090", "1g", "2K", "5t"])
def test_types_that_slurm_takes_for_a_count(name: str) -> None:
    assert "count" in (types.misread_type(name) or "")


@pytest.mark.parametrize("name", ["n1", "node-07", "rack1_n2", "gpu.example.org"])
def test_node_names_that_slurm_reads_as_they_are(name: str) -> None:
    assert types.misread_node(name) is None


def test_default_is_no_node() -> None:
    assert "DEFAULT" in (types.misread_node("default") or "")


def test_the_number_of_a_type() -> None:
    """That of a gres is made the same way: `slurmd -G` shows 7696487 for gpu."""
    assert types.type_id("gpu") == 7696487
    assert types.type_id("1g.11gb") == types.type_id("2g.10gb")
    assert types.type_id("1g.23gb") == types.type_id("4g.20gb")
    assert types.type_id("1g.10gb") != types.type_id("1g.20gb")
    assert types.type_id("z" * 2000) < 1 << 32
