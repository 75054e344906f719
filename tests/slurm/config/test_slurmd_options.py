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
        ("--conf-server ctl:6817", ("--conf-server", "ctl:6817"), None, None),
        ("--conf-server=a,b -vvv", ("--conf-server", "a,b"), None, None),
        ("-Z --conf 'Gres=gpu:1 A=b'", ("-Z", "--conf", "Gres=gpu:1 A=b"), None, None),
    ],
)
def test_what_names_the_node_and_its_files_is_kept(
    text: str, words: tuple[str, ...], node: str | None, conf: str | None
) -> None:
    assert parse_slurmd_options(text) == SlurmdOptions(words, node, conf)


@pytest.mark.parametrize("text", ["-N", "-f", "--conf 'x"])
def test_a_command_line_that_is_broken(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        parse_slurmd_options(text)
