import pytest
from hypothesis import given
from hypothesis import strategies as st

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.client import GresCount, HeldGres
from slurm_mig.slurm.gres_text import NOTHING, counts, held, only_gres


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu:1g.10gb:2,gpu:3g.40gb:1", [("gpu", "1g.10gb", 2), ("gpu", "3g.40gb", 1)]),
        ("gpu:1g.10gb:2(S:0-1),gpu:4(S:0,1)", [("gpu", "1g.10gb", 2), ("gpu", None, 4)]),
        ("gres:gpu:1g.10gb:1", [("gpu", "1g.10gb", 1)]),
        ("gres/gpu:1g.10gb:1", [("gpu", "1g.10gb", 1)]),
        ("gres/gpu:1g.10gb=1", [("gpu", "1g.10gb", 1)]),
        ("gres/gpu=3", [("gpu", None, 3)]),
        ("gres:gpu", [("gpu", None, 1)]),
        ("gres:gpu:a100", [("gpu", "a100", 1)]),
        ("gpu:nvidia_a100_1g.5gb+me:1", [("gpu", "nvidia_a100_1g.5gb+me", 1)]),
        ("shard:16,bandwidth:lustre:4G", [("shard", None, 16), ("bandwidth", "lustre", 4 << 30)]),
        ("craynetwork:2K", [("craynetwork", None, 2048)]),
        ("gpu:0", [("gpu", None, 0)]),
        *((nothing, []) for nothing in sorted(NOTHING)),
    ],
)
def test_what_there_is(text: str, found: list[tuple[str, str | None, int]]) -> None:
    assert counts(text) == tuple(GresCount(*each) for each in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu:1g.10gb:2(IDX:0-1),gpu:3g.40gb:0(IDX:N/A)", [("gpu", "1g.10gb", 2, (0, 1))]),
        (
            "gpu:1g.10gb:3(IDX:0,2-3),gpu:3g.40gb:1(IDX:5)",
            [("gpu", "1g.10gb", 3, (0, 2, 3)), ("gpu", "3g.40gb", 1, (5,))],
        ),
        ("gpu:1g.10gb:1(IDX:0),gpu:3g.40gb:0(IDX:)", [("gpu", "1g.10gb", 1, (0,))]),
        ("gpu:2(IDX:0,7)", [("gpu", None, 2, (0, 7))]),
        ("craynetwork:3", [("craynetwork", None, 3, None)]),
        ("gpu:0", []),
        ("", []),
    ],
)
def test_what_is_held(text: str, found: list[tuple[str, str, int, tuple[int, ...]]]) -> None:
    assert held(text, "n1") == tuple(HeldGres("n1", *each) for each in found)


@pytest.mark.parametrize("text", ["gpu:a:b:1", ":1", "gpu:a:1,,b:c:d:e", "=", "a=b=c=d"])
def test_what_is_no_list_of_gres(text: str) -> None:
    with pytest.raises(SlurmError, match="where a gres was expected"):
        counts(text)


@pytest.mark.parametrize("indices", ["x", "1-x", "0,,1", "-1", "1-2-3"])
def test_what_is_no_list_of_indices(indices: str) -> None:
    with pytest.raises(SlurmError, match="where the indices of a gres were expected"):
        held(f"gpu:1g.10gb:1(IDX:{indices})", "n1")


def test_licences_are_no_gres() -> None:
    text = "license/matlab:1,gres/gpu:1g.10gb:1,cpu:4,gres/shard=2"
    assert only_gres(text) == "gres/gpu:1g.10gb:1,gres/shard=2"
    assert only_gres("N/A") == ""


_TYPES = st.from_regex(r"[0-9]g\.[0-9]{1,2}gb(\+me)?", fullmatch=True)


@given(st.lists(st.tuples(_TYPES, st.sets(st.integers(0, 60), min_size=1)), max_size=4))
def test_what_slurm_writes_is_read_back(wanted: list[tuple[str, set[int]]]) -> None:
    text = ",".join(
        f"gpu:{kind}:{len(indices)}(IDX:{','.join(map(str, sorted(indices)))})"
        for kind, indices in wanted
    )
    found = held(text, "n")
    assert [(each.type, each.number, set(each.indices or ())) for each in found] == [
        (kind, len(indices), indices) for kind, indices in wanted
    ]
