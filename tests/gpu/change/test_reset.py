"""Resets by a site's command: of one GPU, bounded, and never tried where they cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import CommandError
from slurm_mig.gpu.change.reset import ResetImpossible, resetter
from slurm_mig.settings import Settings
from tests.sim.api import Sim

NewSim = Callable[..., Sim]
BUS_ID = "00000000:07:00.0"


def settings(sim: Sim, *more: str) -> Settings:
    return Settings(reset_command=tuple(sim.reset_command(*more)), reset_timeout_s=30)


def script(folder: Path, text: str) -> Settings:
    path = folder / "reset"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Settings(reset_command=(str(path), "{bus_id}"), reset_timeout_s=5)


def bus_id(sim: Sim, gpu_index: int) -> str:
    return str(sim.show()["gpus"][gpu_index]["pci_bus_id"])


def test_that_gpu_is_reset_and_no_other(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=2x3g.20gb", "a100-40gb=2x3g.20gb")
    resetter(settings(sim))(bus_id(sim, 1))
    assert [len(gpu["gpu_instances"]) for gpu in sim.show()["gpus"]] == [2, 0]


def test_a_gpu_in_use_is_not(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=2x3g.20gb")
    with sim.running(), pytest.raises(CommandError, match=r"was not reset: .*IN_USE") as error:
        resetter(settings(sim))(bus_id(sim, 0))
    assert not isinstance(error.value, ResetImpossible)


def test_where_it_is_not_supported_a_reboot_is_told(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb=mig")
    with pytest.raises(ResetImpossible, match=r"not supported.*: reboot the node instead$"):
        resetter(settings(sim, "--refuse"))(bus_id(sim, 0))


def test_a_site_without_a_command_is_told_to_reboot() -> None:
    with pytest.raises(ResetImpossible, match=r"has no reset_command: reboot the node$"):
        resetter(Settings(reset_command=()))(BUS_ID)


@pytest.mark.parametrize("text", ["", "0", "all", "00000000:07:00.0 -x", "-r", "00000000:07:00"])
def test_only_a_bus_id_reaches_the_command(text: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no PCI bus id: no GPU was reset"):
        resetter(script(tmp_path, f"touch {tmp_path}/called"))(text)
    assert not (tmp_path / "called").exists()


def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    hanging = script(tmp_path, "sleep 100 & wait")._replace(reset_timeout_s=0.3)
    with pytest.raises(CommandError, match=r"did not end within 0\.3 s, and was killed"):
        resetter(hanging)(BUS_ID)


def test_one_that_forks_and_goes_on(tmp_path: Path) -> None:
    resetter(script(tmp_path, "sleep 5 & echo done"))(BUS_ID)


def test_a_failure_tells_its_reason(tmp_path: Path) -> None:
    failing = script(tmp_path, "echo 'GPU is being used by one or more other processes'; exit 255")
    with pytest.raises(CommandError, match="failed with 255: GPU is being used by one or more"):
        resetter(failing)(BUS_ID)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no-such-tool is not installed"):
        resetter(Settings(reset_command=("no-such-tool", "{bus_id}")))(BUS_ID)


def test_no_such_gpu_in_the_simulator(new_sim: NewSim) -> None:
    sim = new_sim("a100-40gb")
    with pytest.raises(CommandError, match="no GPU 00000000:FF"):
        resetter(settings(sim))("00000000:FF:00.0")
