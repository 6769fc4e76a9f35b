"""The page of a real run, in a real browser: Debian's chromium, driven by Playwright.

Six members under so little noise that the figures are the truth; the show that all of them watched is called what
nobody should be able to make a browser run. The tests without a browser hold everywhere, the others where chromium is.
"""

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element

import html5lib
import pytest
from playwright.sync_api import Browser, Page

from aggregator import app as aggregator
from aggregator.terms import publish_study
from participant.settings import TEMPLATE
from shared.mechanism import NoisedCounts, RandomizedResponse
from shared.settings import write_settings
from shared.workspace import PARTICIPANT_APP
from tests.browser import in_a_browser, visit
from tests.conftest import COORDINATOR, TUESDAY, Neighbourhood

MEMBERS = [f"member{number}@example.org" for number in range(6)]
HOSTILE = "</script><img src=x onerror=alert(1)>"
EPSILON = 8.0  # a cell is flipped once in 3,000: hardly ever, and here never
MOST_BYTES = 3_000_000
SHOW_WATCHERS = {HOSTILE: 6, "Élite": 4, "Dark": 2}
"""Of the last week; in the weeks before everybody watched Dark."""


@dataclass(frozen=True)
class Pages:
    """The same community's page at three times of its life."""

    decided: Path
    tied: Path
    withheld: Path


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RandomizedResponse, "noise", lambda _, counts: NoisedCounts(counts.astype("i2")))
        yield Pages(
            _page_of(tmp_path_factory.mktemp("decided"), SHOW_WATCHERS),
            _page_of(tmp_path_factory.mktemp("tied"), {"Dark": 6, "Élite": 6}),
            _page_of(tmp_path_factory.mktemp("withheld"), {"Dark": 4}),
        )


def _page_of(root: Path, watchers: dict[str, int]) -> Path:
    """Return the page after the apps of all members and the coordinator's have run."""
    world = Neighbourhood(root)
    box = world.coordinator()
    results = box.results(COORDINATOR)
    catalogue = results / "catalogue.csv"
    catalogue.write_bytes(catalogue.read_bytes() + f'6,{HOSTILE},film,\n7,"A Quote "" Show",film,\n'.encode())
    publish_study(results, {"epsilon": EPSILON})
    aggregator.run(box, TUESDAY)
    limits = {"max_epsilon_per_week": EPSILON, "max_epsilon_total": 1000.0}
    for number, email in enumerate(MEMBERS[: max(watchers.values())]):
        write_settings(world.box(email).app(PARTICIPANT_APP) / "settings.toml", TEMPLATE, limits)
        seen = [(show, date(2024, 11, 21)) for show, many in watchers.items() if number < many]
        seen += [("Dark", date(2024, 11, 14) - timedelta(weeks=back)) for back in range(4)]
        world.join(email, "Title,Date\n" + "".join(f'"{show}","{day:%d/%m/%Y}"\n' for show, day in seen))
        world.run(email)
    aggregator.run(box, TUESDAY)
    return results / "index.html"


def each(pages: Pages) -> list[Path]:
    return [pages.decided, pages.tied, pages.withheld]


def test_the_page_is_valid_and_below_three_megabytes(pages: Pages) -> None:
    for path in each(pages):
        text = path.read_text(encoding="utf-8")
        assert len(text.encode()) < MOST_BYTES
        tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
        identifiers = [element.get("id") for element in tree.iter() if element.get("id")]
        assert len(identifiers) == len(set(identifiers))
        for element in tree.iter():
            for name in ("for", "aria-labelledby"):
                assert element.get(name) is None or element.get(name) in identifiers
            if (element.get("href") or "").startswith("#"):
                assert element.get("href", "")[1:] in identifiers


def test_the_page_loads_nothing_and_every_file_it_leads_to_is_beside_it(pages: Pages) -> None:
    for path in each(pages):
        tree = html5lib.parse(path.read_text(encoding="utf-8"), namespaceHTMLElements=False)
        assert not [element for element in tree.iter() if element.get("src") or element.get("srcset")]
        for link in [*tree.iter("a"), *tree.iter("link")]:
            address = link.get("href", "")
            if address.startswith("https:"):
                assert link.tag == "a"
            elif not address.startswith(("#", "data:image/svg+xml,")):
                assert (path.parent / address).is_file(), address
        style = "".join(element.text or "" for element in tree.iter("style"))
        assert "url(" not in style
        assert "@import" not in style


def test_every_chart_has_a_table_and_every_table_headings(pages: Pages) -> None:
    for path in each(pages):
        tree = html5lib.parse(path.read_text(encoding="utf-8"), namespaceHTMLElements=False)
        sections = [section for section in tree.iter("section") if _charts(section)]
        assert {section.get("id") for section in sections} >= (
            {"weeks"} if path == pages.withheld else {"chart", "through"}
        )
        for section in sections:
            assert section.find(".//table") is not None
        assert all(chart.get("aria-hidden") == "true" for chart in _charts(tree))
        for table in tree.iter("table"):
            assert table.findall("./thead/tr/th[@scope='col']")
            assert all(row.find("th[@scope='row']") is not None for row in table.findall("./tbody/tr"))


@pytest.mark.parametrize("name", ["interval", "sparkline"])
def test_in_a_column_of_charts_equal_figures_are_at_equal_places(pages: Pages, name: str) -> None:
    """Drawings of other sizes, as wide as what they hold, would move the whole scale from row to row."""
    for path in each(pages):
        if path != pages.withheld:
            tree = html5lib.parse(path.read_text(encoding="utf-8"), namespaceHTMLElements=False)
            found = [chart for chart in _charts(tree) if name in chart.get("class", "")]
            assert len(found) >= 5
            assert len({(chart.get("viewBox"), chart[0].get("transform")) for chart in found}) == 1


def _charts(tree: Element) -> list[Element]:
    return [element for element in tree.iter() if (element.get("class") or "").startswith("chart ")]


@in_a_browser
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_from_disk_it_is_drawn_without_complaint_or_request_and_fits(
    browser: Browser, pages: Pages, width: int, *, dark: bool, scripts: bool
) -> None:
    for path in each(pages):
        seen = visit(browser, path, width=width, dark=dark, scripts=scripts)
        assert seen.said == []
        assert seen.asked == [path.as_uri()]
        charts = [chart for chart in seen.page.locator("svg.chart").all() if chart.is_visible()]
        assert len(charts) >= (1 if path == pages.withheld else 12)
        for chart in charts:
            box = chart.bounding_box()
            assert box is not None
            assert box["width"] > 50
            assert box["height"] > 15
            assert 0 <= box["x"] <= box["x"] + box["width"] <= width or _scrolls(chart.page)
        assert seen.page.locator("html").evaluate("each => each.scrollWidth") == width
        seen.page.context.close()


def _scrolls(page: Page) -> bool:
    return bool(page.locator(".scroll").count())


@in_a_browser
def test_in_the_dark_paper_is_dark_and_lines_are_light(browser: Browser, pages: Pages) -> None:
    for dark in (False, True):
        page = visit(browser, pages.decided, dark=dark).page
        paper, ink = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
        line = page.locator(".wide-only .lines path.show-0").first.evaluate("each => getComputedStyle(each).color")
        assert (_light(paper) < _light(ink)) == dark
        assert (_light(paper) < _light(line)) == dark


def _light(colour: str) -> float:
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3])


@in_a_browser
def test_a_title_with_markup_stays_text(browser: Browser, pages: Pages) -> None:
    seen = visit(browser, pages.decided)
    assert seen.page.locator("h1").inner_text() == HOSTILE
    assert seen.page.title() == f"What we watched: {HOSTILE} (2024-W47)"
    assert seen.page.locator("img").count() == 0
    assert HOSTILE in seen.page.locator("table.through thead").inner_text()
    assert seen.said == []


@in_a_browser
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_picking_a_show_draws_its_line_and_shows_its_figures(browser: Browser, pages: Pages, *, scripts: bool) -> None:
    page = visit(browser, pages.decided, scripts=scripts).page
    names = page.locator("fieldset label").all_inner_texts()
    index = names.index("The Blacklist")
    drawn, told = page.locator(f".wide-only .lines path.show-{index}").last, page.locator(f"td.show-{index}").first
    assert (drawn.is_visible(), told.is_visible()) == (False, False)
    page.get_by_label("The Blacklist").check()
    assert (drawn.is_visible(), told.is_visible()) == (True, True)
    page.get_by_role("button", name="Back to the first three").click()
    assert (drawn.is_visible(), told.is_visible()) == (False, False)


@in_a_browser
def test_the_keyboard_reaches_everything_visibly(browser: Browser, pages: Pages) -> None:
    page = visit(browser, pages.decided).page
    reached = set()
    for step in range(80):
        page.keyboard.press("Tab")
        focused = page.locator("*:focus")
        if not focused.count():
            break
        name = focused.evaluate("each => each.id || each.textContent.trim()")
        outline = focused.evaluate("each => getComputedStyle(each).outlineStyle")
        assert outline != "none", name
        assert step or name == "To the result"
        reached.add(name)
        if name == "pick-3":
            page.keyboard.press("Space")
    assert page.locator("#pick-3").is_checked()
    focusable = page.locator("a[href], input, button, summary, [tabindex='0']").evaluate_all(
        "all => all.filter(each => each.checkVisibility()).map(each => each.id || each.textContent.trim())"
    )
    assert set(focusable) <= reached


@in_a_browser
def test_a_screen_reader_finds_landmarks_headings_and_the_chart_as_a_table(browser: Browser, pages: Pages) -> None:
    for width in (1280, 320):
        page = visit(browser, pages.decided, width=width).page
        for role in ("banner", "navigation", "main", "contentinfo"):
            assert page.get_by_role(role).count() == 1, role
        levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
        assert levels == [1, *[2] * (len(levels) - 1)]
        chart = page.get_by_role("table", name="The top ten")
        assert chart.get_by_role("columnheader").count() == 9
        assert chart.get_by_role("row").count() == 1 + 8
        assert chart.get_by_role("rowheader").first.inner_text().startswith(HOSTILE)
        assert page.get_by_role("group", name="Shows to draw").get_by_role("checkbox").count() == 8


@in_a_browser
def test_the_chart_says_what_moved_and_what_is_tied(browser: Browser, pages: Pages) -> None:
    page = visit(browser, pages.decided).page
    rows = page.locator("table.top tbody tr")
    assert rows.nth(0).locator(".rank").inner_text() == "1"
    assert rows.nth(0).locator(".guess").inner_text().startswith("6.")
    dark = rows.filter(has=page.get_by_role("rowheader", name="Dark"))
    assert "down" in dark.locator(".move").inner_text()
    assert "The plain figure of the show in front tends to be too high" in page.locator("#chart .note").inner_text()
    tied = visit(browser, pages.tied).page
    assert tied.locator("h1").inner_text() == "Too close to call"
    candidates = tied.get_by_role("list", name="Shows that may be first").get_by_role("listitem")
    assert sorted(candidates.all_inner_texts()) == ["Dark", "Élite"]
    assert tied.locator("table.top tbody tr .tie").count() >= 2
    withheld = visit(browser, pages.withheld).page
    assert withheld.locator("h1").inner_text() == "Withheld"
    assert "4 of at least 5 participants" in withheld.locator("main").inner_text()


@in_a_browser
def test_served_by_syftbox_it_names_the_coordinator_whose_address_no_file_holds(browser: Browser, pages: Pages) -> None:
    root = pages.decided.parents[4]
    assert COORDINATOR not in pages.decided.read_text(encoding="utf-8")
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}/{quote(str(pages.decided.relative_to(root)))}"
        seen = visit(browser, here)
        assert seen.page.locator("pre").inner_text().endswith(f"install --aggregator {COORDINATOR}")
        assert not seen.page.locator("#where").is_visible()
        assert (seen.said, seen.asked) == ([], [here])
        seen.page.context.close()
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        pass
