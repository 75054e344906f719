"""The plain part of TOML against tomllib."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.hooks import plaintoml

PLAIN = """\
# a site's settings
[hooks]
foreign_process = "drain"
leftover_wait_s = 5
export = ["GPU_DEVICE_ORDINAL", "NVIDIA_VISIBLE_DEVICES"]
dcgm_job_mapping_dir = ""
empty = []

[other]
on = true
"""


def test_plain_text_is_read_as_tomllib_reads_it() -> None:
    assert plaintoml.tables(PLAIN) == tomllib.loads(PLAIN)


@pytest.mark.parametrize(
    "line",
    [
        *("[t]\n" + line for line in (
            "a = 'x'", 'a = "x" # why', 'a = "\\n"', 'a = """x"""', "a.b = 1", '"a" = 1',
            "a = 1.5", "a = 1_0", "a = 0x1", "a = [1]", "a = {b = 1}", "a = 1\na = 2", "a =", "a",
            'a = "x', "a = 01", 'a = ["x",]', "a = 2026-01-01", "a = -1", "a = [\n]",
        )),
        "a = 1", "[a.b]", "[[a]]", "[a]\n[a]", "[a",
    ],
)  # fmt: skip
def test_the_rest_is_left_to_tomllib(line: str) -> None:
    assert plaintoml.tables(line) is None


WORDS = st.from_regex(r"[a-z_-]{1,3}", fullmatch=True) | st.text(max_size=2)
VALUES = st.from_regex(r'"[a-z#=,\[\]]{0,4}"|[0-9]{1,3}|true|\["[a-z,]{0,3}"\]', fullmatch=True)
LINES = st.tuples(WORDS, VALUES).map(" = ".join) | WORDS.map("[{}]".format) | st.text(max_size=6)


@given(st.lists(LINES, max_size=4).map("\n".join))
def test_never_another_answer_than_tomllib_s(text: str) -> None:
    found = plaintoml.tables(text)
    if found is not None:
        assert found == tomllib.loads(text)
