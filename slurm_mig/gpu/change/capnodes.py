"""Making the device nodes of live instances, which the driver does not make.

By nvidia-modprobe where the site has it, else by ourselves. A node that is missing, is none, or
is another device is made anew; a link is replaced, not followed. Nodes of instances that are gone
stay: nothing is behind them, and who comes back to a layout finds them there.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from slurm_mig.errors import CapsError, CommandError, HookError
from slurm_mig.gpu.change.sitecommand import find, must
from slurm_mig.gpu.driver.caps import Caps, read_caps
from slurm_mig.gpu.driver.device_files import cap_file
from slurm_mig.gpu.driver.names import capability_path
from slurm_mig.gpu.partitioning import LiveGpu
from slurm_mig.model import CiId, DeviceFile, GiId, GpuMinor
from slurm_mig.settings import Settings
from slurm_mig.system import rootfiles

FOLDER = "/dev/nvidia-caps"
_MODPROBE = "nvidia-modprobe"
_MODPROBE_TIMEOUT_S = 30.0

Modprobe = Callable[[str], object]  # of an `access` file; raises CommandError


class Made(NamedTuple):
    """The nodes that were made or mended, by their paths, and what is still wrong with any."""

    made: tuple[str, ...]
    problems: tuple[str, ...]


def modprobe_of(settings: Settings, root: Path) -> Modprobe | None:
    """How nvidia-modprobe is run here; None where it is not to be, or is not installed.

    It reads the machine's own /proc, so that below another root it makes no sense.
    """
    wanted = settings.make_nodes == _MODPROBE or (
        settings.make_nodes == "auto" and root == Path("/") and find(_MODPROBE) is not None
    )
    return _run_modprobe if wanted else None


def make_nodes(
    root: Path, gpus: Sequence[LiveGpu], settings: Settings, modprobe: Modprobe | None = None
) -> Made:
    """Have every device node that the live instances of these GPUs need. Idempotent.

    What cannot be made is told in `problems`; with make_nodes = "off" so is all that is missing.
    """
    if not any(gpu.instances for gpu in gpus):
        return Made((), ())
    try:
        caps = read_caps(root)
    except CapsError as error:
        return Made((), (str(error),))
    made: list[str] = []
    problems: list[str] = []
    for instance in _instances(gpus):
        try:
            node = _Node(caps, *instance)
            found = node.look()
            if not node.is_right(found) and settings.make_nodes != "off":
                found = _mend(node, settings, modprobe, problems)
                made += [found.path] if node.is_right(found) else []
        except (CapsError, HookError, OSError) as error:
            problems.append(f"the device node of {capability_path(*instance)}: {error}")
            continue
        problems += found.problems
    return Made(tuple(made), tuple(problems))


def _instances(gpus: Sequence[LiveGpu]) -> Iterator[tuple[GpuMinor, GiId, CiId | None]]:
    for gpu in gpus:
        for gi in gpu.instances:
            yield gpu.info.gpu_minor, gi.gi_id, None
            for ci in gi.cis:
                yield gpu.info.gpu_minor, gi.gi_id, ci.ci_id


class _Node:
    """The capability node of one live instance."""

    def __init__(
        self, caps: Caps, gpu_minor: GpuMinor, gi_id: GiId, ci_id: CiId | None = None
    ) -> None:
        self._caps, self._key = caps, (gpu_minor, gi_id, ci_id)
        self.root = caps.root
        self.name = capability_path(gpu_minor, gi_id, ci_id)
        self.live = caps.capability(gpu_minor, gi_id, ci_id)

    def look(self) -> DeviceFile:
        """As it is now. Raises CapsError."""
        return cap_file(self._caps, *self._key)

    def is_right(self, found: DeviceFile) -> bool:
        """Whether it is as the driver wants it; a mode that is not the driver's to say is right."""
        wrong_mode = self.live is not None and self.live.modify and found.mode != self.live.mode
        return not found.problems and not wrong_mode


def _mend(
    node: _Node, settings: Settings, modprobe: Modprobe | None, problems: list[str]
) -> DeviceFile:
    """The node, looked at again after it was made, one way or the other."""
    # DeviceFileModify: 0 is for nvidia-modprobe, which then makes nothing: we do.
    if modprobe is not None and node.live is not None and node.live.modify:
        try:
            modprobe(node.name)
        except CommandError as error:
            if settings.make_nodes == _MODPROBE:
                problems.append(str(error))
        found = node.look()
        if node.is_right(found) or settings.make_nodes == _MODPROBE:
            return found
    found = node.look()
    if found.major is None or found.minor is None or node.live is None:
        return found  # cap_file has said why: what it should be is not known
    if node.live.minor != found.minor:
        return found
    make_node(node.root, found.path, (found.major, found.minor), node.live.mode)
    return node.look()


def make_node(root: Path, path: str, numbers: tuple[int, int], mode: int) -> None:
    """Make `path`, in /dev/nvidia-caps, this character device, whatever is there now.

    Whoever looks sees the old or the new. Raises OSError, or HookError where a folder on the way
    is not root's alone.
    """
    name = path.rpartition("/")[2]
    folder = rootfiles.open_folder(str(root), FOLDER, make=0o755)
    draft = f".{name}.{os.getpid()}"
    try:
        rootfiles.remove(folder, draft)  # of one that was killed and had our pid
        os.mknod(draft, stat.S_IFCHR | 0o600, os.makedev(*numbers), dir_fd=folder)
        try:
            os.chmod(draft, mode, dir_fd=folder)  # mknod's own mode is cut by the umask
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            rootfiles.remove(folder, draft)
            raise
    finally:
        os.close(folder)


def _run_modprobe(access: str) -> None:
    must([_MODPROBE, "-f", access], _MODPROBE_TIMEOUT_S)
