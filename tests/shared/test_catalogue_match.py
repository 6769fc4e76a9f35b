import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import Catalogue, Show, bundled_catalogue, format_catalogue, parse_catalogue
from shared.show import split_title

SHOWS = [
    Show("Stranger Things", "series"),
    Show("The Office (U.S.)", "series"),
    Show("Entourage", "series"),
    Show("Entourage: Vegas Nights", "film", ("Ekipa: Noce w Vegas",)),
    Show("Spider-Man", "film"),
    Show("Star Trek", "series"),
    Show("Star Trek: Deep Space Nine", "series"),
    Show("Star Trek: Voyager", "series"),
    Show("Wednesday", "series", ("Merlina", "Wandinha")),
    Show("Kroniki Narnii: Avalon", "series", ("Kronika Avalonu",)),
    Show("1899", "series"),
    Show("#Alive", "film"),
    Show("Suits", "series"),
    Show("Borgen", "series", ("Borgen : une femme au pouvoir",)),
    Show("NCIS", "series"),
    Show("Rome", "series"),
    Show("Money Heist", "series", ("La casa de papel", "종이의 집", "紙房子")),
    Show("Bird Box", "film"),
    Show("A Night of Stand-Up", "special"),
    Show("American Horror Story", "series"),
    Show("???", "special"),
]
CATALOGUE = parse_catalogue(format_catalogue(SHOWS))
BUNDLED = parse_catalogue(bundled_catalogue())
PIECES = [
    *(
        "Season 1",
        "Season 2",
        "Temporada 1",
        "Saison\u00a05",
        "2. Sezon",
        "シーズン1",
        "시즌 2",
        "第 1 季",
        "Limited Series",
    ),
    *(
        "Part 2",
        "Part 2: Rain",
        "Episode VII",
        "Episode 4",
        "Chapter One",
        "Pilot",
        "Book 1",
        "Collection",
        "The Farm Arc",
    ),
    *(
        "The Movie",
        "Trailer",
        "Los Angeles",
        "Rising",
        "Rain",
        "A Rainy Day",
        "7:30 p.m.",
        "2",
        "II",
        "???",
        "&",
        "#",
        "",
    ),
    *("Suits - Season 2", "Suits Season 2", "Rome (Season 2)", "Rome 2", "(U.S.)", "(UK)", "12. Bölüm", "Серия 3", "é"),
]
NAMES = [(row, name) for row, show in enumerate(SHOWS) for name in (show.name, *show.also)]


@pytest.mark.parametrize(
    ("title", "show"),
    [
        ("Stranger Things: Season 1: Chapter One: The Long Way Home", "Stranger Things"),
        ("Stranger Things: Stranger Things 6: Chapter One: The Well", "Stranger Things"),
        ("Stranger Things: Chapter Three: The Well", "Stranger Things"),
        ("The Office (US): Season 2: The Long Meeting", "The Office (U.S.)"),
        ("Star Trek: Deep Space Nine: Season 7: Penumbra: Part 1", "Star Trek: Deep Space Nine"),
        ("Star Trek: Season 1: Arena", "Star Trek"),
        ("Wandinha: Temporada 1: Dia de chuva", "Wednesday"),
        ("Wednesday: A Rainy Day", "Wednesday"),
        ("Kronika Avalonu: Kronika Awalonu: Księga 1: Burza", "Kroniki Narnii: Avalon"),
        ("1899: A Rainy Harbour Day", "1899"),
        ("Borgen : une femme au pouvoir: Saison 2: Le vote", "Borgen"),
        ("Suits - Season 2 - A Storm", "Suits"),
        ("Suits_ Season 2_ A Storm", "Suits"),
        ("Rome: Rome: Season 2: A Storm", "Rome"),
        ("종이의 집: 파트 1: 1화", "Money Heist"),
        ("紙房子：第 1 部：第 1 集", "Money Heist"),
        ("Entourage: Vegas Nights", "Entourage: Vegas Nights"),
        ("Entourage: Season 1: New Car", "Entourage"),
        ("American Horror Story: The Farm: Harvest", "American Horror Story"),
        ("Money Heist: Part 3: Episode 99", "Money Heist"),
    ],
)
def test_a_title_leads_to_its_show(title: str, show: str) -> None:
    row = CATALOGUE.row_of(title)
    assert row is not None
    assert SHOWS[row].name == show


@pytest.mark.parametrize(
    "title",
    [
        "Batman: Year Zero",
        "Bird Box: Barcelona",
        "Spider-Man: Season 1: Day of the Chameleon",
        "NCIS: Los Angeles: Season 1: A Storm",
        "The Office (U.K.): Series 2: A Storm",
        "Star Trek: Lower Decks: Second Contact",
        "Star Trek: Strange New Worlds: Season 1: Children of the Comet",
        "Entourage: The Movie",
        "Suits : la saga",
        "Alive",
        "Stranger",
        "A Night of Stand-Up: Season 1: One",
        "",
        ":",
    ],
)
def test_another_show_counts_nowhere(title: str) -> None:
    assert CATALOGUE.row_of(title) is None


@pytest.mark.parametrize(("row", "name"), NAMES)
def test_every_name_and_alternative_is_its_row(row: int, name: str) -> None:
    assert CATALOGUE.row_of(name) == row
    assert CATALOGUE.row_of(f" {name.upper()} ") == row


@given(
    st.sampled_from([(row, name) for row, name in NAMES if SHOWS[row].kind == "series"]),
    st.sampled_from(
        ["Season 3", "Temporada 1", "Saison\u00a05", "2. Sezon", "シーズン1", "시즌 2", "第 1 季", "Limited Series"]
    ),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters=":"), max_size=30),
)
def test_every_season_of_a_series_counts_in_its_row(named: tuple[int, str], season: str, episode: str) -> None:
    row, name = named
    assert CATALOGUE.row_of(f"{name}: {season}: {episode}") == row


@given(st.text(max_size=80))
def test_any_text_has_one_row_or_none(title: str) -> None:
    row = CATALOGUE.row_of(title)
    assert row is None or 0 <= row < len(CATALOGUE)


@given(st.lists(st.sampled_from(["Suits", "Star Trek", "Rome", "Season 1", "Pilot", "Part 2", "NCIS"]), max_size=5))
def test_the_quick_look_and_the_whole_match_agree(parts: list[str]) -> None:
    title = ": ".join(parts)
    assert CATALOGUE.match(title) == CATALOGUE.match_parts(title, split_title(title))


def titles_of(catalogue: Catalogue) -> st.SearchStrategy[str]:
    """Titles of every form: names of the catalogue and others, whole or cut, with what may follow, however set."""
    names = [name for show in catalogue.shows for name in (show.name, *show.also)]
    name = st.sampled_from(names)
    cut = st.builds(lambda text, size: text[:size], name, st.integers(1, 12))
    piece = st.one_of(name, st.sampled_from(PIECES), st.sampled_from(PIECES), cut, st.text(max_size=8))
    colon = st.one_of(
        st.just(": "), st.sampled_from([": ", ":", " : ", "：", " - ", "_ ", "\u00a0: ", ":  ", "\t: ", " ("])
    )
    more = st.lists(st.builds(str.__add__, colon, piece), max_size=4).map("".join)
    return st.builds(str.__add__, st.one_of(name, piece), more)


@pytest.mark.parametrize("catalogue", [CATALOGUE, BUNDLED], ids=["small", "bundled"])
@given(data=st.data())
def test_many_titles_at_once_have_the_rows_that_each_has_alone(catalogue: Catalogue, data: st.DataObject) -> None:
    titles = data.draw(st.lists(titles_of(catalogue), min_size=1, max_size=8))
    last = data.draw(
        st.sampled_from(["", " ", "x", "a: b", "Season 2", "Suits - Season 2", ":", "??? ", "_ 2", "(US)"])
    )
    titles += [f"{title}: {last}" for title in titles]
    assert catalogue.rows_of(titles) == [-1 if (row := catalogue.row_of(title)) is None else row for title in titles]


@pytest.mark.parametrize("kept", [1, 3])
def test_more_heads_than_are_kept_change_no_row(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = [f"{name}: Season {number}: Rain" for number in range(3) for _, name in NAMES] * 2
    rows = CATALOGUE.rows_of(titles)
    monkeypatch.setattr("shared.catalogue._MOST_KEPT", kept)
    assert CATALOGUE.rows_of(titles) == rows


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("Suits: Season 2", 12),
        ("Borgen : une femme au pouvoir: Saison\u00a02", 13),
        ("Spider-Man: Season 1", -1),
        ("Unknown: Season 1", -1),
        ("Suits", None),  # `Suits: The Movie`
        ("Star Trek: Deep Space", None),  # ` Nine` may follow
        ("Suits: Episode IV", None),
        ("Suits - Season 2", None),
        ("Suits: ", None),
        ("", None),
    ],
)
def test_a_head_decides_only_if_nothing_that_follows_can_change_it(head: str, row: int | None) -> None:
    assert CATALOGUE.row_after(head) == row


def test_the_name_is_spelled_as_the_title_spells_it() -> None:
    assert CATALOGUE.match("WEDNESDAY: Season 1: Rain") == (8, "WEDNESDAY")


def test_a_catalogue_of_one_row_reduces() -> None:
    tiny = Catalogue((Show("Dark", "series"),), (b"", b""))
    assert tiny.row_of("Dark: Staffel 1: Geheimnisse") == 0
    assert tiny.row_of("Dark Matter: Season 1: Pilot") is None
