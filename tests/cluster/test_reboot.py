"""Nodes reconfigured by Slurm's own reboots, on real clusters, while jobs watch."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster import fleets, hooking, reach
from tests.cluster import rebooting as by
from tests.cluster import reconfiguring as on
from tests.cluster.cluster import Cluster

BOTH = ["n1", "n2"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with by.up(tmp_path_factory.mktemp("reboot") / "c", 3, slurm="24.11") as made:
        yield made


@pytest.fixture(scope="module")
def bystanders(cluster: Cluster) -> list[int]:
    """A job with slices of a node that nobody names, and one without any beside it."""
    words = [["-w", "n3", f"--gres=gpu:{on.TYPE}1g.10gb:2"], ["-w", "n3"]]
    jobs = [hooking.submit(cluster, *each, "--wrap", "sleep 3600") for each in words]
    for job in jobs:
        hooking.wait_state(cluster, job, "RUNNING")
    return jobs


@pytest.fixture(autouse=True)
def sound(request: pytest.FixtureRequest) -> Iterator[None]:
    """No job is ever given what it did not ask for; nobody is disturbed."""
    if "cluster" not in request.fixturenames:
        yield
        return
    cluster, bystanders = (request.getfixturevalue(name) for name in ("cluster", "bystanders"))
    with on.Watchers(cluster) as watchers:
        yield
    on.must_match(watchers.finish())
    for job in bystanders:
        assert hooking.job_field(cluster, job, "JobState") == "RUNNING"
        assert hooking.job_field(cluster, job, "Restarts") == "0"
    for name in BOTH:
        by.must_have(cluster, [name], fleets.live(cluster, name))


def test_two_nodes_at_a_time(cluster: Cluster) -> None:
    done = by.run(cluster, by.wish("n[1-2]", "mixed", "--max-unavailable", "2"))
    assert done.returncode == 0
    assert "2 done" in done.stdout
    by.must_have(cluster, BOTH, on.MIXED)
    for profile in on.MIXED:
        (answer,) = reach.of_job(cluster, "-w", "n2", f"--gres=gpu:{on.TYPE}{profile}:1")
        on.must_match([(profile, on.slices(answer))])
    assert by.desired(cluster) == by.rebooted(cluster) == []


def test_it_goes_on_when_the_command_dies(cluster: Cluster) -> None:
    """The node that was ordered comes to its end by itself, the other by --resume."""

    def ordered() -> list[str]:
        return [name for name in BOTH if f"{name}: to seven" in by.log(cluster, name)]

    with fleets.started(cluster, by.wish("n[1-2]", "seven")) as process:
        hooking.wait_for(ordered, "an order", cluster)
        process.kill()
    (first,) = ordered()  # the one that had no jobs
    done = f"{first}: done"
    hooking.wait_for(lambda: by.log(cluster, first).count(done) == 2, "its end", cluster)
    by.must_have(cluster, [first], on.SEVEN)
    assert sorted(fleets.stages(cluster).values()) == ["ordered", "waiting"]
    assert by.run(cluster, fleets.command("--resume")).returncode == 0
    assert fleets.stages(cluster) == {"n1": "done", "n2": "done"}
    assert by.log(cluster, first).count("to seven") == 1
    by.must_have(cluster, BOTH, on.SEVEN)


def test_back_to_what_each_had(cluster: Cluster) -> None:
    """Looked at before: what slurmctld tells of it, and that only the nodes know the rest."""
    shown = by.run(cluster, by.wish("n[1-2]", "mixed", "--dry-run"))
    change = "NVIDIA H100 80GB HBM3, 1 or more: 7x1g.10gb -> 3g.40gb + 2g.20gb + 2x1g.10gb"
    assert [f"  {name}  {change}" in shown.stdout for name in BOTH] == [True, True]
    words = fleets.command("n[1-2]", "--rollback", "--by", "reboot", "--max-unavailable", "2")
    done = by.run(cluster, words)
    assert done.returncode == 0
    assert "2 done" in done.stdout
    by.must_have(cluster, BOTH, on.MIXED)
    assert by.desired(cluster) == []


def test_a_node_that_fails_stays_drained_and_says_why(cluster: Cluster) -> None:
    start = cluster.folder / "site/slurmd-start"
    text = start.read_text()
    start.write_text(text.replace("\neval", '\n[ "$(uname -n)" != n2 ] || exit 7\neval'))
    try:
        done = by.run(cluster, by.wish("n[1-2]", "seven", "--max-unavailable", "2"))
    finally:
        start.write_text(text)
    assert done.returncode == 1
    assert fleets.stages(cluster) == {"n1": "done", "n2": "drained"}
    assert "DRAIN" in fleets.state(cluster, "n2")
    assert by.reason(cluster, "n2").startswith("slurm-mig recover [")
    assert by.reason(cluster, "n2") in done.stderr
    recovered = cluster.exec("n2", fleets.RECOVER, check=False, timeout_s=180)
    assert recovered.returncode == 0, recovered
    by.must_have(cluster, ["n2"], on.MIXED)


def test_a_plain_reboot_reboots(cluster: Cluster) -> None:
    by.scontrol(cluster, "reboot", "ASAP", "nextstate=RESUME", "n2")
    hooking.wait_for(lambda: by.rebooted(cluster), "a reboot", cluster)
    assert by.rebooted(cluster) == ["n2 now"]
    cluster.stop_slurmd("n2")
    cluster.exec("n2", ["slurmd", "-b", "-N", "n2"])
    by.must_have(cluster, ["n2"], fleets.live(cluster, "n2"))


def test_what_cannot_be_had_is_said_by_the_node(cluster: Cluster) -> None:
    (cluster.folder / "mig.yaml").write_text(on.YAML.replace("3g.40gb: 1", "3g.40gb: 3"))
    try:
        done = by.run(cluster, by.wish("n1", "mixed"))
    finally:
        (cluster.folder / "mig.yaml").write_text(on.YAML)
    assert done.returncode == 1
    assert "not done, as before: " in by.reason(cluster, "n1")
    assert "DRAIN" in fleets.state(cluster, "n1")
    assert "wanted" in done.stderr
    by.scontrol(cluster, "update", "nodename=n1", "state=resume")


def test_22_05_with_restarts_of_slurmctld(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("reboot") / "c"
    with by.up(folder, 2, slurm="22.05") as cluster, on.Watchers(cluster) as watchers:
        done = by.run(cluster, by.wish("n[1-2]", "mixed", "--max-unavailable", "2"))
        assert done.returncode == 0
        by.must_have(cluster, BOTH, on.MIXED)
        on.must_match(watchers.finish())


@pytest.mark.system
@pytest.mark.parametrize("slurm", ["24.11", "22.05"])
def test_a_dynamic_node(tmp_path_factory: pytest.TempPathFactory, slurm: str) -> None:
    folder = tmp_path_factory.mktemp("reboot") / "c"
    with (
        by.up(folder, 1, slurm=slurm, dynamic="n1") as cluster,
        on.Watchers(cluster) as watchers,
    ):
        done = by.run(cluster, by.wish("n1", "mixed"))
        assert done.returncode == 0
        by.must_have(cluster, ["n1"], on.MIXED)
        on.must_match(watchers.finish())


@pytest.mark.system
def test_test_jobs_run_before_the_node_takes_others(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """They are waited for: the node is in service then, and yet not at its end."""
    folder = tmp_path_factory.mktemp("reboot") / "c"
    with by.up(folder, 1, slurm="24.11") as cluster:
        done = by.run(cluster, by.wish("n1", "mixed", "--smoke"))
        assert done.returncode == 0
        assert by.log(cluster, "n1").index("SMOKE ended") < by.log(cluster, "n1").index("n1: done")
        by.must_have(cluster, ["n1"], on.MIXED)
        config = cluster.node("n1").root / "etc/slurm-mig/config.toml"
        config.write_text(f'{config.read_text()}smoke_command = ["/bin/false"]\n')
        failed = by.run(cluster, by.wish("n1", "seven", "--smoke"))
        assert failed.returncode == 1
        assert fleets.stages(cluster) == {"n1": "drained"}
        assert "test jobs" in by.reason(cluster, "n1")
        assert fleets.live(cluster, "n1") == on.MIXED


@pytest.mark.system
def test_a_named_action_of_26_05(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Ordered by the command, and by hand, where a file of the site's has what it names."""
    folder = tmp_path_factory.mktemp("reboot") / "c"
    program = f'"{by.PROGRAM} -c {{}}"'
    with by.up(folder, 1, slurm="26.05") as cluster:
        lines = [
            f"PowerAction={label} Location=slurmd Program={program.format(label)}\n"
            for label in on.LAYOUTS
        ]
        back = f'"{by.PROGRAM} --rollback"'
        lines.append(f"PowerAction=back Location=slurmd Program={back}\n")
        with (cluster.conf / "slurm.conf").open("a") as conf:
            conf.write("".join(lines))
        by.scontrol(cluster, "reconfigure")
        time.sleep(3)
        done = by.run(cluster, by.wish("n1", "mixed"))
        assert done.returncode == 0
        by.must_have(cluster, ["n1"], on.MIXED)
        site_file = cluster.node("n1").root / "etc/slurm-mig/mig.yaml"
        site_file.write_text(on.YAML)
        by.scontrol(cluster, "reboot", "ASAP", "nextstate=RESUME", "action=seven", "n1")
        hooking.wait_for(lambda: fleets.live(cluster, "n1") == on.SEVEN, "slices", cluster)
        by.must_have(cluster, ["n1"], on.SEVEN)
        assert by.rebooted(cluster) == []
        by.scontrol(cluster, "reboot", "ASAP", "nextstate=RESUME", "action=back", "n1")
        hooking.wait_for(lambda: fleets.live(cluster, "n1") == on.MIXED, "slices", cluster)
        by.must_have(cluster, ["n1"], on.MIXED)
