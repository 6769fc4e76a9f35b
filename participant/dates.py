"""From a written date to what it can mean: the forms of Netflix's languages and of spreadsheet programs."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final, NamedTuple

from participant.languages import DATE_ORDERS, MONTHS, DateOrder, word

EARLIEST: Final = date(2007, 1, 1)  # Netflix's first year of streaming: an earlier date is another one, misread
LONGEST_DATE: Final = 40

_BUDDHIST: Final = 543
_MARKS = re.compile("[\u200e\u200f\u061c\u202a-\u202e\ufeff]")
_TIME = re.compile(r"(?:t|,?\s+)\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s?[ap]\.?m\.?)?(?:z|\s?\+00:?00|\s?utc)?$")
_NUMBERS = re.compile(r"(\d{1,4})(\s?[-./]\s?|\s)(\d{1,2})\2(\d{1,4})(?:\.|\s?г\.)?")
_EAST = re.compile(r"(\d{4}|\d{2})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]")
_MONTH_INSIDE = re.compile(
    r"(\d{1,4})(?:\.|er|º|ª)?[\s\-./]+(?:de\s|d’)?([^\W\d_][^\d\-/]*?)\.?,?[\s\-./]+(?:de[l]?\s)?(\d{1,4})\.?(?:\s?г\.?)?"
)
_MONTH_BEFORE = re.compile(r"([^\W\d_]+)\.?[\s\-]+(\d{1,2})(?:st|nd|rd|th)?,?[\s\-]+(\d{4}|\d{2})")


class Form(NamedTuple):
    """How a date is written, with what it says where: `3/4/21` is ("/", "yy", 3, 4, 21)."""

    separator: str
    year: str
    """`yyyy first`, `yyyy last` or `yy` (it may be first or last); with a month name the same and `, name`."""
    first: int
    second: int
    third: int


def parse_form(text: str) -> Form | None:
    """Return how a date is written, None if it is none. A time of day behind it is not looked at.

    >>> parse_form("7/26/25")[1:], parse_form("2024. 1. 12.")[1:], parse_form("5 de mayo de 2021")[1:]
    (('yy', 7, 26, 25), ('yyyy first', 2024, 1, 12), ('yyyy last, name', 5, 5, 2021))
    """
    if len(text) > LONGEST_DATE:
        return None
    plain = _MARKS.sub("", unicodedata.normalize("NFKC", text)).strip().casefold()
    plain = _TIME.sub("", plain)
    if found := _NUMBERS.fullmatch(plain):
        first, separator, second, third = found.groups()
        return _form(separator.strip() or " ", first, second, third)
    if found := _EAST.fullmatch(plain):
        year, month, day = found.groups()
        return Form("年", "yyyy first", int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))
    if found := _MONTH_INSIDE.fullmatch(plain):
        first, name, third = found.groups()
        form = _form("name", first, str(MONTHS.get(word(name), 0)), third)
        return form and form._replace(year=form.year + ", name") if form and form.second else None
    if found := _MONTH_BEFORE.fullmatch(plain):
        name, day, year = found.groups()
        month = MONTHS.get(word(name), 0)
        return Form("name first", "yyyy last, name", month, int(day), _full(year)) if month else None
    return None


def _form(separator: str, first: str, second: str, third: str) -> Form | None:
    match len(first), len(third):
        case 4, 1 | 2:
            return Form(separator, "yyyy first", _full(first), int(second), int(third))
        case 1 | 2, 4:
            return Form(separator, "yyyy last", int(first), int(second), _full(third))
        case 1 | 2, 1 | 2:
            return Form(separator, "yy", int(first), int(second), int(third))
    return None


def _full(year: str) -> int:
    """Return the year in our calendar: of two digits, or of the Thai calendar."""
    number = int(year) + (2000 if len(year) == 2 else 0)
    return number - _BUDDHIST if EARLIEST.year + _BUDDHIST <= number < EARLIEST.year + _BUDDHIST + 100 else number


def orders_of(form: Form) -> tuple[DateOrder, ...]:
    """Return the orders in which a form can be read."""
    if form.separator == "name first":
        return ("month-first",)
    match form.year:
        case "yyyy first" | "yyyy first, name":
            return ("year-first",)
        case "yyyy last, name":
            return ("day-first",)
        case "yy, name":
            return ("day-first", "year-first")
        case "yyyy last":
            return ("day-first", "month-first")
    return DATE_ORDERS


def day_of(form: Form, order: DateOrder, latest: int) -> int:
    """Return the day that a form means in this order, 0 if it means none between `EARLIEST` and `latest`."""
    match order:
        case "day-first":
            day, month, year = form.first, form.second, form.third
        case "month-first":
            month, day, year = form.first, form.second, form.third
        case "year-first":
            year, month, day = form.first, form.second, form.third
    if year < 100 and form.year.startswith("yy") and not form.year.startswith("yyyy"):
        year += 2000
    try:
        number = date(year, month, day).toordinal()
    except ValueError:
        return 0
    return number if EARLIEST.toordinal() <= number <= latest else 0
