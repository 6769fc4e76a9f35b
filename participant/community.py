"""What the coordinator published about everyone: the top list and the trends. Untrusted input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

from shared.files import read_regular_file
from shared.week import IsoWeek

TOP_FILE: Final = "most_common_show.json"
TRENDS_FILE: Final = "trends.json"
MAX_BYTES: Final = 20_000_000
MOST: Final = 10_000
"""Of shows, and of weeks: more are refused."""
DIRECTIONS: Final = ("rising", "falling", "steady", "new")

_LONGEST_NAME: Final = 500
_LARGEST: Final = 1e9
_YEARS: Final = (2007, 2099)  # of streaming, and of the apps


@dataclass(frozen=True)
class Ranked:
    """A show in the top list of one week."""

    name: str
    rank: int
    estimate: float
    interval95: tuple[float, float]
    share: float


@dataclass(frozen=True)
class Top:
    """The community's top list of one week."""

    week: IsoWeek
    participants: int
    conclusive: bool
    ranking: tuple[Ranked, ...]
    """Best first; empty where the week is withheld."""


@dataclass(frozen=True)
class Trend:
    """A show of the community's charts through the weeks."""

    name: str
    direction: str | None
    """`rising`, `falling`, `steady` or `new`; None where nothing can be said."""
    shares: dict[IsoWeek, float]
    """Estimated share of the participants by week: noised, so it may be a little below 0."""


@dataclass(frozen=True)
class Community:
    """What is known of everyone; `notes` says in a line each what is not."""

    top: Top | None
    trends: tuple[Trend, ...]
    """Every show that was ever in a chart."""
    notes: tuple[str, ...]


_Part = TypeVar("_Part")


def read_community(results: Path, coordinator: str) -> Community:
    """Return what a coordinator's public folder says; a part that is missing or not as expected is a note."""
    notes: list[str] = []
    waits: list[str] = []

    def read(name: str, parse: Callable[[Any], _Part]) -> _Part | None:
        try:
            return parse(_load(read_regular_file(results / name, MAX_BYTES)))
        except FileNotFoundError:
            waits.append(name)
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            notes.append(f"{name} of {coordinator} cannot be used: that part is left out. Ask them to look at it")
        return None

    top, trends = read(TOP_FILE, _top), read(TRENDS_FILE, _trends)
    if waits:
        notes.insert(0, f"{' and '.join(waits)} of {coordinator} have not arrived yet: SyftBox brings them")
    return Community(top, trends or (), tuple(notes))


def _load(data: bytes) -> Any:
    def refuse(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number")

    return json.loads(data, parse_constant=refuse)


def _top(found: Any) -> Top:
    _check(found["schema"] == "netflix-trend/most-common-show/1")
    ranking = tuple(
        Ranked(
            _name(show["show"]),
            _whole(show["rank"]),
            _number(show["estimate"]),
            (_number(show["interval95"][0]), _number(show["interval95"][1])),
            _number(show["share"]),
        )
        for show in _list(found["ranking"])
    )
    return Top(
        _week(found["week"]),
        _whole(found["participants"]),
        found["conclusive"] is True,
        tuple(sorted(ranking, key=_rank)),
    )


def _trends(found: Any) -> tuple[Trend, ...]:
    _check(found["schema"] == "netflix-trend/trends/1")
    return tuple(
        Trend(
            _name(show["show"]),
            show["direction"] if show["direction"] in DIRECTIONS else None,
            {_week(week["week"]): _number(week["share"]) for week in _list(show["weeks"])},
        )
        for show in _list(found["shows"])
    )


def _rank(show: Ranked) -> int:
    return show.rank


def _week(value: Any) -> IsoWeek:
    week = IsoWeek.parse(value)
    _check(_YEARS[0] <= week.year <= _YEARS[1])
    return week


def _check(right: object) -> None:
    if not right:
        raise ValueError("not as expected")


def _list(value: Any) -> list[Any]:
    _check(isinstance(value, list) and len(value) <= MOST)
    found: list[Any] = value
    return found


def _name(value: Any) -> str:
    _check(isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME)
    value.encode()  # a lone surrogate is no text: UnicodeEncodeError is a ValueError
    return str(value)


def _number(value: Any) -> float:
    _check(type(value) in (int, float) and abs(value) <= _LARGEST)  # neither does NaN pass
    return float(value)


def _whole(value: Any) -> int:
    _check(type(value) is int and 0 <= value <= _LARGEST)
    return int(value)
