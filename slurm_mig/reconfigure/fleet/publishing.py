"""Slurm is told of a wave: one publication and one reconfigure, or one restart, for all of it."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from slurm_mig.errors import Refused, SlurmMigError
from slurm_mig.reconfigure import publish, telling, writable
from slurm_mig.reconfigure.fleet.record import NodeEntry
from slurm_mig.reconfigure.publication import ConfWish, GresWish, text_of
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.slurm.config.confedit import read_files
from slurm_mig.slurm.configless import controllers, hands_out
from slurm_mig.slurm.controller.client import SlurmClient
from slurm_mig.slurm.ways import Kind


class WavePublisher:
    """Writes slurm.conf, and a gres.conf of many nodes, for the held nodes of a wave."""

    def __init__(
        self, root: Path, slurm_conf: Path, client: SlurmClient, settings: ReconfigureSettings
    ) -> None:
        self._root, self._client, self._settings = root, client, settings
        self._conf = Path(settings.shared_conf) if settings.shared_conf else slurm_conf

    def must_be_possible(self) -> None:
        """Raises Refused where the files cannot be written from here."""
        there = controllers(self._client.config())
        problems = writable.file_problems(str(self._conf), "shared_conf", there)
        if gres := self._gres_conf():
            problems += writable.file_problems(gres, "shared_gres_conf", there)
        if problems:
            raise Refused("no node was told anything", list(dict.fromkeys(problems)))

    def begin(self, name: str) -> None:
        """Keep how the files are, so that it is noticed who changes them meanwhile."""
        texts: dict[str, str | None] = {
            str(path.resolve()): text for path, text in read_files(self._conf).texts.items()
        }
        if gres := self._gres_conf():
            texts[str(Path(gres).resolve())] = text_of(gres)
        telling.forget(self._root, name)
        telling.keep(self._root, name, ConfWish(str(self._conf.resolve()), {}), texts)

    def publish(self, name: str, held: Sequence[NodeEntry]) -> None:
        """Have Slurm know what these nodes have.

        Raises Refused before the first write: a file was changed by hand since begin(), or it
        cannot be done. SlurmMigError later; the files are then as before, as far as can be.
        """
        wait_s = self._settings.publish_timeout_s
        telling.must_be_as_kept(self._root, name, wait_s)
        wish = ConfWish(str(self._conf), {one.name: one.gres for one in held})
        seen = telling.write(self._root, name, wish, self._gres(held), wait_s)
        try:
            telling.tell(self._conf, _way(held), seen, self._client, self._settings)
        except SlurmMigError:
            with suppress(SlurmMigError):
                publish.undo(self._root, name, wait_s)
            publish.commit(self._root, name)
            raise
        publish.commit(self._root, name)

    def end(self, name: str) -> None:
        """The wave is at its end."""
        telling.end(self._root, name)

    def _gres_conf(self) -> str:
        """The gres.conf of many nodes, "" where there is none: nodes have their own."""
        if self._settings.shared_gres_conf or not hands_out(self._client.config()):
            return self._settings.shared_gres_conf
        return str(self._conf.parent / "gres.conf")

    def _gres(self, held: Sequence[NodeEntry]) -> list[GresWish]:
        path = self._gres_conf()
        blocks = [one for one in held if one.block]
        if blocks and not path:
            names = ", ".join(one.name for one in blocks)
            problem = f"shared_gres_conf is not set here, and it is on {names}: set it here too"
            raise Refused("nothing was published", [problem])
        return [GresWish(path, one.name, one.block, one.name) for one in blocks]


def _way(held: Sequence[NodeEntry]) -> str:
    restarts = any(one.way == Kind.RESTART.value for one in held)
    return Kind.RESTART.value if restarts else Kind.RECONFIGURE.value
