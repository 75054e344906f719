"""What is told of the node and of the monitor."""

import json
import os
from pathlib import Path

import pytest

from slurm_mig import __version__
from slurm_mig.gresmap import store
from slurm_mig.system import epoch
from slurm_mig.usage.metrics.nodemap import MapReader
from slurm_mig.usage.monitor.snapshot import FAILING
from tests.usage.made import mig, record
from tests.usage.metrics.moments import entry, snapshot, told, write_map


def test_the_monitor_itself(tmp_path: Path) -> None:
    seen = told(tmp_path, snapshot(state=FAILING, why="NVML: timed out"))
    assert seen.labels("monitor_info") == [{"version": __version__, "node": "n1"}]
    assert seen.value("monitor_state", state="failing") == 1
    assert seen.value("monitor_state", state="sampling") == 0
    assert seen.value("monitor_rounds_total") == 9
    assert seen.value("monitor_failures_total") == 1
    assert seen.value("monitor_round_seconds") == 0.01
    assert seen.value("monitor_round_timestamp_seconds") == 1_700_000_100.0
    assert told(tmp_path, snapshot(round_s=None)).value("monitor_round_seconds") is None


def test_before_the_first_round_only_the_node_is_told_of(tmp_path: Path) -> None:
    seen = told(tmp_path, None)
    assert seen.value("map_stale") == 1
    assert seen.value("records_total") == 0
    assert not [name for name in seen.rows if "monitor" in name or "slice_" in name[:17]]


def test_a_map_of_this_boot_and_partitioning(tmp_path: Path) -> None:
    write_map(tmp_path, [entry(0, 9)])
    seen = told(tmp_path, None)
    assert seen.value("map_stale") == 0
    assert seen.value("gres_conf_changed") is None
    reader = MapReader(tmp_path)
    assert [one.gi_id for one in reader.state().slices] == [9]
    epoch.next_generation(str(tmp_path))
    assert reader.state() == (True, None, ())
    write_map(tmp_path, [entry(0, 9)], generation=1)
    assert reader.state().stale is False
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("boot-2\n")
    assert reader.state().stale is True


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"boot_id": "boot-1"}', '{"boot_id": "boot-1", "generation": 0}']
)
def test_a_damaged_map_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    write_map(tmp_path, []).write_text(text)
    assert MapReader(tmp_path).state().stale is True


def test_entries_that_make_no_sense(tmp_path: Path) -> None:
    for bad in ({}, {"mig": None}, {**entry(0, 9), "gpu_index": "x"}, {**entry(0, 9), "mig": 3}):
        write_map(tmp_path, [bad])
        assert MapReader(tmp_path).state().stale is True, bad


def test_a_map_that_somebody_else_could_have_written(tmp_path: Path) -> None:
    write_map(tmp_path, [entry(0, 9)]).chmod(0o666)
    assert MapReader(tmp_path).state().stale is True


def test_a_gres_conf_that_has_changed(tmp_path: Path) -> None:
    conf = tmp_path / "gres.conf"
    conf.write_text("Name=gpu\n")
    write_map(tmp_path, [], gres_conf=store.state_of(conf, "n1"))
    reader = MapReader(tmp_path)
    assert reader.state().gres_conf_changed is False
    os.utime(conf, (1, 1))
    assert reader.state().gres_conf_changed is False  # written anew, and the same
    conf.write_text("Name=gpu\nNodeName=n2 Name=gpu Type=x\n")
    assert reader.state().gres_conf_changed is False  # that is another node's
    conf.write_text("Name=gpu Type=x\n")
    assert reader.state().gres_conf_changed is True
    conf.unlink()
    assert reader.state().gres_conf_changed is True
    assert told(tmp_path, None).value("gres_conf_changed") == 1


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    path = write_map(tmp_path, [entry(0, 9)])
    reader = MapReader(tmp_path)
    first = reader.state()
    times = path.stat()
    damaged = path.read_bytes().replace(b"MIG-9", b"MIG-8")
    path.write_bytes(damaged)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert reader.state() == first
    os.utime(path)
    assert reader.state() != first


def test_sums_of_the_records_are_shown(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/slurm-mig/usage"
    folder.mkdir(parents=True)
    import time

    check = {"result": "differs", "extra": ["0:3:0"], "missing": [], "why": None}
    line = record(7, mig(0, 9), leftovers=3, device_check=check)
    (folder / time.strftime("%Y-%m.jsonl", time.gmtime())).write_text(json.dumps(line) + "\n")
    seen = told(tmp_path, None)
    assert seen.value("records_total") == 1
    assert seen.value("leftover_processes_total") == 3
    assert seen.value("device_checks_total", result="differs") == 1
    assert seen.value("device_checks_total", result="exact") == 0
    assert seen.value("repartitioned_slices_total") == 0
