"""Whether a job gets a comment, and which."""

from typing import Any

from slurm_mig.slurm.controller.accounting import AccountedJob, HostFigures
from slurm_mig.usage.jobstats import blob
from slurm_mig.usage.jobstats.blob import encode
from slurm_mig.usage.jobstats.decide import GRACE_S, Decision, Options, decide
from slurm_mig.usage.jobstats.parts import JobPart
from tests.usage.jobstats.reader import read
from tests.usage.made import mig, part, record

HOST = HostFigures(2, 8 << 30, 1 << 30, 5.0)
JOB = AccountedJob(7, "7", 1001.0, 1099.0, ("n1",), 1, "", HOST)
SOON = 1100.0
FORCE = Options(force=True)


def parts(*nodes: str, **changes: Any) -> dict[str, JobPart]:
    return {node: part(record(7, mig(0, 9), node=node, **changes)) for node in nodes or ("n1",)}


def about(job: AccountedJob | None, now: float = SOON, options: Options | None = None) -> Decision:
    return decide(parts(), job, now, options or Options())


def test_a_job_that_has_ended_gets_its_summary() -> None:
    found = about(JOB)
    assert (found.action, found.why) == ("store", "")
    assert read(found.comment).memory is not None
    made = blob.decode(found.comment)
    assert made is not None
    assert made["total_time"] == 98


def test_a_job_that_slurm_does_not_know_yet_waits() -> None:
    assert about(None)[:2] == ("waits", "Slurm's accounting does not know it")
    assert about(JOB._replace(end=None)).action == "waits"
    assert about(JOB._replace(start=None)).action == "waits"


def test_records_of_another_run_are_not_taken_for_this_one() -> None:
    for start, end in ((1_000_000.0, 1_000_100.0), (1.0, 99.0)):
        found = about(JOB._replace(start=start, end=end))
        assert (found.action, "another run" in found.why) == ("skipped", True)
    unknown = decide(parts(start=None, end=None), JOB, SOON, Options())
    assert unknown.action == "store"
    killed = decide(parts(start=None), JOB._replace(start=9000.0, end=9100.0), SOON, Options())
    assert killed.action == "skipped"


def test_a_job_of_several_nodes_waits_for_all_its_records() -> None:
    job = JOB._replace(nodes=("n1", "n2", "n3"), gpus=None)  # host: of one node, to be short
    assert about(job)[:2] == ("waits", "no record yet of n2, n3")
    all_three = decide(parts("n1", "n2", "n3"), job, SOON, Options())
    assert (all_three.action, all_three.why) == ("store", "")
    assert about(job, now=job.end + GRACE_S - 1 if job.end else 0).action == "waits"
    late = about(job, now=SOON + GRACE_S)
    assert (late.action, late.why) == ("store", "without n2, n3: no record")
    assert about(job, options=Options(grace_s=0)).action == "store"


def test_it_is_told_where_jobstats_cannot_print_its_page() -> None:
    two = {**parts("n1", "n2")}
    found = decide(two, JOB._replace(nodes=("n1", "n2"), gpus=2, host=None), SOON, Options())
    assert found.action == "store"
    assert "only its --json" in found.why
    late = decide(
        parts(), JOB._replace(host=HOST._replace(used_memory_bytes=None)), SOON, Options()
    )
    assert "only its --json" in late.why
    theirs = {**HOSTS, "gpu_total_memory": {"0": 5}, "gpu_used_memory": {"0": 1}}
    comment = encode({"nodes": {"n1": theirs, "n2": theirs}, "total_time": 98, "gpus": 2})
    job = JOB._replace(nodes=("n1", "n2"), gpus=2, host=None, comment=comment)
    assert decide(two, job, SOON, FORCE)[:2] == ("store", "")


HOSTS = {"total_memory": 9, "used_memory": 3, "total_time": 5.5, "cpus": 2}


def test_a_node_without_gpus_is_not_waited_for() -> None:
    job = JOB._replace(nodes=("n1", "n2"), gpus=1)
    assert about(job).action == "store"
    assert about(job._replace(gpus=2)).action == "waits"


def test_nothing_measured_is_nothing_stored() -> None:
    nothing = {"n1": part(record(7, mig(0, 9, usage=None)))}
    assert decide(nothing, JOB, SOON, FORCE)[:2] == ("skipped", "nothing was measured")


def test_a_comment_that_is_there_is_kept() -> None:
    stored = about(JOB).comment
    assert about(JOB._replace(comment=stored))[:2] == ("present", "it is there")
    note = JOB._replace(comment="refunded by ada")
    assert about(note).action == "kept"
    assert about(note, options=FORCE).action == "store"
    theirs = blob.encode({"nodes": {"n1": {"cpus": 3}}, "total_time": 98, "gpus": 1})
    assert about(JOB._replace(comment=theirs)).action == "kept"
    forced = about(JOB._replace(comment=theirs), options=FORCE)
    made = blob.decode(forced.comment)
    assert made is not None
    assert made["nodes"]["n1"]["cpus"] == 3
    assert "gpu_used_memory" in made["nodes"]["n1"]
    assert about(JOB._replace(comment=forced.comment), options=FORCE).action == "present"


def test_short_and_none_of_jobstats_are_comments_too() -> None:
    for word in ("JS1:Short", "JS1:None"):
        assert about(JOB._replace(comment=word)).action == "kept"


def test_the_length_has_a_bound() -> None:
    names = [f"node{number}" for number in range(2000)]
    many = {
        name: part(record(7, mig(0, 9, peak_mib=at * 37 % 9000, busy=at % 997 / 997), node=name))
        for at, name in enumerate(names)
    }
    found = decide(many, JOB._replace(nodes=tuple(names), gpus=2000), SOON, Options())
    assert found.action == "skipped"
    assert f"more than {blob.LONGEST}" in found.why
    few = {name: many[name] for name in names[:100]}
    assert decide(few, JOB._replace(nodes=tuple(few), gpus=100), SOON, Options()).action == "store"
