"""The page for a browser: one file, told to screen readers as well, with names that are hostile."""

import re
from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings

from slurm_mig.usage.report.html import html
from slurm_mig.usage.report.job_page import job_page
from slurm_mig.usage.report.overview import overview
from slurm_mig.usage.report.overview_page import overview_page
from slurm_mig.usage.report.rows import Rows
from tests.usage.report import made
from tests.usage.report.htmlpage import Parsed
from tests.usage.report.strategies import MANY
from tests.usage.report.test_pages import JOBS, MIXED

HOSTILE = '<script>document.title="x"</script><img src=http://127.0.0.1/ onerror=alert(1)>"\'&'


def report(*records: made.Tree, by: str = "user") -> str:
    found = overview(Rows(made.rows(*records)), by)
    return html(overview_page(found, "since yesterday", UTC), "made for a test")


@pytest.fixture(scope="module")
def mixed() -> Parsed:
    return Parsed(report(*MIXED))


def test_it_needs_no_other_file_and_no_script(mixed: Parsed) -> None:
    for tag in ("script", "link", "img", "iframe", "object", "image", "use", "a", "form"):
        assert mixed.all(tag) == []
    for one in mixed.elements:
        loads = {"src", "href", "xlink:href", "srcset", "action", "style"} & set(one.attributes)
        assert not loads, one
        assert not [name for name in one.attributes if name.startswith("on")]
    (style,) = mixed.within("style")
    assert not re.search(r"url\(|@import|http", style)
    policies = [one.attributes.get("content") for one in mixed.all("meta")]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policies


def test_every_plot_is_named_described_and_in_figures_below(mixed: Parsed) -> None:
    figures = mixed.all("figure")
    plots = mixed.all("svg")
    assert len(figures) == len(plots) == 3
    tables = [one for one in mixed.all("table") if "figure" in one.path]
    assert len(tables) == len(plots)
    ids = mixed.ids()
    assert len(ids) == len(set(ids))
    for plot in plots:
        assert plot.attributes["role"] == "img"
        named = str(plot.attributes["aria-labelledby"]).split()
        assert len(named) == 2
        assert set(named) <= set(ids)
    for section in mixed.all("section"):
        assert section.attributes["aria-labelledby"] in ids
    assert "bob: 2.00. alice: 1.33. carol: 0.0." in " ".join(mixed.within("desc"))


def test_every_table_has_a_caption_and_headings(mixed: Parsed) -> None:
    for tag in ("caption", "thead", "tbody"):
        assert len(mixed.all(tag)) == len(mixed.all("table"))
    assert all(one.attributes.get("scope") in ("col", "row") for one in mixed.all("th"))


def test_it_is_a_whole_document_in_a_language(mixed: Parsed) -> None:
    assert mixed.all("html")[0].attributes == {"lang": "en"}
    assert mixed.within("title")[0] == mixed.within("h1")[0]
    assert "made for a test" in mixed.within("footer")


def test_names_of_users_are_text() -> None:
    one = made.one_slice("3g.40gb", made.sampled(3000.0), gpu_name=HOSTILE)
    page = report(made.one_record(one, user=HOSTILE, node=HOSTILE, account=HOSTILE))
    parsed = Parsed(page)
    assert parsed.all("script") == parsed.all("img") == []
    assert any(HOSTILE[:40] in text for text in parsed.within("td") + parsed.within("th"))
    assert "{{" not in report(made.one_record(one, user="{{ 7 * 7 }}")).replace("{{ 7 * 7 }}", "")


def test_the_page_of_a_job() -> None:
    (usage,) = made.job_usages(*JOBS["requeued"])
    parsed = Parsed(html(job_page(usage, UTC), ""))
    assert len(parsed.all("svg")) == len(parsed.all("figure")) == 6
    ids = parsed.ids()
    assert len(ids) == len(set(ids))
    for plot in parsed.all("svg"):
        assert set(str(plot.attributes["aria-labelledby"]).split()) <= set(ids)
    assert len(parsed.all("details")) == 3
    captions = [said for said in parsed.within("caption") if "over time, in figures" in said]
    assert len(captions) == 3
    assert "3.1 GiB" in parsed.within("td")
    assert "over time: 0 to 3.1 GiB. SMs over time: 0 to 24%. time: 10 min" in " ".join(
        parsed.within("desc")
    )
    assert html(job_page(usage, UTC), "").startswith("<!doctype html>")
    assert "12% on average, 24% at most" in parsed.within("td")
    assert any("1g.10gb would have done" in text for text in parsed.within("p"))


def test_a_report_of_nothing_is_a_page_too() -> None:
    parsed = Parsed(report())
    assert parsed.all("svg") == parsed.all("table") == []
    assert parsed.within("p")[0].startswith("There is no record of a job")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MANY)
def test_any_records_make_a_well_formed_page(records: list[made.Tree]) -> None:
    Parsed(report(*records))
    for usage in made.job_usages(*records):
        Parsed(html(job_page(usage, UTC), ""))
