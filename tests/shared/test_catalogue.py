import pytest

from shared.catalogue import Catalogue, Show, bundled_catalogue, format_catalogue, parse_catalogue
from shared.errors import CatalogueError
from tests.conftest import SHOWS

CATALOGUE = parse_catalogue(format_catalogue(SHOWS))


@pytest.mark.parametrize(
    ("title", "show"),
    [
        ("The Blacklist: Season 1: Wujing (No. 84)", "The Blacklist"),
        ("Lista negra: Temporada 1: Wujing", "The Blacklist"),
        ("Star Trek: Deep Space Nine: Season 7: Penumbra", "Star Trek: Deep Space Nine"),
        ("Star Trek: Season 1: The Man Trap", "Star Trek"),
        ("Spider-Man: Homecoming", "Spider-Man: Homecoming"),
        ("spider man homecoming", "Spider-Man: Homecoming"),
        ("Elite: Season 2: 34 Hours Missing", "Élite"),
        ("Spider-Man: Homecoming: Making Of", None),
        ("Blacklist", None),
        ("", None),
    ],
)
def test_a_title_leads_to_its_row_by_itself(title: str, show: str | None) -> None:
    row = CATALOGUE.row_of(title)
    assert (None if row is None else CATALOGUE.shows[row].name) == show


def test_every_row_of_the_bundled_catalogue_reduces_to_itself_by_every_name() -> None:
    bundled = parse_catalogue(bundled_catalogue())
    for row, show in enumerate(bundled.shows):
        for name in (show.name, *show.also):
            assert bundled.row_of(name) == row


def test_the_bundled_catalogue_is_append_only() -> None:
    """Releases name rows by number: a row that moved or changed would count another show for good."""
    published = {6533: "a7a3703fe20033d36c60660bac177d62f9f0f77c8c33dbeacaa3fb1bd1dd1a5e"}
    bundled = parse_catalogue(bundled_catalogue())
    for rows, sha256 in published.items():
        assert bundled.first(rows).sha256() == sha256


def test_a_catalogue_whose_name_leads_to_two_rows_is_refused() -> None:
    for second in (Show("dark", "film"), Show("Another", "series", ("Dárk!",))):
        with pytest.raises(CatalogueError, match="rows 0 and 1"):
            parse_catalogue(format_catalogue([Show("Dark", "series"), second]))


GOOD = b"row,show,kind,also\n0,Dark,series,\n1,You,series,Du|Toi\n"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "header"),
        (b"row,show,kind\n0,Dark,series\n", "header"),
        (b"row,show,kind,also\n", "no rows"),
        (b"<html>\n", "header"),
        (GOOD.replace(b"1,You", b"2,You"), "line 3"),
        (GOOD.replace(b"series", b"soap", 1), "'soap'"),
        (GOOD.replace(b"\n", b"\r\n"), "line feed|header"),
        (GOOD[:-1], "line feed"),
        (GOOD.replace(b"You", b"\xff"), "UTF-8"),
        (GOOD.replace(b"You", b'"Y\nou"'), "line 3|CSV"),
        (GOOD.replace(b"You", b"  "), "no letter"),
        (b"x" * 10_000_001, "at most"),
    ],
)
def test_a_broken_catalogue_is_refused_in_one_line(data: bytes, complaint: str) -> None:
    with pytest.raises(CatalogueError, match=complaint) as caught:
        parse_catalogue(data)
    assert "\n" not in str(caught.value)


def test_the_first_rows_keep_the_hash_they_had() -> None:
    grown = parse_catalogue(GOOD + b"2,Lost,series,\n")
    assert grown.first(2).sha256() == parse_catalogue(GOOD).sha256() != grown.sha256()
    assert isinstance(grown.first(3), Catalogue)
    with pytest.raises(CatalogueError, match="3 rows, not 4"):
        grown.first(4)


@pytest.mark.parametrize("name", ["Dark: Season 1: Secrets", "Dark: Staffel 2", "Dark - Season 2 - Adrift"])
def test_a_catalogue_that_lists_episodes_is_refused(name: str) -> None:
    """It would let one show count in many cells, and cost as many times its epsilon."""
    for shows in ([Show("Dark", "series"), Show(name, "series")], [Show("Other", "series", (name,))]):
        with pytest.raises(CatalogueError, match="names a season or an episode"):
            parse_catalogue(format_catalogue(shows))
