"""gen-gres over simulated machines, in this process: what it writes and what it predicts."""

import re
from dataclasses import dataclass

import pytest

from slurm_mig.generate.build import Generated, Request, for_node
from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.present.discover import discover
from slurm_mig.model import Node
from slurm_mig.slurm.gres import GresOptions, GresRecord
from tests.cluster.slurmds import SlurmdAnswer, slurmd_g
from tests.sim import library
from tests.sim.api import Sim

# Slurm before 25.11.5 says so of a name above 63 bytes, and goes on without it.
TOO_LONG = "error: Failed to get name of the GPU: Insufficient Size"


def seen(sim: Sim) -> Node:
    """What discover sees on a simulated machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIGSIM_DIR", str(sim.dir))
        library.load()
        with session() as nvml:
            return discover(nvml, sim.root, "n1")


@dataclass(frozen=True)
class Judged:
    """What gen-gres wrote, and what a real slurmd made of it."""

    made: Generated
    answer: SlurmdAnswer

    @property
    def predicted(self) -> tuple[GresRecord, ...]:
        """The records in the order in which gen-gres says that slurmd has them."""
        return self.made.groups[0].records


def judge(release: str, sim: Sim, node: Node, options: GresOptions) -> Judged:
    """Give a slurmd of this release the file and the Gres= value, and ask what it has."""
    made = for_node(node, Request(options, root=sim.root))
    (group,) = made.groups
    return Judged(made, slurmd_g(release, sim, group.gres, made.text))


def assert_as_predicted(judged: Judged) -> None:
    """slurmd has the predicted list: types, files, order, and complains of TOO_LONG at most."""
    answer = judged.answer
    assert answer.returncode == 0, answer.log
    told = [(record.type, record.files) for record in answer.records]
    expected = [(record.type, record.files) for record in judged.predicted]
    assert told == expected, f"{judged.made.text}\n{answer.log}"
    assert all(record.count == 1 for record in answer.records)
    assert set(answer.errors) <= {TOO_LONG}, f"{judged.made.text}\n{answer.log}"


def unique_ids(log: str) -> list[str | None]:
    """The UniqueId of each record, in order: 24.11 logs them where `-G` does not print them."""
    _, _, merged = log.partition("Final merged GRES list:\n")
    found = re.findall(r"GRES\[gpu\] .* UniqueId:(\S+)", merged)
    return [None if each == "(null)" else each for each in found]
