"""Many reconfigures over the same files, in any order: each node has what its own last said."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from slurm_mig.reconfigure.publish import begin, carry_out, commit, undo
from tests.reconfigure.publishing import NEW, NODES, OLD, OTHER, make


class Reconfigures(RuleBasedStateMachine):
    """One publication a node at a time: planned, carried out, undone or committed."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        (self.root / "etc").mkdir()
        self.site = make(self.root / "etc")
        self.has = dict.fromkeys(NODES, OLD)
        self.open: dict[str, tuple[str, str]] = {}

    @rule(node=st.sampled_from(NODES), gpus=st.sampled_from([NEW, OTHER, OLD]))
    def plan(self, node: str, gpus: str) -> None:
        if node not in self.open:
            begin(self.root, node, self.site.publication(node, gpus=gpus))
            self.open[node] = self.has[node], gpus

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def carry_out(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(sorted(self.open)))
        carry_out(self.root, node, 1)
        self.has[node] = self.open[node][1]

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(sorted(self.open)))
        undo(self.root, node, 1)
        self.has[node] = self.open[node][0]

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(sorted(self.open)))
        commit(self.root, node)
        del self.open[node]

    @invariant()
    def each_node_has_its_own(self) -> None:
        if hasattr(self, "site"):
            assert {node: self.site.says(node) for node in NODES} == self.has

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestReconfigures = Reconfigures.TestCase
TestReconfigures.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, derandomize=True
)
