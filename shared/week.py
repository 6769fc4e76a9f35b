"""ISO 8601 weeks: the unit of time of every count, release and trend."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_TEXT = re.compile(r"([0-9]{4})-W([0-9]{2})")


@dataclass(frozen=True, order=True)
class IsoWeek:
    """A week from Monday to Sunday. Its ISO year belongs to it and may differ from the calendar's around 1 January.

    Weeks sort by time. Source: ISO 8601-1:2019, 4.2.2.

    >>> str(IsoWeek.of(date(2024, 12, 30)))
    '2025-W01'
    >>> IsoWeek.of(date(2022, 12, 28)) == IsoWeek.of(date(2023, 12, 27))  # both are "week 52"
    False
    """

    year: int
    number: int

    def __post_init__(self) -> None:
        date.fromisocalendar(self.year, self.number, 1)  # raises ValueError for a week that does not exist

    @classmethod
    def of(cls, day: date) -> IsoWeek:
        """Return the week that `day` lies in."""
        year, number, _ = day.isocalendar()
        return cls(year, number)

    @classmethod
    def parse(cls, text: str) -> IsoWeek:
        """Return the week written as `2024-W47`; ValueError for anything else."""
        found = _TEXT.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no ISO week; expected a form like 2024-W47")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def from_key(cls, key: int) -> IsoWeek:
        """Return the week of a release's `week` field, ISO year * 100 + ISO week; ValueError if there is none."""
        return cls(*divmod(key, 100))

    @property
    def key(self) -> int:
        """The week as a release carries it: 202447."""
        return self.year * 100 + self.number

    @property
    def first_day(self) -> date:
        """Its Monday."""
        return date.fromisocalendar(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        """Its Sunday."""
        return self.first_day + timedelta(days=6)

    @property
    def end(self) -> date:
        """The first day on which the week is over: the Monday after."""
        return self.first_day + timedelta(days=7)

    def plus(self, weeks: int) -> IsoWeek:
        """Return the week that many weeks later (earlier, if negative)."""
        return IsoWeek.of(self.first_day + timedelta(weeks=weeks))

    def __str__(self) -> str:
        return f"{self.year:04}-W{self.number:02}"


def latest_closed(today: date) -> IsoWeek:
    """Return the last week that is over on `today`."""
    return IsoWeek.of(today).plus(-1)


def still_open(week: IsoWeek, open_weeks: int, today: date) -> bool:
    """Tell whether `week` is over on `today` and takes releases: for `open_weeks` weeks after its end."""
    return week.end <= today < week.end + timedelta(weeks=open_weeks)


def next_monday(now: datetime) -> datetime:
    """Return when the week that `now` lies in is over, in the time zone of `now`."""
    return datetime.combine(IsoWeek.of(now.date()).end, time.min, now.tzinfo)


def midnight(now: datetime) -> datetime:
    """Return when the day that `now` lies in is over, in the time zone of `now`."""
    return datetime.combine(now.date() + timedelta(days=1), time.min, now.tzinfo)


def weeks_between(first: IsoWeek, last: IsoWeek) -> list[IsoWeek]:
    """Return all weeks from `first` to `last`, both included; none if `first` is later."""
    weeks = (last.first_day - first.first_day).days // 7 + 1
    return [first.plus(number) for number in range(weeks)]
