from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from participant.naming import name_shows
from participant.tables import count_shows, explain_views, format_table
from shared.catalogue import Show, format_catalogue, parse_catalogue

CATALOGUE = parse_catalogue(
    format_catalogue(
        [
            Show("Friends", "series", ("フレンズ", "Przyjaciele")),
            Show("The Office (U.S.)", "series"),
            Show("Jane Comic: First Laugh", "special"),
        ]
    )
)


def history(*views: tuple[str, int]) -> pd.DataFrame:
    """Return views of titles on days counted from one Monday."""
    return pd.DataFrame(
        {
            "title": pd.Series([title for title, _ in views], dtype=object),
            "date": pd.to_datetime([date(2024, 1, 1) + timedelta(day) for _, day in views]),
        }
    )


def shows(*views: tuple[str, int]) -> dict[str, str]:
    return {title: named.show for title, named in name_shows(history(*views), CATALOGUE).items()}


@pytest.mark.parametrize(
    ("title", "show", "rule"),
    [
        ("Friends: Season 1: The One with the Storm", "Friends", "catalogue"),
        ("Rake: Series 2: R vs Mohammed", "Rake", "season word"),
        (
            "Law & Order: Special Victims Unit: The Tenth Year: Trials",
            "Law & Order: Special Victims Unit",
            "season word",
        ),
        ("Naruto: Shippuden: Season 1: A Storm", "Naruto: Shippuden", "season word"),
        ("Ghost Tales: Collection: The Attic", "Ghost Tales", "season word"),
        ("Rome: Rome: Season 2: A Storm", "Rome", "season word"),
        ("Bleach: The Long Winter Arc: First Snow", "Bleach", "season word"),
        ("Harbour Lights: Episode 5", "Harbour Lights", "episode word"),
        ("Harbour Lights: Pilot", "Harbour Lights", "episode word"),
        ("Haikyu!!: Haikyu!! 2nd: Let's Go to Tokyo", "Haikyu!!", "name repeated"),
        ("Steel Sisters: Reunion: A Storm", "Steel Sisters: Reunion", "subtitle"),
        ("Batman: Year Zero", "Batman: Year Zero", "whole title"),
        ("Dune: Part Two", "Dune: Part Two", "whole title"),
        ("Star Wars: Episode IV: A New Hope", "Star Wars: Episode IV: A New Hope", "whole title"),
        ("Kill Boksoon : la revanche", "Kill Boksoon : la revanche", "whole title"),
        ("Roma", "Roma", "whole title"),
    ],
)
def test_a_title_alone_finds_its_show_and_its_rule(title: str, show: str, rule: str) -> None:
    assert name_shows(history((title, 0)), CATALOGUE) == {title: (show, rule)}


def test_titles_watched_close_together_are_episodes() -> None:
    named = shows(("Harbour: Low Tide", 0), ("Harbour: High Tide", 0), ("Harbour: Fog", 1))
    assert set(named.values()) == {"Harbour"}


def test_films_of_a_series_stay_films() -> None:
    films = [
        ("Agents: Undercover", 0),
        ("Agents: Undercover - Daybreak", 0),
        ("Agents: Undercover - Nightfall", 1),
    ]
    films += [("Captain Comet: The Return", 0), ("Captain Comet: The Last Orbit", 200)]
    films += [("Robots", 0), ("Robots: Rust", 1), ("Robots: Chrome", 1)]
    assert shows(*films) == {title: title for title, _ in films}


def test_specials_of_a_comedian_stay_specials() -> None:
    named = shows(("Jane Comic: Second Laugh", 0), ("Jane Comic: Last Laugh", 0))
    assert all(title == show for title, show in named.items())


def test_several_seasons_with_names_of_their_own_share_a_show() -> None:
    named = shows(("Old Kings: Harald: The Fjord", 0), ("Old Kings: Alfred: The Marsh", 90))
    assert set(named.values()) == {"Old Kings"}


def test_a_show_known_from_a_season_takes_its_unmarked_seasons() -> None:
    named = shows(("Harbour: Season 1: Fog", 0), ("Harbour: Winter Tales: Ice", 300))
    assert set(named.values()) == {"Harbour"}


def test_a_lone_title_of_a_show_with_seasons_is_a_film() -> None:
    named = shows(("Entourage: Season 1: New Car", 0), ("Entourage: Vegas Nights", 40))
    assert named["Entourage: Vegas Nights"] == "Entourage: Vegas Nights"


def test_a_show_is_spelled_as_the_history_spells_it_most() -> None:
    named = shows(("THE OFFICE (US): Season 1: Pilot", 0), ("The Office (US): Season 1: The Long Meeting", 0),
                  ("The Office (US): Season 1: The Short Meeting", 1), ("Przyjaciele: Sezon 1: Pilot", 1))  # fmt: skip
    assert set(named.values()) == {"The Office (US)", "Przyjaciele"}


titles = st.sampled_from(
    [f"{name}: {rest}" for name in ("Friends", "Harbour", "Rake", "Spider-Man", "Rome")
     for rest in ("Season 1: A", "A", "B", "Part 1", "Rome: B", "C: D", "The Movie")] + ["Harbour", "Spider-Man"]
)  # fmt: skip
views = st.lists(st.tuples(titles, st.integers(0, 60)), min_size=1, max_size=25)


@given(views.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_the_views_changes_nothing(orders: tuple[list[tuple[str, int]], list[tuple[str, int]]]) -> None:
    one, other = orders
    assert name_shows(history(*one), CATALOGUE) == name_shows(history(*other), CATALOGUE)


@given(views, views)
def test_the_rest_of_a_history_never_changes_a_row_of_the_catalogue(
    rows: list[tuple[str, int]], more: list[tuple[str, int]]
) -> None:
    before, after = name_shows(history(*rows), CATALOGUE), name_shows(history(*rows, *more), CATALOGUE)
    for title, named in before.items():
        assert (
            (named.rule == "catalogue") == (after[title].rule == "catalogue") == (CATALOGUE.row_of(title) is not None)
        )


@given(views)
def test_every_view_is_counted_once(rows: list[tuple[str, int]]) -> None:
    assert int(count_shows(history(*rows), CATALOGUE)["views"].sum()) == len(rows)


def test_the_tables_are_csv_of_shows_and_weeks() -> None:
    some = history(("Friends: Season 1: A, B", 0), ("Friends: Season 1: C", 6), ("Roma", 364))
    assert format_table(count_shows(some, CATALOGUE)) == ("show,week,views\nFriends,2024-W01,2\nRoma,2025-W01,1\n")
    assert format_table(explain_views(some, CATALOGUE)).splitlines()[:2] == [
        "title,date,show,week,rule",
        '"Friends: Season 1: A, B",2024-01-01,Friends,2024-W01,catalogue',
    ]


def test_a_history_without_views_has_empty_tables() -> None:
    assert format_table(count_shows(history(), CATALOGUE)) == "show,week,views\n"
    assert format_table(explain_views(history(), CATALOGUE)) == "title,date,show,week,rule\n"
