"""Where the metrics are shown, as a site may choose."""

import pytest

from slurm_mig.errors import Refused
from slurm_mig.usage.monitor.listening import CHECKS, Address, address
from slurm_mig.usage.monitor.settings import MonitorSettings, parse


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("127.0.0.1:9835", Address("127.0.0.1", 9835)),
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
        ("[::1]:9835", Address("::1", 9835)),
        ("[::]:1", Address("::", 1)),
    ],
)
def test_addresses(listen: str, found: Address) -> None:
    assert address(listen) == found
    assert str(found) == listen
    assert CHECKS["listen"](listen) is None


@pytest.mark.parametrize(
    "listen",
    [
        *("9835", ":9835", "localhost:9835", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0"),
        *("127.0.0.1:65536", "127.0.0.1:-1", "::1:9835", "[127.0.0.1]:9835", "1.2.3:80"),
        *("127.0.0.1:9835 ", "127.0.0.1:98\n", "[::1", "300.0.0.1:80", "[:]:80"),
    ],
)
def test_what_is_no_address(listen: str) -> None:
    assert CHECKS["listen"](listen)
    with pytest.raises(ValueError, match=r"."):
        address(listen)


def test_the_defaults_are_right() -> None:
    for name, check in CHECKS.items():
        assert check(getattr(MonitorSettings(), name)) is None, name
    assert address(MonitorSettings().listen).host == "127.0.0.1"  # nobody outside of the node


def test_they_stand_in_the_monitors_table() -> None:
    found = parse('[monitor]\nlisten = "[::]:9835"\ntextfile_dir = ""\nlabels_user = true\n')
    assert (found.listen, found.textfile_dir, found.labels_user) == ("[::]:9835", "", True)
    with pytest.raises(Refused, match="2 problems") as refused:
        parse('[monitor]\nlisten = "here"\nlabels_user = "yes"\n')
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        *("listen", "labels_user"),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("listen", 9835), ("listen", None), ("labels_user", "yes"), ("labels_user", 1)),
        *(("textfile_dir", "run"), ("textfile_dir", 3), ("textfile_dir", "/a/../b")),
        ("textfile_dir", "/a\n"),
    ],
)
def test_mistakes(name: str, value: object) -> None:
    assert CHECKS[name](value)


def test_off_is_empty() -> None:
    assert CHECKS["listen"]("") is CHECKS["textfile_dir"]("") is None
    assert CHECKS["textfile_dir"]("/var/lib/node-exporter") is None
