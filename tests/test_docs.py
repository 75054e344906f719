"""Every command shown in docs/ prints what the page says, and every link leads somewhere."""

import re
from pathlib import Path

import pytest

from tests import docs

ROOT = docs.DOCS.parent
PAGES = docs.pages()
TEXTS = [*ROOT.glob("*.md"), *docs.DOCS.rglob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_commands_print_what_the_page_says(page: docs.Page, tmp_path: Path) -> None:
    assert page.commands(), "a cluster, but no commands"
    assert page.with_outputs(docs.outputs(page, tmp_path)) == page.text


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_a_session_keeps_its_prompts_and_takes_new_outputs() -> None:
    text = (
        "# x\n<!-- cluster: n1:l40s slurm=24.11 -->\n```console\n$ a \\\n> b\nold\n$ c\n```\nend\n"
    )
    page = docs.Page(Path("x.md"), ("n1:l40s",), "24.11", text)
    assert page.commands() == ["a \\\nb", "c"]
    assert page.with_outputs(["new\n", ""]) == text.replace("old", "new")
