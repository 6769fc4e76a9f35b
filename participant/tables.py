"""What `reduce` prints: the private tables of one history, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import numpy as np
import pandas as pd

from participant.naming import name_shows
from shared.catalogue import Catalogue


def count_shows(views: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Return the columns `show`, `week`, `views`: every show of the history, uncapped, by week and then by name.

    Shows outside the catalogue are there too, each spelled as the history spells it most. Private.
    """
    titles, distinct = pd.factorize(views["title"])
    named = name_shows(views, catalogue)
    of_title, shows = pd.factorize(np.array([named[title].show for title in distinct], dtype=object), sort=True)
    days, calendar = pd.factorize(views["date"])
    of_day, weeks = pd.factorize(np.array(_weeks(calendar), dtype=object), sort=True)
    cells, counts = np.unique(of_day[days] * np.int64(len(shows)) + of_title[titles], return_counts=True)
    week, show = np.divmod(cells, max(len(shows), 1))
    return pd.DataFrame({"show": shows[show], "week": weeks[week], "views": counts})


def explain_views(views: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Return the columns `title`, `date`, `show`, `week`, `rule`: one row a view, in the order of the views. Private.

    `title` is that of the export, letter by letter; `rule` is what decided the show, see `participant.naming`.
    """
    titles, distinct = pd.factorize(views["title"])
    named = name_shows(views, catalogue)
    days, calendar = pd.factorize(views["date"])
    columns = {
        "title": (distinct, titles),
        "date": ([f"{day:%Y-%m-%d}" for day in pd.DatetimeIndex(calendar)], days),
        "show": ([named[title].show for title in distinct], titles),
        "week": (_weeks(calendar), days),
        "rule": ([named[title].rule for title in distinct], titles),
    }
    return pd.DataFrame({name: np.array(values, dtype=object)[codes] for name, (values, codes) in columns.items()})


def _weeks(days: pd.Index[pd.Timestamp]) -> list[str]:
    calendar = pd.DatetimeIndex(days).isocalendar()
    return [f"{year:04d}-W{week:02d}" for year, week in zip(calendar["year"], calendar["week"], strict=True)]


def format_table(table: pd.DataFrame) -> str:
    """Return the table as CSV with its header and LF line ends."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    rows: Iterable[tuple[object, ...]] = table.itertuples(index=False, name=None)
    writer.writerows(rows)
    return text.getvalue()
