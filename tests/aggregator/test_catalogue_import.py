"""Appending to a catalogue and asking it. All shows are invented."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from aggregator import catalogue_import
from aggregator.catalogue_import import Report, extend
from aggregator.catalogue_search import Coverage, coverage, search
from aggregator.commands_catalogue import catalogue_commands
from aggregator.listing import Listed, Skip, gather, read_listing
from shared.catalogue import Catalogue, Show, format_catalogue, parse_catalogue
from shared.errors import CatalogueError

OLD = [Show("Salt Road", "series", ("Sel",)), Show("Tin Moon", "film"), Show("Rust: North", "series")]
LISTS = Path(__file__).parents[3] / "shared" / "netflix-public"


def catalogue(*shows: Show) -> Catalogue:
    """Return a catalogue with three rows and these."""
    return parse_catalogue(format_catalogue([*OLD, *shows]))


def extended(*listed: Listed) -> tuple[list[Show], Report]:
    """Return the rows that were appended, and the report."""
    data, report = extend(catalogue(), listed)
    assert data.startswith(format_catalogue(OLD))
    return list(parse_catalogue(data).shows[len(OLD) :]), report


def test_new_shows_are_appended_in_the_order_of_the_list() -> None:
    """The rows before them stay byte for byte, so every study's prefix keeps its SHA-256."""
    before = catalogue()
    data, report = extend(before, [Listed("Elm", "film", ("Ulme",)), Listed("Ash", "series")])
    after = parse_catalogue(data)
    assert after.shows == (*OLD, Show("Elm", "film", ("Ulme",)), Show("Ash", "series"))
    assert after.first(len(OLD)).sha256() == before.sha256()
    assert report == Report(new=2)


def test_a_known_name_or_alternative_changes_nothing() -> None:
    """Rows never change: a title that a known row lacks is left out and counted."""
    data, report = extend(catalogue(), [Listed("SALT ROAD", "series", ("Sal", "Sel")), Listed("Sel", "film")])
    assert data == format_catalogue(OLD)
    assert report == Report(known=2, alternatives_of_known=1)


def test_importing_again_adds_nothing() -> None:
    """The second import of the same list finds every show known."""
    listed = [Listed("Elm", "film", ("Ulme",)), Listed("Ash", None)]
    data, _ = extend(catalogue(), listed)
    again, report = extend(parse_catalogue(data), listed)
    assert (again, report.new, report.known) == (data, 0, 2)


def test_an_alternative_that_leads_to_another_row_is_dropped() -> None:
    """To a known row, to a new one wherever it stands, or to two new ones."""
    rows, report = extended(
        Listed("Elm", "film", ("Tin Moon", "Ash", "Olmo", "Elm!")),
        Listed("Ash", "film", ("Fresno", "X1")),
        Listed("Oak", "film", ("x1",)),
    )
    assert rows == [Show("Elm", "film", ("Olmo",)), Show("Ash", "film", ("Fresno",)), Show("Oak", "film")]
    assert report == Report(new=3, alternatives_taken=4)


def test_what_may_be_a_season_of_a_series_with_a_row_gets_none() -> None:
    """A second row would split the series. A film or a name that is certain gets its row."""
    rows, report = extended(
        Listed("Salt Road: Dunes", "series", certain=False),
        Listed("Elm 2", "series", certain=False),
        Listed("Elm", "series"),
        Listed("Tin Moon: Eclipse", "series", certain=False),
        Listed("Salt Road: The Movie", "film"),
    )
    assert [show.name for show in rows] == ["Elm", "Tin Moon: Eclipse", "Salt Road: The Movie"]
    assert report.skipped == {Skip.PART: 2}


def test_a_show_of_unknown_kind_becomes_a_film() -> None:
    """Then nothing but its very name is counted for it."""
    rows, report = extended(Listed("Elm", None))
    assert (rows, report.kinds_assumed) == ([Show("Elm", "film")], 1)


def test_a_full_catalogue_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the list is skipped and counted, by rows and by bytes."""
    listed = [Listed(f"Elm {n} {'x' * 50}", "film") for n in range(20)]
    monkeypatch.setattr(catalogue_import, "MAX_ROWS", len(OLD) + 5)
    _, report = extend(catalogue(), listed)
    assert (report.new, report.skipped) == (5, {Skip.FULL: 15})
    monkeypatch.setattr(catalogue_import, "MAX_BYTES", 500)
    data, report = extend(catalogue(), listed)
    assert len(data) <= 500
    assert 0 < report.new < 5


def test_a_name_that_its_catalogue_leads_elsewhere_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Catalogue.row_of` has the last word, whatever it makes of a name."""
    real = Catalogue.row_of
    monkeypatch.setattr(Catalogue, "row_of", lambda self, title: 0 if title == "Elm" else real(self, title))
    rows, report = extended(Listed("Elm", "film"), Listed("Ash", "film"))
    assert (rows, report) == ([Show("Ash", "film")], Report(new=1, skipped={Skip.UNSOUND: 1}))


NAMES = st.lists(st.text(st.sampled_from("ab:|\"', é2"), min_size=1, max_size=8), min_size=1, max_size=5)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["series", "film", None]), st.booleans()), max_size=12))
def test_whatever_is_listed_the_catalogue_stays_sound(found: list[tuple[list[str], str | None, bool]]) -> None:
    """Every listed show is new, known or skipped; every name of a row leads to this row."""
    listed = [
        Listed(name, kind, tuple(a.replace("|", " ") for a in also), certain) for (name, *also), kind, certain in found
    ]
    data, report = extend(catalogue(), listed)
    after = parse_catalogue(data)
    assert report.new + report.known + sum(report.skipped.values()) == len(listed)
    assert len(after) == len(OLD) + report.new
    for row, show in enumerate(after.shows):
        assert {after.row_of(name) for name in (show.name, *show.also)} == {row}


def test_search_puts_the_same_name_first_then_beginnings() -> None:
    """Spelling does not matter; alternatives count; of equals the first row."""
    shows = catalogue(Show("Moon", "film"), Show("Moonlit", "series"), Show("Orb", "film", ("La MÖON",)))
    assert [found.show.name for found in search(shows, "mòon", 10)] == ["Moon", "Moonlit", "Tin Moon", "Orb"]
    assert [found.row for found in search(shows, "moon", 1)] == [3]
    assert [found.row for found in search(shows, "", 2)] == [0, 1]
    assert search(shows, "zebra", 5) == []


def test_coverage_counts_views_with_a_row() -> None:
    """A view counts by its title; the answer holds no title."""
    titles = ["Salt Road: Season 1: Dawn", "Salt Road: Season 1: Dusk", "Sel", "Tin Moon", "Nobody Knows"]
    assert coverage(catalogue(), titles) == Coverage(views=5, views_with_row=4, rows=2)
    assert coverage(catalogue(), []) == Coverage(0, 0, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the coordinator's catalogue lies."""
    (tmp_path / "catalogue.csv").write_bytes(format_catalogue(OLD))
    return tmp_path / "catalogue.csv"


def call(path: Path, *arguments: str) -> str:
    """Return what a command prints."""
    group = catalogue_commands(lambda: path, lambda history: history.read_text().splitlines())
    done = CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_import_command_appends_and_says_what_it_did(path: Path, tmp_path: Path) -> None:
    """It names what each file held and counts new, known and skipped."""
    plain = tmp_path / "plain.txt"
    plain.write_text("Elm,film\nSalt Road\n?\n", encoding="utf-8")
    assert call(path, "import", str(plain)).splitlines() == [
        "plain.txt: 3 rows name 2 shows; 1 skipped: no letter or digit in the title",
        "1 new, 1 known, 0 skipped",
        "the catalogue has 4 rows",
    ]
    assert path.read_bytes() == format_catalogue([*OLD, Show("Elm", "film")])


@pytest.mark.parametrize("bad", ["page", "missing", "folder"])
def test_one_bad_file_leaves_the_catalogue_as_it_was(path: Path, tmp_path: Path, bad: str) -> None:
    """Also when the file before it was good."""
    (tmp_path / "good.txt").write_text("Elm\n")
    (tmp_path / "page").write_text("<html>")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CatalogueError, match=bad):
        call(path, "import", str(tmp_path / "good.txt"), str(tmp_path / bad))
    assert path.read_bytes() == format_catalogue(OLD)


def test_the_show_command_finds_rows_and_tells_coverage(path: Path, tmp_path: Path) -> None:
    """The coverage of a history is told in counts only."""
    history = tmp_path / "titles"
    history.write_text("Tin Moon\nSecret Title\n")
    assert call(path, "show", "moon") == "1\tTin Moon\tfilm\n"
    assert call(path, "show", "zebra") == "none of 3 rows has such a name\n"
    assert call(path, "show", "--history", str(history)) == "1 of 2 views (50.0%) have a row; 1 of 3 rows met\n"


@pytest.mark.skipif(not LISTS.is_dir(), reason="Netflix's own lists are not here")
def test_netflix_s_own_lists_are_imported_whole() -> None:
    """Thousands of shows from each, hardly a row skipped, and the result is sound."""
    listings = [read_listing(path.read_bytes(), path.name) for path in sorted(LISTS.iterdir())]
    assert len(listings) == 3
    for found in listings:
        assert len(found.shows) > 3_000
        assert sum(found.skipped.values()) <= 1
    listed = gather(listings)
    data, report = extend(catalogue(), listed)
    assert report.new > 0.9 * len(listed)
    assert len(parse_catalogue(data)) == len(OLD) + report.new
