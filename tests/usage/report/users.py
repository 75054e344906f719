"""What an unprivileged user sees and may do: by a process that has become that user."""

import contextlib
import io
import json
import os
import traceback
from collections.abc import Callable
from typing import Any

from slurm_mig import cli


def as_user(uid: int, work: Callable[[], Any]) -> Any:
    """What `work` answers (JSON) when a user of that uid does it, who is in no group but his own.

    An OSError comes back as its class's name. What it imports must be there already: he may not
    be able to read our files.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException):
            os.write(writing, json.dumps(_become(uid, work)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer)


def _become(uid: int, work: Callable[[], Any]) -> Any:
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        return work()
    except OSError as error:
        return type(error).__name__
    except BaseException:
        return traceback.format_exc()


def command(*words: str) -> list[Any]:
    """A command of slurm-mig in this process: its exit code, output, and what it says."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(list(words))
    return [code, out.getvalue(), err.getvalue()]
