"""Records of one job id, put together."""

from slurm_mig.usage.report.job import jobs
from tests.usage.report import made

SLICE = made.one_slice("3g.40gb", made.sampled(3000.0))


def test_nodes_and_starts_of_one_job() -> None:
    (one,) = jobs(
        made.rows(
            made.one_record(SLICE, node="n2", restarts=1),
            made.one_record(SLICE, SLICE, node="n1", restarts=1),
            made.one_record(SLICE, node="n1"),
        )
    )
    places = [(run.job.restarts, run.job.node, len(run.slices)) for run in one.runs]
    assert places == [(0, "n1", 1), (1, "n1", 2), (1, "n2", 1)]
    assert one.starts == (0, 1)
    assert [run.job.node for run in one.last] == ["n1", "n2"]


def test_one_id_on_two_clusters_or_of_two_users_is_several_jobs() -> None:
    found = jobs(
        made.rows(
            made.one_record(SLICE, cluster="b"),
            made.one_record(SLICE, cluster="a", uid=1002),
            made.one_record(SLICE, cluster="a", uid=1001),
            made.one_record(SLICE, cluster=None, uid=None),
        )
    )
    assert [(one.cluster, one.uid) for one in found] == [
        (None, None),
        ("a", 1001),
        ("a", 1002),
        ("b", 1001),
    ]


def test_restarts_that_nobody_told_are_the_first_start() -> None:
    (one,) = jobs(made.rows(made.one_record(SLICE, restarts=None)))
    assert one.starts == (0,)
    assert len(one.last) == 1


def test_no_rows_no_job() -> None:
    assert jobs([]) == ()
