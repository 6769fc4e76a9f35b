from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from participant.history import merge_exports, read_history
from shared.errors import DateOrderUnknown, HistoryError

MADE = date(2024, 11, 26)
HISTORIES = Path(__file__).parents[2].parent / "shared" / "histories"


def export(*dates: str, header: str = "Title,Date") -> bytes:
    return "\n".join([header, *(f'"Dark: Season 1: Secrets","{text}"' for text in dates), ""]).encode()


@pytest.mark.parametrize(
    ("dates", "order", "first"),
    [
        (("21/11/2024", "3/4/2024"), "day-first", date(2024, 11, 21)),
        (("11/21/24", "3/4/24"), "month-first", date(2024, 11, 21)),
        (("2024-11-21", "2024-04-03"), "year-first", date(2024, 11, 21)),
        (("2020/05/27", "2020/05/26"), "year-first", date(2020, 5, 27)),
        (("12.01.2024", "31.12.2023"), "day-first", date(2024, 1, 12)),
        (("11-08-23", "28-06-23"), "day-first", date(2023, 8, 11)),
        (("22/1/21", "2/1/21"), "day-first", date(2021, 1, 22)),
    ],
)
def test_the_date_order_is_decided_once_for_the_whole_file(dates: tuple[str, str], order: str, first: date) -> None:
    reading = read_history(export(*dates), MADE)
    assert reading.date_order == order
    assert reading.views["date"][0].date() == first


def test_newest_first_decides_where_no_day_is_above_twelve() -> None:
    days = [f"{day}/{month}/24" for month in range(10, 5, -1) for day in range(12, 0, -1)]
    assert read_history(export(*days), MADE).date_order == "day-first"


def test_a_file_that_does_not_show_its_order_is_not_guessed() -> None:
    with pytest.raises(DateOrderUnknown, match="date_order") as caught:
        read_history(export("3/4/21", "1/2/21"), MADE)
    assert "\n" not in str(caught.value)
    assert read_history(export("3/4/21", "1/2/21"), MADE, "month-first").views["date"][0].date() == date(2021, 3, 4)


def test_a_stated_order_that_the_file_contradicts_is_an_error() -> None:
    with pytest.raises(HistoryError, match="do not fit"):
        read_history(export("21/11/2024"), MADE, "month-first")


def test_rows_that_are_no_view_are_counted_by_reason() -> None:
    data = b"Date,Title\n2024-11-21,Dark\n2024-11-20,\n,Dark\n2024-11-19,Dark,extra\n2024-11-18," + b"x" * 501 + b"\n"
    reading = read_history(data, MADE)
    assert reading.rows == 5
    assert len(reading.views) == 1
    assert reading.left_out == {"no title": 1, "no date": 1, "not two cells": 1, "title too long": 1}


def test_byte_order_marks_and_utf_16_are_read() -> None:
    text = 'Title,Date\r\n"Élite: Temporada 1: Llegan","2024-11-21"\r\n'
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert read_history(text.encode(encoding), MADE).views["title"][0] == "Élite: Temporada 1: Llegan"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"<!doctype html><html></html>",
        b"Name,Age\nAnn,30\n",
        b"\xff\xfe\x00",
        b"Title,Date\nDark,soon\n",
        b"Title,Date\nDark,32/13/2024\n",
        b"Title,Date\n\x00\x00,2024-11-21\n",
        b"PK\x03\x04" + bytes(range(256)),
        b'Title,Date\n"' + b"x" * 200_000,
    ],
    ids=range(10),
)
def test_what_is_no_export_gets_one_clear_line(data: bytes) -> None:
    with pytest.raises(HistoryError) as caught:
        read_history(data, MADE)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_exports_of_one_profile_are_merged_so_that_no_view_counts_twice() -> None:
    def views(*rows: tuple[str, str]) -> pd.DataFrame:
        return pd.DataFrame({"title": [row[0] for row in rows], "date": pd.to_datetime([row[1] for row in rows])})

    older = views(("Dark", "2024-11-01"), ("Dark", "2024-11-01"), ("Gone", "2024-10-01"))
    newer = views(("New", "2024-11-20"), ("Dark", "2024-11-01"))
    merged = merge_exports([older, newer])
    assert merged.groupby("title").size().to_dict() == {"Dark": 2, "Gone": 1, "New": 1}


@pytest.mark.skipif(not HISTORIES.is_dir(), reason="the folder of real exports is not here")
def test_every_real_export_is_read_with_no_row_lost() -> None:
    files = sorted(HISTORIES.glob("person_*.csv"))
    assert len(files) == 28
    for file in files:
        reading = read_history(file.read_bytes(), date(2026, 11, 22))
        assert len(reading.views) + reading.left_out.total() == reading.rows
        assert len(reading.views) > 0.98 * reading.rows
