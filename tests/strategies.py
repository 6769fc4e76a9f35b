"""Invented Netflix exports in every form that occurs in the wild, for Hypothesis."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from hypothesis import strategies as st

from participant.languages import DateOrder

MADE = date(2024, 6, 30)
"""The day on which the invented exports were made."""

View = tuple[str, date]

SEASONS = {
    "English": "Season {}",
    "Spanish": "Temporada {}",
    "French": "Saison\u00a0{}",
    "German": "Staffel {}",
    "Turkish": "{}. Sezon",
    "Polish": "Sezon {}",
    "Danish": "Sæson {}",
    "Russian": "Сезон {}",
    "Japanese": "シーズン{}",
    "Korean": "시즌 {}",
}
HEADERS = {
    "English": ("Title", "Date"),
    "Spanish": ("Título", "Fecha"),
    "French": ("Titre", "Date"),
    "German": ("Titel", "Datum"),
    "Turkish": ("Başlık", "Tarih"),
    "Polish": ("Tytuł", "Data"),
    "Danish": ("Titel", "Dato"),
    "Russian": ("Название", "Дата"),
    "Japanese": ("タイトル", "日付"),
    "Korean": ("제목", "날짜"),
}
CODE_PAGES = {"English": "cp1252", "Spanish": "cp1252", "French": "cp1252", "German": "cp1252", "Polish": "cp1250"}
CODE_PAGES |= {"Turkish": "cp1254", "Danish": "cp1252", "Russian": "cp1251", "Japanese": "cp932", "Korean": "cp949"}
ACCENTS = {
    "English": "The Café",
    "Spanish": "La canción del niño",
    "French": "Les élèves à l’école",
    "German": "Grüße aus Köln für Äpfel",
    "Turkish": "Işığın gölgesi şarkı",
    "Polish": "Zażółć gęślą jaźń",
    "Danish": "Rødgrød på ø",
    "Russian": "Весёлые соседи",
    "Japanese": "ひみつの図書館",
    "Korean": "비밀의 도서관",
}


@dataclass(frozen=True)
class Form:
    """How an export is written; what it says is the views."""

    order: DateOrder = "month-first"
    separator: str = "/"
    long_year: bool = False
    padded: bool = False
    language: str = "English"
    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\n"
    swapped: bool = False
    lower: bool = False
    quoted: bool = True
    wrapped: bool = False
    """Each row quoted into one cell, as spreadsheet programs do."""

    def write_date(self, day: date) -> str:
        """Return a date in the form."""
        year = f"{day.year}" if self.long_year else f"{day.year % 100:02}"
        month, number = (f"{day.month:02}", f"{day.day:02}") if self.padded else (f"{day.month}", f"{day.day}")
        parts = {
            "day-first": (number, month, year),
            "month-first": (month, number, year),
            "year-first": (year, month, number),
        }
        return self.separator.join(parts[self.order])

    def write(self, views: Sequence[View]) -> bytes:
        """Return the bytes of the export."""
        header = HEADERS[self.language]
        rows = [(header[0].lower(), header[1].lower()) if self.lower else header]
        rows += [(title, self.write_date(day)) for title, day in views]
        cells: list[list[str]] = [list(reversed(row)) if self.swapped else list(row) for row in rows]
        text = _csv(cells, self.delimiter, self.line_end, quoted=self.quoted)
        if self.wrapped:
            lines = text.removesuffix(self.line_end).split(self.line_end)
            text = _csv([[line] for line in lines], self.delimiter, self.line_end, quoted=True)
        return text.encode(self.encoding)


def _csv(rows: list[list[str]], delimiter: str, line_end: str, *, quoted: bool) -> str:
    text = io.StringIO(newline="")
    if quoted:
        csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    else:
        csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return text.getvalue()


def titles(language: str) -> st.SearchStrategy[str]:
    """Titles of a language: films and episodes, with commas, quotes and colons."""
    names = st.sampled_from([ACCENTS[language], 'The "Inner" Circle', "Yes, No, Maybe", "Plain", "A: B"])
    episode = st.builds(
        lambda name, number, which: f"{name}: {SEASONS[language].format(number)}: {which}",
        names,
        st.integers(1, 12),
        st.sampled_from(["One", "Two, Three", "Part 4"]),
    )
    return st.one_of(names, episode)


def days(earliest: date = date(2012, 1, 1)) -> st.SearchStrategy[date]:
    """Days on which a view can be."""
    return st.dates(earliest, MADE)


def forms(language: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Form]:
    """Every form of export: date order, separator, year, encoding, delimiter, quoting, columns, language."""

    def in_language(name: str) -> st.SearchStrategy[Form]:
        return st.builds(
            Form,
            order=st.sampled_from(["day-first", "month-first", "year-first"]),
            separator=st.sampled_from(["/", "-", "."]),
            long_year=st.booleans(),
            padded=st.booleans(),
            language=st.just(name),
            encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", CODE_PAGES[name]]),
            delimiter=st.sampled_from([",", ";", "\t"]),
            line_end=st.sampled_from(["\n", "\r\n"]),
            swapped=st.booleans(),
            lower=st.booleans(),
            quoted=st.booleans(),
            wrapped=st.booleans(),
        )

    return (language or st.sampled_from(sorted(SEASONS))).flatmap(in_language)


@st.composite
def exports(draw: Callable[..., object], *, decided: bool = True) -> tuple[Form, list[View]]:
    """Return a form and the views written in it, newest first; if `decided`, with days that only one order allows."""
    form: Form = draw(forms())  # type: ignore[assignment]
    views: list[View] = draw(st.lists(st.tuples(titles(form.language), days()), min_size=1, max_size=30))  # type: ignore[assignment]
    if decided:
        views += [(ACCENTS[form.language], MADE - timedelta(days=number)) for number in range(40)]
        if not form.long_year and form.order == "day-first":
            views.append((ACCENTS[form.language], date(2019, 5, 31)))
    return form, sorted(views, key=lambda view: view[1], reverse=True)


def written(form: Form, **changes: object) -> Form:
    """Return the form with some things otherwise."""
    return replace(form, **changes)  # type: ignore[arg-type]
