"""A node with two GPUs in a folder: real device nodes, the driver's files, a gres map.

No NVML is needed for it: hooks ask none.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slurm_mig.hooks.run import run

CAPS_MAJOR = 599  # no other test's: epilogs of clusters look at all processes
BOOT_ID = "11111111-2222-3333-4444-555555555555"
# GPU 0 is cut into one 3g and two 1g; GPU 1 has two compute instances on one 2g; GPU 2 is whole.
SLICES = (
    ("3g.40gb", 0, 1, 0),
    ("1g.10gb", 0, 9, 0),
    ("1g.10gb", 0, 10, 0),
    ("1c.2g.20gb", 1, 5, 0),
    ("1c.2g.20gb", 1, 5, 1),
)


class FakeNode:
    """The machine below `root`, and hooks run on it in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "dev/nvidia-caps").mkdir(parents=True)
        for folder in ("run/slurm-mig", "var/log", "var/lib", "etc", "proc/sys/kernel/random"):
            (root / folder).mkdir(parents=True)
        (root / "proc/sys/kernel/random/boot_id").write_text(f"{BOOT_ID}\n")
        for gpu_minor in range(3):
            self.mknod(f"/dev/nvidia{gpu_minor}", 195, gpu_minor)
        self.gres = [self._slice(index, *one) for index, one in enumerate(SLICES)]
        self.gres.append(self._whole(len(SLICES), 2))
        self.map: dict[str, Any] = {
            "version": 1,
            "node": "n1",
            "boot_id": BOOT_ID,
            "generation": 0,
            "slurm_version": "24.11.5",
            "constrained": True,
            "made_at": 1_700_000_000,
            "gres": self.gres,
        }
        self.write_map()

    def mknod(self, path: str, major: int, minor: int) -> None:
        """A character device, if it is not there yet."""
        node = self.root / path.lstrip("/")
        if not node.exists():
            os.mknod(node, 0o020666, os.makedev(major, minor))

    def capability(self, gpu_minor: int, gi_id: int, ci_id: int | None, minor: int) -> str:
        """The driver's file of a live instance, and its device node; the node's path."""
        compute = "" if ci_id is None else f"/ci{ci_id}"
        path = f"proc/driver/nvidia/capabilities/gpu{gpu_minor}/mig/gi{gi_id}{compute}"
        (self.root / path).mkdir(parents=True, exist_ok=True)
        (self.root / path / "access").write_text(
            f"DeviceFileMinor: {minor}\nDeviceFileMode: 292\nDeviceFileModify: 1\n"
        )
        node = f"/dev/nvidia-caps/nvidia-cap{minor}"
        self.mknod(node, CAPS_MAJOR, minor)
        return node

    def _slice(self, index: int, profile: str, gpu: int, gi_id: int, ci_id: int) -> dict[str, Any]:
        gi_minor = 3 + 135 * gpu + 9 * gi_id
        ci_minor = gi_minor + 1 + ci_id
        gi_node = self.capability(gpu, gi_id, None, gi_minor)
        ci_node = self.capability(gpu, gi_id, ci_id, ci_minor)
        whole = self._whole(index, gpu)
        files = [
            *whole["files"],
            {"path": gi_node, "major": CAPS_MAJOR, "minor": gi_minor},
            {"path": ci_node, "major": CAPS_MAJOR, "minor": ci_minor},
        ]
        mig = {
            "uuid": f"MIG-00000000-0000-0000-0000-{index:012}",
            "profile": profile,
            "gi_id": gi_id,
            "ci_id": ci_id,
            "gi_minor": gi_minor,
            "ci_minor": ci_minor,
            "mig_index": index,
            "placement": {"start": 0, "size": 4},
            "memory_mib": 9728,
            "sm_count": 16,
        }
        return {**whole, "type": f"h100_{profile}", "files": files, "mig": mig}

    def _whole(self, index: int, gpu: int) -> dict[str, Any]:
        return {
            "gres_index": index,
            "type": "h100",
            "gpu_index": gpu,
            "gpu_minor": gpu,
            "gpu_uuid": f"GPU-00000000-0000-0000-0000-{gpu:012}",
            "gpu_name": "NVIDIA H100 80GB HBM3",
            "files": [{"path": f"/dev/nvidia{gpu}", "major": 195, "minor": gpu}],
            "mig": None,
        }

    def write_map(self, **changes: Any) -> None:
        """Write the map, after changing some of its fields."""
        self.map.update(changes)
        (self.run / "gres-map.json").write_text(json.dumps(self.map))

    def settings(self, text: str) -> None:
        """Write the table [hooks]."""
        (self.root / "etc/slurm-mig").mkdir(exist_ok=True)
        (self.root / "etc/slurm-mig/config.toml").write_text(f"[hooks]\n{text}\n")

    @property
    def run(self) -> Path:
        """/run/slurm-mig."""
        return self.root / "run/slurm-mig"

    def prolog(self, job_id: int = 7, gpus: str = "1", **more: str) -> int:
        """The exit code of the prolog of a job."""
        return self.hook("prolog", job_id, gpus, more)

    def epilog(self, job_id: int = 7, gpus: str = "1", **more: str) -> int:
        """The exit code of the epilog of a job, which ended well unless `more` says otherwise."""
        return self.hook("epilog", job_id, gpus, {"SLURM_JOB_EXIT_CODE2": "0:0", **more})

    def hook(self, name: str, job_id: int, gpus: str, more: Mapping[str, str]) -> int:
        """The exit code of any hook."""
        environ = {
            "SLURM_JOB_ID": str(job_id),
            "SLURM_JOB_UID": "1001",
            "SLURM_JOB_USER": "ada",
            "SLURM_JOB_ACCOUNT": "physics",
            "SLURM_JOB_PARTITION": "main",
            "SLURM_CLUSTER_NAME": "c",
            "SLURMD_NODENAME": "n1",
            "SLURM_JOB_GPUS": gpus,
            **more,
        }
        coded = {key.encode(): os.fsencode(value) for key, value in environ.items()}
        return run(name, coded, str(self.root))

    def records(self) -> list[dict[str, Any]]:
        """Every closed record, in the order of closing."""
        files = sorted((self.root / "var/lib/slurm-mig/usage").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def open_records(self) -> list[str]:
        """The names of the files of jobs that are not closed."""
        return sorted(path.name for path in (self.run / "jobs").glob("*.json"))

    def bindings(self) -> list[str]:
        """The names of the slices that are bound."""
        return sorted(path.name for path in (self.run / "bindings").iterdir())

    def logged(self) -> list[str]:
        """The lines of the log file."""
        return (self.root / "var/log/slurm-mig/hooks.log").read_text().splitlines()

    def wipe_run(self) -> None:
        """What a reboot does to /run."""
        shutil.rmtree(self.run)
        self.run.mkdir()
