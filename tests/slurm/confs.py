"""Random slurm.confs, as sites write them: for hypothesis."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from slurm_mig.slurm.hostlist import expand, fold

GRES = ("gpu:1g.10gb:7", "gpu:a100:1,gpu:3g.20gb:2", "nic:2,gpu:h100:8", "nic:1", "gpu:1g.5gb+me:1")
NEW = ("gpu:2g.20gb:3,gpu:1g.10gb:1", "gpu:a100:4", "")
SHAPES = (
    *("{p}1", "{p}[1-4]", "{p}[08-11]", "{p}[3,1-2,7]", "{p}a,{p}b,{p}c", "{p}[1-2]-[1-3]"),
    *("{p}2,{p}x,{p}[5-6]", "{p}[10,9,8]"),
)


class RandomConf(NamedTuple):
    """The files of one by their names, the names of its nodes, and a change to make."""

    files: dict[str, str]
    nodes: tuple[str, ...]
    wanted: dict[str, str]

    @property
    def hosts(self) -> list[str]:
        """Every name that must be a host."""
        return [*self.nodes, *(f"h-{node}" for node in self.nodes)]


@st.composite
def confs(draw: st.DrawFn) -> RandomConf:
    """Up to four lines of nodes between all that may stand there, some of it in other files."""
    files = {"slurm.conf": "", "nodes.conf": "", "more.conf": ""}
    names: list[str] = []
    included = ["nodes.conf", "more.conf"]
    target = "slurm.conf"
    for at in range(draw(st.integers(1, 4))):
        listed = draw(st.sampled_from(SHAPES)).format(p="abcd"[at])
        names += expand(listed)
        for _ in range(draw(st.integers(0, 2))):
            files[target] += draw(between())
        files[target] += draw(node_lines(listed, 7000 + 100 * at))
        goes_on = draw(st.booleans())
        if included and goes_on:
            following = included.pop(0)
            files[target] = _ended(files[target])
            files[target] += draw(st.sampled_from(["Include {}\n", "include  {} # it\n"])).format(
                following
            )
            target = following
    # What follows in slurm.conf itself comes after all that was included.
    files["slurm.conf"] = _ended(files["slurm.conf"]) + _tail(names)
    # After an Include that ends its file without a line's end, Slurm reads its last line twice.
    cut_short = draw(st.booleans())
    if cut_short and "nclude" not in files["nodes.conf"]:
        files["nodes.conf"] = files["nodes.conf"].rstrip("\r\n")
    wanted = draw(
        st.dictionaries(st.sampled_from(names), st.sampled_from(NEW), min_size=1, max_size=4)
    )
    return RandomConf(files, tuple(names), wanted)


@st.composite
def between(draw: st.DrawFn) -> str:
    """Something that is no line of a node."""
    gres = draw(st.sampled_from(GRES))
    return draw(
        st.sampled_from(
            [
                "\n",
                "# NodeName=a1 Gres=gpu:1\n",
                "  # caf\udce9 \u2028 NodeName=x \\\n",
                "\r\n",
                f"NodeName=DEFAULT Gres={gres}\n",
                f'NodeName=default RealMemory=900 \\\n  Gres="{gres}"  # all\n',
                "NodeName=DEFAULT Weight=7 TmpDisk=3\n",
                "KillWait=5\nMinJobAge = 300 # x\n",
            ]
        )
    )


@st.composite
def node_lines(draw: st.DrawFn, listed: str, first_port: int) -> str:
    """One line of nodes, over one line of the file or several, in any case and spacing."""
    names = expand(listed)
    words = [draw(st.sampled_from([f"NodeName={listed}", f'nodename="{listed}"']))]
    more = [*_parallel(names, first_port), *_plain(draw(st.sampled_from(GRES)))]
    chosen = draw(st.lists(st.sampled_from(more), unique_by=_key, max_size=7))
    if not any(_key(word) == "port" for word in chosen):
        chosen.append(f"Port={fold([str(first_port + at) for at in range(len(names))])}")
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = draw(st.sampled_from(["", "  ", "\t"])) + words[0]
    for word in chosen:
        gap = draw(st.sampled_from([" ", " ", "\t", "   ", f" \\{end}  ", f" \\ # why{end}\t"]))
        text += gap + word
    return text + draw(st.sampled_from(["", " ", " # Gres=gpu:9"])) + end


def _parallel(names: Sequence[str], first_port: int) -> list[str]:
    return [
        f"NodeAddr={fold(list(names))}",
        "NodeAddr=127.0.0.1",
        f"NODEADDR={','.join(reversed(names))}",
        f"NodeHostname={','.join(f'h-{name}' for name in names)}",
        f'port="{fold([str(first_port + 2 * at) for at in range(len(names))])}"',
    ]


def _plain(gres: str) -> list[str]:
    return [
        f"Gres={gres}",
        f'GRES="{gres}"',
        f"gres = {gres}",
        "CPUs=4",
        "Sockets=2 CoresPerSocket=3",
        "RealMemory=700",
        "Weight=5",
        'Feature="x,y"',
        "features=z",
        'State=DOWN Reason="so it \\# is"',
        "State=UNKNOWN",
    ]


def _key(word: str) -> str:
    key = word.partition("=")[0].strip().lower().rstrip("s")
    return {"feature": "feature", "cpu": "socket"}.get(key, key)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _tail(names: Sequence[str]) -> str:
    down = f"DownNodes={names[0]} State=DRAIN Reason=x\n"
    nodes = fold(list(names))
    return f"{down}NodeSet=set1 Nodes={nodes}\nPartitionName=p Nodes={nodes}\n"
