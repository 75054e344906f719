"""What whoever orders something on many nodes may rely on, held by ClusterShell and the fake."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from slurm_mig.errors import Refused
from slurm_mig.slurm.reach import KEPT_BYTES, Answer, ClusterShellReach, Reach
from tests.fakes_reach import FakeReach, Ran, Say

# A program with a few verbs, as a shell script and in memory. N is the node's name.
SCRIPT = """\
#!/bin/sh
verb=$1; shift
case $verb in
  echo) printf '%s\\n' "$N" "$@";;
  cat) cat;;
  fail) echo out; echo why >&2; exit 7;;
  some-fail) [ "$N" != n2 ] || exit 3;;
  gone) [ "$N" != n2 ] || exit 255; echo here;;
  hang) [ "$N" != n2 ] || exec sleep 60; echo here;;
esac
"""


def program(node: str, given: bytes, words: Sequence[str], say: Say) -> Ran:
    _, verb, *rest = words
    if verb == "echo":
        return Ran(0, "".join(f"{word}\n" for word in (node, *rest)).encode())
    if verb == "cat":
        return Ran(0, given)
    if verb == "fail":
        return Ran(7, b"out\n", b"why\n")
    if node == "n2":
        late = b"it had not ended after 1 s\n"
        return {"some-fail": Ran(3), "gone": Ran(None), "hang": Ran(None, b"", late)}[verb]
    return Ran(0, b"" if verb == "some-fail" else b"here\n")


Run = Callable[..., dict[str, Answer]]


@pytest.fixture(params=["ClusterShell", "fake"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run a verb of the program on nodes."""
    tool = tmp_path / "a tool"
    tool.write_text(SCRIPT)
    tool.chmod(0o755)
    local = ("/usr/bin/env", "N={node}", "sh", "-c", 'eval "exec $0"')
    real: Reach = ClusterShellReach(command=local)
    reach = real if request.param == "ClusterShell" else FakeReach(program)

    def act(nodes: Mapping[str, bytes] | Sequence[str], *words: str, **more: object) -> object:
        orders = nodes if isinstance(nodes, Mapping) else dict.fromkeys(nodes, b"")
        return reach.run(orders, [str(tool), *words], **more)  # type: ignore[arg-type]

    return act  # type: ignore[return-value]


def test_every_node_gets_the_words_as_they_are(run: Run) -> None:
    odd = [
        "two words",
        "it's",
        '"$HOME"',
        "`id`",
        "50 %h %% %hosts",
        "a;b|c&d",
        "",
        "ä",
        "\\n",
        "*",
    ]
    for name in ("n1", "n2"):
        answer = run(["n1", "n2"], "echo", *odd)[name]
        assert answer.code == 0
        assert answer.out.decode().split("\n") == [name, *odd, ""]


def test_each_its_own_standard_input(run: Run) -> None:
    text = {"n1": b"one\ntwo", "n2": b"", "n03": "ä\n".encode() * 50_000}
    answers = run(text, "cat")
    assert {node: answer.out for node, answer in answers.items()} == {
        **text,
        "n1": b"one\ntwo\n",
    }


def test_a_code_and_what_was_said(run: Run) -> None:
    assert run(["n1"], "fail")["n1"] == Answer("n1", 7, b"out\n", b"why\n")


def test_one_that_fails_stops_no_other(run: Run) -> None:
    answers = run(["n1", "n2", "n3"], "some-fail")
    assert [answers[node].code for node in ("n1", "n2", "n3")] == [0, 3, 0]


@pytest.mark.parametrize(("verb", "why"), [("gone", b"not reached"), ("hang", b"had not ended")])
def test_one_that_is_not_reached_or_does_not_end(run: Run, verb: str, why: bytes) -> None:
    answers = run(["n1", "n2", "n3"], verb, timeout_s=1)
    assert [answers[node].code for node in ("n1", "n2", "n3")] == [0, None, 0]
    assert why in answers["n2"].err
    assert answers["n3"].out == b"here\n"


def test_lines_are_told_as_they_come(run: Run) -> None:
    told: list[tuple[str, bytes]] = []
    run({"n1": b"a\n\nb"}, "cat", tell=lambda node, line: told.append((node, line)))
    assert told == [("n1", b"a"), ("n1", b""), ("n1", b"b")]


def test_what_tell_raises_ends_it(run: Run) -> None:
    def interrupt(_: str, __: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["n1", "n2"], "echo", tell=interrupt)
    assert run(["n1"], "echo")["n1"].code == 0  # and nothing of it stays


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "n[1-2]", "n1;id", "@all", "", "n 1", "n\n"])
def test_what_is_no_name_of_a_node(run: Run, name: str) -> None:
    with pytest.raises(Refused, match="no name of a node"):
        run({"n1": b"", name: b""}, "echo")


def test_nobody_is_asked_for_nothing(run: Run) -> None:
    assert run({}, "echo") == {}


def real(*words: str, fanout: int = 64) -> ClusterShellReach:
    return ClusterShellReach(fanout=fanout, command=words)


def test_no_more_than_the_fanout_at_a_time(tmp_path: Path) -> None:
    line = f"cd {tmp_path}; touch $N; ls | wc -l; sleep 0.05; rm $N"
    reach = real("/usr/bin/env", "N={node}", "sh", "-c", fanout=3)
    answers = reach.run({f"n{n}": b"" for n in range(9)}, ["sh", "-c", line])
    counts = [int(answer.out) for answer in answers.values()]
    assert max(counts) <= 3


def test_a_node_that_prints_without_end_fills_no_memory() -> None:
    chatty = ["sh", "-c", f"yes {'x' * 1023} | head -c {2 * KEPT_BYTES}; echo end"]
    out = real("sh", "-c").run({"n1": b""}, chatty)["n1"].out
    assert len(out) == KEPT_BYTES
    assert out.endswith(b"\nend\n")


def test_nobody_reads_its_standard_input(capfd: pytest.CaptureFixture[str]) -> None:
    answer = real("sh", "-c").run({"n1": b"x" * 1_000_000}, ["true"])["n1"]
    assert answer.code == 0
    assert capfd.readouterr().err == ""


def test_what_is_not_installed() -> None:
    answer = real("/nowhere/ssh", "{node}").run({"n1": b""}, ["true"])["n1"]
    assert answer.code == 127
    assert b"/nowhere/ssh" in answer.err


SSH = """\
#!/bin/sh
printf '%s\\n' "$@"
"""


def test_how_to_see_for_oneself_why_a_node_is_not_reached() -> None:
    reach = real("/bin/sh", "-c", "echo no way >&2; exit 255", "{node}")
    err = reach.run({"n1": b""}, ["true"])["n1"].err.decode()
    told = "/bin/sh -c 'echo no way >&2; exit 255' n1 true"
    assert err == f"no way\n(`{told}` must work here)\n"


def test_how_to_see_it_of_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\necho Host key verification failed. >&2; exit 255\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    err = ClusterShellReach().run({"n1": b""}, ["true"])["n1"].err.decode()
    failed = "Host key verification failed."
    assert err == f"{failed}\n(`ssh -oBatchMode=yes n1 true` must work here)\n"


def test_how_ssh_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No question for a password, no wait without end, one word for the shell over there."""
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    words = ClusterShellReach().run({"n1": b""}, ["echo", "it's"])["n1"].out.decode().split("\n")
    assert {"-oBatchMode=yes", "-oConnectTimeout=10", "-oServerAliveInterval=15"} <= set(words)
    assert words[-3:] == ["n1", """echo 'it'"'"'s'""", ""]


def test_ctrl_c_ends_what_runs_here() -> None:
    """The site's command, that is: what it has started elsewhere is told nothing."""
    code = (
        "from slurm_mig.slurm.reach import ClusterShellReach as R\n"
        "say = lambda node, line: print(line.decode(), flush=True)\n"
        "command = ('sh', '-c', 'echo $$; exec sleep 60')\n"
        "R(command=command).run({'n1': b''}, ['id'], tell=say)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert not Path(f"/proc/{child}").exists()
