"""What is read of a monitor, and of records: a real lock, real sums, a real address."""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slurm_mig.doctor import monitor_look, record_look
from slurm_mig.doctor.monitor_facts import RecordFacts
from slurm_mig.errors import SlurmMigError
from slurm_mig.usage.monitor.clock import MachineClock
from slurm_mig.usage.monitor.listening import Address
from slurm_mig.usage.store.collect import collect
from slurm_mig.usage.store.database import opened
from tests.usage.metrics.moments import exposition
from tests.usage.monitor.scene import Scene
from tests.usage.store import made

RUN = "run/slurm-mig"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """As a monitor holds it, and as the kernel tells of it."""
    (root / RUN).mkdir(parents=True, exist_ok=True)
    (root / "proc").mkdir(exist_ok=True)
    with (root / RUN / "monitor.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (root / "proc/locks").write_bytes(Path("/proc/locks").read_bytes())
        yield


def config(root: Path, text: str) -> None:
    folder = root / "etc/slurm-mig"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def test_a_machine_on_which_none_ever_ran(tmp_path: Path) -> None:
    found = monitor_look.look(tmp_path)
    assert (found.wanted, found.ran, found.pid, found.problem) == (False, False, None, None)


@pytest.mark.parametrize("place", ["", "multi-user.target.wants/"])
def test_its_unit_says_that_it_is_wanted(tmp_path: Path, place: str) -> None:
    unit = tmp_path / "etc/systemd/system" / f"{place}slurm-mig-monitor.service"
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/nowhere")
    assert monitor_look.look(tmp_path).wanted


def test_settings_say_so_too_and_a_mistake_is_told(tmp_path: Path) -> None:
    config(tmp_path, "[monitor]\nperiod_s = 2\n")
    found = monitor_look.look(tmp_path)
    assert (found.wanted, found.problem) == (True, None)
    config(tmp_path, "[monitor]\nperid_s = 2\n")
    assert "perid_s" in str(monitor_look.look(tmp_path).problem)


def test_the_one_that_holds_the_lock_is_found_and_not_disturbed(tmp_path: Path) -> None:
    config(tmp_path, '[monitor]\nlisten = ""\n')
    with locked(tmp_path):
        found = monitor_look.look(tmp_path)
        assert (found.pid, found.ran) == (os.getpid(), True)
    (tmp_path / "proc/locks").write_text("1: POSIX  ADVISORY  WRITE 9 00:01:2 0 EOF\nnonsense\n")
    found = monitor_look.look(tmp_path)
    assert (found.pid, found.ran) == (None, True)


def test_without_the_kernel_s_list_nothing_is_guessed(tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / "proc/locks").unlink()
        with pytest.raises(SlurmMigError, match=r"/proc/locks: .*unknown"):
            monitor_look.look(tmp_path)


def test_how_old_the_newest_sample_of_each_job_is(tmp_path: Path) -> None:
    config(tmp_path, '[monitor]\nlisten = ""\n')
    scene = Scene(tmp_path, "h100-80gb=2x1g.10gb")
    clock = MachineClock()
    scene.clock.now_s = clock.boottime_s() - 50.0
    scene.begin(7, 0)
    scene.tick()
    scene.begin(8, 1)
    with locked(tmp_path):
        found = {one.job_id: one for one in monitor_look.look(tmp_path).jobs}
    seven, eight = found[7], found[8]
    assert seven.age_s is not None
    assert 49.0 <= seven.age_s < 3600.0
    assert (seven.period_s, eight.age_s, eight.period_s) == (1.0, None, 5.0)
    assert seven.held_s > 1e9  # its start is 1.0, in 1970


def test_a_job_whose_sums_are_damaged_is_not_sampled(tmp_path: Path) -> None:
    config(tmp_path, '[monitor]\nlisten = ""\n')
    scene = Scene(tmp_path, "h100-80gb=2x1g.10gb")
    name = scene.begin(7, 0)
    scene.tick()
    (tmp_path / RUN / "usage" / name).write_bytes(b"x" * 100)
    with locked(tmp_path):
        (one,) = monitor_look.look(tmp_path).jobs
    assert one.age_s is None


def unanswered(root: Path, port: int, answer_s: float = 30.0) -> str | None:
    config(root, f'[monitor]\nlisten = "127.0.0.1:{port}"\n')
    with locked(root):
        return monitor_look.look(root, answer_s).unanswered


def test_the_metrics_answer(tmp_path: Path) -> None:
    from slurm_mig.usage.metrics.endpoint import Endpoint

    endpoint = Endpoint(exposition(tmp_path).registry, Address("127.0.0.1", 0))
    try:
        assert endpoint.wait_s(30)
        assert unanswered(tmp_path, endpoint.port) is None
    finally:
        endpoint.close()


def test_nobody_or_somebody_else_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            channel, _ = other.accept()
            channel.recv(1000)
            channel.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello\n")
            channel.close()

        thread = threading.Thread(target=answer)
        thread.start()
        told = unanswered(tmp_path, port)
        thread.join()
    assert told == "something else than the monitor answers there"
    assert unanswered(tmp_path, port) == "Connection refused"


def test_who_takes_the_question_and_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert unanswered(tmp_path, silent.getsockname()[1], 0.2) == "no answer within 0.2 s"


def test_the_file_for_node_exporter(tmp_path: Path) -> None:
    config(tmp_path, '[monitor]\nlisten = ""\ntextfile_dir = "/run/node-exporter"\n')
    with locked(tmp_path):
        assert monitor_look.look(tmp_path).textfile_age_s is None
        file = tmp_path / "run/node-exporter/slurm_mig.prom"
        file.parent.mkdir()
        file.write_text("")
        os.utime(file, (time.time() - 900, time.time() - 900))
        age_s = monitor_look.look(tmp_path).textfile_age_s
    assert age_s is not None
    assert 899 < age_s < 4500


USAGE = "var/lib/slurm-mig/usage"


def write(root: Path, month: str, *numbers: int, **changes: object) -> Path:
    """Records in a month's file."""
    file = root / USAGE / f"{month}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        out.writelines(made.line(number, **changes) for number in numbers)
    return file


def gather(root: Path) -> None:
    """As `slurm-mig usage collect` does on this machine."""
    with opened(root, make=True) as store:
        collect(store, [root / USAGE])


def test_no_records_yet(tmp_path: Path) -> None:
    assert record_look.look(tmp_path) == RecordFacts()
    config(tmp_path, "[usage]\ndatabase = 3\n")
    assert "database" in str(record_look.look(tmp_path).settings_problem)


def test_how_much_there_is_and_how_much_room(tmp_path: Path) -> None:
    files = [write(tmp_path, month, 1) for month in ("2025-02", "2024-11", "2025-01")]
    (tmp_path / USAGE / "note.txt").write_text("x" * 5000)
    found = record_look.look(tmp_path)
    assert found.oldest == "2024-11"
    assert found.held_mib == sum(file.stat().st_size for file in files) / 2**20
    assert found.free_mib is not None
    assert (found.problem, found.uncollected_since) == (None, None)


def test_a_folder_into_which_others_can_write(tmp_path: Path) -> None:
    write(tmp_path, "2025-01", 1)
    (tmp_path / USAGE).chmod(0o777)
    assert "not root's alone" in str(record_look.look(tmp_path).problem)


def test_what_this_machine_s_database_lacks(tmp_path: Path) -> None:
    write(tmp_path, "2025-01", 1, 2, end=1000.0)
    gather(tmp_path)
    assert record_look.look(tmp_path).uncollected_since is None
    write(tmp_path, "2025-01", 3, end=5000.0)
    write(tmp_path, "2025-02", 4, end=7000.0)
    assert record_look.look(tmp_path).uncollected_since == 5000.0
    gather(tmp_path)
    assert record_look.look(tmp_path).uncollected_since is None


def test_records_that_came_another_way_are_not_missing(tmp_path: Path) -> None:
    file = write(tmp_path, "2025-01", 1, end=1000.0)
    copy = tmp_path / "srv/copy.jsonl"
    copy.parent.mkdir()
    copy.write_bytes(file.read_bytes())
    with opened(tmp_path, make=True) as store:
        collect(store, [copy])
    assert record_look.look(tmp_path).uncollected_since is None


@pytest.mark.parametrize("line", [b"{damaged\n", made.line(9, end=None)])
def test_a_line_that_tells_no_end_is_as_old_as_its_file(tmp_path: Path, line: bytes) -> None:
    file = write(tmp_path, "2025-01", 1, end=1000.0)
    gather(tmp_path)
    with file.open("ab") as out:
        out.write(line)
    os.utime(file, (77.0, 77.0))
    assert record_look.look(tmp_path).uncollected_since == 77.0


def test_a_server_is_not_asked(tmp_path: Path) -> None:
    write(tmp_path, "2025-01", 1, end=1000.0)
    config(tmp_path, '[usage]\ndatabase = "postgresql://nobody@192.0.2.1/usage"\n')
    assert record_look.look(tmp_path).uncollected_since is None


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    write(tmp_path, "2025-01", 1)
    database = tmp_path / "var/lib/slurm-mig/usage.db"
    database.write_bytes(b"")
    with pytest.raises(SlurmMigError, match="nothing was collected"):
        record_look.look(tmp_path)


def test_what_is_told_can_be_json(tmp_path: Path) -> None:
    assert json.dumps(monitor_look.look(tmp_path)._asdict())
    assert json.dumps(record_look.look(tmp_path)._asdict())
