"""How old the exports are, and when to say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.week import IsoWeek, latest_closed, weeks_between
from shared.wording import DOWNLOAD_PAGE

OLD_DAYS: Final = 7
"""So many days after the end of a week that it does not cover, an export is old."""


@dataclass(frozen=True)
class Age:
    """Which weeks are over and not in the exports."""

    made: date
    missing: tuple[IsoWeek, ...]
    """Oldest first."""
    old: bool

    @property
    def words(self) -> str | None:
        """What is the matter, None while nothing is."""
        if not self.old:
            return None
        weeks = f"the week {self.missing[0]} is" if len(self.missing) == 1 else f"{len(self.missing)} weeks since are"
        return f"your export is of {self.made.isoformat()}, and {weeks} over and not in it"

    @property
    def line(self) -> str | None:
        """What is the matter and what to do about it, None while there is nothing to do."""
        return f"{self.words}: download your history anew from {DOWNLOAD_PAGE} (Download all)" if self.old else None


def age_of(made: date, today: date) -> Age:
    """Return how old exports are that know all views before the day `made`.

    >>> age_of(date(2024, 11, 26), date(2024, 12, 9)).line is None  # W48 ended a week ago
    True
    >>> print(age_of(date(2024, 11, 26), date(2024, 12, 10)).line[:73])
    your export is of 2024-11-26, and 2 weeks since are over and not in it: d
    """
    first, last = IsoWeek.of(made), latest_closed(today)
    missing = tuple(weeks_between(first, last)) if first <= last else ()
    return Age(made, missing, old=bool(missing) and (today - missing[0].end).days > OLD_DAYS)
