"""Run a command in namespaces of its own, laid out by a plan: `enter.py PLAN [COMMAND…]`.

PLAN is a JSON list of steps, each `[name, *arguments]`, named like the functions in STEPS.
This file imports only the standard library and starts in some 20 ms (`python -I -S`), because
the tests run it hundreds of times. Everything it mounts is gone with the last process inside.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

NAMESPACES = {"mount": 0x00020000, "uts": 0x04000000, "net": 0x40000000, "cgroup": 0x02000000}
BIND, MOVE, REC, RDONLY, REMOUNT = 0x1000, 0x2000, 0x4000, 0x1, 0x20
MNT_DETACH = 0x2
UNBINDABLE, PRIVATE = 1 << 17, 1 << 18
ORDINARY = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}  # minors of major 1
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 0x1
PR_SET_PDEATHSIG = 1
UNIFIED = "unified"  # the one hierarchy of cgroup v2
NOT_ENTERED = 125  # exit code: the command was never started
DOCUMENTATION = "192.0.2.1"  # RFC 5737: nobody's address

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{arguments}: {os.strerror(error)}")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2). Raises OSError that names what was mounted where."""
    encoded = [text.encode() for text in (source, target, kind)]
    _call("mount", *encoded, ctypes.c_ulong(flags), data.encode())


def unshare(*names: str) -> None:
    """New namespaces, from which no mount reaches the machine."""
    _call("unshare", sum(NAMESPACES[name] for name in names))
    if "mount" in names:
        mount("none", "/", "", REC | PRIVATE)


def unmount(target: str) -> None:
    """No longer show what is mounted last at `target`."""
    _call("umount2", target.encode(), MNT_DETACH)


def bind(source: str, target: str) -> None:
    """Show `source` and what is mounted below it at `target`, made if missing."""
    place = Path(target)
    if Path(source).is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.touch()
    mount(source, target, "", BIND | REC)


def plain(source: str, target: str) -> None:
    """The same, for running programs and opening devices, whatever the mount of `source` says."""
    bind(source, target)
    mount("", target, "", BIND | REMOUNT)


def readonly(source: str, target: str) -> None:
    """The same, for looking only."""
    bind(source, target)
    mount("", target, "", BIND | REMOUNT | RDONLY)


def scratch(target: str) -> None:
    """A tmpfs that no recursive bind takes along."""
    Path(target).mkdir(parents=True, exist_ok=True)
    mount("tmpfs", target, "tmpfs", 0, "mode=755")
    mount("none", target, "", UNBINDABLE)


def empty(target: str) -> None:
    """Hide what is at `target` under an empty tmpfs."""
    mount("tmpfs", target, "tmpfs", 0, "mode=755")


def splice(folder: str, workspace: str, *skip: str) -> None:
    """Make `folder` a tmpfs with the same contents, in which mount points can be made."""
    empty(workspace)
    show((entry for entry in Path(folder).iterdir() if entry.name not in skip), workspace)
    mount(workspace, folder, "", MOVE)


def show(entries: Iterable[Path], target: str, how: Callable[[str, str], None] = bind) -> None:
    """Bind, or copy if they are links, these entries of some folder into another."""
    for entry in entries:
        place = Path(target, entry.name)
        if entry.is_symlink():
            place.symlink_to(entry.readlink())
        else:
            how(str(entry), str(place))


def devices(source: str, workspace: str) -> None:
    """A /dev with the ordinary nodes of any machine and the NVIDIA nodes found in `source`."""
    empty(workspace)
    dev = Path(workspace)
    for name, minor in ORDINARY.items():
        _node(dev / name, 1, minor)
    _node(dev / "tty", 5, 0)
    for name in ("pts", "shm"):
        bind(f"/dev/{name}", str(dev / name))
    for name, text in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        (dev / name).symlink_to(f"/proc/self/fd{text}")
    (dev / "ptmx").symlink_to("pts/ptmx")
    for entry in Path(source).glob("nvidia*"):
        plain(str(entry), str(dev / entry.name))
    mount(workspace, "/dev", "", MOVE)


def _node(path: Path, major: int, minor: int) -> None:
    os.mknod(path, 0o020666, os.makedev(major, minor))
    path.chmod(0o666)


def hierarchy(controller: str, target: str) -> Path:
    """Mount a whole cgroup hierarchy, of v1 or `unified`; it is the same one everywhere."""
    whole = Path(target)
    whole.mkdir(parents=True, exist_ok=True)
    kind, data = ("cgroup2", "") if controller == UNIFIED else ("cgroup", controller)
    mount(kind, target, kind, 0, data)
    return whole


def cgroup(controller: str, group: str, workspace: str, target: str) -> None:
    """Show one cgroup, made if missing, as if it were the whole hierarchy, and join it."""
    whole = hierarchy(controller, f"{workspace}/{controller}")
    (whole / group).mkdir(parents=True, exist_ok=True)
    (whole / group / "cgroup.procs").write_text(str(os.getpid()))
    bind(str(whole / group), target)
    unmount(str(whole))


def scope(place: str, target: str) -> None:
    """Move on into a group of cgroup v2, made if missing, and show it at `target` too."""
    Path(place).mkdir(parents=True, exist_ok=True)
    Path(place, "cgroup.procs").write_text(str(os.getpid()))
    bind(place, target)


def no_other_cgroups() -> None:
    """Take the machine's own cgroups out of sight: Slurm reads the list of mounts."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [line.split()[4] for line in mounts]
    for place in reversed([each for each in places if each.startswith("/sys/fs/cgroup")]):
        unmount(place)


def loopback() -> None:
    """Let the new network namespace talk to itself."""
    # Slurm looks names up with AI_ADDRCONFIG, which fails where 127.0.0.1 is all there is.
    address = struct.pack("16sH2x4s8x", b"lo:0", socket.AF_INET, socket.inet_aton(DOCUMENTATION))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        fcntl.ioctl(any_socket, SIOCSIFADDR, address)


def another_root(root: str, view: str, *ours: str) -> None:
    """This machine at `view`, but with the programs of `root` and its /etc, save for `ours`."""
    Path(view).mkdir(parents=True, exist_ok=True)
    show((entry for entry in Path(root).iterdir() if entry.name in PROGRAMS), view, readonly)
    show((entry for entry in Path("/").iterdir() if entry.name not in PROGRAMS), view)
    for name in ours:
        bind(f"/etc/{name}", f"{view}/etc/{name}")


def die_with_parent() -> None:
    """Be killed if whoever started this is: what it was about to make, nobody would remove."""
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)


def hold() -> None:
    """Leave a process behind that keeps the namespaces, print its id, and end."""
    if pid := os.fork():
        print(pid, flush=True)
        os._exit(0)
    os.setsid()
    for stream in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    os.execvp("sleep", ["sleep", "infinity"])


PROGRAMS = {"bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr"}

STEPS: dict[str, Callable[..., None]] = {
    "unshare": unshare,
    "bind": bind,
    "plain": plain,
    "readonly": readonly,
    "scratch": scratch,
    "splice": splice,
    "devices": devices,
    "empty": empty,
    "cgroup": cgroup,
    "scope": scope,
    "no_other_cgroups": no_other_cgroups,
    "loopback": loopback,
    "another_root": another_root,
    "mkdir": os.mkdir,
    "die_with_parent": die_with_parent,
    "hold": hold,
    "chroot": os.chroot,
    "chdir": os.chdir,
    "hostname": socket.sethostname,
}


def main() -> None:
    """Carry out the plan, then become the command; a plan that ends with `hold` needs none."""
    try:
        for name, *arguments in json.loads(sys.argv[1]):
            STEPS[name](*arguments)
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        print(f"enter: {error}", file=sys.stderr)
        sys.exit(NOT_ENTERED)


if __name__ == "__main__":
    main()
