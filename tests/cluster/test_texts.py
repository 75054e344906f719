"""The pure parts: what words of a command line, slurm.conf and the probe's output mean."""

import pytest

from tests.cluster import reach, simulated, slurmconf
from tests.cluster.node import ClusterError
from tests.cluster.slurmconf import NodeConf


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ("h100-80gb", "h100-80gb=balanced"),
        ("h100-80gb=off", "h100-80gb"),
        ("a100-40gb=3g.20gb/4x1g.5gb", "a100-40gb=3g.20gb/4x1g.5gb"),
        ("l40s", "l40s"),
    ],
)
def test_a_gpu_comes_ready_to_use(asked: str, made: str) -> None:
    assert simulated.ready_to_use(asked) == made


def test_an_unknown_gpu_is_an_error() -> None:
    with pytest.raises(ClusterError, match=r"no GPU model 'h1': there are .*h100-80gb"):
        simulated.ready_to_use("h1")


def test_nodes_are_read_from_words() -> None:
    nodes = simulated.parse_nodes(["n1:h100-80gb,l40s", "n2"])
    assert nodes == {"n1": ["h100-80gb", "l40s"], "n2": []}
    assert simulated.parse_nodes(nodes) is nodes


def test_settings_replace_those_that_stand_there() -> None:
    conf = slurmconf.slurm_conf("/p", [], {"SlurmdDebug": "debug5", "Prolog": "/x"})
    assert conf.count("SlurmdDebug=") == 1
    assert "SlurmdDebug=debug5\n" in conf
    assert "Prolog=/x\n" in conf


def test_a_node_without_gres_has_no_gres_key() -> None:
    conf = slurmconf.slurm_conf(
        "/p", [NodeConf("n1", "", 8, 7001), NodeConf("n2", "gpu:2", 8, 7002)]
    )
    one, two = (line for line in conf.splitlines() if line.startswith("NodeName="))
    assert "Gres=" not in one
    assert "Gres=gpu:2 " in two


def test_the_probe_is_read_and_nothing_else() -> None:
    output = 'srun: hello\n{"host": "n1", "told": {}, "devices": {"/a": "ENXIO", "/b": "EPERM"}}\n'
    (answer,) = reach.parse(output)
    assert answer.allowed == {"/a"}
    assert answer.refused == {"/b"}


def test_an_outcome_that_proves_nothing_is_no_answer() -> None:
    with pytest.raises(ValueError, match="neither allowed nor refused"):
        reach.parse('{"host": "n1", "told": {}, "devices": {"/a": "ENOENT"}}')
