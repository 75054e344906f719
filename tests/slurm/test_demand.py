"""Which pending jobs a change would strand, by hand and by real slurmctlds; whom it waits for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from slurm_mig.slurm.demand import stranded, text
from tests.cluster.roots import GATING
from tests.cluster.slurmctlds import accepts


class Gres(NamedTuple):
    """As the Slurm port has them."""

    name: str
    type: str | None
    number: int


class Node(NamedTuple):
    """Of a node, what is asked here."""

    name: str
    gres: tuple[Gres, ...]
    partitions: tuple[str, ...] = ("p",)


class Job(NamedTuple):
    """Of a job, what is asked here."""

    shown: str
    gres_wanted: tuple[Gres, ...] = ()
    partition: str = "p"
    user: str = "u"


def gpus(value: str) -> tuple[Gres, ...]:
    """ "1g:7,nic/2,3" -> gpus by type, others by name, untyped ones."""
    made = []
    for item in filter(None, value.split(",")):
        name, _, count = item.rpartition("/")
        kind, _, number = item.rpartition(":")
        made.append(
            Gres(name, None, int(count)) if name else Gres("gpu", kind or None, int(number))
        )
    return tuple(made)


def verdicts(asked: str, now: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Why a job that asks so would be stranded; what is not certain ends with "?"."""
    nodes = [Node(name, gpus(value)) for name, value in now.items()]
    new = {name: gpus(value) for name, value in after.items()}
    found = stranded([Job("7", gpus(asked))], nodes, new)
    assert all((one.job, one.user) == ("7", "u") for one in found)
    return [one.why + ("" if one.certain else "?") for one in found]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("1g:1", "no node that it may use will have gpu:1g"),
        ("1g:9", None),  # it waited in vain before
        ("1g+me:1", None),
        ("3g:1", None),
        ("3g:2", "no node will have more than 1 of gpu:3g?"),
        ("3g:3", "the nodes that it may use will have 2 of gpu:3g in all"),
        ("7g:1", None),
        ("2", None),
        ("4", "the nodes that it may use will have 3 of gpu in all"),
        ("nic/4", None),
        ("", None),
    ],
)
def test_what_would_be_gone(asked: str, why: str | None) -> None:
    now = {"n1": "1g:7,3g:3,nic/4", "n2": "3g:1,1g+me:1"}
    found = verdicts(asked, now, {"n1": "3g:1"})
    assert found == ([] if why is None else [why])


def test_a_type_that_another_node_keeps_is_not_gone() -> None:
    assert verdicts("1g:1", {"n1": "1g:7", "n2": "1g:1"}, {"n1": "3g:1"}) == []
    assert verdicts("1g:1", {"n1": "1g:7", "n2": "1g:1"}, {"n1": "3g:1", "n2": "3g:1"})


def test_every_type_of_a_job_is_told() -> None:
    found = verdicts("1g:1,2g:1", {"n1": "1g:1,2g:1"}, {"n1": "3g:1"})
    assert [why.rpartition(" ")[2] for why in found] == ["gpu:1g", "gpu:2g"]


def test_only_the_nodes_of_its_partition_count() -> None:
    nodes = [Node("n1", gpus("1g:1"), ("a", "b")), Node("n2", gpus("1g:1"), ("c",))]
    after = {"n1": gpus("3g:1")}
    jobs = [Job(name, gpus("1g:1"), name) for name in ("a", "b,x", "a,c", "c", "unknown", "")]
    assert [one.job for one in stranded(jobs, nodes, after)] == ["a", "b,x"]


def test_no_nodes_and_no_jobs() -> None:
    assert stranded([], [], {}) == stranded([Job("1", gpus("1g:1"))], [], {}) == ()


def test_text() -> None:
    assert [text(one) for one in gpus("1g:2,3,nic/1")] == ["gpu:1g:2", "gpu:3", "nic:1"]


TYPES = ("1g.10gb", "1g.10gb+me", "3g.40gb")
HAS = st.dictionaries(st.sampled_from(TYPES), st.integers(1, 3), min_size=1)
ASKED = [(kind, count, each) for kind in TYPES for count in (1, 2, 4) for each in (True, False)]


@pytest.mark.parametrize("release", GATING)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(now=st.tuples(HAS, HAS), after=HAS)
def test_slurmctld_takes_and_refuses_the_same_jobs(
    release: str, now: tuple[dict[str, int], dict[str, int]], after: dict[str, int]
) -> None:
    """What we call stranded is accepted before the change, and refused after it; all else not."""
    options = [f"--gres=gpu:{k}:{n} -N1" if each else f"--gpus={k}:{n}" for k, n, each in ASKED]
    was, will = (_accepted(release, has, options) for has in (now, (after, now[1])))
    nodes = [Node(name, _gres(has)) for name, has in zip("ab", now, strict=True)]
    for at, (kind, count, each) in enumerate(ASKED):
        found = stranded([Job("1", (Gres("gpu", kind, count),))], nodes, {"a": _gres(after)})
        ours = bool(found) if each else any(one.certain for one in found)
        lost = was[at] and not will[at]
        # Slurm's list of what a job asks for does not say whether it is for each node: a job that
        # no node alone can serve may be called stranded though it never could run.
        assert ours == lost or (each and not was[at]), (options[at], now, after)


def _gres(has: Mapping[str, int]) -> tuple[Gres, ...]:
    return tuple(Gres("gpu", kind, count) for kind, count in has.items())


def _accepted(release: str, has: Sequence[Mapping[str, int]], options: Sequence[str]) -> list[bool]:
    lines = [
        f"NodeName={name} CPUs=4 Port={7000 + ord(name)}"
        f" Gres={','.join(f'gpu:{kind}:{count}' for kind, count in each.items())}\n"
        for name, each in zip("ab", has, strict=True)
    ]
    conf = f"{''.join(lines)}PartitionName=p Nodes=ALL Default=YES\n"
    return accepts(release, conf, ["a", "b"], options)
