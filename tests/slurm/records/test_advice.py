from slurm_mig.slurm.records.advice import comments
from slurm_mig.slurm.records.gres import GresGroup, node_gres
from tests.slurm.nodes import gpu, node, options, whole_gpu


def group(*, nodes: tuple[str, ...] = ("n1",), node_names: str | None = None) -> GresGroup:
    made = node_gres(node(gpu("1g.5gb"), whole_gpu(1)), options(profile=True))
    return GresGroup(node_names, nodes, made.records, made.types)


def test_what_must_hold_elsewhere_is_short() -> None:
    lines = comments([group()], options(), explain=False)
    assert lines[0] == "slurm.conf   NodeName=n1 Gres=gpu:a100:1,gpu:1g.5gb:1"
    assert any("ConstrainDevices=yes" in line for line in lines)
    assert "AccountingStorageTRES=gres/gpu,gres/gpu:a100,gres/gpu:1g.5gb  (only" in lines[-1]
    assert len(lines) == 4


def test_types_of_all_groups_are_accounted_once() -> None:
    lines = comments([group(), group(node_names="n[2-3]", nodes=("n2", "n3"))], options(), False)
    assert lines[1].startswith("slurm.conf   NodeName=n[2-3] Gres=")
    assert lines[-1].count("gres/gpu:a100") == 1


def test_at_length_every_index_is_named() -> None:
    lines = comments([group()], options(), explain=True)
    assert any(line.startswith("AutoDetect=off:") for line in lines)
    assert lines[-2].split() == ["gres_index", "0", "whole", "GPU", "/dev/nvidia1", "GPU-1"]
    assert lines[-1].split() == ["gres_index", "1", "1g.5gb", "/dev/nvidia0", "MIG-0-7-0"]


def test_many_nodes_have_no_uuids_in_common() -> None:
    many = group(node_names="n[1-2]", nodes=("n1", "n2"))
    lines = comments([many], options(nvml=True), explain=True)
    assert any(line.startswith("AutoDetect=nvml:") for line in lines)
    assert lines[-3] == "n[1-2]:"
    assert not any("MIG-" in line for line in lines)
