"""hooks/prolog and the others, as slurmd starts them: no PATH, any folder, through a link."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.hooks.fakenode import FakeNode

CHECKOUT = Path(__file__).resolve().parents[2]
HOOKS = CHECKOUT / "hooks"
# What a hook may load. Everything else costs every job of the node.
LIGHT = {
    "_collections_abc", "_json", "_socket", "_stat", "errno", "fcntl", "genericpath", "os",
    "os.path", "posixpath", "select", "stat",
}  # fmt: skip


def environ(node: FakeNode, **more: str) -> dict[str, str]:
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_UID": "1001", "SLURM_JOB_GPUS": "1"}
    return {"SLURM_MIG_ROOT": str(node.root), **job, **more}


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_job_through_the_stubs(node: FakeNode, tmp_path: Path, through_a_link: bool) -> None:
    for name in ("prolog", "epilog"):
        stub = HOOKS / name
        if through_a_link:
            link = tmp_path / f"50-{name}"
            link.symlink_to(stub)
            stub = link
        done = subprocess.run([stub], env=environ(node), cwd="/", capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [record["job_id"] for record in node.records()] == [7]


def test_a_refusal_is_told_to_slurmd(node: FakeNode) -> None:
    (node.run / "gres-map.json").unlink()
    done = subprocess.run(
        [HOOKS / "prolog"], env=environ(node), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "gres-map.json is missing: run `slurm-mig gres-map`" in done.stderr


def loaded(node: FakeNode, hook: str, **more: str) -> set[str]:
    """The modules that a run of a hook loads beyond those that every Python has loaded."""
    code = (
        "import posix, sys\n"
        # The program leaves at once when it is done; we still want to look around.
        "posix._exit = sys.exit\n"
        "had = set(sys.modules)\n"
        f"sys.argv = ['x', {hook!r}]\n"
        "import builtins\n"
        f"path = {str(CHECKOUT / 'slurm_mig/hooks/__main__.py')!r}\n"
        "space = {'__name__': '__main__', '__file__': path, '__builtins__': builtins}\n"
        "try:\n"
        "    exec(compile(open(path).read(), path, 'exec'), space)\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "sys.stderr.write(repr(sorted(set(sys.modules) - had)))\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-B", "-c", code],
        env=environ(node, **more), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stderr.replace("'", '"')))


@pytest.mark.parametrize("hook", ["prolog", "epilog", "task-prolog"])
def test_hooks_load_next_to_nothing(node: FakeNode, hook: str) -> None:
    others = {name for name in loaded(node, hook) if not name.startswith("slurm_mig")}
    assert others <= LIGHT


@pytest.mark.parametrize("hook", ["prolog", "epilog", "task-prolog"])
def test_a_job_without_gpus_loads_nothing_and_reads_nothing(node: FakeNode, hook: str) -> None:
    assert loaded(node, hook, SLURM_JOB_GPUS="") == set()
    assert sorted(path.name for path in node.run.iterdir()) == ["gres-map.json"]


def test_the_stubs_only_find_and_exec() -> None:
    for name in ("prolog", "epilog", "task-prolog"):
        lines = (HOOKS / name).read_text().splitlines()
        assert lines[0] == "#!/bin/sh"
        assert lines[-1].startswith('exec "$python" -I -S -B ')
        assert len(lines) < 16


def test_the_reboot_s_stub_too() -> None:
    lines = (HOOKS / "reboot").read_text().splitlines()
    assert lines[0] == "#!/bin/sh"
    assert lines[-1] == 'exec "$python" -I -B -m slurm_mig reboot-program "$@"'
    assert len(lines) < 16
