"""The commands in docs/ are real: run each on a simulated cluster, and hold or renew its output.

A page that has commands says first on which cluster they run, in a comment:

    <!-- cluster: n1:h100-80gb=3g.40gb/4x1g.10gb slurm=24.11 -->

(with the word `hooks` at its end: on one whose Slurm runs slurm-mig's hooks; with `site`: where
config.toml has the commands that stop and start slurmd there), and shows them in blocks fenced
with ```console: lines after "$ " run on the first node, one shell for the whole page, and the
lines that follow are what the terminal showed. `make docs` writes those lines anew; a test
compares them.
"""

import argparse
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import hooking, site
from tests.cluster.cluster import Cluster

DOCS = Path(__file__).resolve().parents[1] / "docs"
CLUSTER = re.compile(
    r"<!-- cluster: (?P<nodes>.+) slurm=(?P<slurm>\S+)(?P<hooks> hooks)?(?P<site> site)? -->"
)
BLOCK = re.compile(r"^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
END = "=== end of command ==="


@dataclass(frozen=True)
class Page:
    """One page of docs/: its cluster and its text."""

    path: Path
    nodes: tuple[str, ...]
    slurm: str
    text: str
    hooks: bool = False
    site: bool = False

    @classmethod
    def read(cls, path: Path) -> "Page | None":
        """The page at `path`, or None where it shows no commands."""
        text = path.read_text()
        found = CLUSTER.search(text)
        if found is None:
            assert not BLOCK.search(text), f"{path}: commands, but no cluster to run them on"
            return None
        nodes, hooks, site = tuple(found["nodes"].split()), found["hooks"], found["site"]
        return cls(path, nodes, found["slurm"], text, bool(hooks), bool(site))

    def commands(self) -> list[str]:
        """What stands after "$ ", in order; a line that ends in "\\" goes on with "> "."""
        shown = [line for body in BLOCK.findall(self.text) for line in body.splitlines()]
        joined = "\n".join(shown).replace("\\\n> ", "\\\n")
        return re.findall(r"^\$ ((?:.*\\\n)*.*)$", joined, re.MULTILINE)

    def with_outputs(self, outputs: Sequence[str]) -> str:
        """The page as it must read when the commands print `outputs`."""
        left = iter(outputs)
        return BLOCK.sub(lambda block: f"```console\n{_session(block['body'], left)}```", self.text)


def _session(body: str, outputs: Iterator[str]) -> str:
    """One block, its commands as they are and under each what it printed."""
    prompts = re.findall(r"^\$ (?:.*\\\n> )*.*$", body, re.MULTILINE)
    return "".join(f"{prompt}\n{next(outputs)}" for prompt in prompts)


def pages() -> list[Page]:
    """Every page of docs/ that shows commands."""
    found = (Page.read(path) for path in sorted(DOCS.rglob("*.md")))
    return [page for page in found if page is not None]


def outputs(page: Page, folder: Path) -> list[str]:
    """Run the page's commands on its cluster, made below `folder`; what each printed."""
    work = folder / "work"
    work.mkdir()
    lines = [f"cd {work}", "export COLUMNS=100 TERM=dumb"]
    for command in page.commands():
        lines += [command, f"echo '{END}'"]
    script = folder / "script.sh"
    script.write_text("\n".join(lines) + "\n")
    up = hooking.up if page.hooks else Cluster.up
    with up(folder / "cluster", page.nodes, slurm=page.slurm) as cluster:
        first = page.nodes[0].split(":")[0]
        if page.site:
            file = cluster.node(first).root / "etc/slurm-mig/config.toml"
            file.write_text(site.CONFIG)
        done = cluster.exec(first, ["bash", "-c", f"exec bash {script} 2>&1"], check=False)
    return done.stdout.split(f"{END}\n")[:-1]


def renew(page: Page) -> bool:
    """Write the page with the outputs of a run just made; true if that changed it."""
    with tempfile.TemporaryDirectory() as folder:
        text = page.with_outputs(outputs(page, Path(folder)))
    page.path.write_text(text)
    return text != page.text


def main() -> None:
    """`python -m tests.docs`: renew every page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="only these (default: all of docs/)")
    only = {path.resolve() for path in parser.parse_args().pages}
    for page in pages():
        if not only or page.path in only:
            print(page.path.relative_to(DOCS.parent), "renewed" if renew(page) else "unchanged")


if __name__ == "__main__":
    main()
