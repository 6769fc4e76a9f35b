from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.week import IsoWeek, latest_closed, still_open, weeks_between

DAYS = st.dates(date(2007, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("day", "week"),
    [
        (date(2024, 11, 21), "2024-W47"),
        (date(2024, 12, 30), "2025-W01"),
        (date(2022, 12, 28), "2022-W52"),
        (date(2023, 1, 1), "2022-W52"),
        (date(2023, 12, 27), "2023-W52"),
        (date(2021, 1, 3), "2020-W53"),
    ],
)
def test_the_iso_year_belongs_to_a_week(day: date, week: str) -> None:
    assert str(IsoWeek.of(day)) == week


@given(DAYS, DAYS)
def test_weeks_sort_by_time(one: date, other: date) -> None:
    assert (IsoWeek.of(one) < IsoWeek.of(other)) == (IsoWeek.of(one).first_day < IsoWeek.of(other).first_day)


@given(DAYS)
def test_a_week_is_read_back_from_its_text_and_its_key(day: date) -> None:
    week = IsoWeek.of(day)
    assert IsoWeek.parse(str(week)) == week == IsoWeek.from_key(week.key)


@pytest.mark.parametrize("text", ["2024-W54", "2023-W53", "2024-47", "2024-W4", " 2024-W47", "2024-W00", "٢٠٢٤-W47"])
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"week|2024-W47"):
        IsoWeek.parse(text)


def test_a_week_is_closed_from_the_monday_after() -> None:
    assert str(latest_closed(date(2024, 11, 24))) == "2024-W46"
    assert str(latest_closed(date(2024, 11, 25))) == "2024-W47"


def test_a_week_takes_releases_for_as_long_as_the_study_says() -> None:
    week = IsoWeek(2024, 47)
    opens, closes = date(2024, 11, 25), date(2024, 12, 30)
    assert [still_open(week, 5, day) for day in (date(2024, 11, 24), opens, date(2024, 12, 29), closes)] == [
        False,
        True,
        True,
        False,
    ]


def test_weeks_between_cross_the_year() -> None:
    found = [str(week) for week in weeks_between(IsoWeek(2020, 52), IsoWeek(2021, 1))]
    assert found == ["2020-W52", "2020-W53", "2021-W01"]
    assert weeks_between(IsoWeek(2021, 1), IsoWeek(2020, 52)) == []
