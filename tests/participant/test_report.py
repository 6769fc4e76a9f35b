"""A member's private page: what it says, and that it stays where it is."""

import json
import stat
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from rich.console import Console

from aggregator import app as aggregator
from participant.age import age_of
from participant.app import Pass
from participant.community import TOP_FILE, TRENDS_FILE
from participant.full_history import full_history_files
from participant.report import Report, make_report
from participant.report_page import render_report, write_report
from participant.report_text import print_report
from participant.settings import Settings, read_settings
from shared.errors import FilesError, HistoryError
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP, Workspace
from tests.browser import in_a_browser, visit
from tests.conftest import COORDINATOR, SHOWS, TUESDAY, Neighbourhood

ANN = "ann@example.org"
W47 = IsoWeek(2024, 47)
NASTY = "<script>alert(1)</script> [red]Show[/red] \x1b[2J"
ROWS = [
    *(f'"Dark: Season 1: Part {number}","21/11/2024"' for number in range(3)),
    '"The Blacklist: Season 1: Wujing (No. 84)","20/11/2024"',
    '"Élite: Season 1: Uno","02/05/2024"',
    f'"{NASTY}","19/11/2024"',
    '"Dark: Season 1: Secrets","13/11/2024"',
]
HISTORY = "Title,Date\n" + "".join(f"{row}\n" for row in ROWS)


@pytest.fixture
def ann(neighbourhood: Neighbourhood) -> Workspace:
    """Return the workspace of a member of a community of six, after its results were published."""
    aggregator.run(neighbourhood.coordinator(), TUESDAY)
    members = [ANN, *(f"member{number}@example.org" for number in range(5))]
    for email in members:
        neighbourhood.join(email, HISTORY)
        assert isinstance(neighbourhood.run(email), Pass)
    aggregator.run(neighbourhood.coordinator(), TUESDAY)
    return neighbourhood.box(ANN)


@pytest.fixture
def look(neighbourhood: Neighbourhood, ann: Workspace) -> Callable[[], Report]:
    """Return a function that makes Ann's report anew."""

    def make() -> Report:
        settings = read_settings(ann.app(PARTICIPANT_APP) / "settings.toml")
        return make_report(ann, settings, TUESDAY, neighbourhood.home(ANN))

    return make


def text_of(report: Report, **options: object) -> str:
    console = Console(record=True, width=120, markup=False, highlight=False, **options)  # type: ignore[arg-type]
    with console.capture() as captured:
        print_report(console, report)
    return captured.get()


def test_it_tells_my_weeks_with_views_shows_and_binges(look: Callable[[], Report]) -> None:
    report = look()
    mine = {week.week: week for week in report.weeks}
    assert (mine[W47].views, mine[W47].shows, mine[W47].binges, mine[W47].complete) == (5, 3, 1, True)
    assert (mine[IsoWeek(2024, 46)].views, mine[IsoWeek(2024, 45)].views) == (1, 0)
    assert not report.weeks[-1].complete
    assert report.favourites[0].name == "Dark"


def test_it_compares_my_shows_with_the_communitys_list(look: Callable[[], Report]) -> None:
    report = look()
    assert report.top_week == W47
    assert report.notes == ()
    listed = {each.ranked.name: each for each in report.listed}
    assert {each.ranked.name for each in report.of("follow")} == {"Dark", "The Blacklist"} & set(listed)
    assert listed["Dark"].mine == 3
    assert {each.ranked.name: each.standing for each in report.listed}.get("Star Trek", "missed") == "missed"
    assert all(listed[name].standing == "earlier" for name in ("Élite",) if name in listed)
    assert [show.name for show in report.only_mine] == [NASTY]
    assert next((each.name, each.views) for each in report.beside) == ("Dark", 3)
    assert report.trend_weeks[-1] == W47


def test_the_page_is_self_contained_and_titles_with_markup_stay_text(look: Callable[[], Report]) -> None:
    page = render_report(look())
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    for loading in ("src=", "@import", "url(", "<link", "<iframe"):
        assert loading not in page
    assert page.count("http") == page.count("http-equiv")


@in_a_browser
@pytest.mark.parametrize("results", [True, False], ids=["results", "before any result"])
def test_in_a_browser_it_is_drawn_asks_for_nothing_and_fits_wide_and_narrow_light_and_dark(
    neighbourhood: Neighbourhood, ann: Workspace, look: Callable[[], Report], browser: Browser, *, results: bool
) -> None:
    neighbourhood.download(ANN, HISTORY + f'"{"W" * 200}","18/11/2024"\n')
    if not results:
        for name in (TOP_FILE, TRENDS_FILE):
            (ann.results(COORDINATOR) / name).unlink()
    report = look()
    path = write_report(ann, render_report(report))
    papers = set()
    for width, dark in ((1000, False), (1000, True), (320, False), (320, True)):
        seen = visit(browser, path, width=width, dark=dark)
        page = seen.page
        assert seen.asked == [path.as_uri()]
        assert page.locator("html").evaluate("each => each.scrollWidth") == width
        bars = [bar.bounding_box() or {"height": 0.0} for bar in page.locator("rect.bar").all()]
        assert len(bars) == len(report.weeks)
        assert max(bar["height"] for bar in bars) > 30
        assert page.locator("polyline.spark").count() == len(report.lines) == (len(SHOWS) if results else 0)
        for chart in page.locator("svg").all():
            box = chart.bounding_box()
            assert box is not None
            assert box["width"] > 50
            assert box["height"] > 10
        assert page.get_by_text("<script>alert(1)</script> [red]Show[/red] \\x1b[2J").count() >= 1
        assert page.locator("script, img, link, iframe").count() == 0
        assert seen.said == []
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.context.close()
    assert len(papers) == 2


def test_on_a_terminal_titles_are_neither_markup_nor_control_sequences(look: Callable[[], Report]) -> None:
    for terminal in (True, False):
        said = text_of(look(), force_terminal=terminal, no_color=True)
        assert "[red]Show[/red] \\x1b[2J" in said.replace("\n", "")
        assert "\x1b[2J" not in said
    assert "\x1b" not in said


def test_nothing_of_it_lands_below_datasites_and_it_is_mine_alone(ann: Workspace, look: Callable[[], Report]) -> None:
    def synced() -> dict[Path, tuple[int, bytes]]:
        files = [path for path in ann.datasites.resolve().rglob("*") if path.is_file()]
        return {path: (path.lstat().st_mtime_ns, path.read_bytes()) for path in files}

    before, everything = synced(), set(ann.box.rglob("*"))
    path = write_report(ann, render_report(look()))
    assert synced() == before
    assert set(ann.box.rglob("*")) - everything == {path}
    assert path == ann.private(PARTICIPANT_APP) / "report.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_private_folder_that_leads_into_the_synced_tree_is_refused(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.box(ANN)
    inside = box.my_datasite / "here"
    inside.mkdir()
    box.private(PARTICIPANT_APP).parent.mkdir()
    box.private(PARTICIPANT_APP).symlink_to(inside)
    with pytest.raises(FilesError, match="synced"):
        write_report(box, "mine")
    assert list(inside.iterdir()) == []


SHOW = '{"schema": "netflix-trend/trends/1", "shows": [{"show": "a", "direction": "new", "weeks": %s}]}'
BROKEN = [
    "",
    "[]",
    "null",
    "{}",
    "[" * 100_000,
    '{"schema": "netflix-trend/trends/2"}',
    '{"schema": "netflix-trend/trends/1", "shows": 3}',
    SHOW % '[{"week": "0001-W01", "share": 1}]',
    SHOW % '[{"week": "2024-W47", "share": 1e999}]',
    SHOW % '[{"week": "2024-W47", "share": NaN}]',
    SHOW % ('[{"week": "2024-W47", "share": 1%s}]' % ("0" * 400)),
    SHOW.replace('"a"', '"\\ud800"') % "[]",
]


@pytest.mark.parametrize("data", BROKEN)
@pytest.mark.parametrize("name", [TOP_FILE, TRENDS_FILE])
def test_a_broken_result_leaves_my_part_and_one_line(
    ann: Workspace, look: Callable[[], Report], name: str, data: str
) -> None:
    (ann.results(COORDINATOR) / name).write_text(data)
    report = look()
    assert [note[: len(name)] for note in report.notes] == [name]
    assert "cannot be used" in report.notes[0]
    assert len(report.weeks) > 1
    assert "My weeks" in render_report(report) + text_of(report)
    assert bool(report.listed) == (name == TRENDS_FILE)
    assert bool(report.lines) == (name == TOP_FILE)


def test_before_any_result_my_part_and_one_line_are_there(ann: Workspace, look: Callable[[], Report]) -> None:
    for path in ann.results(COORDINATOR).iterdir():
        if path.is_file():
            path.unlink()
    report = look()
    assert len(report.notes) == 1
    assert "have not arrived yet" in report.notes[0]
    assert (report.listed, report.lines, report.only_mine, report.beside) == ((), (), (), ())
    assert "My weeks" in render_report(report)


def test_a_published_name_with_markup_stays_text_too(ann: Workspace, look: Callable[[], Report]) -> None:
    path = ann.results(COORDINATOR) / TOP_FILE
    top = json.loads(path.read_bytes())
    top["ranking"][0] |= {"show": NASTY}
    path.write_text(json.dumps(top))
    page = render_report(look())
    assert "<script" not in page
    assert "\x1b[2J" not in page + text_of(look(), force_terminal=True)


def test_a_withheld_week_says_so(ann: Workspace, look: Callable[[], Report]) -> None:
    path = ann.results(COORDINATOR) / TOP_FILE
    top = json.loads(path.read_bytes()) | {"withheld": True, "ranking": [], "conclusive": None}
    path.write_text(json.dumps(top))
    report = look()
    assert "withheld" in report.notes[0]
    assert "My weeks" in render_report(report)


def test_without_a_coordinator_or_a_view_there_is_a_report(neighbourhood: Neighbourhood) -> None:
    box = neighbourhood.box(ANN)
    neighbourhood.download(ANN, "Title,Date\n")
    report = make_report(box, Settings(""), TUESDAY, neighbourhood.home(ANN))
    assert "no coordinator" in report.notes[0]
    assert "no views yet" in render_report(report)


def test_without_an_export_the_kept_history_stands_in(
    neighbourhood: Neighbourhood, ann: Workspace, look: Callable[[], Report]
) -> None:
    before = look()
    neighbourhood.download(ANN, "").unlink()
    after = look()
    assert set(before.weeks[:-2]) <= set(after.weeks)
    assert (after.weeks[-1].week, after.weeks[-1].views, after.weeks[-1].complete) == (W47, 5, False)
    assert "Shown is what the app kept" in after.notes[0]
    full_history_files(ann)[0].write_bytes(b"broken")
    with pytest.raises(HistoryError):
        look()


def test_an_export_grows_old_a_week_after_a_week_that_it_does_not_cover() -> None:
    made = date(2024, 11, 26)
    assert [age_of(made, date(2024, 12, 9) + timedelta(days=more)).old for more in (-14, 0, 1, 30)] == [
        False,
        False,
        True,
        True,
    ]
    line = age_of(made, date(2025, 1, 7)).line or ""
    assert "of 2024-11-26, and 6 weeks since are over" in line
    assert "https://www.netflix.com/viewingactivity" in line


def test_the_report_says_that_the_export_is_old(neighbourhood: Neighbourhood, look: Callable[[], Report]) -> None:
    assert look().age.line is None
    neighbourhood.download(ANN, "Title,Date\n" + ROWS[4] + "\n", TUESDAY - timedelta(weeks=3))
    page, said = render_report(look()), text_of(look())
    assert 'href="https://www.netflix.com/viewingactivity"' in page
    assert "weeks since are over" in said
