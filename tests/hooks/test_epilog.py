"""The epilog: what it records, whatever state it finds."""

import json
import os
import shutil

import pytest

from tests.hooks.fakenode import FakeNode

USAGE = "var/lib/slurm-mig/usage"


def test_twice_is_once(node: FakeNode) -> None:
    assert node.prolog() == node.epilog() == node.epilog() == 0
    assert len(node.records()) == 1


def test_without_a_prolog_what_is_known_is_recorded_once(node: FakeNode) -> None:
    for _ in range(2):
        assert node.epilog(SLURM_JOB_START_TIME="1700000000", SLURM_JOB_EXIT_CODE2="0:9") == 0
    (record,) = node.records()
    assert (record["start"], record["duration_s"], record["complete"]) == (1.7e9, None, False)
    assert (record["exit_code"], record["signal"]) == (0, 9)
    assert [one["gres_index"] for one in record["slices"]] == [1]


def test_without_a_prolog_and_without_a_map(node: FakeNode) -> None:
    (node.run / "gres-map.json").unlink()
    assert node.epilog() == 0
    (record,) = node.records()
    assert (record["slices"], record["start"], record["complete"]) == ([], None, False)


def test_an_epilog_before_the_prolog_of_another_run(node: FakeNode) -> None:
    assert node.epilog() == 0
    assert node.prolog(SLURM_JOB_RESTART_COUNT="1") == 0
    assert node.epilog(SLURM_JOB_RESTART_COUNT="1") == 0
    assert [record["restarts"] for record in node.records()] == [0, 1]


def test_no_exit_code_is_null_with_the_reason(node: FakeNode) -> None:
    assert node.prolog() == node.epilog(SLURM_JOB_EXIT_CODE2="") == 0
    (record,) = node.records()
    assert record["exit_code"] is record["signal"] is None
    assert record["exit_unknown_why"] == "Slurm told none"


def test_under_runinjob_the_exit_code_is_null(node: FakeNode) -> None:
    assert node.prolog() == 0
    (node.root / "proc/self").mkdir()
    (node.root / "proc/self/cgroup").write_text("5:devices:/slurm/uid_1001/job_7/step_extern\n")
    assert node.epilog(SLURM_JOB_EXIT_CODE2="0:0") == 0
    (record,) = node.records()
    assert record["exit_code"] is None
    assert "RunInJob" in record["exit_unknown_why"]


def test_a_clock_that_steps_back(node: FakeNode) -> None:
    assert node.prolog() == 0
    path = node.run / "jobs/7.json"
    opened = json.loads(path.read_text())
    opened["record"]["start"] += 5000  # as if the clock had been ahead then
    path.write_text(json.dumps(opened))
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["end"] < record["start"]
    assert 0 <= record["duration_s"] < 4000


@pytest.mark.parametrize("text", ["", "{", "[]", '{"record": 3}', '{"record": {}, "gres": 1}'])
def test_a_damaged_open_record(node: FakeNode, text: str) -> None:
    assert node.prolog() == 0
    (node.run / "jobs/7.json").write_text(text)
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["job_id"] == 7
    assert record["start"] is None
    assert node.bindings() == node.open_records() == []


def test_an_open_record_of_another_version(node: FakeNode) -> None:
    assert node.prolog() == 0
    path = node.run / "jobs/7.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))
    assert node.epilog() == 0
    assert len(node.records()) == 1


def test_an_open_record_that_is_a_link(node: FakeNode) -> None:
    assert node.prolog() == 0
    path = node.run / "jobs/7.json"
    path.rename(node.root / "elsewhere")
    path.symlink_to(node.root / "elsewhere")
    before = (node.root / "elsewhere").read_bytes()
    assert node.epilog() == 0
    assert (node.root / "elsewhere").read_bytes() == before


def test_a_usage_file_that_is_a_link_is_not_written_through(node: FakeNode) -> None:
    assert node.prolog() == node.epilog() == 0
    (month,) = (node.root / USAGE).glob("*.jsonl")
    month.unlink()
    month.symlink_to(node.root / "elsewhere")
    assert node.prolog(8) == node.epilog(8) == 0
    assert not (node.root / "elsewhere").exists()
    assert list((node.run / "jobs").glob("8.*.closing"))  # it waits
    month.unlink()
    assert node.prolog(9) == node.epilog(9) == 0
    assert [record["job_id"] for record in node.records()] == [8, 9]


def test_a_disk_that_is_not_there_makes_records_wait(node: FakeNode) -> None:
    (node.root / "var/lib/slurm-mig").write_text("a file, no folder")
    for job_id in range(7, 10):
        assert node.prolog(job_id) == node.epilog(job_id) == 0
    (node.root / "var/lib/slurm-mig").unlink()
    assert node.prolog(10) == node.epilog(10) == 0
    assert sorted(record["job_id"] for record in node.records()) == [7, 8, 9, 10]


def test_half_a_line_of_a_power_loss_stays_alone(node: FakeNode) -> None:
    assert node.prolog() == node.epilog() == 0
    (month,) = (node.root / USAGE).glob("*.jsonl")
    with month.open("a") as file:
        file.write('{"version":1,"record_id":"of-before-the-boot","job')
    assert node.prolog(8) == node.epilog(8) == 0
    lines = month.read_text().splitlines()
    assert [json.loads(lines[0])["job_id"], json.loads(lines[2])["job_id"]] == [7, 8]
    assert (month.stat().st_mode & 0o777) == 0o640


@pytest.mark.parametrize("written", [1, 30, 60, 200, -2, -1])
def test_a_line_that_a_kill_cut_short_is_written_whole(node: FakeNode, written: int) -> None:
    assert node.prolog() == node.epilog() == 0
    (node.root / USAGE).chmod(0o777)  # not root's alone any more: the next record waits
    assert node.prolog(8) == node.epilog(8) == 0
    (node.root / USAGE).chmod(0o750)
    (waiting,) = (node.run / "jobs").glob("8.*.closing")
    (month,) = (node.root / USAGE).glob("*.jsonl")
    with month.open("ab") as file:
        file.write(waiting.read_bytes().partition(b"\n")[2][:written])
    assert node.prolog(9) == node.epilog(9) == 0
    # Read strictly: of the half line nothing stays.
    assert [json.loads(line)["job_id"] for line in month.read_text().splitlines()] == [7, 8, 9]


def test_a_slice_that_went_away_meanwhile(node: FakeNode) -> None:
    assert node.prolog(7, "1,2") == 0
    shutil.rmtree(node.root / "proc/driver/nvidia/capabilities/gpu0/mig/gi9")
    assert node.epilog(7, "1,2") == 0
    (record,) = node.records()
    assert [one["repartitioned"] for one in record["slices"]] == [True, False]
    assert node.bindings() == []


def repartition(node: FakeNode, **changes: object) -> None:
    """GPU 0's gi9 has another shape now, with the ids of the old one."""
    (node.run / "generation").write_text("1")
    node.gres[1]["mig"].update(changes)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"profile": "1g.20gb"}, True),
        ({"placement": {"start": 2, "size": 2}}, True),
        ({}, False),
    ],
)
def test_a_slice_that_was_made_anew(
    node: FakeNode, changes: dict[str, object], wanted: bool
) -> None:
    assert node.prolog() == 0
    repartition(node, **changes)
    node.write_map(generation=1)
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["slices"][0]["repartitioned"] is wanted
    assert record["slices"][0]["profile"] == "1g.10gb"  # what the job had


def test_a_change_without_a_new_map_leaves_it_open(node: FakeNode) -> None:
    assert node.prolog() == 0
    repartition(node)
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["slices"][0]["repartitioned"] is None


def test_a_run_folder_that_was_wiped(node: FakeNode) -> None:
    assert node.prolog() == 0
    node.wipe_run()
    node.write_map()
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["start"] is None
    assert record["complete"] is False


def test_a_registry_of_somebody_else(node: FakeNode) -> None:
    assert node.prolog() == 0
    os.chown(node.run / "jobs", 1001, 1001)
    assert node.prolog(8, "2") == 1
    assert node.epilog() == 0
    assert "not root's alone" in node.logged()[-1]
    assert node.records() == []
