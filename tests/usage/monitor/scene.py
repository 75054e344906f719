"""A node in a folder: a UsageMachine for GPUs, a clock that a test sets, a monitor on it."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slurm_mig.hooks import measured
from slurm_mig.hooks.registry import Registry
from slurm_mig.usage import record
from slurm_mig.usage.monitor.jobs import OpenJobs
from slurm_mig.usage.monitor.monitor import Monitor
from slurm_mig.usage.monitor.session import OpenNvml
from slurm_mig.usage.monitor.settings import MonitorSettings
from tests.fake_usage import Load, Step, UsageMachine

BOOT_ID = "11111111-2222-3333-4444-555555555555"
UID = 1001


class FakeClock:
    """`Clock`, moved by hand. `asleep_s`: how long the machine slept so far."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.asleep_s = 0.0
        self.wall_s = 1_700_000_000.0

    def boottime_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s - self.asleep_s

    def unix_s(self) -> float:
        return self.wall_s + self.now_s

    def sleep(self, seconds: float) -> None:
        """The machine is suspended for so long."""
        self.now_s += seconds
        self.asleep_s += seconds


class Scene:
    """`gres` are the slices of all GPUs, as the gres map has them."""

    machine: UsageMachine

    def __init__(self, root: Path, *layouts: str, **settings: Any) -> None:
        self.root, self.clock = root, FakeClock()
        self.machine = self.make_machine(layouts)
        self.settings = MonitorSettings(**{"period_s": 1.0, "device_check": False, **settings})
        for folder in ("run/slurm-mig/jobs", "proc/sys/kernel/random"):
            (root / folder).mkdir(parents=True)
        (root / "proc/sys/kernel/random/boot_id").write_text(f"{BOOT_ID}\n")
        (root / "sys/fs/cgroup/devices/slurm").mkdir(parents=True)
        self.gres = [entry for gpu in range(len(layouts)) for entry in self._slices(gpu)]
        self._pids = iter(range(100_000, 1 << 30))
        self._began: dict[int, float] = {}
        self.monitor = self.start()

    def make_machine(self, layouts: Sequence[str]) -> UsageMachine:
        """The GPUs."""
        return UsageMachine(layouts, self.clock.boottime_s)

    def start(self, open_nvml: OpenNvml | None = None) -> Monitor:
        """A new monitor, as after a crash of the one before: nothing of it is closed."""
        opening = open_nvml or self.machine.session
        self.monitor = Monitor(self.root, self.settings, opening, self.clock)
        return self.monitor

    def _slices(self, gpu: int) -> list[dict[str, Any]]:
        uuid = self.machine.gpu_uuid(gpu)
        whole = {"gpu_uuid": uuid, "gpu_minor": gpu, "gpu_name": "GPU", "gpu_index": gpu}
        files = [{"path": f"/dev/nvidia{gpu}", "major": 195, "minor": gpu}]
        devices = self.machine.mig_devices(gpu)
        if not devices:
            return [{**whole, "gres_index": 100 * gpu, "type": "gpu", "mig": None, "files": files}]
        return [
            {
                **whole,
                "gres_index": 100 * gpu + number,
                "type": one.profile,
                "mig": {
                    "uuid": one.uuid, "profile": one.profile, "gi_id": one.gi_id,
                    "ci_id": one.ci_id, "placement": None, "memory_mib": one.memory_mib,
                    "sm_count": one.sm_count,
                },
                "files": [*files, *(self._cap(gpu, one.gi_id, own) for own in (None, one.ci_id))],
            }
            for number, one in enumerate(devices)
        ]  # fmt: skip

    @staticmethod
    def _cap(gpu: int, gi_id: int, ci_id: int | None) -> dict[str, Any]:
        minor = 3 + 135 * gpu + 9 * gi_id + (0 if ci_id is None else 1 + ci_id)
        return {"path": f"/dev/nvidia-caps/nvidia-cap{minor}", "major": 599, "minor": minor}

    def begin(self, job_id: int, *places: int, complete: bool = True, restarts: int = 0) -> str:
        """A prolog's work: job on the slices at these places of `gres`; its file's name."""
        self._began[job_id] = self.clock.now_s
        about: record.Record = {"job_id": job_id, "restarts": restarts, "uid": UID, "user": "ada"}
        slices = [record.slice_identity(self.gres[at], BOOT_ID, 0) for at in places]
        record_id = os.urandom(6).hex()
        made = record.opened(record_id, about, slices, start=1.0, complete=complete)
        content = {"version": 1, "record": made, "gres": [], "sluid": None}
        self.rewrite(job_id, {**content, "started_boottime_s": self.clock.now_s})
        return f"{job_id}.{record_id}"

    def rewrite(self, job_id: int, content: dict[str, Any]) -> None:
        """Give a job another open record, as hooks do: by a new file of that name."""
        slices = content["record"]["slices"]
        content["gres"] = [{} for _ in slices]
        draft = self.jobs / ".draft"
        draft.write_text(json.dumps(content))
        draft.rename(self.jobs / f"{job_id}.json")

    def opened(self, job_id: int) -> dict[str, Any]:
        """What stands in a job's open record."""
        found: dict[str, Any] = json.loads((self.jobs / f"{job_id}.json").read_text())
        return found

    def run(
        self, job_id: int | None, place: int, *steps: Step, for_s: float = 1e9, name: str = "cuda"
    ) -> Load:
        """A process of a job (None: of none) on a slice, from now on."""
        entry, pid = self.gres[place], next(self._pids)
        mig = entry["mig"] or {}
        load = Load(
            pid, entry["gpu_index"], mig.get("gi_id"), mig.get("ci_id"), self.clock.now_s,
            self.clock.now_s + for_s, steps or (Step(0, 100.0, 1.0),),
        )  # fmt: skip
        self.machine.loads.append(load)
        self.process(pid, job_id, start=pid % 1000, name=name)
        return load

    def process(self, pid: int, job_id: int | None, *, start: int, name: str = "cuda") -> None:
        """A process in /proc, in a job's cgroup or in none."""
        folder = self.root / f"proc/{pid}"
        folder.mkdir(exist_ok=True)
        fields = " ".join(["S", *["0"] * 18, str(start), "0"])
        (folder / "stat").write_text(f"{pid} ({name}) {fields}\n")
        where = "/user.slice" if job_id is None else f"/slurm/uid_{UID}/job_{job_id}/step_0"
        (folder / "cgroup").write_text(f"7:devices:{where}\n0::/\n")

    @property
    def jobs(self) -> Path:
        """/run/slurm-mig/jobs."""
        return self.root / "run/slurm-mig/jobs"

    @property
    def files(self) -> list[str]:
        """What is handed over, by name."""
        return sorted(path.name for path in (self.root / "run/slurm-mig/usage").iterdir())

    def tick(self, seconds: float = 1.0, times: int = 1) -> None:
        """Time goes by, and a round is made; so many times."""
        for _ in range(times):
            self.clock.now_s += seconds
            self.look()
            self.monitor.round()

    def look(self) -> None:
        """The daemon's look at the jobs: a new one is sampled at once."""
        jobs = OpenJobs(str(self.root))
        try:
            new = self.monitor.meet(jobs.look(), all_read=jobs.all_read)
        finally:
            jobs.close()
        if new:
            self.monitor.round(new)

    def end(self, job_id: int) -> dict[str, Any]:
        """An epilog's work; the closed record, as it goes into the month's file."""
        registry = Registry(str(self.root))
        try:
            found = self.opened(job_id)
            begun = found["record"]
            closed = record.closed(
                begun, end=2.0, duration_s=self.clock.now_s - self._began[job_id], exit_code=0,
                signal=0, exit_unknown_why=None, repartitioned=[None] * len(begun["slices"]),
                leftovers=0,
            )  # fmt: skip
            final = measured.added(registry, closed, found)
            registry.drop_record(job_id)
            measured.forget(registry, final)
        finally:
            registry.close()
        return json.loads(json.dumps(final))  # type: ignore[no-any-return]

    def usage(self, job_id: int) -> dict[str, Any]:
        """The end of a job on one slice; what was measured of it."""
        (one,) = self.end(job_id)["slices"]
        found: dict[str, Any] = one["usage"]
        return found


MakeScene = Callable[..., Scene]
