"""Real slurmctlds, 22.05.8 and 24.11.5, see the nodes as before, but for the `Gres=` changed."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from slurm_mig.slurm.confedit import ConfFiles, describe, read_files, set_gpus
from slurm_mig.slurm.gresvalue import with_gpus
from slurm_mig.slurm.hostlist import expand, fold
from tests.cluster.roots import GATING
from tests.cluster.slurmctlds import hostnames, read_by_slurm
from tests.slurm.confs import RandomConf, confs
from tests.slurm.test_hostlist import NAMES

QUICK = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Two slurmctlds an example: to shrink a failure would take minutes.
REAL = settings(QUICK, max_examples=60, phases=[Phase.explicit, Phase.generate])


def changed(folder: Path, conf: RandomConf) -> tuple[ConfFiles, dict[str, str]]:
    """The files as read, and after the change, by name."""
    for name, text in conf.files.items():
        (folder / name).write_bytes(text.encode(errors="surrogateescape"))
    files = read_files(folder / "slurm.conf")
    new = {path.name: text for path, text in set_gpus(files, conf.wanted).items()}
    return files, {**conf.files, **new}


@QUICK
@given(conf=confs())
def test_our_own_reader_sees_only_what_was_wanted(tmp_path: Path, conf: RandomConf) -> None:
    before, after = changed(tmp_path, conf)
    nodes = describe(before.conf)
    for name, text in after.items():
        (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    again = read_files(tmp_path / "slurm.conf")
    for node, said in describe(again.conf).items():
        expected = dict(nodes[node])
        if node in conf.wanted:
            expected["gres"] = with_gpus(expected.get("gres", ""), conf.wanted[node])
        assert {"gres": "", **said} == {"gres": "", **expected}
    assert set_gpus(again, conf.wanted) == {}


@QUICK
@given(conf=confs())
def test_every_line_that_names_none_of_them_stays(tmp_path: Path, conf: RandomConf) -> None:
    before, after = changed(tmp_path, conf)
    for line in before.conf.lines:
        if line.record == "nodename" and set(expand(line.values[0][1])) & set(conf.wanted):
            continue
        raw = before.texts[line.file].split("\n")[line.first - 1 : line.last]
        assert "\n".join(raw) in after[line.file.name]


@pytest.mark.parametrize("release", GATING)
@REAL
@given(conf=confs())
def test_slurmctld_sees_only_what_was_wanted(
    release: str, tmp_path: Path, conf: RandomConf
) -> None:
    _, after = changed(tmp_path, conf)
    was, now = read_by_slurm(release, [conf.files, after], conf.hosts)
    assert was.keys() == now.keys() == set(conf.nodes)
    for node, fields in was.items():
        gres = fields.pop("Gres").replace("(null)", "")
        expected = with_gpus(gres, conf.wanted[node]) if node in conf.wanted else gres
        assert now[node].pop("Gres").replace("(null)", "") == expected
        assert now[node] == fields


@pytest.mark.parametrize("release", GATING)
def test_scontrol_reads_host_lists_as_we_do(release: str) -> None:
    lists: list[str] = []

    @settings(derandomize=True, database=None, max_examples=300)
    @given(NAMES)
    def collect(names: list[str]) -> None:
        lists.append(fold(names))

    collect()
    lists += ["r[1-2]n[3,5]", "n[08-11]", "a[3,1-2],b", "n1,n1", "n[8-10,8]"]
    assert hostnames(release, lists) == [expand(each) for each in lists]
