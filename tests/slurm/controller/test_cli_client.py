"""The adapter over stand-in commands: what it runs, and what it makes of odd answers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm_mig.errors import (
    NoSuchNode,
    SlurmError,
    SlurmNotAnswering,
    SlurmRefused,
    UsageError,
)
from slurm_mig.slurm.controller.cli_client import CliClient
from slurm_mig.slurm.controller.client import Batch, Job, reason_text
from slurm_mig.slurm.controller.patience import Patience
from tests.contract.record import GOLDEN

TEXT, JSON = GOLDEN / "22.05.8", GOLDEN / "24.11.5"
DOWN = "echo 'slurm_x error: Unable to contact slurm controller (connect failure)' >&2; exit 1"


class Commands:
    """Stand-ins on a PATH of their own; each notes with what it was called."""

    def __init__(self, folder: Path, release: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()
        self.path = f"{folder}:/usr/bin:/bin"
        self.write(
            "scontrol", f'case "$*" in *--json=list*) cat {release}/formats.txt; exit;; esac'
        )
        self.write("squeue", "")
        self.write("scancel", "")

    def write(self, name: str, text: str) -> None:
        """A command that notes its words, and does this."""
        note = f'for word in {name} "$@"; do printf \'%s|\' "$word"; done >>{self.log}'
        (self.folder / name).write_text(f"#!/bin/sh\n{note}; echo >>{self.log}\n{text}\n")
        (self.folder / name).chmod(0o755)

    def more(self, name: str, text: str) -> None:
        """What it does besides."""
        file = self.folder / name
        file.write_text(file.read_text() + text + "\n")

    def ran(self) -> list[list[str]]:
        """The calls so far, but for the one that asks for the formats."""
        calls = [line.split("|")[:-1] for line in self.log.read_text().splitlines()]
        return [words for words in calls if "--json=list" not in words]


@pytest.fixture
def new(tmp_path: Path) -> Callable[[Path], tuple[Commands, CliClient]]:
    """Stand-ins of a release, and the client that uses them; it never really waits."""

    def make(release: Path = TEXT) -> tuple[Commands, CliClient]:
        commands = Commands(tmp_path, release)
        patience = Patience(total_s=30, call_s=5, sleep=lambda _: None)
        return commands, CliClient(patience, commands.path)

    return make


New = Callable[..., tuple[Commands, CliClient]]


def test_22_05_is_asked_in_text(new: New) -> None:
    commands, client = new(TEXT)
    commands.more("scontrol", f"cat {TEXT}/nodes.txt")
    assert [node.name for node in client.nodes(["n2", "n1"])] == ["n2", "n1"]
    show = ["scontrol", "--all", "--details", "--oneliner", "show", "node", "n2,n1"]
    assert commands.ran() == [show]
    assert client.about() == "Slurm's commands, text"


def test_later_ones_in_the_json_that_most_of_them_have(new: New) -> None:
    commands, client = new(JSON)
    commands.more("scontrol", f"cat {JSON}/nodes.json")
    assert [node.name for node in client.nodes()] == ["n1", "n2"]
    assert commands.ran() == [["scontrol", "--all", "show", "node", "--json=v0.0.42"]]
    assert client.about() == "Slurm's commands, JSON v0.0.42"


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("v0.0.41 v0.0.43 v0.0.44", "JSON v0.0.43"),
        ("v0.0.44 v0.0.45 v0.0.46", "JSON v0.0.44"),
        ("v0.0.41", "JSON v0.0.41"),
        ("v0.0.39 v0.0.40", "text"),
        ("v0.0.47", "text"),
    ],
)
def test_another_format_where_that_one_is_not_there(new: New, listed: str, asked: str) -> None:
    commands, client = new()
    commands.write("scontrol", f"for one in {listed}; do echo data_parser/$one; done >&2")
    assert client.about() == f"Slurm's commands, {asked}"


def test_an_empty_list_is_no_node(new: New) -> None:
    commands, client = new(JSON)
    commands.more("scontrol", f"cat {JSON}/no-node.json")
    with pytest.raises(NoSuchNode, match=r"knows no node n1$"):
        client.node("n1")


def test_in_text_the_one_that_is_missing_is_looked_for_among_all(new: New) -> None:
    commands, client = new(TEXT)
    commands.more("scontrol", 'case "$*" in *nope*) echo Node nope not found; exit 1;; esac')
    commands.more("scontrol", f"cat {TEXT}/nodes.txt")
    with pytest.raises(NoSuchNode, match=r"knows no node nope$"):
        client.nodes(["n1", "nope", "n2"])


def test_more_names_than_a_command_takes_are_looked_for_among_all(new: New) -> None:
    commands, client = new(JSON)
    commands.more("scontrol", f"cat {JSON}/nodes.json")
    with pytest.raises(NoSuchNode, match=r"no node m0, m1, .*m19999$"):
        client.nodes([f"m{number}" for number in range(20000)])
    assert commands.ran() == [["scontrol", "--all", "show", "node", "--json=v0.0.42"]]


def test_changes_are_single_words(new: New) -> None:
    commands, client = new()
    client.drain("n1", 'a "b" $(c) ; d=e\nf')
    client.down("n1", "x")
    client.set_reason("n1", "y z")
    client.resume("n1")
    client.reconfigure()
    update = ["scontrol", "update", "nodename=n1"]
    assert commands.ran() == [
        [*update, "state=drain", 'reason=a "b" $(c) ; d=e f'],
        [*update, "state=down", "reason=x"],
        [*update, "reason=y z"],
        [*update, "state=resume"],
        ["scontrol", "reconfigure"],
    ]


@pytest.mark.parametrize("name", ["ALL", "n[1-2]", "n1,n2", "-v", "n1 state=down", ""])
def test_nothing_is_run_for_what_is_no_name(new: New, name: str) -> None:
    commands, client = new()
    for ask in (client.node, client.jobs_on, client.resume, client.delete_node):
        with pytest.raises(UsageError, match="is not the name of one node"):
            ask(name)
    assert commands.ran() == []


@pytest.mark.parametrize(
    ("shown", "cancelled"),
    [("7", "7"), ("3_1", "3_1"), ("4+1", "4"), ("3_[2-9%4]", "3_[2-9]"), ("3_[1,4]", "3_[1,4]")],
)
def test_a_job_is_cancelled_as_it_is_shown(new: New, shown: str, cancelled: str) -> None:
    """An array's leader has the array's own number: by that all its tasks would go."""
    commands, client = new()
    client.cancel(Job(3, shown, "u", "j", "RUNNING", "p", (), None, None, ()))
    assert commands.ran() == [["scancel", cancelled]]


def test_it_asks_again_until_slurmctld_is_there(new: New, tmp_path: Path) -> None:
    commands, client = new(JSON)
    count = f"echo x >>{tmp_path}/count; [ $(wc -l <{tmp_path}/count) -gt 3 ] || {{ {DOWN}; }}"
    commands.more("scontrol", f"{count}; cat {JSON}/nodes.json")
    assert len(client.nodes()) == 2
    assert len(commands.ran()) == 4


def test_what_is_refused_is_refused_at_once(new: New) -> None:
    commands, client = new()
    commands.more("scontrol", "echo 'slurm_update error: Access/permission denied' >&2; exit 1")
    with pytest.raises(SlurmRefused, match=r"`scontrol update nodename=n1` failed.*denied"):
        client.drain("n1", "why")
    assert len(commands.ran()) == 1


@pytest.mark.parametrize(
    "said", ["Socket timed out on send/recv operation", "Invalid node state specified"]
)
def test_a_resume_that_was_carried_out_is_not_sent_twice(
    new: New, tmp_path: Path, said: str
) -> None:
    commands, client = new(JSON)
    commands.more(
        "scontrol", f'case "$*" in *resume*) echo "slurm_update error: {said}" >&2; exit 1;; esac'
    )
    node = json.loads((JSON / "nodes.json").read_text())
    for each in node["nodes"]:
        each["state"] = ["MIXED"]
    (tmp_path / "resumed.json").write_text(json.dumps(node))
    commands.more("scontrol", f"cat {tmp_path}/resumed.json")
    client.resume("n1")
    assert [words[1] for words in commands.ran()] == ["update", "--all"]


def test_a_delete_that_was_heard_is_done(new: New, tmp_path: Path) -> None:
    commands, client = new(JSON)
    node = json.loads((JSON / "nodes.json").read_text())
    node["nodes"][0]["state"].append("DYNAMIC_NORM")
    (tmp_path / "dynamic.json").write_text(json.dumps(node))
    lost = f"touch {tmp_path}/gone; echo 'error: Message receive failure' >&2; exit 1"
    commands.more("scontrol", f'case "$*" in delete*) {lost};; esac')
    commands.more("scontrol", f"[ -e {tmp_path}/gone ] && exec cat {JSON}/no-node.json")
    commands.more("scontrol", f"cat {tmp_path}/dynamic.json")
    client.delete_node("n1")
    assert [words[1] for words in commands.ran()] == ["--all", "delete", "--all"]


def test_a_node_of_slurm_conf_is_not_even_asked_to_go(new: New) -> None:
    """22.05 would delete it."""
    commands, client = new(TEXT)
    commands.more("scontrol", f"cat {TEXT}/nodes.txt")
    with pytest.raises(SlurmRefused, match=r"slurm\.conf's"):
        client.delete_node("n1")
    assert not any("delete" in words for words in commands.ran())


CONFIG = "echo 'RebootProgram = /bin/true'; echo 'SLURM_VERSION = {}'"


def test_a_reboot_is_one_command_for_all_nodes(new: New) -> None:
    commands, client = new()
    commands.more("scontrol", CONFIG.format("26.05.5"))
    client.reboot(["n1", "n2"], "because", action="all-1g.10gb")
    assert commands.ran()[-1] == [
        *("scontrol", "reboot", "ASAP", "nextstate=RESUME", "reason=because"),
        *("action=all-1g.10gb", "n1,n2"),
    ]


@pytest.mark.parametrize("names", [[], [""], ["ALL"], ["n1", "n[2-9]"], ["--all"]])
def test_nobody_is_rebooted_who_was_not_named(new: New, names: list[str]) -> None:
    commands, client = new()
    with pytest.raises(UsageError):
        client.reboot(names, "because")
    assert commands.ran() == []


@pytest.mark.parametrize("action", ["", "a b", "--now", "x=1", "$(id)"])
def test_an_action_is_one_plain_word(new: New, action: str) -> None:
    commands, client = new()
    commands.more("scontrol", CONFIG.format("26.05.5"))
    with pytest.raises(UsageError):
        client.reboot(["n1"], "because", action=action)
    assert "reboot" not in {word for call in commands.ran() for word in call}


@pytest.mark.parametrize(
    ("config", "action", "why"),
    [
        ("echo 'SLURM_VERSION = 24.11.5'; echo 'RebootProgram = (null)'", None, "no RebootProgram"),
        (CONFIG.format("25.11.7"), "all-1g.10gb", "knows no PowerAction"),
    ],
)
def test_a_reboot_without_a_program_is_refused(
    new: New, config: str, action: str | None, why: str
) -> None:
    commands, client = new()
    commands.more("scontrol", config)
    with pytest.raises(SlurmRefused, match=why):
        client.reboot(["n1"], "because", action=action)
    assert {tuple(call[1:3]) for call in commands.ran()} == {("show", "config")}


def test_in_text_each_job_is_asked_for_what_it_holds(new: New, tmp_path: Path) -> None:
    commands, client = new(TEXT)
    # The separator is new each time: it stands first in the format.
    swap = "sed s/xSEPARATORx/$sep/g"
    find = 'for w; do case "$w" in --format=*%i*) sep=${w#--format=}; sep=${sep%%[%]*};; esac'
    find += '; case "$w" in --Format=*) sep=${w##*:512}; wide=1;; esac; done'
    commands.more("squeue", f"{find}; [ $wide ] && exec {swap} {TEXT}/wanted.txt")
    commands.more("squeue", f"{swap} {TEXT}/jobs.txt")
    commands.more("scontrol", f"cat {TEXT}/job1.txt")
    held = {job.shown: job.held for job in client.jobs_on("n1")}
    assert held["1"] is not None
    assert [(each.type, each.indices) for each in held["1"]] == [("1g.10gb", (0, 1))]
    assert (held["2"], held["3_0"]) == (None, None)  # another's record tells nothing
    assert set(held) == {"1", "2", "3_0"}
    show = ["scontrol", "--details", "--oneliner", "show", "job"]
    assert [*show, "3_0"] in commands.ran()
    separators = {words[-1][:26] for words in commands.ran() if words[0] == "squeue"}
    assert len(separators) == 2


def test_the_version_is_slurmctld_s(new: New) -> None:
    commands, client = new(TEXT)
    commands.more("scontrol", f"cat {TEXT}/config.txt")
    assert str(client.version()) == "22.05.8"
    commands.write("scontrol", "echo nothing of the kind")
    with pytest.raises(SlurmError, match="tells no version"):
        client.version()


@pytest.mark.parametrize(
    ("said", "up"),
    [
        ("Slurmctld(primary) at a is UP", True),
        ("Slurmctld(primary) at a is DOWN", False),
        ("Slurmctld(primary) at a is DOWN\nSlurmctld(backup) at b is UP", True),
        ("", False),
    ],
)
def test_one_controller_that_is_up_is_enough(new: New, said: str, up: bool) -> None:
    commands, client = new()
    commands.more("scontrol", f"echo '{said}'; exit 1")
    assert client.is_up() == up


def test_without_slurm_nothing_is_asked_twice(tmp_path: Path) -> None:
    client = CliClient(Patience(sleep=lambda _: pytest.fail("it waits")), str(tmp_path))
    assert not client.is_up()
    with pytest.raises(SlurmError, match="scontrol is not installed") as told:
        client.nodes()
    assert not isinstance(told.value, SlurmNotAnswering)


@pytest.mark.parametrize(
    ("reason", "text"),
    [("a\nb", "a b"), ('"a"', "a"), ("  a  'b' ", "a 'b"), ("é\x1b[1m", "é [1m"), ("\t", "")],
)
def test_a_reason_as_it_is_read_back(reason: str, text: str) -> None:
    assert reason_text(reason) == text
    assert reason_text(text) == text


RESERVED = (
    "ReservationName=slurm-mig_1 StartTime=2026-11-24T08:48:24 EndTime=2027-11-24T08:48:24 "
    "Duration=365-00:00:00 Nodes=n1 NodeCnt=1 CoreCnt=16 Features=(null) PartitionName=(null) "
    "Flags=MAINT,IGNORE_JOBS,SPEC_NODES TRES=cpu=16 Users=root Groups=(null) Accounts=(null) "
    "Licenses=(null) State=ACTIVE BurstBuffer=(null) Watts=n/a MaxStartDelay=(null)"
)
BATCH = Batch("slurm-mig_1_0", "n1", "main", "gpu:1g.10gb:1", "slurm-mig_1", "echo 'a b'", 2)


def test_reservations_are_read_of_any_release(new: New) -> None:
    commands, client = new(TEXT)
    later = RESERVED.replace("slurm-mig_1", "nodes=of=all").replace("=ACTIVE", "=INACTIVE")
    more = later.replace("Nodes=n1 ", "Nodes=n[1-2],m7 ").replace("Watts=n/a ", "")
    none = later.replace("Nodes=n1 ", "Nodes=(null) ")
    text = "\n".join([RESERVED, more, none])
    commands.more("scontrol", f"cat <<'END'\n{text}\nEND")
    ours, theirs, floating = client.reservations()
    assert (ours.name, ours.nodes, ours.active) == ("slurm-mig_1", ("n1",), True)
    assert (ours.start, ours.end) == (1795510104.0, 1827046104.0)
    assert (theirs.name, theirs.active) == ("nodes=of=all", False)
    assert sorted(theirs.nodes) == ["m7", "n1", "n2"]
    assert floating.nodes == ()
    assert commands.ran() == [["scontrol", "--all", "--oneliner", "show", "reservation"]]


def test_no_reservations(new: New) -> None:
    commands, client = new(TEXT)
    commands.more("scontrol", "echo 'No reservations in the system'")
    assert client.reservations() == ()


def test_reservations_that_nobody_can_read_are_an_error(new: New) -> None:
    commands, client = new(TEXT)
    commands.more("scontrol", "echo 'ReservationName=x Start=soon'")
    with pytest.raises(SlurmError, match="is not as it was"):
        client.reservations()


def test_a_batch_job_is_submitted_as_words(new: New) -> None:
    commands, client = new(TEXT)
    commands.write("sbatch", "echo '17;other'")
    assert client.submit(BATCH) == 17
    (words,) = commands.ran()
    assert words[0] == "sbatch"
    assert {"--no-requeue", "--reservation=slurm-mig_1", "--nodelist=n1"} <= set(words)
    assert words[-2:] == ["--gres=gpu:1g.10gb:1", "--wrap=echo 'a b'"]


def test_a_submission_whose_answer_was_lost_is_looked_for(new: New) -> None:
    commands, client = new(TEXT)
    commands.write("sbatch", "echo 'sbatch: error: Socket timed out on send/recv' >&2; exit 1")
    commands.write("squeue", "echo 18")
    assert client.submit(BATCH) == 18
    assert [words[0] for words in commands.ran()] == ["sbatch", "squeue"]
    assert "--name=slurm-mig_1_0" in commands.ran()[1]


def test_a_submission_that_told_no_number(new: New) -> None:
    commands, client = new(TEXT)
    commands.write("sbatch", "echo hello")
    with pytest.raises(SlurmError, match="no number"):
        client.submit(BATCH)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a,b", "x" * 102, "a\n"])
def test_a_reservation_has_a_plain_name(new: New, name: str) -> None:
    commands, client = new(TEXT)
    with pytest.raises(UsageError):
        client.reserve(name, "n1")
    with pytest.raises(UsageError):
        client.release(name)
    with pytest.raises(UsageError):
        client.submit(BATCH._replace(name=name))
    assert commands.ran() == []


def test_a_release_that_was_refused_is_looked_at(new: New) -> None:
    commands, client = new(TEXT)
    refuse = "echo 'Requested reservation is in use' >&2; exit 1"
    commands.more(
        "scontrol", f"case $1 in delete) {refuse};; *) cat <<'END'\n{RESERVED}\nEND\n;; esac"
    )
    with pytest.raises(SlurmRefused, match="in use"):
        client.release("slurm-mig_1")
    client.release("slurm-mig_2")  # that one is not there
