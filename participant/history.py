"""From a Netflix export to views: a title watched on a date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from participant.activity import SHORTEST_VIEW, choose_views, local_days
from participant.date_order import Dates, decide_dates
from participant.dates import parse_form
from participant.languages import DATE_ORDERS, DateOrder
from participant.table import Column, Kind, read_table
from shared.errors import HistoryError

__all__ = ["DATE_ORDERS", "LONGEST_TITLE", "DateOrder", "Reading", "merge_exports", "read_history"]

LONGEST_TITLE: Final = 500
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Reading:
    """What a Netflix export says, and what reading it did. `views` is private; the rest are counts."""

    views: pd.DataFrame
    """Columns `title` (text, as in the export) and `date` (datetime64, midnight), in the order of the export."""
    rows: int
    """Rows below the header: those of `views` and those left out."""
    left_out: Counter[str]
    """How many rows are no view, by reason."""
    date_order: DateOrder | None
    """None if every order reads the same dates: then there is nothing to remember."""
    why: str
    """What decided the date order."""
    kind: Kind
    encoding: str
    repaired: int
    """Rows of `views` or left out whose cells a spreadsheet program had changed, put right where that was certain."""
    certain: bool
    """The dates are written so that only one reading exists (four-digit year first): nothing had to be decided."""


def read_history(
    data: bytes,
    made: date,
    date_order: DateOrder | None = None,
    *,
    remembered: DateOrder | None = None,
    profile: str | None = None,
    zone: tzinfo = UTC,
    shortest: int = SHORTEST_VIEW,
) -> Reading:
    """Return the views in the bytes of an export that was made on the day `made`.

    It is a `NetflixViewingHistory.csv`, or a `ViewingActivity.csv`: of the latter the rows of one `profile` that are
    views of at least `shortest` seconds, each on its day in the viewer's time `zone`.

    The order of day, month and year is decided once for the whole file. `date_order` decides it beforehand;
    `remembered`, from an earlier export, where the file leaves it open.

    Raises: HistoryError if it is no such export, was cut off, or its dates keep to no order; DateOrderUnknown if the
    order stays open or is not the one stated or remembered; ProfileUnknown if there are several profiles.
    """
    table = read_table(data)
    del data
    if table.kind == "viewing activity":
        activity = choose_views(table, profile, shortest)
        kept, left_out, days = activity.kept, table.left_out + activity.left_out, activity.days
    else:
        kept, left_out, days = (
            np.ones(len(table.columns["title"].codes), np.bool_),
            table.left_out,
            table.columns["date"],
        )
    kept, reasons = _titled(table.columns["title"], kept)
    left_out = left_out + reasons
    if table.rows and table.kind == "viewing history" and not kept.any():
        raise HistoryError("no row of the file has a title and a date; download it anew")
    titles = table.columns["title"]
    decision = decide_dates(
        Dates(
            days.texts,
            days.codes[kept],
            (title for title in titles.texts if title),
            table.columns["profile"].codes[kept] if table.kind == "viewing activity" else None,
        ),
        made,
        stated=date_order,
        remembered=remembered,
        own_form=table.kind == "viewing activity",
    )
    dated = decision.days[days.codes] > 0
    written = np.array([parse_form(text) is not None for text in days.texts], np.bool_)[days.codes]
    for reason, rows in (("no date", ~written), ("date impossible", written & ~dated)):
        left_out[reason] += int((kept & rows).sum())
    kept &= dated
    views = _views(titles, decision.days[days.codes[kept]], kept)
    if table.kind == "viewing activity":
        views["date"] = local_days(views["date"], activity.seconds[kept], zone).astype("datetime64[s]")
    return Reading(
        views,
        table.rows,
        +left_out,
        decision.order,
        decision.why,
        table.kind,
        table.encoding,
        table.repaired,
        decision.certain,
    )


def merge_exports(readings: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the views of older and newer exports of one profile: by the largest count per title and date.

    So no view counts twice, and a view that a later export lacks is kept.
    """
    if len(readings) == 1:
        return readings[0]
    counts = [views.groupby(["title", "date"], sort=False).size() for views in readings]
    largest = pd.concat(counts).groupby(level=["title", "date"], sort=False).max()
    merged: pd.DataFrame = largest.index.repeat(largest.to_numpy()).to_frame(index=False)
    return merged


def _titled(column: Column, kept: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], Counter[str]]:
    """Return the rows that have a title, and how many have none that can be used, by reason."""
    reasons: Counter[str] = Counter()
    for reason, wrong in (
        ("no title", [not text.strip() for text in column.texts]),
        ("title too long", [len(text) > LONGEST_TITLE for text in column.texts]),
        ("title garbled", ["\ufffd" in text for text in column.texts]),
    ):
        rows = np.array(wrong, np.bool_)[column.codes]
        reasons[reason] = int((kept & rows).sum())
        kept = kept & ~rows
    return kept, reasons


def _views(titles: Column, days: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]) -> pd.DataFrame:
    texts = np.array([text.strip() for text in titles.texts], dtype=object)
    dates = (days - _EPOCH).astype("datetime64[D]").astype("datetime64[s]")
    return pd.DataFrame({"title": pd.Series(texts[titles.codes[kept]], dtype=object), "date": pd.Series(dates)})
