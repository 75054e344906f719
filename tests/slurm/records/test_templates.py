import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slurm_mig.errors import SlurmMigError
from slurm_mig.slurm.records.plaintemplate import fill
from slurm_mig.slurm.records.render import render
from slurm_mig.slurm.records.templates import fill_in, own_templates, site_template

NAME = "gres.conf.j2"
VALUES = {"comments": ["why", ""], "lines": ["Name=a", "Name=b"], "groups": []}
LOOP = "{% for line in lines %}\n{{ line }}!\n{% endfor %}\n"


def test_our_own_template_has_the_comments_and_then_the_lines(tmp_path: Path) -> None:
    text = fill_in(NAME, tmp_path, VALUES)
    assert text.splitlines()[1:] == ["# why", "# ", "Name=a", "Name=b"]


def test_a_site_s_template_goes_first(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{{ lines | join('+') }}")
    assert fill_in(NAME, tmp_path, VALUES) == "Name=a+Name=b"
    assert site_template(NAME, tmp_path) == tmp_path / NAME


def test_one_that_is_a_folder_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(SlurmMigError, match=f"{NAME}: not a file"):
        fill_in(NAME, tmp_path, VALUES)


def test_one_that_cannot_be_looked_for_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SlurmMigError, match="symbolic links"):
        fill_in(NAME, tmp_path / "loop", VALUES)


PLAIN = ["", "a", "# {{ line }}", "{{ line }}{{ line }} b", "}} %}"]
PIECES = ["{% for line in lines %}", " {% endfor %} ", "{{ lines }}", "{% if 1 %}", "{# x #}"]


@settings(derandomize=True, deadline=None)
@given(
    st.lists(st.sampled_from([*PLAIN, *PIECES, *PIECES[:2]]), max_size=8).map("\n".join),
    st.lists(st.sampled_from(["x", "{{ y }}", "{% z %}", ""]), max_size=3),
)
def test_what_is_filled_in_plainly_is_what_jinja2_makes(
    tmp_path_factory: pytest.TempPathFactory, text: str, lines: list[str]
) -> None:
    filled = fill(text, {"lines": lines})
    if filled is not None:
        folder = tmp_path_factory.mktemp("templates")
        (folder / NAME).write_text(text)
        assert filled == render(NAME, [folder], {"lines": lines})


@pytest.mark.parametrize(
    "path", sorted(own_templates().glob("*.conf.j2")), ids=lambda path: path.name
)
def test_our_own_templates_are_plain(path: Path) -> None:
    assert fill(path.read_text(), VALUES) == render(path.name, [path.parent], VALUES)


@pytest.mark.parametrize("text", ["{{ line }}", "{% for a in nothing %}\n{% endfor %}", LOOP[:-13]])
def test_what_is_not_plain_is_jinja2_s(text: str) -> None:
    assert fill(text, VALUES) is None


def test_jinja2_is_not_loaded_for_our_own(tmp_path: Path) -> None:
    import subprocess

    script = (
        "import sys; from pathlib import Path; "
        "from slurm_mig.slurm.records.templates import fill_in;"
        f"fill_in({NAME!r}, Path({str(tmp_path)!r}), {VALUES!r}); print('jinja2' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
