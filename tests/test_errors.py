"""What a user is told, and with which exit code."""

import pytest

from slurm_mig import errors


def test_one_problem_stays_on_one_line() -> None:
    assert str(errors.Refused("gres.conf", ["no slice"])) == "gres.conf: no slice"


def test_several_problems_are_all_told() -> None:
    told = str(errors.Refused("gres.conf", ["no slice", "no node"]))
    assert told.splitlines() == ["gres.conf: 2 problems", "  no slice", "  no node"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Refused("x", ["y"]), 1),
        (errors.UsageError("x"), 2),
        (errors.NvmlError("x", 15), 1),
        (errors.CapsError("x"), 1),
        (errors.SlurmError("x"), 1),
    ],
)
def test_exit_codes_are_on_the_classes(error: errors.SlurmMigError, code: int) -> None:
    assert error.exit_code == code


def test_nvml_code_is_kept() -> None:
    assert errors.NvmlError("lost", 15).code == 15
    assert errors.NvmlError("no library").code is None
