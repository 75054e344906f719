import pytest

from slurm_mig.slurm.config.parse import ConfError, ConfLine, parse


def values(text: str) -> dict[str, str]:
    (line,) = parse(text)
    return dict(line.values)


def test_keys_in_any_case_and_spaces_around_the_sign() -> None:
    assert values("NAME=gpu  type = a100\tFILE=/dev/nvidia0") == {
        "name": "gpu",
        "type": "a100",
        "file": "/dev/nvidia0",
    }


def test_a_node_s_line() -> None:
    assert parse("\nNodeName=n[1-3] AutoDetect=nvml\n") == [
        ConfLine(2, "n[1-3]", {"autodetect": "nvml"})
    ]


def test_comments_and_empty_lines_say_nothing() -> None:
    assert parse("# Name=gpu\n\n   # x\n") == []
    assert values("Name=gpu# Type=a") == {"name": "gpu"}


def test_an_escaped_sharp_is_no_comment() -> None:
    assert values(r"Name=gpu Type=a\#b") == {"name": "gpu", "type": "a#b"}
    assert values(r"Name=gpu Type=a\\#b") == {"name": "gpu", "type": "a\\"}


def test_a_backslash_at_the_end_continues_a_line() -> None:
    assert parse("Name=gpu \\\n  Type=a\nName=b\\") == [
        ConfLine(2, None, {"name": "gpu", "type": "a"}),
        ConfLine(3, None, {"name": "b"}),
    ]


def test_quotes_keep_spaces() -> None:
    assert values('Name=gpu Type="a b"') == {"name": "gpu", "type": "a b"}


def test_the_last_of_two_equal_keys_is_meant() -> None:
    assert values("Name=gpu Type=a Type=b") == {"name": "gpu", "type": "b"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Name=gpu\nInclude other.conf", "line 2: includes another file"),
        ("Name=gpu gpu", "line 1: Slurm cannot read 'gpu'"),
        ("Name=gpu UUID=x", "no key 'UUID'"),
    ],
)
def test_what_slurm_would_not_read(text: str, why: str) -> None:
    with pytest.raises(ConfError, match=why):
        parse(text)
