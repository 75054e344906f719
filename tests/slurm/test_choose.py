from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from slurm_mig.errors import SlurmError
from slurm_mig.slurm.choose import Choice, choose_client
from slurm_mig.slurm.cli_client import CliClient
from slurm_mig.slurm.rpc import RpcClient

Choose = Callable[..., Choice]


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """On a machine with that Slurm, that pyslurm (None: none), and a slurm.conf or none."""
    monkeypatch.delenv("SLURM_CONF", raising=False)

    def made(slurm: str, pyslurm: str | None, *, conf: bool = True, load: object = None) -> Choice:
        scontrol = tmp_path / "scontrol"
        scontrol.write_text(f'#!/bin/sh\n[ "$1" = -V ] && echo {slurm}\nexit 0\n')
        scontrol.chmod(0o755)
        (tmp_path / "etc/slurm").mkdir(parents=True, exist_ok=True)
        if conf:
            (tmp_path / "etc/slurm/slurm.conf").touch()

        def version_of(name: str) -> str:
            if pyslurm is None:
                raise metadata.PackageNotFoundError(name)
            return pyslurm

        def loaded() -> object:
            if isinstance(load, Exception):
                raise load
            return SimpleNamespace(__version__=pyslurm)

        return choose_client(
            tmp_path, path=f"{tmp_path}:/usr/bin:/bin", version_of=version_of, load=loaded
        )

    return made


def test_pyslurm_where_it_fits(choose: Choose) -> None:
    choice = choose("slurm 25.11.7", "25.11.2")
    assert isinstance(choice.client, RpcClient)
    assert choice.told() == "pyslurm 25.11.2; for jobs Slurm's commands, text"


@pytest.mark.parametrize(
    ("slurm", "pyslurm", "why"),
    [
        ("slurm-wlm 24.11.5", None, "pyslurm is not installed"),
        ("slurm-wlm 24.11.5", "25.11.2", "pyslurm 25.11.2 is made for another Slurm than 24.11.5"),
        ("slurm-wlm 22.05.8", "22.11.0", "pyslurm 22.11.0 is made for another Slurm than 22.05.8"),
        ("slurm 26.05.5", "26.x", "pyslurm 26.x is made for another Slurm than 26.05.5"),
    ],
)
def test_else_slurm_s_commands_and_the_reason(
    choose: Choose, slurm: str, pyslurm: str | None, why: str
) -> None:
    choice = choose(slurm, pyslurm)
    assert type(choice.client) is CliClient
    assert choice.no_pyslurm == why
    assert choice.told() == f"Slurm's commands, text ({why})"


def test_months_are_compared_as_numbers(choose: Choose) -> None:
    """pyslurm writes 22.5, Slurm 22.05."""
    assert isinstance(choose("slurm-wlm 22.05.8", "22.5.3").client, RpcClient)


def test_without_a_slurm_conf_its_import_would_end_us(choose: Choose) -> None:
    choice = choose("slurm 25.11.7", "25.11.2", conf=False, load=AssertionError("imported"))
    assert choice.no_pyslurm == "pyslurm needs a slurm.conf, and none was found"


def test_a_pyslurm_that_cannot_be_loaded(choose: Choose) -> None:
    why = ImportError("libslurmfull.so: cannot open shared object file")
    choice = choose("slurm 25.11.7", "25.11.2", load=why)
    assert type(choice.client) is CliClient
    assert choice.no_pyslurm == f"pyslurm cannot be loaded: {why}"


def test_a_slurm_that_tells_no_version(choose: Choose) -> None:
    with pytest.raises(SlurmError, match="`scontrol -V` printed"):
        choose("hello", None)


def test_without_slurm_there_is_no_client(tmp_path: Path) -> None:
    with pytest.raises(SlurmError, match="scontrol is not installed"):
        choose_client(tmp_path, path=str(tmp_path))
