"""A shared slurm.conf and gres.conf to publish into."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from slurm_mig.reconfigure.publication import ConfWish, GresWish, Publication, prepare
from slurm_mig.slurm.block import wrap
from slurm_mig.slurm.confedit import describe, read_files
from slurm_mig.slurm.drift import drift

OLD, NEW, OTHER = "gpu:3g.40gb:2", "gpu:1g.10gb:7", "gpu:2g.20gb:3"
# The modules in which something is written.
WRITERS = ("publish", "publication", "records", "sidecar", "files")
NODES = ("n1", "n2", "n3", "n4")
CONF = "# ä \udcff\nInclude nodes.conf\nPartitionName=p Nodes=ALL\n"
LINES = f"NodeName=n[1-4] CPUs=2 Gres={OLD},nic:1  # the GPU nodes"


class Site(NamedTuple):
    """The files of a cluster, in a folder."""

    root: Path

    @property
    def conf(self) -> Path:
        return self.root / "slurm.conf"

    @property
    def nodes(self) -> Path:
        return self.root / "nodes.conf"

    @property
    def gres(self) -> Path:
        return self.root / "gres.conf"

    def texts(self) -> dict[str, bytes]:
        """What is in every file that Slurm reads."""
        return {path.name: path.read_bytes() for path in self.root.glob("*.conf")}

    def publication(self, *nodes: str, gpus: str = NEW) -> Publication:
        """These gpus for these nodes, in slurm.conf and the shared gres.conf."""
        wishes = [GresWish(str(self.gres), node, block(node, gpus), node) for node in nodes]
        return prepare(ConfWish(str(self.conf), dict.fromkeys(nodes, gpus)), wishes)

    def says(self, node: str) -> str:
        """The node's `Gres=`; that gres.conf says another is an error."""
        gres = describe(read_files(self.conf).conf)[node]["gres"].removesuffix(",nic:1")
        assert not drift(self.gres.read_text(), block(node, gres), [node], "gres.conf")
        return gres


def block(node: str, gpus: str) -> str:
    """Its lines in a gres.conf of many nodes."""
    return wrap(gres_lines(node, gpus), node)


def gres_lines(nodes: str, gpus: str) -> str:
    """One line of gres.conf a GPU of `gpus`, under a host list."""
    lines, at = [f"NodeName={nodes} AutoDetect=off"], 0
    for item in gpus.split(","):
        _, kind, count = item.split(":")
        for _ in range(int(count)):
            lines.append(f"NodeName={nodes} Name=gpu Type={kind} File=/dev/nvidia{at}")
            at += 1
    return "\n".join(lines)


def make(root: Path) -> Site:
    """Four nodes on one line of an included file, and in one block of gres.conf."""
    site = Site(root)
    site.conf.write_bytes(CONF.encode(errors="surrogateescape"))
    site.nodes.write_text(LINES)
    site.gres.write_text("Name=nic Count=1\n" + wrap(gres_lines("n[1-4]", OLD)))
    site.nodes.chmod(0o640)
    return site


def drafts(root: Path) -> Sequence[Path]:
    """What killed writers left."""
    return [path for path in root.glob(".*") if not path.name.endswith(".slurm-mig")]
