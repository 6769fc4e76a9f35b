"""Exports that a spreadsheet program, a download or a text editor changed."""

from __future__ import annotations

import csv
import time

import pytest

from participant.history import Reading, read_history
from participant.table import MAX_COLUMNS
from shared.errors import HistoryError
from tests.strategies import ACCENTS, CODE_PAGES, HEADERS, MADE, SEASONS

TWO = [("Plain: Season 1: One", "2024-01-31"), ("Yes, No", "2024-01-30")]


def titles(content: bytes | str) -> list[str]:
    return list(read(content).views["title"])


def read(content: bytes | str) -> Reading:
    return read_history(content.encode() if isinstance(content, str) else content, MADE)


@pytest.mark.parametrize(
    "text",
    [
        'Title,Date\n"Plain: Season 1: One","2024-01-31"\n"Yes, No","2024-01-30"\n',
        'Title,Date\r\n"Plain: Season 1: One","2024-01-31"\r\n"Yes, No","2024-01-30"',
        "\ufefftitle;date\nPlain: Season 1: One;2024-01-31\nYes, No;2024-01-30\n",
        "sep=;\nTITLE;DATE\nPlain: Season 1: One;2024-01-31\nYes, No;2024-01-30\n",
        "Title\tDate\nPlain: Season 1: One\t2024-01-31\nYes, No\t2024-01-30\n",
        "Date,Title\n2024-01-31,Plain: Season 1: One\n2024-01-30,Yes, No\n",
        '"Title,Date"\n"""Plain: Season 1: One"",""2024-01-31"""\n"""Yes, No"",""2024-01-30"""\n',
        'Title,Date\n"""Plain: Season 1: One"",""2024-01-31"""\n"""Yes, No"",""2024-01-30"""\n',
        '"Title,Date";\n"""Plain: Season 1: One"",""2024-01-31""";\n"""Yes, No"",""2024-01-30""";\n',
        'Title,Date\n"""Plain: Season 1: One"",""2024-01-31""",\n"""Yes, No"",""2024-01-30""",\n',
        "Title,Date\nPlain: Season 1: One,2024-01-31\nYes, No,2024-01-30\n",
        'Title,Date\n"Plain: Season 1: One,2024-01-31"\n"Yes, No;2024-01-30"\n',
        'Title,Date\n"Plain: Season 1: One""2024-01-31"\n"Yes, No,2024-01-30\n',
        'Title,Date,,\nPlain: Season 1: One,2024-01-31,,\n"Yes, No",2024-01-30,,\n',
        'Country,Title,Rating,Date\nXX,Plain: Season 1: One,5,2024-01-31\nXX,"Yes, No",4,2024-01-30\n',
    ],
)
def test_a_changed_export_reads_like_the_original(text: str) -> None:
    reading = read(text)
    assert list(zip(reading.views["title"], reading.views["date"].dt.strftime("%Y-%m-%d"), strict=True)) == TWO
    assert not reading.left_out


@pytest.mark.parametrize("language", sorted(HEADERS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "page"])
def test_every_encoding_of_every_language_keeps_the_titles(language: str, encoding: str) -> None:
    wanted = [ACCENTS[language], f"{ACCENTS[language]}: {SEASONS[language].format(2)}: Plain"]
    rows = "".join(f'"{title}","2024-01-31"\n' for title in wanted)
    codec = CODE_PAGES[language] if encoding == "page" else encoding
    assert titles(f"{','.join(HEADERS[language])}\n{rows}".encode(codec)) == wanted


def test_a_missing_quote_swallows_no_row() -> None:
    rows = "".join(f"Plain {number},2024-01-31\n" for number in range(3000))
    reading = read(f'Title,Date\n"Open,2024-01-31\n{rows}')
    assert len(reading.views) == 3001
    assert reading.views["title"][0] == "Open"


def test_a_title_with_a_line_feed_stays_one_row() -> None:
    reading = read('Title,Date\n"Plain\nand Simple","2024-01-31"\n"Other","2024-01-30"\n')
    assert list(reading.views["title"]) == ["Plain and Simple", "Other"]
    assert reading.rows == 2


def test_a_row_whose_cells_are_uncertain_is_left_out() -> None:
    good = "".join(f"Plain {number},2024-01-31\n" for number in range(300))
    reading = read(f"Title,Date\n{good}Glued 2024-01-31\n2024-01-30,x,2024-01-31\n")
    assert reading.left_out == {"not the cells of the header": 2}


def test_a_damaged_character_leaves_out_its_row_only() -> None:
    rows = "".join(f"Café {number},2024-01-31\n" for number in range(100))
    content = f"Title,Date\n{rows}Grün,2024-01-30\n".encode().replace("ü".encode(), b"\xff")
    reading = read(content)
    assert reading.left_out == {"title garbled": 1}


BAD = {
    "empty": (b"", "empty"),
    "only blanks": (b" \n\n", "empty"),
    "a web page": (b"<!DOCTYPE html><html></html>", "web page"),
    "another table": (b"Name,Price\nx,1\n", "first line"),
    "two title columns": (b"Title,Title,Date\na,b,2024-01-31\n", "first line"),
    "NUL bytes": (b"Title,Date\nPlain\0,2024-01-31\n", "NUL"),
    "zeros at the end": (b"Title,Date\nPlain,2024-01-31\n" + bytes(4096), "NUL"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "NUL|first line|neither"),
    "ten thousand columns": (b",".join([b"Title", b"Date"] * 5000) + b"\n", f"at most {MAX_COLUMNS}"),
    "one endless line": (b"Title,Date\n" + b"x" * 5_000_000, "line of more than"),
    "quotes only": (b"Title,Date\n" + b'"\n' * 100_000, "most rows"),
    "three million lines": (b"Title,Date\n" + b"\n" * 3_000_000, "more than 2,000,000 rows"),
    "cut off in a row": (b"Title,Date\nPlain,2024-01-31\nPlain,202", "middle of a row"),
    "cut off in a quote": (b'Title,Date\n"Plain","2024-01-31"\n"Pla', "middle of a row"),
    "cut off in a year": (b"Title,Date\nPlain,31/01/2024\nPlain,30/01/20", "middle of a row"),
    "cut off in a character": ("Title,Date\nPlain,2024-01-31\nß".encode("utf-16")[:-1], "cut off"),
    "no date at all": (b"Title,Date\nPlain,soon\nPlain,later\n", "cannot be read"),
    "no title at all": (b"Title,Date\n,2024-01-31\n", "no row"),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_bad_file_is_refused_in_one_line_that_says_what_to_do(kind: str) -> None:
    content, expected = BAD[kind]
    begin = time.monotonic()
    with pytest.raises(HistoryError, match=expected) as refused:
        read(content)
    assert "\n" not in str(refused.value)
    assert "Plain" not in str(refused.value)
    assert time.monotonic() - begin < 5


def test_an_export_without_rows_is_no_error() -> None:
    reading = read(b"Title,Date\n")
    assert (reading.rows, len(reading.views), reading.date_order) == (0, 0, None)


def test_reading_leaves_the_csv_module_as_it_was() -> None:
    before = csv.field_size_limit()
    read(f'Title,Date\nPlain,2024-01-31\n"{"x" * 200_000}",2024-01-30\n')
    assert csv.field_size_limit() == before
