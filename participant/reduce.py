"""From views to counts per (show, ISO week)."""

from __future__ import annotations

import pandas as pd

from shared.catalogue import Catalogue
from shared.week import IsoWeek

Counts = dict[IsoWeek, dict[int, int]]
"""Exact and private: week -> catalogue row -> views. Weeks without a counted view are absent."""


def count_views(views: pd.DataFrame, catalogue: Catalogue) -> Counts:
    """Return how often each catalogue row was viewed in each week.

    A view's row depends on its title and the catalogue alone; views of shows outside the catalogue count nowhere.
    """
    rows = {title: catalogue.row_of(title) for title in views["title"].unique()}
    counted = views.assign(row=views["title"].map(rows)).dropna(subset=["row"])
    calendar = counted["date"].dt.isocalendar()
    sizes = counted.groupby([calendar["year"], calendar["week"], counted["row"].astype(int)]).size()
    counts: Counts = {}
    for (year, number, row), size in sizes.items():
        counts.setdefault(IsoWeek(int(year), int(number)), {})[int(row)] = int(size)
    return counts
