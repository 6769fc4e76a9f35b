"""From views to counts per (show, ISO week)."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from shared.catalogue import Catalogue
from shared.week import IsoWeek

Counts = dict[IsoWeek, dict[int, int]]
"""Exact and private: week -> catalogue row -> views. Weeks without a counted view are absent."""

_EPOCH: Final = date(1970, 1, 1).toordinal()
_THURSDAY: Final = 3  # days from Monday to 1 January 1970


def count_views(views: pd.DataFrame, catalogue: Catalogue) -> Counts:
    """Return how often each catalogue row was viewed in each week.

    A view's row depends on its title and the catalogue alone; views of shows outside the catalogue count nowhere.
    """
    rows = np.array(catalogue.rows_of(views["title"].tolist()), np.int64)
    counted = rows >= 0
    days = views["date"].to_numpy().astype("datetime64[D]").astype(np.int64)[counted]
    weeks = (days + _THURSDAY) // 7
    cells, sizes = np.unique(weeks * len(catalogue) + rows[counted], return_counts=True)
    counts: Counts = {}
    for week in np.unique(cells // len(catalogue)).tolist():
        begin, end = np.searchsorted(cells, [week * len(catalogue), (week + 1) * len(catalogue)])
        in_week = (cells[begin:end] - week * len(catalogue)).tolist()
        monday = date.fromordinal(_EPOCH + week * 7 - _THURSDAY)
        counts[IsoWeek.of(monday)] = dict(zip(in_week, sizes[begin:end].tolist(), strict=True))
    return counts
