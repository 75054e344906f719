from pathlib import Path

import pytest

from slurm_mig.errors import SlurmMigError
from slurm_mig.slurm.render import render, site_template

NAME = "gres.conf.j2"
VALUES = {"comments": ["why", ""], "lines": ["Name=a", "Name=b"], "groups": []}


def test_our_own_template_has_the_comments_and_then_the_lines(tmp_path: Path) -> None:
    assert site_template(NAME, tmp_path) is None
    text = render(NAME, tmp_path, VALUES)
    assert text.splitlines()[1:] == ["# why", "# ", "Name=a", "Name=b"]


def site(folder: Path, text: str) -> str:
    (folder / NAME).write_text(text)
    return render(NAME, folder, VALUES)


def test_a_site_s_template_goes_first(tmp_path: Path) -> None:
    assert site(tmp_path, "{% for line in lines %}\n{{ line }}!\n{% endfor %}") == (
        "Name=a!\nName=b!\n"
    )
    assert site_template(NAME, tmp_path) == tmp_path / NAME


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


def test_one_that_is_a_folder_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(SlurmMigError, match=f"{NAME}: not a file"):
        site_template(NAME, tmp_path)


def test_one_that_cannot_be_looked_for_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SlurmMigError, match="symbolic links"):
        site_template(NAME, tmp_path / "loop")
