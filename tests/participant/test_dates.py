"""Which of day, month and year comes first, and what decides it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from participant.dates import day_of, orders_of, parse_form
from participant.history import DateOrder, Reading, read_history
from shared.errors import DateOrderUnknown, HistoryError, NetflixTrendError
from tests.strategies import MADE, Form, View

FEW = [("Plain", date(2021, 4, 3)), ("Plain", date(2021, 2, 1))]


def read(dates: Sequence[str], title: str = "Plain: Season 1: One", **options: DateOrder) -> Reading:
    rows = "".join(f'"{title} {number}","{day}"\n' for number, day in enumerate(dates))
    return read_history(f"Title,Date\n{rows}".encode(), MADE, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "order", "day"),
    [
        ("7/26/23", "month-first", date(2023, 7, 26)),
        ("8/24/2020", "month-first", date(2020, 8, 24)),
        ("08/12/20", "day-first", date(2020, 12, 8)),
        ("22/1/21", "day-first", date(2021, 1, 22)),
        ("06/11/2022", "day-first", date(2022, 11, 6)),
        ("28-06-23", "day-first", date(2023, 6, 28)),
        ("12.01.2024", "day-first", date(2024, 1, 12)),
        ("2023-03-22", "year-first", date(2023, 3, 22)),
        ("2020/05/27", "year-first", date(2020, 5, 27)),
        ("20-05-27", "year-first", date(2020, 5, 27)),
        ("2024. 1. 12.", "year-first", date(2024, 1, 12)),
        ("2024年1月12日", "year-first", date(2024, 1, 12)),
        ("2024년 1월 12일", "year-first", date(2024, 1, 12)),
        ("12.01.2024 г.", "day-first", date(2024, 1, 12)),
        ("12 января 2024 г.", "day-first", date(2024, 1, 12)),
        ("5. März 2021", "day-first", date(2021, 3, 5)),
        ("5 de mayo de 2021", "day-first", date(2021, 5, 5)),
        ("1er août 2021", "day-first", date(2021, 8, 1)),
        ("May 5, 2021", "month-first", date(2021, 5, 5)),
        ("5-May-21", "day-first", date(2021, 5, 5)),
        ("\u200f12\u200f/1\u200f/2024", "day-first", date(2024, 1, 12)),
        ("١٢/١/٢٠٢٤", "day-first", date(2024, 1, 12)),
        ("12/1/2567", "day-first", date(2024, 1, 12)),  # the Thai calendar
        ("27/07/2020 00:00:00", "day-first", date(2020, 7, 27)),
        ("2023-03-22T00:00:00Z", "year-first", date(2023, 3, 22)),
    ],
)
def test_every_form_of_date_is_understood_in_its_order(text: str, order: DateOrder, day: date) -> None:
    form = parse_form(text)
    assert form is not None
    assert order in orders_of(form)
    assert day_of(form, order, MADE.toordinal()) == day.toordinal()


@pytest.mark.parametrize("text", ["", "soon", "1/2", "1/2/3/4", "1-2/2020", "12345", "13:45", "May", "1/2/20200"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_form(text) is None


@pytest.mark.parametrize("text", ["1/1/0001", "31/12/9999", "30/02/2020", "1/1/2006"])
def test_a_day_that_cannot_be_is_left_out(text: str) -> None:
    reading = read([*(f"{day}/5/2024" for day in range(31, 0, -1)), text])
    assert reading.left_out == {"date impossible": 1}


def test_a_value_that_only_one_order_allows_decides() -> None:
    assert read(["4/13/2021", "4/2/2021"]).date_order == "month-first"
    assert read(["13/4/2021", "4/2/2021"]).date_order == "day-first"


def test_the_newest_view_comes_first() -> None:
    dates = ["4/1/2021", "3/9/2021", "3/2/2021", "2/11/2021", "2/1/2021", "1/12/2021", "1/3/2021", "1/1/2021"]
    assert read(dates).date_order == "month-first"


def test_no_view_is_later_than_the_file() -> None:
    assert read(["3/8/2024", "3/7/2024", "2/7/2024"]).date_order == "month-first"


def test_the_year_of_two_digits_is_the_one_that_changes_least() -> None:
    assert read(["22/1/21", "20/1/21", "18/12/20", "17/12/20"]).date_order == "day-first"
    assert read(["20-05-13", "20-05-12", "20-04-11", "20-04-09"]).date_order == "year-first"


@pytest.mark.parametrize("season", ["Staffel 2", "2. Sezon", "Sezon 2", "Kausi 2"])
def test_dots_and_the_language_of_the_season_words_decide(season: str) -> None:
    reading = read(["3.4.2021", "3.4.2021", "3.4.2021"], f"Plain: {season}: One")
    assert reading.date_order == "day-first"
    assert reading.views["date"].dt.date.tolist() == [date(2021, 4, 3)] * 3


@pytest.mark.parametrize("dates", [["3/4/21"], ["3/4/21", "2/3/21"], ["10/11/12"], ["3.4.2021"], ["21/3/22"]])
def test_what_does_not_decide_stops_with_both_readings_and_the_setting(dates: list[str]) -> None:
    with pytest.raises(DateOrderUnknown, match=r"is .* or .* set date_order") as stopped:
        read(dates)
    assert "Plain" not in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_dates_that_read_the_same_in_every_order_decide_nothing() -> None:
    reading = read(["4/4/2021", "3/3/2021"])
    assert reading.date_order is None
    assert len(reading.views) == 2


def test_a_stated_or_remembered_order_decides_what_the_file_leaves_open() -> None:
    orders: tuple[DateOrder, ...] = ("day-first", "month-first")
    for order in orders:
        for reading in (read(["3/4/21"], date_order=order), read(["3/4/21"], remembered=order)):
            assert reading.date_order == order


@pytest.mark.parametrize("option", ["date_order", "remembered"])
def test_a_file_that_contradicts_the_stated_or_remembered_order_stops(option: str) -> None:
    with pytest.raises(DateOrderUnknown, match="date_order"):
        read(["13/4/21", "31/3/21"], **{option: "month-first"})  # type: ignore[arg-type]
    rows = [
        ("Plain", MADE - timedelta(days=40 * step)) for step in range(60) if (MADE - timedelta(40 * step)).day <= 12
    ]
    short = Form(order="month-first", long_year=True).write(rows)
    with pytest.raises(DateOrderUnknown, match="date_order"):
        read_history(short, MADE, remembered="day-first")


def test_a_few_garbled_dates_are_left_out_and_many_are_refused() -> None:
    good = [f"{day}/1/2024" for day in range(31, 0, -1)] * 10
    assert read([*good, "soon", "later", "?"]).left_out == {"no date": 3}
    with pytest.raises(HistoryError, match="cannot be read"):
        read([*good[:31], "soon", "later", "?"])


def test_dates_after_the_file_was_made_name_the_file_s_time() -> None:
    with pytest.raises(HistoryError, match="lie after 2024-06-30"):
        read(["2025-03-01"] * 5)


def test_no_message_shows_a_date_of_the_history() -> None:
    views: list[View] = FEW
    for content in (Form(long_year=True).write(views), Form(order="day-first").write(views)):
        with pytest.raises(NetflixTrendError) as stopped:
            read_history(content, MADE)
        assert "2021-04" not in str(stopped.value)
        assert "2/1" not in str(stopped.value)
