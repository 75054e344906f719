"""A slice as a share of its GPU, by the names that its record has."""

import pytest

from slurm_mig.usage.report.models import memory_of, model_of, shape_of
from slurm_mig.usage.store.nouns import Slice
from tests.usage.report import made


def read(profile: str | None, gpu: str | None = made.H100, memory_mib: int | None = None) -> Slice:
    one = made.one_slice(profile, None, gpu_name=gpu, memory_mib=memory_mib)
    return made.rows(made.one_record(one))[0].slice


def test_models_are_found_by_their_names() -> None:
    model = model_of(made.A100)
    assert model is not None
    assert (model.whole.compute, model.whole.units, model.assumed) == (7, 8, ())
    assert [shape.profile for shape in model.shapes][:2] == ["1g.5gb", "1g.5gb+me"]


@pytest.mark.parametrize("name", [None, "", "NVIDIA L40S", "a GPU"])
def test_no_model_without_mig(name: str | None) -> None:
    assert model_of(name) is None


@pytest.mark.parametrize(
    ("profile", "compute", "units"),
    [("3g.40gb", 3, 4), ("1c.3g.40gb", 1, 4), ("1g.20gb", 1, 2), (None, 7, 8)],
)
def test_shapes(profile: str | None, compute: int, units: int) -> None:
    shape = shape_of(read(profile))
    assert shape is not None
    assert (shape.compute, shape.units) == (compute, units)


@pytest.mark.parametrize("profile", ["3g.39gb", "9c.3g.40gb", "nonsense", "3g"])
def test_no_shape_of_what_the_model_does_not_have(profile: str) -> None:
    assert shape_of(read(profile)) is None


def test_memory_is_what_the_record_says_else_the_models() -> None:
    assert memory_of(read("3g.40gb", memory_mib=39_000)) == 39_000
    assert memory_of(read("3g.40gb")) == 40_448
    assert memory_of(read(None)) == 81_559
    assert memory_of(read("3g.40gb", "a GPU")) is None
