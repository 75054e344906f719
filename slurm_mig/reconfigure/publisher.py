"""How Slurm is told what the node has: gres.conf, `Gres=`, and whoever has to read them.

What is written is made of the slices that live, so it can be done again after any crash, on the
way back too. How (the node's way, the form of its types) is chosen once, before it is drained.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from slurm_mig.errors import NoSuchNode, Refused
from slurm_mig.generate.build import Generated, Request, for_node
from slurm_mig.gpu.nvml.adapter import session
from slurm_mig.gpu.planning.plan import GpuPlan
from slurm_mig.gpu.present.discover import discover
from slurm_mig.model import Node
from slurm_mig.reconfigure import paper, publish, telling, writable
from slurm_mig.reconfigure.phases import gpu_types
from slurm_mig.reconfigure.publication import ConfWish, GresWish, text_of
from slurm_mig.reconfigure.settings import ReconfigureSettings
from slurm_mig.reconfigure.world import Elsewhere, Notes, Types
from slurm_mig.slurm import scontrol
from slurm_mig.slurm.config import block, dynamicconf
from slurm_mig.slurm.config.conf import is_handed_out, read_conf
from slurm_mig.slurm.config.confedit import read_files
from slurm_mig.slurm.config.drift import autodetect_of
from slurm_mig.slurm.configless import controllers
from slurm_mig.slurm.controller.client import NodeState, SlurmClient
from slurm_mig.slurm.daemon import running
from slurm_mig.slurm.records.gres import GresOptions, node_gres
from slurm_mig.slurm.records.refusals import same_to_slurm
from slurm_mig.slurm.ways import Cluster, Kind, Subject, way_of

CONF = "{conf}"
DELETES = frozenset({Kind.DYNAMIC.value})


class NodePublisher:
    """As world.Publisher. `slurm_conf` is the file that this node reads."""

    gather_s = 0.0  # as of telling.tell()

    def __init__(
        self,
        root: Path,
        slurm_conf: Path,
        node: str,
        client: SlurmClient,
        settings: ReconfigureSettings,
    ) -> None:
        self._root, self._node, self._client, self._settings = root, node, client, settings
        self._own_conf = slurm_conf
        self._conf = Path(settings.shared_conf) if settings.shared_conf else slurm_conf

    def choose(self, node: NodeState) -> Notes:
        """As the port."""
        config = self._client.config()
        subject = Subject(self._node, node.state)
        can_restart = bool(self._settings.slurmctld_restart_command)
        cluster = Cluster(self._client.version(), config, len(self._client.nodes()), can_restart)
        way = way_of(subject, cluster).kind.value
        path, label = self._gres_conf()
        text = text_of(path) or ""
        notes = {
            "way": way,
            "gres_conf": path,
            "label": label,
            "autodetect": autodetect_of(text, self._node),
            "types": "profile" if paper.has_short_types(node) else "full",
        }
        return {**notes, **({"conf": self._former_words()} if way in DELETES else {})}

    def hindrances(self, notes: Notes) -> list[str]:
        """As the port."""
        there = controllers(self._client.config())
        return [*self._stray_conf(), *self._cannot_write(notes, there)]

    def begin(self, name: str, notes: Notes) -> None:
        """As the port: keeps how the files are, so that it is noticed who changes them."""
        texts: dict[str, str | None] = {notes["gres_conf"]: text_of(notes["gres_conf"])}
        if notes["way"] not in DELETES:
            texts |= {
                str(path.resolve()): text for path, text in read_files(self._conf).texts.items()
            }
        telling.keep(self._root, name, ConfWish(str(self._conf.resolve()), {}), texts)

    def needs_it_empty(self, notes: Notes) -> bool:
        """As the port."""
        return notes["way"] in DELETES

    def types(self, notes: Notes) -> Types:
        """As the port."""
        return dict(self.made(notes).groups[0].types)

    def types_after(self, notes: Notes, plans: Sequence[GpuPlan]) -> Types:
        """As the port."""
        options = _options(notes)
        made = node_gres(paper.after(self._discovered(), plans), options)
        if same := same_to_slurm([name for name, _ in made.types], options):
            raise Refused("nothing was changed", same)
        return dict(made.types)

    def publish(self, name: str, notes: Notes, *, back: bool) -> None:
        """As the port."""
        if not back:
            telling.must_be_as_kept(self._root, name, self._settings.publish_timeout_s)
        seen = self._write(name, notes, conf=notes["way"] not in DELETES)
        if not (back and self._is_told(notes)):
            self._tell_slurm(notes["way"], seen)
        publish.commit(self._root, name)

    def end(self, name: str) -> None:
        """As the port."""
        telling.end(self._root, name)

    def start_words(self, notes: Notes, reason: str) -> Mapping[str, str]:
        """As the port."""
        if notes["way"] not in DELETES:
            return {CONF: ""}  # a site may have one command for both kinds of nodes
        words = dynamicconf.from_conf(notes["conf"], self.made(notes).groups[0].gres)
        # It must not take jobs before it is verified; 22.05 takes no reason here.
        quoted = reason.replace('"', "'")
        return {CONF: f'{words} State=DRAIN Reason="{quoted}"'}

    def made(self, notes: Notes) -> Generated:
        """What gres.conf and `Gres=` are to say of the slices that live."""
        request = Request(_options(notes), notes["label"] or None, False, self._root)
        return for_node(self._discovered(), request)

    def _write(self, name: str, notes: Notes, *, conf: bool) -> int | None:
        """Write gres.conf and, with `conf`, slurm.conf; the rest as telling.write()."""
        if is_handed_out(Path(notes["gres_conf"])):
            # Chosen when others were to write it, where the file is.
            raise Elsewhere(f"{notes['gres_conf']} is a copy of slurmctld's (configless)")
        made = self.made(notes)
        wish = ConfWish(str(self._conf), {self._node: made.groups[0].gres}) if conf else None
        gres = GresWish(notes["gres_conf"], self._node, made.text, notes["label"])
        return telling.write(self._root, name, wish, [gres], self._settings.publish_timeout_s)

    def _tell_slurm(self, way: str, seen: int | None) -> None:
        if way not in DELETES:
            known = self._client, self._settings
            telling.tell(self._conf, way, seen, *known, gather_s=self.gather_s)
        else:
            try:
                self._client.delete_node(self._node)
            except NoSuchNode:
                return

    def _is_told(self, notes: Notes) -> bool:
        """Whether a dynamic node is there as it shall be: it may have jobs, and need not go."""
        if notes["way"] not in DELETES:
            return False
        try:
            node = self._client.node(self._node)
        except NoSuchNode:
            return False
        return not node.registered_badly and gpu_types(node) == self.types(notes)

    def _stray_conf(self) -> Iterator[str]:
        """slurmd runs with what slurmctld hands out, and we would read something else."""
        found = running(self._root, read_conf(self._own_conf), self._node)
        words = found.words if found else ()
        fetches = any(word.startswith("--conf-server") for word in words)
        if fetches and not is_handed_out(self._own_conf):
            yield f"slurmd runs with --conf-server, and {self._own_conf} is here too: remove it"

    def _cannot_write(self, notes: Notes, there: str) -> list[str]:
        """Why what publish() is to write cannot be written; `there` it may be."""
        if notes["way"] in DELETES and is_handed_out(self._own_conf):
            # slurmctld hands out what it read last, and is told nothing for such a node.
            problem = "slurmctld hands its gres.conf out (configless): it needs files of its own"
            return [f"{self._node} is a dynamic node, and {problem}"]
        problems = self._cannot_write_gres(notes, there)
        if notes["way"] not in DELETES:
            problems += writable.conf_problems(self._conf, self._node, there)
        return problems

    def _cannot_write_gres(self, notes: Notes, there: str) -> list[str]:
        return writable.gres_problems(notes["gres_conf"], self._node, notes["label"], there)

    def _gres_conf(self) -> tuple[str, str]:
        """The file, and the label of the node's block in it."""
        if self._settings.shared_gres_conf:
            return self._settings.shared_gres_conf, self._node
        path = str(self._own_conf.parent / "gres.conf")
        labels = [label for label, _, _ in block.stretches(text_of(path) or "")]
        return path, self._node if self._node in labels else ""

    def _former_words(self) -> str:
        if not any(CONF in word for word in self._settings.slurmd_start_command):
            raise Refused(
                f"{self._node} is a dynamic node",
                [f"slurmd_start_command has no {CONF}: its `slurmd -Z --conf` is to get that"],
            )
        found = running(self._root, read_conf(self._own_conf), self._node)
        words = list(found.words) if found else []
        for at, word in enumerate(words):
            if word == "--conf" and at + 1 < len(words):
                return _without_state(words[at + 1])
            if word.startswith("--conf="):
                return _without_state(word.removeprefix("--conf="))
        raise Refused(
            f"{self._node} is a dynamic node",
            ['its slurmd runs without --conf: start it with `slurmd -Z --conf "..."`'],
        )

    def _discovered(self) -> Node:
        with session() as nvml:
            return discover(nvml, self._root, self._node)


def _options(notes: Notes) -> GresOptions:
    version = scontrol.installed_version()
    return GresOptions(version, notes["autodetect"] == "nvml", notes["types"] == "profile")


def _without_state(words: str) -> str:
    """The words that make a node what it is, without those that we have put there."""
    return re.sub(r'\s*\b(?:State|Reason)=(?:"[^"]*"|\S+)', "", words, flags=re.IGNORECASE).strip()
