"""What one history says about its owner: weeks, shows, binges. Exact and private."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Final

import pandas as pd

from participant.naming import name_shows
from shared.catalogue import Catalogue
from shared.show import show_key
from shared.week import IsoWeek, weeks_between

BINGE: Final = 3
"""So many views of one show on one day are a binge."""


@dataclass(frozen=True)
class MyWeek:
    """One week of mine."""

    week: IsoWeek
    views: int
    shows: int
    binges: int
    """Days and shows with at least `BINGE` views."""
    complete: bool
    """Whether the export was made after its end: else views may be missing."""


@dataclass(frozen=True)
class MyShow:
    """One show of mine."""

    name: str
    """As the catalogue spells it, else as the history does most."""
    listed: bool
    """Whether the catalogue has it: only then it can be counted."""
    weeks: dict[IsoWeek, int]
    """Views by week; weeks without one are absent."""

    @property
    def views(self) -> int:
        """All views of it."""
        return sum(self.weeks.values())

    def since(self, week: IsoWeek) -> int:
        """Return the views of it in `week` and later."""
        return sum(views for watched, views in self.weeks.items() if watched >= week)


@dataclass(frozen=True)
class Viewing:
    """What I watched."""

    weeks: tuple[MyWeek, ...]
    """From the first view to the week in which the export was made, oldest first; none without a view."""
    shows: dict[str, MyShow]
    """By `show_key` of the name."""

    def show(self, name: str) -> MyShow | None:
        """Return my views of a show, however it is spelled."""
        return self.shows.get(show_key(name))

    def week(self, week: IsoWeek) -> MyWeek | None:
        """Return one week of mine, None before the first and after the last that the export knows."""
        return next((mine for mine in self.weeks if mine.week == week), None)


def viewing_of(views: pd.DataFrame, made: date, catalogue: Catalogue) -> Viewing:
    """Return what these views (`title`, `date`) of an export made on that day say."""
    if views.empty:
        return Viewing((), {})
    names = _names(views, catalogue)
    cells = Counter(zip(views["title"].map(names), views["date"].dt.date, strict=True))
    listed = {name for name, known in names.values() if known}
    per_week: dict[IsoWeek, Counter[str]] = {}
    binges: Counter[IsoWeek] = Counter()
    for ((name, _), day), number in cells.items():
        week = IsoWeek.of(day)
        per_week.setdefault(week, Counter())[name] += number
        binges[week] += number >= BINGE
    last = max(*per_week, IsoWeek.of(made))
    weeks = tuple(
        MyWeek(week, shows.total(), len(shows), binges[week], complete=week.end <= made)
        for week in weeks_between(min(per_week), last)
        for shows in [per_week.get(week, Counter())]
    )
    shows: dict[str, MyShow] = {}
    for week in sorted(per_week):
        for name, number in per_week[week].items():
            mine = shows.setdefault(show_key(name), MyShow(name, name in listed, {}))
            mine.weeks[week] = mine.weeks.get(week, 0) + number
    return Viewing(weeks, shows)


def _names(views: pd.DataFrame, catalogue: Catalogue) -> dict[str, tuple[str, bool]]:
    """Return for each title its show's name, and whether the catalogue has it."""
    named = name_shows(views, catalogue)
    titles = list(named)
    rows = catalogue.rows_of(titles)
    return {
        title: (catalogue.shows[row].name, True) if row >= 0 else (named[title].show, False)
        for title, row in zip(titles, rows, strict=True)
    }
