"""How a node of many tells Slurm: its own gres.conf by itself, slurm.conf when others do."""

from typing import Final

from slurm_mig.reconfigure import publish, telling
from slurm_mig.reconfigure.phases import gpu_types
from slurm_mig.reconfigure.publication import text_of
from slurm_mig.reconfigure.publisher import DELETES, NodePublisher
from slurm_mig.reconfigure.record import FORMER, TARGET
from slurm_mig.reconfigure.world import Held, Notes
from slurm_mig.slurm.config.conf import is_handed_out

# In the notes of the record, so that what was told once is known after a crash too.
PUBLISHED: Final = "published"  # the goal that slurm.conf has
TOUCHED: Final = "touched"  # it may have one that is not the former


class HoldingPublisher(NodePublisher):
    """As world.Publisher. A dynamic node waits for nobody."""

    def begin(self, name: str, notes: Notes) -> None:
        """As the port: slurm.conf is watched where it is written."""
        own = not self._shares and not notes["label"]
        path = notes["gres_conf"]
        telling.keep(self._root, name, None, {path: text_of(path)} if own else {})

    def publish(self, name: str, notes: Notes, *, back: bool) -> None:
        """As the port: Held until `notes` say that this goal is published."""
        if notes["way"] in DELETES:
            return super().publish(name, notes, back=back)
        if notes.get(PUBLISHED) == (FORMER if back else TARGET):
            return None
        if not back:
            telling.must_be_as_kept(self._root, name, self._settings.publish_timeout_s)
        if not self._shares:
            self._write(name, notes, conf=False)
            publish.commit(self._root, name)
        if back and self._was_never_told(notes):
            return None
        raise Held("waits until slurm.conf says what it has")

    def block(self, notes: Notes) -> str:
        """What stands of the node in the gres.conf of many; "" where it has its own."""
        return self.made(notes).text if self._shares else ""

    def gres(self, notes: Notes) -> str:
        """The node's `Gres=`."""
        return self.made(notes).groups[0].gres

    @property
    def _shares(self) -> bool:
        """Whether its gres.conf is many nodes', and written where slurm.conf is."""
        return bool(self._settings.shared_gres_conf) or is_handed_out(self._own_conf)

    def _gres_conf(self) -> tuple[str, str]:
        """As for one node alone; a copy is good to read."""
        if is_handed_out(self._own_conf):
            return str(self._own_conf.parent / "gres.conf"), self._node
        return super()._gres_conf()

    def _cannot_write(self, notes: Notes, there: str) -> list[str]:
        """As for one node alone, of what is not for others to write."""
        if notes["way"] in DELETES:
            return super()._cannot_write(notes, there)
        return [] if self._shares else self._cannot_write_gres(notes, there)

    def _was_never_told(self, notes: Notes) -> bool:
        """Whether Slurm was never told anything but what lives."""
        if notes.get(TOUCHED) or notes.get(PUBLISHED):
            return False
        return gpu_types(self._client.node(self._node)) == self.types(notes)
