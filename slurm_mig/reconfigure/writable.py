"""Before anything is changed: whether the files that tell Slurm can be changed from here.

What is tried is tried on their text only, with a gres that no node has.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from slurm_mig.errors import Refused
from slurm_mig.reconfigure.publication import real, text_of
from slurm_mig.slurm.config.block import wrap
from slurm_mig.slurm.config.conf import is_handed_out
from slurm_mig.slurm.config.confedit import read_files, set_gpus
from slurm_mig.slurm.config.drift import named_nodes
from slurm_mig.slurm.config.gresedit import with_block
from slurm_mig.slurm.config.lines import ConfError

_TRIED = "slurm-mig"


def conf_problems(path: Path, node: str, there: str) -> list[str]:
    """Why `Gres=` of the node cannot be changed in this slurm.conf. `there`: where it may be."""
    if problems := file_problems(str(path), "shared_conf", there):
        return problems
    try:
        set_gpus(read_files(path), {node: f"gpu:{_TRIED}:1"})
    except Refused as why:
        return list(why.problems)
    except ConfError as why:
        return [str(why)]
    return []


def gres_problems(path: str, node: str, label: str, there: str) -> list[str]:
    """The same of the node's lines in this gres.conf; `label` as gresedit.with_block() has it."""
    if problems := file_problems(path, "shared_gres_conf", there):
        return problems
    text = text_of(path) or ""
    try:
        others = [name for name in named_nodes(text) if name != node]
        if others and not label:
            what = f"{path} has lines of other nodes ({others[0]}): it is no node's own"
            return [f"{what}; set shared_gres_conf in [reconfigure] of config.toml to it"]
        with_block(text, node, _tried(node, label), label)
    except Refused as why:
        return [f"{path}: {why.what}: {problem}" for problem in why.problems]
    except ConfError as why:
        return [f"{path}: {why}"]
    return []


def file_problems(path: str, setting: str, there: str) -> list[str]:
    """Why this file cannot be written from here. `setting` names another one."""
    return list(_file_problems(Path(path), setting, there))


def _file_problems(path: Path, setting: str, there: str) -> Iterator[str]:
    run = f"run `slurm-mig reconfigure NODES` on {there}"
    if is_handed_out(path):
        yield f"{path} is a copy of slurmctld's (configless): {run}, or name the file in {setting}"
        return
    folder = Path(real(str(path))).parent  # the file is replaced by a new one
    if not os.access(folder, os.W_OK | os.X_OK):
        why = "cannot be written to from here" if folder.is_dir() else "is not there"
        yield f"{folder} {why}: {run}"


def _tried(node: str, label: str) -> str:
    name = f"NodeName={node} " if label else ""
    return wrap(f"{name}Name=gpu Type={_TRIED} File=/dev/null", label)
