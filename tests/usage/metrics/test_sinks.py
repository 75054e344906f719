"""What the monitor gives its snapshots to: the address, the file, or neither."""

import http.client
import os
import socket
from pathlib import Path

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.usage.metrics.sinks import metrics_sink
from slurm_mig.usage.monitor.settings import MonitorSettings
from slurm_mig.usage.monitor.snapshot import Sink
from tests.cluster.conftest import until
from tests.usage.metrics.moments import Told, on_h100, snapshot

FOLDER = "/var/lib/node-exporter"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def scrape(port: int) -> Told:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    asked.request("GET", "/metrics")
    return Told(asked.getresponse().read())


def test_a_site_that_wants_none(tmp_path: Path) -> None:
    with metrics_sink(tmp_path, MonitorSettings(listen="")) as sink:
        assert sink is None


def test_the_latest_snapshot_is_served(tmp_path: Path) -> None:
    port = free_port()
    with metrics_sink(tmp_path, MonitorSettings(listen=f"127.0.0.1:{port}")) as sink:
        assert sink is not None
        assert until(lambda: _is_open(port))
        assert scrape(port).value("monitor_rounds_total") is None
        for rounds in (3, 4):
            sink(snapshot(on_h100(9), rounds=rounds))
            assert scrape(port).value("monitor_rounds_total") == rounds
    assert not _is_open(port)


def _is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_file_is_there_while_the_monitor_is(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER.lstrip("/")
    folder.mkdir(parents=True)
    settings = MonitorSettings(listen="", textfile_dir=FOLDER, labels_user=True)
    with metrics_sink(tmp_path, settings) as sink:
        assert sink is not None
        sink(snapshot(on_h100(9), rounds=3))
        file = folder / "slurm_mig.prom"
        assert Told(file.read_bytes()).value("monitor_rounds_total") == 3
        assert 'user="ada"' in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o644
        sink(snapshot(on_h100(9), rounds=4))
        assert Told(file.read_bytes()).value("monitor_rounds_total") == 4
        assert [path.name for path in folder.iterdir()] == ["slurm_mig.prom"]
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_roots_alone_gets_no_file(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER.lstrip("/")
    folder.mkdir(parents=True)
    os.chown(folder, 1001, 1001)
    with metrics_sink(tmp_path, MonitorSettings(listen="", textfile_dir=FOLDER)) as sink:
        assert sink is not None
        with pytest.raises(SlurmMigError, match=r"textfile_dir: .*not root's alone"):
            sink(snapshot())
    assert list(folder.iterdir()) == []


def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER.lstrip("/")
    folder.mkdir(parents=True)
    (tmp_path / "precious").write_text("mine")
    (folder / "slurm_mig.prom").symlink_to(tmp_path / "precious")
    with metrics_sink(tmp_path, MonitorSettings(listen="", textfile_dir=FOLDER)) as sink:
        assert sink is not None
        sink(snapshot())
        assert (tmp_path / "precious").read_text() == "mine"
        assert not (folder / "slurm_mig.prom").is_symlink()


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    with metrics_sink(tmp_path, MonitorSettings(listen="", textfile_dir="/run/x/y")) as sink:
        assert sink is not None
        sink(snapshot())
        assert (tmp_path / "run/x/y/slurm_mig.prom").exists()
    assert (tmp_path / "run/x/y").stat().st_mode & 0o777 == 0o755


def test_an_address_that_is_taken_costs_only_the_metrics(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with metrics_sink(tmp_path, MonitorSettings(listen=listen)) as sink:
            assert sink is not None
            said: list[str] = []
            assert until(lambda: _fails(sink, said))
            assert said[0].startswith(f"no metrics at {listen}: Address already in use")
            sink(snapshot())  # it is told once


def _fails(sink: Sink, said: list[str]) -> bool:
    try:
        sink(snapshot())
    except SlurmMigError as why:
        said.append(str(why))
    return bool(said)


def test_a_second_monitor_that_may_not_run_takes_no_file_away(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER.lstrip("/")
    folder.mkdir(parents=True)
    settings = MonitorSettings(listen="", textfile_dir=FOLDER)
    with metrics_sink(tmp_path, settings) as sink:
        assert sink is not None
        sink(snapshot())
        with metrics_sink(tmp_path, settings):
            pass
        assert (folder / "slurm_mig.prom").exists()


def test_the_file_comes_as_soon_as_it_can(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER.lstrip("/")
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with metrics_sink(tmp_path, MonitorSettings(listen="", textfile_dir=FOLDER)) as sink:
        assert sink is not None
        with pytest.raises(SlurmMigError, match="not root's alone"):
            sink(snapshot())
        sink(snapshot())  # it is told once
        folder.chmod(0o755)
        sink(snapshot())
        assert (folder / "slurm_mig.prom").exists()
        folder.chmod(0o777)
        with pytest.raises(SlurmMigError, match="not root's alone"):
            sink(snapshot())
