"""What real Slurms printed (tests/contract/record.py made the files), read by both readers."""

from pathlib import Path

import pytest

from slurm_mig.errors import SlurmError
from slurm_mig.slurm import gres_text, show_json, show_text
from slurm_mig.slurm.client import GresCount, HeldGres, Job, NodeState
from tests.contract.record import GOLDEN, NAME, REASON, SEPARATOR

RELEASES = sorted(path.name for path in GOLDEN.iterdir())
WITH_JSON = [release for release in RELEASES if (GOLDEN / release / "nodes.json").exists()]
ONE, THREE = GresCount("gpu", "1g.10gb", 1), GresCount("gpu", "3g.40gb", 1)


def said(release: str, name: str) -> str:
    return (GOLDEN / release / name).read_text()


def text_nodes(release: str) -> dict[str, NodeState]:
    return {node.name: node for node in show_text.nodes(said(release, "nodes.txt"))}


def text_jobs(release: str) -> dict[str, Job]:
    """As TextReads puts them together."""
    wanted = show_text.wanted(said(release, "wanted.txt"), SEPARATOR)
    return {
        job.shown: job._replace(
            gres_wanted=gres_text.counts(gres_text.only_gres(wanted[job.job_id]))
        )
        for job in show_text.jobs(said(release, "jobs.txt"), SEPARATOR)
    }


def json_jobs(release: str, node: str | None = None) -> dict[str, Job]:
    read = (show_json.job(each, node) for each in show_json.jobs(said(release, "jobs.json")))
    return {job.shown: job for job in read}


def test_there_are_records_of_each_release() -> None:
    assert [release[:5] for release in RELEASES] == ["22.05", "24.11", "26.05"]
    assert [release[:5] for release in WITH_JSON] == ["24.11", "26.05"]


@pytest.mark.parametrize("release", RELEASES)
def test_nodes_in_text(release: str) -> None:
    node = text_nodes(release)["n1"]
    assert node.state <= {"MIXED", "ALLOCATED", "DRAIN"}
    assert node.drains
    assert node.reason == REASON
    assert node.reason_user == "root"
    assert node.reason_time is not None
    assert node.slurmd_start is not None
    assert 0 < node.reason_time - node.slurmd_start < 60
    assert node.gres == (GresCount("gpu", "1g.10gb", 2), THREE)
    used = text_nodes(release)["n1"].gres_used or ()
    assert used[0] == HeldGres("n1", "gpu", "1g.10gb", 2, (0, 1))
    assert (node.slurmd_version, node.cpus) == (release, 2)
    assert (node.partitions, node.features) == (("main",), ())
    assert (node.address, node.host_name) == ("127.0.0.1", "n1")
    assert not text_nodes(release)["n2"].drains
    assert text_nodes(release)["n2"].reason == ""


@pytest.mark.parametrize("release", WITH_JSON)
def test_nodes_in_json_are_those_in_text(release: str) -> None:
    nodes = show_json.nodes(said(release, "nodes.json"))
    assert {node.name: node for node in nodes} == text_nodes(release)


@pytest.mark.parametrize("release", WITH_JSON)
def test_no_node_is_an_empty_list_in_json(release: str) -> None:
    assert show_json.nodes(said(release, "no-node.json")) == ()


@pytest.mark.parametrize("release", RELEASES)
def test_jobs_in_text(release: str) -> None:
    jobs = text_jobs(release)
    assert set(jobs) == {"1", "2", "3_0", "3_[1-4%1]", "5+0", "5+1", "7"}
    first = jobs["1"]
    assert (first.job_id, first.user, first.name) == (1, "root", NAME)
    assert (first.state, first.partition, first.nodes) == ("RUNNING", "main", ("n1",))
    assert first.time_limit_s == 5400
    assert first.end_time is not None
    assert first.gres_wanted == (GresCount("gpu", "1g.10gb", 2),)
    assert jobs["2"].nodes == ("n1", "n2")
    assert jobs["2"].gres_wanted == (GresCount("gpu", None, 2),)
    assert jobs["3_0"].time_limit_s == 86400
    assert jobs["3_0"].job_id != jobs["3_[1-4%1]"].job_id == 3
    assert [jobs[name].gres_wanted for name in ("5+0", "5+1", "7")] == [(THREE,), (ONE,), (ONE,)]
    assert {jobs[name].state for name in ("5+0", "5+1", "7", "3_[1-4%1]")} == {"PENDING"}


@pytest.mark.parametrize("release", WITH_JSON)
def test_jobs_in_json_are_those_in_text(release: str) -> None:
    told, texts = json_jobs(release), text_jobs(release)
    assert set(told) == {"1", "2", "3_0", "3_[1-4%1]", "5+0", "5+1", "7"}
    for name, job in told.items():
        text = texts[name]
        if job.state == "PENDING":  # only JSON has when it might end
            job, text = job._replace(end_time=None), text._replace(end_time=None)
        assert job == text


@pytest.mark.parametrize("release", RELEASES)
def test_who_holds_what_in_text(release: str) -> None:
    jobs = text_jobs(release)
    two = (HeldGres("n1", "gpu", "1g.10gb", 2, (0, 1)),)
    assert show_text.held(said(release, "job1.txt"), jobs["1"], "n1") == two
    assert show_text.held(said(release, "job1.txt"), jobs["1"], "n2") == ()
    held = show_text.held(said(release, "job3_0.txt"), jobs["3_0"], "n2")
    assert held is not None
    assert [(each.type, each.number) for each in held] == [("1g.10gb", 1)]


@pytest.mark.parametrize("release", WITH_JSON)
def test_who_holds_what_in_json(release: str) -> None:
    on_n1, on_n2 = json_jobs(release, "n1"), json_jobs(release, "n2")
    assert on_n1["1"].held == (HeldGres("n1", "gpu", "1g.10gb", 2, (0, 1)),)
    assert on_n2["1"].held == ()
    assert [each.node for each in on_n1["2"].held or ()] == ["n1"]
    assert [each.node for each in on_n2["2"].held or ()] == ["n2"]
    text = show_text.held(said(release, "job3_0.txt"), text_jobs(release)["3_0"], "n2")
    assert on_n2["3_0"].held == text


@pytest.mark.parametrize("release", RELEASES)
def test_another_job_s_record_tells_nothing(release: str) -> None:
    """Were it renamed, or another's by now: what it holds is unknown, and not nothing."""
    jobs = text_jobs(release)
    text = said(release, "job1.txt")
    assert show_text.held(text, jobs["2"], "n1") is None
    assert show_text.held(text, jobs["1"]._replace(name="x"), "n1") is None
    assert show_text.held("", jobs["1"], "n1") is None


@pytest.mark.parametrize("release", RELEASES)
def test_the_configuration(release: str) -> None:
    found = dict(show_text.config(said(release, "config.txt")))
    assert found["slurm_version"] == release
    assert found["selecttype"] == "select/cons_tres"
    assert found["schedulerparameters"] == "batch_sched_delay=0"
    assert "prolog" not in found  # "(null)"


@pytest.mark.parametrize("release", RELEASES)
def test_the_format_to_ask_for(release: str) -> None:
    found = show_json.best_format(said(release, "formats.txt"))
    assert found == ("v0.0.42" if release in WITH_JSON else None)


@pytest.mark.parametrize("release", RELEASES)
def test_output_that_was_cut_off_is_no_answer(release: str) -> None:
    for name, read in (
        ("jobs.txt", lambda text: show_text.jobs(text, SEPARATOR)),
        ("wanted.txt", lambda text: show_text.wanted(text, SEPARATOR)),
    ):
        whole = said(release, name)
        with pytest.raises(SlurmError, match="not asked for"):
            read(whole[: whole.rindex(SEPARATOR)])


@pytest.mark.parametrize("release", WITH_JSON)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_json_that_was_cut_off_is_no_answer(release: str, share: float) -> None:
    whole = said(release, "nodes.json")
    with pytest.raises(SlurmError, match="cannot be read"):
        show_json.nodes(whole[: int(len(whole) * share)])


def test_the_records_name_nobody() -> None:
    for path in Path(GOLDEN).glob("*/*"):
        assert "/work" not in path.read_text()
