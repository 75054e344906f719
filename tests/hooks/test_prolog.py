"""The prolog: what it refuses, what it writes, and what it lets pass."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.hooks.fakenode import FakeNode


def test_a_slice_is_never_given_twice(node: FakeNode) -> None:
    stepd(node, 7)
    assert node.prolog(7, "1,2") == 0
    assert node.prolog(8, "0,2") == 1
    assert "gpu0.gi10.ci0 is bound to job 7" in node.logged()[-1]
    assert node.bindings() == ["gpu0.gi10.ci0", "gpu0.gi9.ci0"]  # none of job 8's
    assert node.open_records() == ["7.json"]
    assert node.epilog(7, "1,2") == 0
    assert node.prolog(8, "0,2") == 0


def stepd(node: FakeNode, job_id: int) -> None:
    """A slurmstepd of that job, as its name tells it."""
    folder = node.root / "proc/4242"
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"slurmstepd: [%d.batch]\0" % job_id)


def test_compute_instances_of_one_gpu_instance_are_two_slices(node: FakeNode) -> None:
    stepd(node, 7)
    assert node.prolog(7, "3") == node.prolog(8, "4") == 0
    assert node.bindings() == ["gpu1.gi5.ci0", "gpu1.gi5.ci1"]


def test_a_dead_job_s_slice_is_taken_over_and_its_record_closed(node: FakeNode) -> None:
    assert node.prolog(7) == 0
    assert node.prolog(8) == 0
    (record,) = node.records()
    assert (record["job_id"], record["end"], record["exit_code"]) == (7, None, None)
    assert record["exit_unknown_why"] == "the epilog did not run to its end"
    assert json.loads((node.run / "bindings/gpu0.gi9.ci0").read_text())["job_id"] == 8


def test_a_binding_of_an_earlier_boot_holds_nothing(node: FakeNode) -> None:
    stepd(node, 7)
    assert node.prolog(7) == 0
    binding = node.run / "bindings/gpu0.gi9.ci0"
    binding.write_text(json.dumps({**json.loads(binding.read_text()), "boot_id": "earlier"}))
    assert node.prolog(8) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"job_id": "x"}'])
def test_a_damaged_binding_holds_nothing(node: FakeNode, content: str) -> None:
    (node.run / "bindings").mkdir(mode=0o700)
    (node.run / "bindings/gpu0.gi9.ci0").write_text(content)
    assert node.prolog() == 0
    assert json.loads((node.run / "bindings/gpu0.gi9.ci0").read_text())["job_id"] == 7


def test_twice_is_once(node: FakeNode) -> None:
    assert node.prolog() == 0
    first = (node.run / "jobs/7.json").read_text()
    assert node.prolog() == 0
    assert (node.run / "jobs/7.json").read_text() == first


def test_a_requeued_job_that_comes_back_has_two_records(node: FakeNode) -> None:
    assert node.prolog() == 0
    assert node.prolog(SLURM_JOB_RESTART_COUNT="1") == 0
    assert node.epilog(SLURM_JOB_RESTART_COUNT="1") == 0
    found = [(record["restarts"], record["exit_code"]) for record in node.records()]
    assert found == [(0, None), (1, 0)]


def test_the_open_record(node: FakeNode) -> None:
    assert node.prolog(7, "0,5") == 0
    record = json.loads((node.run / "jobs/7.json").read_text())["record"]
    assert record["complete"] is False  # a plain Prolog, and several types on the node
    assert record["user"] == "ada"
    mig, whole = record["slices"]
    assert (mig["profile"], mig["gi_id"], mig["ci_id"], mig["type"]) == (
        "3g.40gb", 1, 0, "h100_3g.40gb",
    )  # fmt: skip
    assert whole["gi_id"] is whole["mig_uuid"] is whole["profile"] is None
    assert ((node.run / "jobs").stat().st_mode & 0o777) == 0o700


@pytest.mark.parametrize("name", [b"a\nb", b"\xff\xfe", b'"}, {"', b"\x1b[2J"])
def test_odd_bytes_of_a_user_name(node: FakeNode, name: bytes) -> None:
    odd = os.fsdecode(name)
    assert node.prolog(SLURM_JOB_USER=odd, SLURM_JOB_COMMENT=odd, SLURM_JOB_ACCOUNT=odd) == 0
    assert node.epilog() == 0
    (record,) = node.records()
    assert record["user"].isprintable() or "\\" in repr(record["user"])
    assert len(node.logged()) == 2  # a line each, whatever the name


@pytest.mark.parametrize("job_id", ["", "x", "../../etc/passwd", "7;id"])
def test_a_job_without_a_number(node: FakeNode, job_id: str) -> None:
    assert node.prolog(SLURM_JOB_ID=job_id) == 1
    assert node.epilog(SLURM_JOB_ID=job_id) == 0


@pytest.mark.parametrize("gpus", ["6", "0,99", "MIG-x", "1,,2", "$(id)"])
def test_gpus_that_the_map_has_not(node: FakeNode, gpus: str) -> None:
    assert node.prolog(7, gpus) == 1
    assert "SLURM_JOB_GPUS names" in node.logged()[-1]
    assert node.epilog(7, gpus) == 0
    assert node.records() == []


def test_a_refusal_after_the_map_went_stale(node: FakeNode) -> None:
    (node.run / "generation").write_text("1")
    assert node.prolog() == 1
    assert node.epilog() == 0
    assert node.records() == []


@pytest.mark.parametrize("options", ["remount,ro", "remount,rw"])
def test_a_run_that_takes_nothing_costs_the_record_not_the_job(
    node: FakeNode, options: str
) -> None:
    kept = (node.run / "gres-map.json").read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=64k", "x", node.run], check=True)
    try:
        (node.run / "gres-map.json").write_bytes(kept)
        fill(node.run)
        subprocess.run(["mount", "-o", options, node.run], check=True)
        assert node.prolog() == 0
        assert "recorded" in node.logged()[-1]
        assert node.epilog() == 0
    finally:
        subprocess.run(["umount", node.run], check=True)


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def test_hundreds_of_stale_records_stop_nobody(node: FakeNode) -> None:
    for job_id in range(100, 500):
        assert node.prolog(job_id) == 0  # each takes the slice over from the one before
    assert node.open_records() == ["499.json"]
    assert [record["job_id"] for record in node.records()] == list(range(100, 499))


def test_hundreds_of_foreign_files_stop_nobody(node: FakeNode) -> None:
    assert node.prolog(6, "2") == 0
    for number in range(300):
        (node.run / f"jobs/{number + 1000}.json").write_text("{")
        (node.run / f"jobs/x{number}.closing").write_text("")
    assert node.prolog() == node.epilog() == 0
    assert [record["job_id"] for record in node.records()] == [7]


def test_maps_for_other_tools(node: FakeNode) -> None:
    node.settings('gpustat_dir = "/run/gpustat"\ndcgm_job_mapping_dir = "/run/dcgm"')
    assert node.prolog(7, "1,5") == 0
    gpustat = node.root / "run/gpustat"
    uuid = node.gres[1]["mig"]["uuid"]
    assert (gpustat / uuid).read_text() == "7 1001\n"
    assert (gpustat / node.gres[5]["gpu_uuid"]).read_text() == "7 1001\n"
    dcgm = node.root / "run/dcgm"
    assert {path.name: path.read_text() for path in dcgm.iterdir()} == {"0.9": "7", "2": "7"}
    assert node.epilog(7, "1,5") == 0
    assert list(gpustat.iterdir()) == list(dcgm.iterdir()) == []


def test_two_jobs_on_one_gpu_instance_share_its_map(node: FakeNode) -> None:
    node.settings('dcgm_job_mapping_dir = "/run/dcgm"')
    assert node.prolog(7, "3") == node.prolog(8, "4") == 0
    assert (node.root / "run/dcgm/1.5").read_text() == "7\n8"
    assert node.epilog(7, "3") == 0
    assert (node.root / "run/dcgm/1.5").read_text() == "8"


def test_a_map_folder_of_a_user_s_is_not_written_to(node: FakeNode) -> None:
    node.settings('gpustat_dir = "/run/gpustat"')
    (node.root / "run/gpustat").mkdir()
    os.chown(node.root / "run/gpustat", 1001, 1001)
    assert node.prolog() == 0
    assert "not root's alone" in node.logged()[-1]
    assert list((node.root / "run/gpustat").iterdir()) == []
