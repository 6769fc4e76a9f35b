from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from participant.reduce import count_views
from shared.catalogue import format_catalogue, parse_catalogue
from shared.week import IsoWeek
from tests.conftest import SHOWS

CATALOGUE = parse_catalogue(format_catalogue(SHOWS))
TITLES = st.sampled_from(
    ["Dark: Season 1: Secrets", "Élite: Temporada 1: Llegan", "Unknown Show: Season 1: One", "Dark"]
)
DAYS = st.dates(pd.Timestamp("2020-12-01").date(), pd.Timestamp("2021-02-01").date())


def frame(rows: list[tuple[str, Any]]) -> pd.DataFrame:
    dates = pd.to_datetime([day for _, day in rows]).astype("datetime64[s]")
    return pd.DataFrame({"title": pd.Series([title for title, _ in rows], dtype=object), "date": dates})


def test_the_example_of_the_mission() -> None:
    views = frame([("The Blacklist: Season 1: Wujing (No. 84)", "2024-11-21")])
    assert count_views(views, CATALOGUE) == {IsoWeek(2024, 47): {1: 1}}


def test_the_same_week_of_different_years_is_not_merged() -> None:
    views = frame([("Dark", day) for day in ("2022-12-28", "2023-01-01", "2023-12-27")])
    assert count_views(views, CATALOGUE) == {IsoWeek(2022, 52): {0: 2}, IsoWeek(2023, 52): {0: 1}}


@given(st.lists(st.tuples(TITLES, DAYS), max_size=30), st.randoms(use_true_random=False))
def test_counts_add_up_and_the_order_of_rows_changes_none(rows: list[tuple[str, Any]], luck: Any) -> None:
    counts = count_views(frame(rows), CATALOGUE)
    assert sum(sum(week.values()) for week in counts.values()) == sum(
        not title.startswith("Unknown") for title, _ in rows
    )
    shuffled = list(rows)
    luck.shuffle(shuffled)
    assert count_views(frame(shuffled), CATALOGUE) == counts
