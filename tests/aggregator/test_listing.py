"""Lists of shows as Netflix publishes them, and as others damage them. All rows are invented."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator import listing, workbook
from aggregator.listing import Listed, Skip, gather, read_listing
from shared.errors import CatalogueError

LAST = "cumulative_weeks_in_top_10"
FIRST = f"week category weekly_rank show_title season_title weekly_hours_viewed {LAST}"
FOURTH = FIRST.replace(LAST, f"runtime weekly_views {LAST}")
SECOND = f"{FOURTH} is_staggered_launch episode_launch_details"
GENERATIONS = [FIRST, SECOND, f"{SECOND} extra", FOURTH]
ROWS = [
    {"category": "TV (English)", "weekly_rank": 1, "show_title": "Salt Road", "weekly_hours_viewed": 10},
    {"category": "Films (English)", "weekly_rank": 1, "show_title": "Tin Moon: Part 2", "weekly_hours_viewed": 25},
    {"category": "TV (English)", "weekly_rank": 2, "show_title": "Salt Road", "weekly_hours_viewed": 20},
    {"category": "Films (Non-English)", "weekly_rank": 9, "show_title": "Élan", "weekly_hours_viewed": 1},
]
BANNER: list[list[Any]] = [[], [None, "What We Watched"], [None, "Views from January to June"], [], []]
HEADER: list[Any] = [None, "Title", "Available Globally?", "Release Date", "Hours Viewed", "Runtime", "Views"]


def tsv(header: str, rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a list in Netflix's form."""
    names = header.split()
    lines = [names, *([str(row.get(name, "N/A")) for name in names] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines).encode()


def xlsx(sheets: dict[str, list[list[Any]]]) -> bytes:
    """Return a workbook."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def report(**titles: list[str]) -> bytes:
    """Return an engagement report with these sheets and titles, each viewed less than the one before."""
    return xlsx(
        {
            sheet: [
                *BANNER,
                HEADER,
                *([None, title, "Yes", None, 900 - n, "1:00", 90 - n] for n, title in enumerate(found)),
            ]
            for sheet, found in titles.items()
        }
    )


def names(data: bytes) -> list[str]:
    """Return the names in a list."""
    return [show.name for show in read_listing(data, "list").shows]


def only(data: bytes) -> Listed:
    """Return the only show in a list."""
    (show,) = gather([read_listing(data, "list")])
    return show


@pytest.mark.parametrize("header", GENERATIONS, ids=["7", "11", "12", "9"])
def test_every_generation_of_the_weekly_list_reads_alike(header: str) -> None:
    """Columns are found by name: the show, its kind, and the hours of all weeks added up decide the order."""
    found = read_listing(tsv(header, ROWS), "all-weeks-global.tsv")
    assert found.shows == (Listed("Salt Road", "series"), Listed("Tin Moon: Part 2", "film"), Listed("Élan", "film"))
    assert (found.rows, dict(found.skipped)) == (4, {})


def test_a_country_list_without_hours_is_ordered_by_its_places() -> None:
    """all-weeks-countries.tsv has ranks only: ten points for a first place, one for a tenth."""
    header = "country_name country_iso2 week category weekly_rank show_title season_title cumulative_weeks_in_top_10"
    places = [("A1", 9), ("B2", 2), ("B2", 2)]
    rows = [{"category": "TV", "weekly_rank": rank, "show_title": show} for show, rank in places]
    assert names(tsv(header, rows)) == ["B2", "A1"]


def test_the_most_popular_list_is_ordered_by_its_hours() -> None:
    """most-popular.tsv calls its columns otherwise."""
    header = "category rank show_title season_title hours_viewed_first_28_days"
    hours = {"A1": 5, "B2": "1,000"}
    rows = [{"category": "TV", "show_title": show, "hours_viewed_first_28_days": n} for show, n in hours.items()]
    assert names(tsv(header, rows)) == ["B2", "A1"]


def test_the_weekly_list_may_come_as_a_workbook_or_with_commas_or_in_utf_16() -> None:
    """The same table in another wrapping names the same shows."""
    text = tsv(GENERATIONS[0], ROWS)
    rows: list[list[Any]] = [line.split("\t") for line in text.decode().splitlines()]
    expected = read_listing(text, "list").shows
    assert read_listing(xlsx({"List": rows}), "list.xlsx").shows == expected
    assert read_listing(text.replace(b"\t", b","), "list.csv").shows == expected
    assert read_listing(text.replace(b"\n", b"\r\n").decode().encode("utf-16"), "list").shows == expected
    assert read_listing(b"\xef\xbb\xbf" + text, "list").shows == expected


def test_the_report_names_series_without_their_seasons_and_with_their_originals() -> None:
    """`name: Season n // original: season n` is one show with an alternative title, in whichever language."""
    titles = [
        "Salt Road: Season 2 // 소금길: 시즌 2",
        "Salt Road: Season 1 // 소금길: 시즌 1",
        "Ash: Limited Series // Cinza: Minissérie",
        "Kite: Season 1 // 風箏: 第 1 季 // 风筝: 第一季",
        "Elk: 100: Season 1 // 엘크: 100: 시즌 1",
        "Fern: Part 3",
    ]
    data = report(Shows=titles)
    assert read_listing(data, "report.xlsx").shows == (
        Listed("Salt Road", "series", ("소금길",)),
        Listed("Ash", "series", ("Cinza",)),
        Listed("Kite", "series", ("風箏", "风筝")),
        Listed("Elk: 100", "series", ("엘크: 100",)),
        Listed("Fern", "series"),
    )


@pytest.mark.parametrize(
    ("sheet", "kind"),
    [("TV", "series"), ("Shows", "series"), ("Film", "film"), ("Movies", "film"), ("Engagement", None)],
)
def test_the_sheet_tells_the_kind(sheet: str, kind: str | None) -> None:
    """Where one sheet holds both, a title without a season is of no known kind."""
    assert only(report(**{sheet: ["Salt Road"]})).kind == kind


def test_a_film_keeps_its_part_and_a_season_makes_a_series() -> None:
    """`Part 2` ends a series' name and belongs to a film's; `Season 1` tells a series on any sheet."""
    data = report(Movies=["Tin Moon: Part 2 // Lua: Parte 2"], Engagement=["Rust: Season 1", "Oak: Part 1"])
    assert read_listing(data, "report.xlsx").shows == (
        Listed("Tin Moon: Part 2", "film", ("Lua: Parte 2",)),
        Listed("Rust", "series"),
        Listed("Oak: Part 1", None, (), certain=False),
    )


def test_a_note_below_the_table_and_a_sheet_without_a_header_are_no_shows() -> None:
    """What has no figures is left out and counted."""
    rows = [*BANNER, HEADER, [None, "Salt Road: Season 1", "Yes", None, 5, None, 3], [None, "* rounded"], []]
    found = read_listing(xlsx({"Read me": [["Hello"]], "Shows": rows}), "report.xlsx")
    assert [show.name for show in found.shows] == ["Salt Road"]
    assert found.skipped == {Skip.EMPTY: 1}
    assert found.rows == 2


def test_a_title_may_be_a_number() -> None:
    """A spreadsheet stores `1899` as a number."""
    rows = [*BANNER, HEADER, [None, 1899, "Yes", None, 5, None, 3]]
    assert names(xlsx({"Shows": rows})) == ["1899"]


def test_one_english_name_takes_the_originals_of_the_first_show_only() -> None:
    """Two shows may have one English name; the other's original title must not lead to it."""
    assert only(report(Shows=["Gleam: Season 1 // 빛", "Gleam: Season 1 // 微光"])).also == ("빛",)


def test_a_year_is_dropped_where_it_tells_nothing_apart() -> None:
    """The report writes `Suits (2011)`, histories `Suits`: the only one, or the only series, has the bare name."""
    data = report(
        Shows=["Salt Road (2011): Season 1", "Rust (2017): Season 1", "Elm: Season 1", "Elm (1999): Season 1"],
        Movies=["Rust (2003)", "Oak (1990)", "Oak (2010)", "Fir", "Fir (1970)"],
    )
    shows = {show.name: show.also for show in gather([read_listing(data, "report.xlsx")])}
    assert shows == {
        "Salt Road": ("Salt Road (2011)",), "Rust": ("Rust (2017)",), "Rust (2003)": (), "Elm": (), "Elm (1999)": (),
        "Oak (1990)": (), "Oak (2010)": (), "Fir": (), "Fir (1970)": (),
    }  # fmt: skip


def test_lists_are_gathered_in_their_order_and_complete_each_other() -> None:
    """The first list's shows come first; the kind and the originals may come from a later one."""
    first = read_listing(report(Engagement=["Oak", "Elm: Season 1"]), "first")
    second = read_listing(report(Movies=["Fir", "Oak // Dub"]), "second")
    assert [(show.name, show.kind, show.also) for show in gather([first, second])] == [
        ("Oak", "film", ("Dub",)), ("Elm", "series", ()), ("Fir", "film", ()),
    ]  # fmt: skip


def test_a_plain_list_has_one_show_a_line() -> None:
    """A series unless the line ends in a kind; commas within a name are part of it."""
    data = b'Salt Road\r\n\n  Lock, Stock and Rust  \n"Me, Myself",film\nTin Moon, special\n'
    assert read_listing(data, "list.txt").shows == (
        Listed("Salt Road", "series"), Listed("Lock, Stock and Rust", "series"),
        Listed("Me, Myself", "film"), Listed("Tin Moon", "special"),
    )  # fmt: skip


def test_another_catalogue_is_a_list() -> None:
    """Row numbers do not matter, alternatives do."""
    data = b"row,show,kind,also\n7,Salt Road,series,Sel|Zout\n3,Tin Moon,film,\n"
    assert read_listing(data, "catalogue.csv").shows == (
        Listed("Salt Road", "series", ("Sel", "Zout")),
        Listed("Tin Moon", "film"),
    )


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        (" ", Skip.EMPTY),
        ("x" * 201, Skip.LONG),
        ("x" * 1_000_000, Skip.LONG),
        ("a\x07b", Skip.CONTROL),
        ("?!", Skip.NAMELESS),
    ],
    ids=["blank", "201", "million", "bell", "no letter"],
)
def test_a_title_that_cannot_be_a_name_is_skipped_with_its_reason(title: str, reason: Skip) -> None:
    """One bad row does not spoil a list."""
    found = read_listing(tsv(GENERATIONS[0], [*ROWS, {"show_title": title}]), "list")
    assert (len(found.shows), found.rows, dict(found.skipped)) == (3, 5, {reason: 1})


def test_names_come_on_one_line_without_invisible_characters() -> None:
    """A line break, a no-break space or a mark that turns the text around does not reach the page."""
    assert only(report(Movies=["Salt\n  Road\u202e \u200bII"])).name == "Salt Road II"
    assert only(report(Movies=["Salt // Sel|de|mer"])).also == ("Sel de mer",)


def test_a_name_of_200_characters_is_taken() -> None:
    """The limit itself is allowed."""
    assert names(b"x" * 200) == ["x" * 200]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b" \n\r\n", "empty"),
        (b"<!DOCTYPE html><html><title>Top 10</title></html>", "web page"),
        (b"\xef\xbb\xbf  <html></html>", "web page"),
        (b"Salt Road\0\nRust\n", "NUL"),
        (b"Salt Road\nCaf\xe9\n", "line 2 is not UTF-8"),
        (b"\xff\xfeS\0a", "damaged UTF-16"),
        (b"PK\x03\x04 nonsense", "no workbook"),
        (b"\xd0\xcf\x11\xe0 old", "old .xls"),
        (b"%PDF-1.7\n\xe2\xe3", "UTF-8"),
        (b"show_title\tcategory\n\t\n", "names no show"),
        (b"\t".join(b"c%d" % n for n in range(10_000)) + b"\n", "10,000 columns"),
        (b"Title,Date\nSalt Road,1/2/24\n", "viewing history"),
        (b"Titel,Datum\nSalt Road,01.02.2024\nRust,02.02.2024\n", "viewing history"),
        (b"Profile Name,Start Time,Title\nA,2024-01-01,Salt Road\n", "viewing history"),
        (b'show,kind\n"' + b"Salt,series\n" * 20_000, "no CSV"),
    ],
)
def test_what_is_no_list_is_refused_in_one_line(data: bytes, what: str) -> None:
    """The line names the file and what it is instead."""
    with pytest.raises(CatalogueError, match=what) as refused:
        read_listing(data, "the-list")
    assert str(refused.value).startswith("the-list: ")
    assert "\n" not in str(refused.value)


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, lines and different titles of a text are limited."""
    titles = b"\n".join(b"t%d" % n for n in range(101))
    for limit, data in [("MAX_FILE_BYTES", b"x" * 101), ("MAX_LINES", b"a\n" * 101), ("MAX_TITLES", titles)]:
        with monkeypatch.context() as patch:
            patch.setattr(listing, limit, 100)
            with pytest.raises(CatalogueError, match="100"):
                read_listing(data, "list")


def with_part(name: str, content: bytes) -> bytes:
    """Return a small workbook, one part of which is replaced or added."""
    source = zipfile.ZipFile(io.BytesIO(report(Shows=["Salt Road: Season 1"])))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            if part != name:
                target.writestr(part, source.read(part))
        target.writestr(name, content)
    return data.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
BEGIN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
END = b"</sheetData></worksheet>"
TEXT = b'<c t="inlineStr"><is><t>%s</t></is></c>'
HEAD = b"<row>%s%s</row>" % (TEXT % b"Title", TEXT % b"Views")
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (with_part("bomb.bin", b"\0" * (workbook.MAX_UNFOLDED + 1)), "unfolds"),
        (with_part("xl/sharedStrings.xml", BOMB), "entities"),
        (with_part("xl/media/hidden.png", BOMB), "entities"),
        (with_part(SHEET, BEGIN + b"<row>" + b"<c/>" * 10_000 + b"</row>" + END), "100 columns"),
        (with_part(SHEET, BEGIN + b"<row/>" * (workbook.MAX_ELEMENTS + 1) + END), "600,000 cells"),
        (with_part(SHEET, BEGIN + b"<row " + b" ".join(b'a%d=""' % n for n in range(101)) + b"/>" + END), "600,000"),
        (with_part(SHEET, BEGIN + b"<row a='" + b"x" * 2_000_000 + b"'/>" + END), "1,000,000 bytes"),
        (with_part(SHEET, BEGIN + HEAD + b'<row r="999999999"><c><v>1</v></c></row>' + END), "200,000 rows"),
        (with_part(SHEET, BEGIN + b"<row><c"), "no workbook|no sheet"),
        (with_part("[Content_Types].xml", b"<Types/>"), "no workbook"),
        (report(Shows=["Salt Road"])[:-100], "no workbook"),
        (xlsx({"Shows": [["Salt Road"]]}), "no sheet has a column"),
    ],
    ids=[
        "zip bomb",
        "entities",
        "hidden entities",
        "columns",
        "elements",
        "attributes",
        "tag",
        "rows",
        "cut",
        "types",
        "short",
        "header",
    ],
)
def test_a_hostile_workbook_is_refused_in_one_line_and_at_once(data: bytes, what: str) -> None:
    """Nothing of it is unfolded beyond the limits."""
    begin = time.monotonic()
    with pytest.raises(CatalogueError, match=what) as refused:
        read_listing(data, "report.xlsx")
    assert "\n" not in str(refused.value)
    assert time.monotonic() - begin < 10


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_file_is_a_list_or_refused_in_one_line(data: bytes) -> None:
    """Every row names a show or is skipped, and no name breaks a catalogue."""
    refused = ""
    try:
        found = read_listing(data, "list")
    except CatalogueError as error:
        refused = str(error)
    else:
        assert len(found.shows) + sum(found.skipped.values()) <= found.rows
        assert all(show.name.splitlines() == [show.name] for show in found.shows)
    assert "\n" not in refused
