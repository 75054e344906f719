from pathlib import Path

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.slurm.records.render import render

NAME = "gres.conf.j2"
VALUES = {"comments": ["why", ""], "lines": ["Name=a", "Name=b"], "groups": []}


def site(folder: Path, text: str) -> str:
    (folder / NAME).write_text(text)
    return render(NAME, [folder], VALUES)


def test_blocks_leave_no_empty_lines(tmp_path: Path) -> None:
    text = "  {% for line in lines %}\n{{ line }}!\n  {% endfor %}\n"
    assert site(tmp_path, text) == "Name=a!\nName=b!\n"


def test_the_first_folder_that_has_it(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("here")
    assert render(NAME, [tmp_path / "none", tmp_path], VALUES) == "here"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("\n{% for line in %}", 2, "Expected an expression"),
        ("ok\n\n{{ linse }}", 3, "'linse' is undefined"),
        ("{{ lines[0].nothing }}", 1, "no attribute 'nothing'"),
        ("\n{{ lines + 1 }}", 2, "can only concatenate"),
        ("{{ ().__class__.__mro__ }}", 1, "unsafe"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("{% include 'other.j2' %}", 1, "other.j2"),
    ],
)
def test_a_mistake_in_it_is_told_with_its_place(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    with pytest.raises(SlurmMigError) as raised:
        site(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / NAME}:{line}: ")
    assert why in str(raised.value)
    assert type(raised.value) is SlurmMigError
