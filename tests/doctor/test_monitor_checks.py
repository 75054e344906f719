"""What is said of the monitor and of the usage records."""

from typing import Any

import pytest

from slurm_mig.doctor.monitor_facts import JobSampled, MonitorFacts, RecordFacts
from tests.doctor.good import MIXED, findings, only

DAY = 86400.0
RUNS = MonitorFacts(wanted=True, ran=True, pid=7, listen="127.0.0.1:9835")


def job(held_s: float = 3600.0, age_s: float | None = 1.0, period_s: float = 5.0) -> JobSampled:
    return JobSampled(42, held_s, age_s, period_s)


def test_one_that_runs_and_answers_is_not_worth_a_word() -> None:
    assert findings(monitor=RUNS) == []
    assert findings(monitor=RUNS._replace(jobs=(job(), job()))) == []


def test_where_it_is_not_used_that_is_a_note() -> None:
    finding = only(monitor=MonitorFacts())
    assert (finding.level, finding.about) == ("note", "monitor")
    assert finding.what.startswith("is not used: ")
    assert finding.remedy.startswith("systemctl enable --now slurm-mig-monitor")


def test_a_machine_without_slices_and_hooks_needs_none() -> None:
    without: dict[str, Any] = {
        "scripts": {},
        "node": MIXED._replace(gpus=()),
        "conf": None,
        "gres_conf": None,
    }
    assert findings(monitor=MonitorFacts(), gres_map={}, **without) == []


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (MonitorFacts(wanted=True), "does not run"),
        (MonitorFacts(ran=True), "ran since the boot, and does not any more"),
        (MonitorFacts(wanted=True, ran=True), "ran since the boot, and does not any more"),
    ],
)
def test_one_that_is_wanted_and_does_not_run(facts: MonitorFacts, word: str) -> None:
    finding = only(monitor=facts)
    assert (finding.level, finding.about) == ("risky", "monitor")
    assert finding.what.startswith(word)
    assert "journalctl -u slurm-mig-monitor" in finding.remedy


@pytest.mark.parametrize("pid", [None, 7])
def test_settings_with_a_mistake(pid: int | None) -> None:
    spoilt = RUNS._replace(pid=pid, problem="perid_s is no setting")
    found = [one for one in findings(monitor=spoilt) if one.about == "config.toml"]
    assert [one.level for one in found] == ["risky"]
    assert "[monitor]: perid_s is no setting" in found[0].what


@pytest.mark.parametrize(
    ("sampled", "is_seen"),
    [
        (job(age_s=74.9), True),
        (job(age_s=75.1), False),  # three periods and a minute
        (job(age_s=None), False),
        (job(held_s=70.0, age_s=None), True),  # it has only begun
        (job(age_s=1800.0, period_s=600.0), True),
        (job(age_s=1900.0, period_s=600.0), False),
    ],
)
def test_a_job_that_is_not_sampled(sampled: JobSampled, is_seen: bool) -> None:
    found = findings(monitor=RUNS._replace(jobs=(sampled, job())))
    assert bool(found) != is_seen
    if found:
        assert found[0].what == "runs, and does not sample 1 of 2 jobs: 42"
        assert "nvidia-smi" in found[0].remedy


def test_of_many_jobs_five_are_named() -> None:
    finding = only(monitor=RUNS._replace(jobs=(job(age_s=None),) * 9))
    assert finding.what.endswith("9 of 9 jobs: 42, 42, 42, 42, 42, ...")


def test_metrics_that_do_not_come() -> None:
    finding = only(monitor=RUNS._replace(unanswered="Connection refused"))
    assert (finding.level, finding.about) == ("risky", "metrics")
    assert finding.what == "127.0.0.1:9835: Connection refused"
    assert "[monitor] listen" in finding.remedy


@pytest.mark.parametrize(
    ("age_s", "what"),
    [(None, "is missing"), (1000.0, "is 17 min old"), (590.0, ""), (0.0, "")],
)
def test_a_file_for_node_exporter_that_is_old(age_s: float | None, what: str) -> None:
    facts = RUNS._replace(textfile="/run/node-exporter", textfile_age_s=age_s)
    found = findings(monitor=facts)
    assert [one.what.split(": ")[0] for one in found] == (
        [f"the file in /run/node-exporter {what}"] if what else []
    )


@pytest.mark.parametrize(
    ("records", "level", "what"),
    [
        ({"problem": "not root's alone"}, "risky", "cannot be written: not root's alone"),
        ({"settings_problem": "database: write a URL"}, "risky", "[usage]: database: write a URL"),
        ({"free_mib": 12.3}, "risky", "12 MiB are left"),
        ({"free_mib": 9000.0, "held_mib": 2048.0, "oldest": "2024-01"}, "note", "since 2024-01"),
        ({"uncollected_since": 10 * DAY}, "risky", "some of 2 days ago are not in this machine's"),
    ],
)
def test_records(records: dict[str, Any], level: str, what: str) -> None:
    finding = only(records=RecordFacts(**records), now=12 * DAY)
    assert finding.level == level
    assert what in finding.what
    assert finding.remedy


@pytest.mark.parametrize(
    "records",
    [
        RecordFacts(),
        RecordFacts(free_mib=64.0, held_mib=1024.0, oldest="2024-01"),
        RecordFacts(uncollected_since=11.5 * DAY),
    ],
)
def test_records_of_which_nothing_is_to_be_said(records: RecordFacts) -> None:
    assert findings(records=records, now=12 * DAY) == []
