"""Sim: a simulated machine with GPUs, for tests and for `python -m tests.sim`."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.sim import library, tree
from tests.sim.errors import SimError, name_of
from tests.sim.launch import CHECKOUT, Launcher
from tests.sim.layout import plan
from tests.sim.machine import Options, describe, places
from tests.sim.models import GpuModel, keys, load

__all__ = ["CHECKOUT", "Sim"]


class Sim(Launcher):
    """One machine: its state in `dir`, its /proc and /dev below `root`."""

    @classmethod
    def new(
        cls, dir: Path, gpus: Sequence[str], *, nodes: bool = True, numbering: str = "a",
        gap: bool = False, reversed_minors: bool = False, **more: Any,
    ) -> "Sim":  # fmt: skip
        """Make a machine; each GPU is `MODEL` or `MODEL=LAYOUT`.

        `more`: the other fields of machine.Options. Without `nodes` no nvidia-cap node is made
        (the driver makes none). SimError says what cannot be; then nothing stays in `dir`.
        """
        sim = cls(dir)
        if (sim.dir / "state").exists() or sim.root.exists():
            raise SimError(f"{dir} holds a simulated machine already: take another folder")
        more.setdefault("seed", sim.dir.name)
        options = Options(
            numbering=numbering, gap=gap, reversed_minors=reversed_minors, **more
        )  # fmt: skip
        try:
            sim._build([gpu.partition("=") for gpu in gpus], options, nodes)
        except BaseException:
            sim._remove()
            raise
        return sim

    def _remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("state", "lock"):
            (self.dir / name).unlink(missing_ok=True)
        if self.dir.exists() and not any(self.dir.iterdir()):
            self.dir.rmdir()

    def _build(self, gpus: Sequence[tuple[str, str, str]], options: Options, nodes: bool) -> None:
        found = places([key for key, _, _ in gpus], options)
        for place, (_, _, layout) in zip(found, gpus, strict=True):
            if layout:
                _check(place.model, layout)
        self.dir.mkdir(parents=True, exist_ok=True)
        tree.write_proc(self.root, found, options.driver)
        tree.make_gpu_nodes(self.root, found)
        library.new(self.dir, describe(found, options, os.cpu_count() or 1))
        for place, (_, _, layout) in zip(found, gpus, strict=True):
            if layout and layout != "off":
                self._lay_out(place.index, place.model, layout)
        self.show()  # the first look writes the capabilities tree
        if nodes:
            self.make_nodes()

    def make_nodes(self) -> list[Path]:
        """Make the missing nvidia-cap nodes, as nvidia-modprobe would; those made."""
        self.show()  # the tree may be behind: a look brings it up to date
        return tree.make_cap_nodes(self.root)

    def model(self, gpu_index: int) -> GpuModel:
        """What kind of GPU that is."""
        gpus = self.show()["gpus"]
        if not 0 <= gpu_index < len(gpus):
            raise SimError(f"no GPU {gpu_index}: there are {len(gpus)}, counted from 0")
        name = gpus[gpu_index]["name"]
        return next(load(key) for key in keys() if load(key).name == name)

    def partition(self, gpu_index: int, layout: str) -> None:
        """Give a GPU another layout, whoever uses it; `off` switches MIG off. No nodes made."""
        model = self.model(gpu_index)
        _check(model, layout)
        library.must("clear", self.dir, gpu_index)
        if layout == "off":
            library.must("set_mode", self.dir, gpu_index, 0)
        else:
            self._lay_out(gpu_index, model, layout)

    def _lay_out(self, gpu_index: int, model: GpuModel, layout: str) -> None:
        library.must("set_mode", self.dir, gpu_index, 1)
        for gi in plan(model, layout):
            code, gi_id = library.create(
                "create_gi", self.dir, gpu_index, gi.profile.profile_id, gi.start
            )
            if code != 0:
                raise SimError(
                    f"{layout} is not possible on {model.key}: {gi.profile.name}@{gi.start} "
                    f"beside the others: {name_of(code)} (at most {gi.profile.max_count} of it; "
                    "+me and +me.all exclude others)"
                )
            for ci in gi.cis:
                code, _ = library.create(
                    "create_ci", self.dir, gpu_index, gi_id, ci.profile.profile_id, ci.start
                )
                if code != 0:
                    raise SimError(
                        f"{ci.profile.name}@{ci.start} does not fit in {gi.profile.name}: "
                        f"{name_of(code)}"
                    )

    def reset(self, gpu_index: int) -> None:
        """Reset one GPU, as `nvidia-smi -r -i`; SimError (IN_USE) while a process holds it."""
        library.must("reset", self.dir, gpu_index)

    def reboot(self) -> None:
        """Reboot the machine: processes, instances, cap nodes and /run are gone.

        From now on it has a boot id of its own.
        """
        library.must("reboot", self.dir)
        for folder in ("dev/nvidia-caps", "run"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        tree.write_boot_id(self.root)


def _check(model: GpuModel, layout: str) -> None:
    if layout != "off":
        plan(model, layout)
