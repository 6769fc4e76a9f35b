"""Simulated members: what they watch, and the exports that Netflix would give them. Every community is a fresh one.

Shows, binges and empty weeks are distributed as in 47 real exports: 22 % of weeks have no view; in the others the
number of shows has the quantiles 1, 3, 5, 8, 16 at 25, 50, 75, 90, 99 %, and the views per show 1, 1, 3, 8, 30.
"""

from __future__ import annotations

import bisect
import csv
import io
import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from shared.catalogue import Catalogue
from shared.week import IsoWeek

EMPTY_WEEKS: Final = 0.22
_LEVELS: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
_SHOWS: Final = (1, 1, 3, 5, 8, 16, 25)
_VIEWS: Final = (1, 1, 1, 3, 8, 30, 60)
_DATE_FORMATS: Final = ("{0.year}-{0.month:02}-{0.day:02}", "{0.day:02}/{0.month:02}/{0.year}", "{0.month}/{0.day}/{1}")
_KNOWN_SHOWS: Final = 800  # tastes differ, but few people watch what hardly anyone knows
_HITS: Final = 6
_OWN_SHOWS: Final = ("Our Village Choir", "Cousin Mia Learns to Juggle", "Harbour Cam: Winter Edition")
"""Invented shows that no catalogue has: they count nowhere, and nothing of them may leave a member's machine."""


@dataclass
class Member:
    """One simulated person: `watched` holds the views of each week, newest first."""

    email: str
    date_format: str
    watched: dict[IsoWeek, list[tuple[str, date]]] = field(default_factory=dict)
    shows: dict[IsoWeek, set[str]] = field(default_factory=dict)
    """The names of the catalogue's shows among them: the truth that the figures are compared with."""

    def export(self, until: date) -> bytes:
        """Return the member's `NetflixViewingHistory.csv` as downloaded on the day `until`."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        text.write("Title,Date\n")
        for week in sorted(self.watched, reverse=True):
            writer.writerows(
                (title, self.date_format.format(day, f"{day.year % 100:02}"))
                for title, day in self.watched[week]
                if day < until
            )
        return text.getvalue().encode()


@dataclass(frozen=True)
class Community:
    """Simulated members and the weeks they lived through."""

    members: list[Member]
    weeks: list[IsoWeek]

    def viewers(self, week: IsoWeek) -> Counter[str]:
        """Return how many members truly watched each show in a week."""
        return Counter(itertools.chain.from_iterable(member.shows.get(week, ()) for member in self.members))


def simulate(number: int, weeks: Sequence[IsoWeek], catalogue: Catalogue) -> Community:
    """Return `number` members who watched through `weeks`: long favourites, and hits that rise and fall."""
    luck = random.Random()  # noqa: S311  # inputs of a simulation; no noise of a release comes from here
    names = [show.name for show in catalogue.shows[:_KNOWN_SHOWS]]
    favourites = [1 / (rank + 8) for rank in range(len(names))]
    luck.shuffle(names)
    # One show that half of everybody talks about, and some that rise and fall beside it: (name, week of its peak,
    # weeks to rise or fall, height against all other shows together).
    blockbuster, *others = luck.sample(names, min(_HITS, len(names)))
    hits = [(blockbuster, len(weeks) - luck.uniform(0, 4), luck.uniform(2, 4), luck.uniform(0.3, 0.45))]
    hits += [(name, luck.uniform(0, len(weeks)), luck.uniform(1.5, 3), luck.uniform(0.05, 0.2)) for name in others]
    kinds = {show.name: show.kind for show in catalogue.shows}
    members = [
        Member(f"member{index:0{len(str(number))}}@example.org", luck.choice(_DATE_FORMATS))
        for index in range(1, number + 1)
    ]
    for position, week in enumerate(weeks):
        weights = dict(zip(names, favourites, strict=True))
        everything = sum(favourites)
        for name, peak, width, height in hits:
            weights[name] += everything * height * math.exp(-(((position - peak) / width) ** 2))
        choices, cumulative = list(weights), list(itertools.accumulate(weights.values()))
        for member in members:
            shows: list[str] = []
            if luck.random() >= EMPTY_WEEKS:
                wanted = _quantile(luck.random(), _SHOWS)
                while len(shows) < min(wanted, len(choices)):
                    name = luck.choices(choices, cum_weights=cumulative)[0]
                    if name not in shows:
                        shows.append(name)
            views = [view for name in shows for view in _views(name, kinds[name], week, luck)]
            if shows and luck.random() < 0.2:
                views += _views(luck.choice(_OWN_SHOWS), "series", week, luck)
            member.watched[week] = sorted(views, key=lambda view: view[1], reverse=True)
            member.shows[week] = set(shows)
    return Community(members, list(weeks))


def _views(name: str, kind: str, week: IsoWeek, luck: random.Random) -> list[tuple[str, date]]:
    """Return the views of one show in one week: a film once, a series as many episodes as were binged."""
    day = week.first_day + timedelta(days=luck.randrange(7))
    if kind != "series":
        return [(name, day)]
    season, episode = luck.randint(1, 4), luck.randint(1, 8)
    return [
        (f"{name}: Season {season}: Episode {episode + index}", min(day + timedelta(days=index // 4), week.last_day))
        for index in range(_quantile(luck.random(), _VIEWS))
    ]


def _quantile(level: float, values: Sequence[int]) -> int:
    """Return the value at a level of a distribution that is given by its quantiles at `_LEVELS`."""
    above = min(bisect.bisect_right(_LEVELS, level), len(_LEVELS) - 1)
    low, high = _LEVELS[above - 1], _LEVELS[above]
    return round(values[above - 1] + (values[above] - values[above - 1]) * (level - low) / (high - low))
