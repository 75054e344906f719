"""The bare JSON against the module json."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.errors import HookError
from slurm_mig.hooks import jsonlight

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_as_json_has_it(value: object) -> None:
    assert json.loads(jsonlight.dumps(value)) == value
    assert jsonlight.loads(f" {json.dumps(value, indent=1)}\n") == value


@pytest.mark.parametrize(
    "text", ["", "{", '{"a":}', "[1,]", "nul", "1 2", "NaN", "-Infinity", "'a'"]
)
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(HookError, match="not JSON"):
        jsonlight.loads(text)


def test_what_is_not_for_a_record() -> None:
    with pytest.raises(TypeError, match="bytes is not for a record"):
        jsonlight.dumps({"a": [b"x"]})
