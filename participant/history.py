"""From a Netflix export to views: a title watched on a date."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd

from shared.errors import DateOrderUnknown, HistoryError

DateOrder = Literal["day-first", "month-first", "year-first"]
DATE_ORDERS: Final[tuple[DateOrder, ...]] = get_args(DateOrder)
DOWNLOAD_PAGE: Final = "https://www.netflix.com/viewingactivity"

_MOST_MISFITS: Final = 0.01  # a garbled row or two is left out; more, and the order is not this one
_DATE = re.compile(r"\s*(\d{1,4})\s*[-./]\s*(\d{1,2})\s*[-./]\s*(\d{1,4})\s*")
_LONGEST_TITLE: Final = 500


@dataclass(frozen=True)
class Reading:
    """What a Netflix export says, and what reading it did. `views` is private; the rest are counts."""

    views: pd.DataFrame
    """Columns `title` (text, as in the export) and `date` (datetime64, midnight), in the order of the export."""
    rows: int
    """Rows below the header."""
    left_out: Counter[str]
    """How many rows are no view, by reason."""
    date_order: DateOrder
    why: str
    """What decided the date order."""


def read_history(data: bytes, made: date, date_order: DateOrder | None = None) -> Reading:
    """Return the views in the bytes of a `NetflixViewingHistory.csv` that was made on the day `made`.

    The order of day, month and year is decided once for the whole file; `date_order` decides it beforehand.

    Raises: HistoryError if it is no such export, or its dates fit no order or not `date_order`;
    DateOrderUnknown if they fit two.
    """
    header, *rows = _read_rows(data)
    names = [name.strip().casefold() for name in header]
    if sorted(names) != ["date", "title"]:
        raise HistoryError(
            f"the file is no Netflix viewing history: its first line is not Title,Date. "
            f"Download it anew from {DOWNLOAD_PAGE} (Download all)"
        )
    left_out: Counter[str] = Counter()
    titles, dates = [], []
    for row in rows:
        if len(row) != len(names):
            left_out["not two cells"] += 1
            continue
        title, day = row[names.index("title")].strip(), row[names.index("date")]
        if not title:
            left_out["no title"] += 1
        elif len(title) > _LONGEST_TITLE:
            left_out["title too long"] += 1
        elif not _DATE.fullmatch(day):
            left_out["no date"] += 1
        else:
            titles.append(title)
            dates.append(day)
    if rows and not dates:
        raise HistoryError("no row of the file has a title and a date that can be read; download it anew")
    order, why = _decide_order(dates, made, date_order)
    days = pd.Series(dates, dtype=object).map(_parse_all(set(dates), order)).astype("datetime64[s]")
    views = pd.DataFrame({"title": pd.Series(titles, dtype=object), "date": days})
    fits = views["date"].notna() & (views["date"] <= np.datetime64(made))
    if misfits := int((~fits).sum()):
        left_out["date impossible"] += misfits
    return Reading(views[fits].reset_index(drop=True), len(rows), left_out, order, why)


def merge_exports(readings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the views of older and newer exports of one profile: by the largest count per title and date.

    So no view counts twice, and a view that a later export lacks is kept.
    """
    if len(readings) == 1:
        return readings[0]
    counts = [views.groupby(["title", "date"], sort=False).size() for views in readings]
    largest = pd.concat(counts).groupby(level=["title", "date"], sort=False).max()
    views: pd.DataFrame = largest.index.repeat(largest.to_numpy()).to_frame(index=False)
    return views


def _read_rows(data: bytes) -> list[list[str]]:
    """Return the cells of a CSV file, the header first; blank lines are no rows."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise HistoryError(f"the file is not UTF-8 text (byte {error.start:,}); download it anew") from None
    if "\0" in text:
        raise HistoryError("the file holds NUL bytes: it is no text file, or was damaged; download it anew")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise HistoryError(f"the file is no CSV: {error}; download it anew") from None
    if not rows:
        raise HistoryError(f"the file is empty; download it anew from {DOWNLOAD_PAGE}")
    return rows


def _decide_order(dates: list[str], made: date, stated: DateOrder | None) -> tuple[DateOrder, str]:
    """Return the one date order that the whole file fits, and what decided it."""
    counts = Counter(dates)
    fitting: dict[DateOrder, list[date]] = {}
    for order in DATE_ORDERS:
        days = _parse_all(set(dates), order)
        misfits = sum(count for text, count in counts.items() if (day := days[text]) is None or day > made)
        if misfits <= _MOST_MISFITS * len(dates):
            fitting[order] = [day for text in dates if (day := days[text]) is not None and day <= made]
    if stated:
        if stated not in fitting:
            raise HistoryError(
                f"the file's dates do not fit date_order = {stated!r}; change it in settings.toml, or empty it"
            )
        return stated, "set in settings.toml"
    if not fitting:
        raise HistoryError("the file's dates fit no order of day, month and year; download it anew")
    if len(fitting) == 1:
        return next(iter(fitting)), "the only order that all dates fit"
    readings = list(fitting.items())
    if all(days == readings[0][1] for _, days in readings):
        return readings[0][0], "all orders read the same dates"
    # Netflix writes the newest view first: a wrong order lets the dates jump forwards again and again.
    jumps = {order: sum(after > before for before, after in itertools.pairwise(days)) for order, days in readings}
    best, second = sorted(jumps, key=lambda order: jumps[order])[:2]
    if jumps[best] * 10 < jumps[second]:
        return best, "the only order in which the newest view comes first"
    raise DateOrderUnknown(
        "the file does not show whether 3/4/21 is 3 April 2021 (day-first) or 4 March 2021 (month-first): "
        'set date_order = "day-first" or "month-first" in settings.toml'
    )


def _parse_all(texts: set[str], order: DateOrder) -> dict[str, date | None]:
    """Return the day that each text means in this order, None where it means none."""
    return {text: _parse(text, order) for text in texts}


def _parse(text: str, order: DateOrder) -> date | None:
    found = _DATE.fullmatch(text)
    if not found:
        return None
    first, second, third = found.groups()
    match order:
        case "day-first":
            year, month, day = third, second, first
        case "month-first":
            year, month, day = third, first, second
        case "year-first":
            year, month, day = first, second, third
    if len(year) not in (2, 4) or (order == "year-first" and len(year) != 4):
        return None
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))
    except ValueError:
        return None
