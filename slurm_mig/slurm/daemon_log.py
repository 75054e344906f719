"""What slurmd said last, for whoever asks why it has ended."""

import os
import re
import stat
from pathlib import Path

from slurm_mig.files import under
from slurm_mig.slurm.config.conf import Conf
from slurm_mig.slurm.daemon import named_for
from slurm_mig.system.printable import printable

_TAIL_BYTES = 1 << 14
_LINES = 20  # of one start; further up stands what was before it
_TIME = re.compile(r"^\[[^]]*\] ")
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def last_words(root: Path, conf: Conf, node: str) -> str:
    """The last line of its log, or the last that says "fatal" where that is near.

    "" where SlurmdLogFile= names none (it goes to syslog then), or it cannot be read.
    """
    named = conf.get("SlurmdLogFile")
    if not named:
        return ""
    lines = _tail(under(root, named_for(named, node)))[-_LINES:]
    fatal = [line for line in lines if "fatal" in line.lower()]
    return printable(_TIME.sub("", "".join((fatal or lines)[-1:])).strip())


def _tail(path: Path) -> list[str]:
    try:
        handle = os.open(path, _FLAGS)
    except OSError:
        return []
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return []
        text = os.pread(handle, _TAIL_BYTES, max(0, found.st_size - _TAIL_BYTES))
    except OSError:
        return []
    finally:
        os.close(handle)
    return [line for line in text.decode(errors="replace").splitlines() if line.strip()]
