"""Which order a node has carried out, on its own disk."""

import json
from pathlib import Path

import pytest

from slurm_mig.errors import JournalError
from slurm_mig.reconfigure.reboot import orders
from slurm_mig.reconfigure.reboot.orders import Carried

FILE = "var/lib/slurm-mig/reboot.json"


@pytest.mark.parametrize(
    "carried",
    [Carried("0a1b2c3d", "4e5f6071", "done"), Carried("0a1b2c3d", "4e5f6071", "former", "no")],
)
def test_the_last_one_is_known(tmp_path: Path, carried: Carried) -> None:
    assert orders.read(tmp_path) is None
    assert not orders.is_over(tmp_path, carried.order)
    orders.write(tmp_path, carried._replace(order="00000000"))
    orders.write(tmp_path, carried)
    assert orders.read(tmp_path) == carried
    assert orders.is_over(tmp_path, carried.order)
    assert not orders.is_over(tmp_path, "00000000")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"version": 2}', '{"version": 1, "run": 1, "order": "x"}']
)
def test_what_cannot_be_read_is_not_nothing(tmp_path: Path, text: str) -> None:
    orders.write(tmp_path, Carried("0a1b2c3d", "4e5f6071", "done"))
    (tmp_path / FILE).write_text(text)
    with pytest.raises(JournalError):
        orders.is_over(tmp_path, "4e5f6071")


def test_it_is_no_list_of_all(tmp_path: Path) -> None:
    for number in range(100):
        orders.write(tmp_path, Carried("0a1b2c3d", f"{number:08x}", "done"))
    assert json.loads((tmp_path / FILE).read_text())["order"] == f"{99:08x}"
