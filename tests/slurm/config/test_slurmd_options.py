import pytest

from slurm_mig.errors import UsageError
from slurm_mig.slurm.config.slurmd_options import SlurmdOptions, parse_slurmd_options


@pytest.mark.parametrize(
    ("text", "words", "node", "conf"),
    [
        ("", (), None, None),
        ("-D -s -M --systemd", (), None, None),
        ("-D -N n1 -s -f /opt/s.conf", ("-N", "n1", "-f", "/opt/s.conf"), "n1", "/opt/s.conf"),
        ("-Nn1 -f/opt/s.conf", ("-N", "n1", "-f", "/opt/s.conf"), "n1", "/opt/s.conf"),
        ("-Z --conf 'Gres=gpu:1 A=b'", ("-Z", "--conf", "Gres=gpu:1 A=b"), None, None),
    ],
)
def test_what_names_the_node_and_its_files_is_kept(
    text: str, words: tuple[str, ...], node: str | None, conf: str | None
) -> None:
    assert parse_slurmd_options(text) == SlurmdOptions(words, node, conf)


@pytest.mark.parametrize(
    ("text", "words", "server"),
    [
        ("-N n1 --conf-server ctl:6817", ("-N", "n1"), "ctl:6817"),
        ("--conf-server=a,b -vvv", (), "a,b"),
        ("-f /etc/old.conf -Z --conf-server ctl", ("-Z",), "ctl"),
    ],
)
def test_files_that_are_handed_out_are_not_asked_for_again(
    text: str, words: tuple[str, ...], server: str
) -> None:
    """`slurmd -G --conf-server` would overwrite those that the running slurmd has."""
    found = parse_slurmd_options(text)
    assert (found.words, found.conf, found.conf_server) == (words, None, server)


@pytest.mark.parametrize("text", ["-N", "-f", "--conf 'x"])
def test_a_command_line_that_is_broken(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        parse_slurmd_options(text)
