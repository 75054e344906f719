from slurm_mig.slurm.records.autodetect import gpu_key, mistaken_types, slice_key
from slurm_mig.slurm.version import SlurmVersion
from tests.slurm.nodes import gpu, mig_device, whole_gpu

OLD = SlurmVersion(22, 5, 8)
NEW = SlurmVersion(24, 11, 5)


def test_whole_gpus_come_first_and_slices_go_by_their_files_as_numbers() -> None:
    first, tenth = gpu(gpu_index=0, gpu_minor=2), gpu(gpu_index=1, gpu_minor=10)
    keys = [
        gpu_key(whole_gpu(5), NEW),
        slice_key(first, mig_device("1g.5gb", 7, gpu_minor=2, mig_index=3), NEW),
        slice_key(first, mig_device("1c.2g.10gb", 8, 0, gpu_minor=2, mig_index=1), NEW),
        slice_key(first, mig_device("1c.2g.10gb", 8, 1, gpu_minor=2, mig_index=0), NEW),
        slice_key(tenth, mig_device("1g.5gb", 7, gpu_minor=10), NEW),
    ]
    assert keys == sorted(keys)


def test_22_05_deals_the_slices_out_gpu_by_gpu() -> None:
    keys = [
        slice_key(gpu(gpu_index=0), mig_device("1g.5gb", 9, gpu_minor=0, mig_index=0), OLD),
        gpu_key(whole_gpu(1), OLD),
        slice_key(gpu(gpu_index=0), mig_device("1g.5gb", 7, gpu_minor=0, mig_index=1), OLD),
        slice_key(gpu(gpu_index=2), mig_device("1g.5gb", 7, gpu_minor=2, mig_index=1), OLD),
    ]
    assert sorted(keys) == [keys[0], keys[2], keys[1], keys[3]]


def test_full_types_are_never_mistaken() -> None:
    names = ["nvidia_h100_80gb_hbm3", "nvidia_h100_80gb_hbm3_1g.10gb"]
    names += [f"{names[1]}+me", "nvidia_h100_80gb_hbm3_1c.3g.40gb"]
    assert mistaken_types((name, name) for name in names for _ in range(3)) == []


def test_a_type_within_another_goes_to_the_longer_one_first() -> None:
    base = "nvidia_h100_80gb_hbm3_"
    pairs = [(f"{base}1g.10gb", "1g.10gb")] * 3 + [(f"{base}1g.10gb+me", "1g.10gb+me")]
    assert mistaken_types(pairs) == []


def test_a_whole_gpus_type_within_a_slices_is_mistaken_when_it_is_the_longer_one() -> None:
    full = "nvidia_rtx_pro_6000_blackwell_server_edition"
    pairs = [(full, "rtx_pro_6000"), (f"{full}_1g.24gb", "1g.24gb")]
    assert mistaken_types(pairs) == [(f"{full}_1g.24gb", "1g.24gb", "rtx_pro_6000")]


def test_a_short_model_name_is_not() -> None:
    full = "nvidia_h100_80gb_hbm3"
    assert mistaken_types([(full, "h100"), (f"{full}_1g.10gb", "1g.10gb")]) == []
