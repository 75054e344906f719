"""The page in a real browser: it is drawn, in the dark and in print, and asks for nothing."""

import json
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import pytest

from slurm_mig.usage.report.html import html
from slurm_mig.usage.report.job_page import job_page
from slurm_mig.usage.report.overview import overview
from slurm_mig.usage.report.overview_page import overview_page
from slurm_mig.usage.report.rows import Rows
from tests.cluster import browser
from tests.usage.report import made, png
from tests.usage.report.htmlpage import Parsed
from tests.usage.report.test_html import HOSTILE
from tests.usage.report.test_pages import JOBS, MIXED

BAR, DARK_BAR = (0x1F, 0x6F, 0xB2), (0x6C, 0xB1, 0xEC)
DARK = "--blink-settings=preferredColorScheme=0"
ASKED = "URL_REQUEST_START_JOB"


class Seen(NamedTuple):
    """What came of one visit: the page as it is in the browser, its log, and the files made."""

    dom: str
    log: str
    folder: Path


@pytest.fixture(scope="module")
def page() -> str:
    hostile = made.one_record(made.one_slice("1g.10gb", None), user=HOSTILE)
    found = overview(Rows(made.rows(*MIXED, hostile)), "user")
    shown = overview_page(found, "since yesterday", UTC)
    curves = [job_page(one, UTC) for one in made.job_usages(*JOBS["requeued"])]
    sections = [part for each in (shown, *curves) for part in each.sections]
    return html(shown._replace(sections=tuple(sections)), "made for a test")


def visit(page: str, folder: Path, *options: str) -> Seen:
    """Open the page; files that it is to make are named in `options`."""
    (folder / "page.html").write_text(page)
    log = "--log-net-log=/tmp/work/net.json"
    dom, said = browser.run(folder, "--window-size=640,480", log, *options)
    return Seen(dom, said, folder)


def asked(seen: Seen) -> list[str]:
    """The addresses that the browser asked anybody for."""
    found = json.loads((seen.folder / "net.json").read_text())
    kinds = {number: name for name, number in found["constants"]["logEventTypes"].items()}
    events = [event for event in found["events"] if kinds[event["type"]] == ASKED]
    return [str(event["params"].get("url")) for event in events if "url" in event.get("params", {})]


def share_of(picture: png.Picture, colour: tuple[int, int, int]) -> float:
    return sum(row.count(colour) for row in picture) / sum(map(len, picture))


def test_it_is_drawn_asks_for_nothing_and_says_nothing(page: str, tmp_path: Path) -> None:
    seen = visit(page, tmp_path, "--screenshot=/tmp/work/page.png")
    picture = png.read(tmp_path / "page.png")
    assert picture[0][0] == (255, 255, 255)
    assert share_of(picture, BAR) > 0.01
    assert len({pixel for row in picture for pixel in row}) > 20  # letters have many greys
    assert asked(seen) == []
    assert "CONSOLE" not in seen.log


def test_it_is_dark_where_the_reader_wants_that(page: str, tmp_path: Path) -> None:
    visit(page, tmp_path, "--screenshot=/tmp/work/page.png", DARK)
    picture = png.read(tmp_path / "page.png")
    assert picture[0][0] == (0x14, 0x17, 0x1A)
    assert share_of(picture, DARK_BAR) > 0.01
    assert share_of(picture, (255, 255, 255)) == 0


def test_it_can_be_printed_and_is_light_there(page: str, tmp_path: Path) -> None:
    visit(page, tmp_path, "--print-to-pdf=/tmp/work/page.pdf", DARK)
    printed = (tmp_path / "page.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert 1 <= printed.count(b"/Type /Page\n") <= 8


def test_what_the_browser_makes_of_it_is_what_we_wrote(page: str, tmp_path: Path) -> None:
    seen = visit(page, tmp_path, "--dump-dom")
    parsed = Parsed(seen.dom.strip())
    assert parsed.all("script") == parsed.all("img") == []
    assert len(parsed.all("svg")) == len(Parsed(page).all("svg")) == 9
    drawn = [
        one.attributes["d"] for one in parsed.all("path") if "curve" in one.attributes.values()
    ]
    written = [one.attributes["d"] for one in Parsed(page).all("path")]
    assert len(drawn) == 5
    assert set(drawn) <= set(written)
    assert [path.count("M") for path in drawn if path] == [1, 1, 1, 1, 2]  # the last has a gap
    assert parsed.within("h1") == ["GPU slices by user, since yesterday"]


def test_this_test_would_see_a_page_that_asks_and_complains(tmp_path: Path) -> None:
    bad = '<!doctype html><img src="http://127.0.0.1:9/x.png"><script>console.error("oh")</script>'
    seen = visit(bad, tmp_path, "--screenshot=/tmp/work/page.png")
    assert asked(seen) == ["http://127.0.0.1:9/x.png"]
    assert "CONSOLE" in seen.log
