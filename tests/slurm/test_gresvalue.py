"""Values of `Gres=`: other gpus in the place of those that were there."""

import pytest

from slurm_mig.slurm.gresvalue import gpus_of, items, with_gpus


@pytest.mark.parametrize(
    ("present", "gpus", "new"),
    [
        ("", "gpu:a:1", "gpu:a:1"),
        ("gpu:8", "gpu:a:1,gpu:b:2", "gpu:a:1,gpu:b:2"),
        ("nic:1,gpu:a:1,fpga:2,gpu:b:1", "gpu:c:3", "nic:1,gpu:c:3,fpga:2"),
        ("nic:1", "gpu:c:3", "gpu:c:3,nic:1"),
        (
            "GPU:a:1(S:0-1),bandwidth:lustre:no_consume:4G",
            "gpu:b:1",
            "gpu:b:1,bandwidth:lustre:no_consume:4G",
        ),
        ("nic:1,gpu:a:1", "", "nic:1"),
        ("gpu:a:1", "", ""),
    ],
)
def test_other_gpus(present: str, gpus: str, new: str) -> None:
    assert with_gpus(present, gpus) == new
    assert with_gpus(new, gpus) == new
    assert gpus_of(new) == gpus


@pytest.mark.parametrize("share", ["mps:100", "shard:a100:8", "SHARD:1"])
def test_shares_of_gpus_are_refused(share: str) -> None:
    with pytest.raises(ValueError, match="counts on the GPUs as they are"):
        with_gpus(f"gpu:1,{share}", "gpu:a:1")


def test_items_without_what_scontrol_adds() -> None:
    assert items("gpu:a:1(S:0-1),nic:2(IDX:0,3)") == ["gpu:a:1", "nic:2"]
    assert items("(null)") == items("") == []
