"""Numbers and dates as people write them, and the page they are sent to: the same wherever they are told."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

from shared.week import IsoWeek

DOWNLOAD_PAGE: Final = "https://www.netflix.com/viewingactivity"
"""Where everyone downloads their own history."""

_TOO_FEW: Final = re.compile(r"\d+ of at least \d+ participants")
_SPACE: Final = "\u00a0"  # no line ends between a figure and its sign
_MINUS: Final = "\u2212"


def number(value: float, digits: int = 0) -> str:
    """Return a number with thousands marked, and never a negative zero.

    >>> number(1234.56), number(1234.56, 1), number(-0.04, 1)
    ('1,235', '1,234.6', '0.0')
    """
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", _MINUS)


def amount(count: int, of: str) -> str:
    """Return how many there are of something.

    >>> amount(1, "view"), amount(1200, "view")
    ('1 view', '1,200 views')
    """
    return f"{count:,} {of}{'' if count == 1 else 's'}"


def guess(value: float) -> str:
    """Return a best guess of a count: a whole number, and of few one digit more, which tells them apart.

    >>> guess(104.3), guess(0.62)
    ('104', '0.6')
    """
    return number(value, 0 if value >= 9.5 else 1)


def percent(share: float, digits: int = 1) -> str:
    """Return a share of one as per cent.

    >>> percent(0.1734).split()
    ['17.3', '%']
    """
    return f"{number(100 * share, digits)}{_SPACE}%"


def signed(value: float, digits: int = 1) -> str:
    """Return a change with its sign.

    >>> signed(4.84), signed(0.01), signed(-2)[1:]
    ('+4.8', '0.0', '2.0')
    """
    text = number(value, digits)
    return f"+{text}" if round(value, digits) > 0 else text


def span(low: float, high: float, digits: int = 0) -> str:
    """Return an interval.

    >>> span(3, 18), span(-1, 2)
    ('3–18', '−1 to 2')
    """
    first, last = number(low, digits), number(high, digits)
    return f"{first} to {last}" if first.startswith(_MINUS) else f"{first}–{last}"


def chance(probability: float) -> str:
    """Return how likely something is; what is all but certain or impossible is not rounded to it.

    >>> [chance(each).replace(_SPACE, " ") for each in (0.9947, 0.9999, 0.5, 0.0)]
    ['99 %', 'over 99 %', '50 %', 'under 1 %']
    """
    if probability > 0.995:
        return f"over 99{_SPACE}%"
    return f"under 1{_SPACE}%" if probability < 0.005 else percent(probability, 0)


def day(of: date) -> str:
    """Return a date.

    >>> day(date(2024, 11, 4))
    '4 November 2024'
    """
    return f"{of.day} {of:%B} {of.year}"


def week_dates(week: IsoWeek) -> str:
    """Return the first and the last day of a week, saying month and year once where they are the same.

    >>> week_dates(IsoWeek(2024, 47)), week_dates(IsoWeek(2024, 44)), week_dates(IsoWeek(2025, 1))
    ('18–24 November 2024', '28 October – 3 November 2024', '30 December 2024 – 5 January 2025')
    """
    first, last = week.first_day, week.last_day
    if first.year != last.year:
        return f"{day(first)} – {day(last)}"
    if first.month != last.month:
        return f"{first.day} {first:%B} – {day(last)}"
    return f"{first.day}–{day(last)}"


def moment(of: datetime) -> str:
    """Return a time with the offset it is told in.

    >>> moment(datetime.fromisoformat("2024-11-26T12:05:00+00:00"))
    '26 November 2024, 12:05 UTC'
    """
    return f"{day(of)}, {of:%H:%M} {of.tzname() or ''}".rstrip()


def too_few(participants: int, least: int) -> str:
    """Return why a week is withheld in which fewer took part than it takes."""
    return f"{participants} of at least {least} participants"


def is_too_few(reason: str) -> bool:
    """Tell whether a week is withheld for want of participants, and for nothing else.

    >>> is_too_few(too_few(3, 5)), is_too_few("its counts are collected from 9 December 2024 on")
    (True, False)
    """
    return bool(_TOO_FEW.fullmatch(reason))
