"""Who held a slice and hardly used it."""

from typing import Any

import pytest

from slurm_mig.usage.report.idle import idle
from tests.usage.report import made


def kind(**changes: Any) -> str | None:
    record = made.one_record(made.one_slice("3g.40gb", made.sampled(9.0, **changes)))
    found = idle(made.rows(record)[0].slice)
    return None if found is None else found.kind


def processes(mean: float) -> dict[str, Any]:
    return {"processes": {"method": "nvml-processes", "mean": mean, "peak": 9}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (processes(0.0), "no process"),
        (processes(0.49), "no process"),
        (processes(0.5), None),
        ({"activity": made.activity(0.005)}, "no activity"),
        ({"activity": made.activity(0.01)}, None),
        ({"activity": made.activity(0.0, shared=True)}, None),
        ({**processes(0.0), "activity": made.activity(0.9)}, "no process"),
        ({"processes": None, "activity": None}, None),
        ({**processes(0.0), "sampled_s": 299.0}, None),
    ],
)
def test_kinds(changes: dict[str, Any], said: str | None) -> None:
    assert kind(**changes) == said


def test_nothing_is_said_of_what_was_not_sampled() -> None:
    assert idle(made.rows(made.one_record(made.one_slice("3g.40gb", None)))[0].slice) is None
