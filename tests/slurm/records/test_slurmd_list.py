"""What real slurmds printed (22.05.8, 24.11.5 and 26.05.5), and what none should."""

import pytest

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.records.slurmd_list import SlurmdGres, parse_slurmd_list

CAP = "/dev/nvidia-caps/nvidia-cap"
OLD = f"""\
slurmd-n1: gpu/nvml: _get_system_gpu_list_nvml: 2 GPU system device(s) detected
slurmd-n1: Gres Name=gpu Type=1g.10gb Count=1 Index=103 ID=7696487 File=/dev/nvidia0,{CAP}102,\
{CAP}103 Cores=0-15 CoreCnt=16 Links=0,-1
slurmd-n1: Gres Name=gpu Type=l40s Count=1 Index=1 ID=7696487 File=/dev/nvidia1 (null)
slurmd-n1: Gres Name=nic Type=(null) Count=4 ID=1 (null)
"""
NEW = f"""\
slurmd: debug:  Log file re-opened
slurmd-n1:     GRES[gpu] Type:l40s Count:1 Cores(16):0-15  Links:0,-1 Flags:HAS_FILE,HAS_TYPE \
File:/dev/nvidia1 UniqueId:(null)
slurmd-n1: GRES: gpu device number 1(/dev/nvidia1):c 195:1 rwm
slurmd-n1: Gres Name=gpu Type=1g.10gb Count=1 Index=103 ID=7696487 File=/dev/nvidia0,{CAP}102,\
{CAP}103 Links=(null) Flags=HAS_FILE,HAS_TYPE,ENV_NVML
slurmd-n1: Gres Name=gpu Type=l40s Count=1 Index=1 ID=7696487 File=/dev/nvidia1 Cores=0-15 \
CoreCnt=16 Links=0,-1 Flags=HAS_FILE,HAS_TYPE,ENV_NVML
"""
STAMPED = f"""\
[2026-11-24T09:42:47.327] Node configuration differs from hardware: CPUs=16:2(hw)
[2026-11-24T09:42:47.329] Gres Name=gpu Type=1g.10gb Count=1 Index=103 ID=7696487 \
File=/dev/nvidia0,{CAP}102,{CAP}103 Links=(null) Flags=HAS_FILE,HAS_TYPE,ENV_NVML
[2026-11-24T09:42:47.330] Gres Name=gpu Type=l40s Count=1 Index=1 ID=7696487 \
File=/dev/nvidia1 Links=(null) Flags=HAS_FILE,HAS_TYPE,ENV_NVML
"""


@pytest.mark.parametrize("output", [OLD, NEW, STAMPED])
def test_the_place_in_the_list_is_the_gres_index(output: str) -> None:
    first, second = parse_slurmd_list(output)
    assert first == SlurmdGres(0, "1g.10gb", ("/dev/nvidia0", f"{CAP}102", f"{CAP}103"))  # type: ignore[arg-type]
    assert second == SlurmdGres(1, "l40s", ("/dev/nvidia1",))  # type: ignore[arg-type]


def test_nothing_printed_is_no_gres() -> None:
    assert parse_slurmd_list("") == ()


def test_a_file_that_stands_for_several_gpus() -> None:
    line = "slurmd: Gres Name=gpu Type=(null) Count={} ID=1 File=/dev/nvidia[0-1] (null)\n"
    records = parse_slurmd_list(line.format(2) + line.format(2))
    assert [(each.gres_index, each.type, each.files) for each in records] == [
        (0, None, ("/dev/nvidia0",)),
        (1, None, ("/dev/nvidia1",)),
        (2, None, ("/dev/nvidia0",)),
        (3, None, ("/dev/nvidia1",)),
    ]
    with pytest.raises(SlurmError, match="count and files differ"):
        parse_slurmd_list(line.format(3))


@pytest.mark.parametrize("files", ["", "File=(null)"])
def test_a_gpu_without_files_has_no_place(files: str) -> None:
    with pytest.raises(SlurmError, match=r"without device files .*gen-gres --output"):
        parse_slurmd_list(f"slurmd: Gres Name=gpu Type=a Count=4 ID=7 {files}\n")


def test_files_that_cannot_be_read() -> None:
    with pytest.raises(SlurmError, match="cannot be read"):
        parse_slurmd_list("slurmd: Gres Name=gpu Type=a Count=1 File=/dev/nvidia[0-\n")
