import pytest

from slurm_mig.model import GiId, GpuInstance, MigMode, Node
from slurm_mig.slurm.records.gres import GresOptions, node_gres
from slurm_mig.slurm.records.refusals import problems, warnings
from tests.slurm.nodes import RTX, device_file, gpu, mig_device, node, options, whole_gpu


def problems_of(of: Node, given: GresOptions | None = None) -> list[str]:
    given = given or options()
    return problems(of, node_gres(of, given), given)


def test_nothing_is_wrong_with_slices_whole_gpus_and_gpus_without_mig() -> None:
    fine = node(gpu("1g.5gb", "3g.20gb"), whole_gpu(1), gpu(gpu_index=2, mig_mode=None))
    assert problems_of(fine) == problems_of(fine, options("22.05.8", nvml=True)) == []


def test_a_device_file_s_problems_are_told_with_the_gpu_and_once() -> None:
    bad = "/dev/nvidia-caps/nvidia-cap3 is missing: run nvidia-modprobe -f ..."
    devices = [
        mig_device("1c.2g.10gb", 0, 0, problems=[bad]),
        mig_device("1c.2g.10gb", 0, 1, problems=[bad]),
    ]
    assert problems_of(node(gpu(devices=devices))) == [f"GPU 0: {bad}"]


def test_a_whole_gpu_s_device_file_counts_only_with_mig_off() -> None:

    bad = whole_gpu()._replace(device_file=device_file("/dev/nvidia0", "is missing"))
    assert problems_of(node(bad)) == ["GPU 0: is missing"]


def test_mig_without_slices() -> None:
    (problem,) = problems_of(node(gpu(gpu_index=3)))
    assert problem.startswith("GPU 3: MIG is on but there is no slice")
    assert "nvidia-smi mig -i 3 -cgi" in problem


def test_mig_with_nothing_but_empty_gpu_instances_names_their_remedy() -> None:
    empty = [GpuInstance(GiId(number), "3g.20gb", None) for number in (1, 2)]
    (problem,) = problems_of(node(gpu(empty=empty)))
    assert "nvidia-smi mig -i 0 -gi 1,2 -cci" in problem


def test_a_type_that_slurm_would_read_differently() -> None:
    (problem,) = problems_of(node(gpu("1g.5gb", name="NVIDIA A100:40#")))
    assert "'nvidia_a100:40#_1g.5gb'" in problem


def test_two_devices_with_the_same_files() -> None:
    twins = [mig_device("1g.5gb", 7), mig_device("1g.5gb", 7)]
    (problem,) = problems_of(node(gpu(devices=twins)))
    assert problem.startswith("2 devices have the same files")


def test_a_gap_in_the_mig_indices_matters_to_autodetect_alone() -> None:
    gap = node(gpu(devices=[mig_device("1g.5gb", 7), mig_device("1g.5gb", 9, mig_index=2)]))
    assert problems_of(gap) == []
    (problem,) = problems_of(gap, options(nvml=True))
    assert "MIG index 1 is empty" in problem


@pytest.mark.parametrize(("version", "count"), [("22.05.5", 1), ("22.05.6", 0)])
def test_old_autodetect_confuses_minor_and_index(version: str, count: int) -> None:
    swapped = node(gpu("1g.5gb", gpu_index=0, gpu_minor=1))
    assert len(problems_of(swapped, options(version, nvml=True))) == count
    assert problems_of(swapped, options(version)) == []


def test_short_types_that_autodetect_would_mistake() -> None:
    mixed = node(whole_gpu(0, RTX), gpu("1g.24gb", name=RTX, gpu_index=1))
    assert problems_of(mixed, options(profile=True)) == []
    assert problems_of(mixed, options(nvml=True)) == []
    (problem,) = problems_of(mixed, options(nvml=True, profile=True))
    assert "use --types full" in problem


def test_types_that_are_one_to_slurm() -> None:
    """Only short types: the GPUs' names keep the full ones apart."""
    mixed = node(gpu("4g.20gb"), gpu("1g.23gb", name="NVIDIA B200", gpu_index=1))
    assert problems_of(mixed, options()) == []
    assert problems_of(mixed, options(profile=True)) == [
        "types 4g.20gb and 1g.23gb are one to Slurm, which knows types by the sum of their letters:"
        " use --types full"
    ]


def test_every_problem_at_once() -> None:
    wrong = node(gpu(), gpu(gpu_index=1), gpu("1g.5gb", name="a,b", gpu_index=2))
    assert len(problems_of(wrong)) == 3


def test_warnings_are_discover_s_and_types_that_mean_two_things() -> None:
    mixed = node(gpu("1g.5gb", "1g.5gb+me", warnings=["MIG mode is ..."]), warnings=["as root"])
    assert warnings(mixed, node_gres(mixed, options())) == ["as root", "GPU 0: MIG mode is ..."]
    assert warnings(mixed, node_gres(mixed, options("22.05.8")))[2:] == [
        "type nvidia_a100_1g.5gb stands for 1g.5gb and 1g.5gb+me: jobs cannot choose between them"
    ]


def test_a_mode_that_will_change_is_no_reason_to_refuse() -> None:
    assert problems_of(node(gpu("1g.5gb", mig_mode=MigMode(True, False)))) == []
