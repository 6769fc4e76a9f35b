"""Me beside the community: computed on this machine from the private history and the coordinator's published results.

Private: it is written to the app's private folder alone, and nothing of it is ever published.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, Literal

import pandas as pd

from participant.age import Age, age_of
from participant.app import ledger_path, read_history_of, time_zone
from participant.community import Community, Ranked, Trend, read_community
from participant.full_history import read_full_history
from participant.ledger import Ledger, read_ledger
from participant.settings import Settings
from participant.terms import read_terms
from participant.viewing import MyShow, MyWeek, Viewing, viewing_of
from shared.catalogue import Catalogue, bundled_catalogue, parse_catalogue
from shared.errors import HistoryError, NetflixTrendError
from shared.show import show_key
from shared.week import IsoWeek, weeks_between
from shared.workspace import Workspace

MY_WEEKS: Final = 26
"""So many weeks of mine are shown."""
RECENT: Final = 8
"""What was watched in so many weeks, the top list's the last of them, is followed."""
TREND_WEEKS: Final = 12
CHART: Final = 10

Standing = Literal["follow", "earlier", "missed"]


@dataclass(frozen=True)
class Listed:
    """A show of the community's top list, and I."""

    ranked: Ranked
    direction: str | None
    mine: int | None
    """My views of it in that week; None where my export does not know that week in full."""
    recent: int
    """My views of it in the last `RECENT` weeks."""
    last: IsoWeek | None
    """When I last watched it."""

    @property
    def standing(self) -> Standing:
        """Whether I follow it, did earlier, or missed it."""
        if self.recent:
            return "follow"
        return "earlier" if self.last else "missed"


@dataclass(frozen=True)
class Line:
    """A show of the community's trend, through the weeks, with mine."""

    trend: Trend
    shares: tuple[float | None, ...]
    """The community's, for each of the report's trend weeks; None where it was not counted."""
    mine: tuple[int, ...]


@dataclass(frozen=True)
class Beside:
    """A show I watched in the week of the top list, and the community's figures of it."""

    name: str
    views: int
    rank: int | None
    direction: str | None


@dataclass(frozen=True)
class Report:
    """Everything the report shows, as values."""

    email: str
    made_at: datetime
    age: Age
    weeks: tuple[MyWeek, ...]
    """Mine, oldest first."""
    favourites: tuple[MyShow, ...]
    """Of these weeks, most viewed first."""
    top_week: IsoWeek | None
    conclusive: bool
    participants: int
    listed: tuple[Listed, ...]
    only_mine: tuple[MyShow, ...]
    """Watched of late, and in none of the community's charts; most viewed first."""
    beside: tuple[Beside, ...]
    """My shows of the top list's week, most viewed first."""
    trend_weeks: tuple[IsoWeek, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    """What is missing, and why."""

    @property
    def since(self) -> IsoWeek | None:
        """The first of the weeks in which what I watched counts as recent."""
        return self.top_week.plus(1 - RECENT) if self.top_week else None

    def of(self, standing: Standing) -> tuple[Listed, ...]:
        """Return the shows of the top list that stand so."""
        return tuple(each for each in self.listed if each.standing == standing)


def make_report(workspace: Workspace, settings: Settings, now: datetime, home: Path) -> Report:
    """Return the report of the participant of a workspace. Nothing is written, spent or published.

    Raises: HistoryError if there is no readable export and none was kept. What the coordinator has not published, or
    published broken, is left out with a note.
    """
    with read_ledger(ledger_path(workspace)) as ledger:
        now = now.astimezone(time_zone(settings, ledger))
        views, made, notes = _my_history(workspace, settings, ledger, home)
    if not settings.aggregator:
        community = Community(None, (), ("there is no coordinator: the report has your part alone",))
        catalogue = parse_catalogue(bundled_catalogue())
    else:
        community = read_community(workspace.results(settings.aggregator), settings.aggregator)
        catalogue = _catalogue(workspace, settings.aggregator)
    community = dataclasses.replace(community, notes=(*notes, *community.notes))
    return compare(workspace.email, viewing_of(views, made, catalogue), age_of(made, now.date()), community, now)


def _my_history(
    workspace: Workspace, settings: Settings, ledger: Ledger, home: Path
) -> tuple[pd.DataFrame, date, tuple[str, ...]]:
    """Return my views, up to which day they are known, and a note where the export is gone and the kept ones stand in.

    Of those it is not known when they were exported: up to the last view.
    """
    try:
        history = read_history_of(settings, ledger, home)
    except HistoryError as error:
        kept = read_full_history(workspace)
        if kept is None or kept.empty:
            raise
        return kept, kept["date"].max().date(), (f"{error}. Shown is what the app kept of your last export",)
    return history.views, history.made, ()


def compare(email: str, viewing: Viewing, age: Age, community: Community, now: datetime) -> Report:
    """Return the report on one person's viewing beside a community."""
    top = community.top
    charted = {show_key(trend.name): trend for trend in community.trends}
    week = top.week if top else None
    since = (week or IsoWeek.of(now.date())).plus(1 - RECENT)
    listed = [_listed(ranked, viewing, charted, week, since) for ranked in (top.ranking if top else ())[:CHART]]
    known = charted.keys() | {show_key(each.ranked.name) for each in listed}
    recent = [(key, show) for key, show in viewing.shows.items() if show.since(since)]
    weeks = viewing.weeks[-MY_WEEKS:]
    first = weeks[0].week if weeks else since
    trend_weeks = _trend_weeks(community.trends)
    return Report(
        email=email,
        made_at=now,
        age=age,
        weeks=weeks,
        favourites=tuple(_most_viewed([show for show in viewing.shows.values() if show.since(first)], first)),
        top_week=week,
        conclusive=bool(top and top.conclusive),
        participants=top.participants if top else 0,
        listed=tuple(listed),
        only_mine=tuple(_most_viewed([show for key, show in recent if key not in known], since)) if known else (),
        beside=_beside(viewing, charted, {show_key(each.ranked.name): each for each in listed}, week) if known else (),
        trend_weeks=trend_weeks,
        lines=_lines(viewing, community, trend_weeks),
        notes=(*community.notes, *_withheld(community)),
    )


def _listed(
    ranked: Ranked, viewing: Viewing, charted: dict[str, Trend], week: IsoWeek | None, since: IsoWeek
) -> Listed:
    show, trend = viewing.show(ranked.name), charted.get(show_key(ranked.name))
    mine = viewing.week(week) if week else None
    return Listed(
        ranked,
        trend.direction if trend else None,
        (show.weeks.get(week, 0) if show else 0) if week and mine and mine.complete else None,
        show.since(since) if show else 0,
        max(show.weeks) if show else None,
    )


def _beside(
    viewing: Viewing, charted: dict[str, Trend], listed: dict[str, Listed], week: IsoWeek | None
) -> tuple[Beside, ...]:
    if week is None:
        return ()
    found = [
        Beside(
            show.name,
            show.weeks[week],
            listed[key].ranked.rank if key in listed else None,
            charted[key].direction if key in charted else None,
        )
        for key, show in viewing.shows.items()
        if week in show.weeks
    ]
    return tuple(sorted(found, key=lambda each: (-each.views, each.name))[: 2 * CHART])


def _most_viewed(shows: list[MyShow], since: IsoWeek) -> list[MyShow]:
    return sorted(shows, key=lambda show: (-show.since(since), show.name))[:CHART]


def _trend_weeks(trends: tuple[Trend, ...]) -> tuple[IsoWeek, ...]:
    """Return the last weeks that any show has a figure of, without gaps."""
    published = {week for trend in trends for week in trend.shares}
    return tuple(weeks_between(max(published).plus(1 - TREND_WEEKS), max(published))) if published else ()


def _lines(viewing: Viewing, community: Community, weeks: tuple[IsoWeek, ...]) -> tuple[Line, ...]:
    """Return the leading shows of the last week through the weeks."""
    if not weeks:
        return ()
    leading = sorted(community.trends, key=lambda trend: (-trend.shares.get(weeks[-1], -1.0), trend.name))[:CHART]
    return tuple(
        Line(
            trend,
            tuple(trend.shares.get(week) for week in weeks),
            tuple(show.weeks.get(week, 0) if (show := viewing.show(trend.name)) else 0 for week in weeks),
        )
        for trend in leading
    )


def _withheld(community: Community) -> list[str]:
    if community.top and not community.top.ranking:
        return [f"the top list of {community.top.week} is withheld: too few took part, or it is not measured yet"]
    return []


def _catalogue(workspace: Workspace, coordinator: str) -> Catalogue:
    """Return the coordinator's catalogue, the bundled one until a sound one has arrived: it names shows alike."""
    try:
        return read_terms(workspace, coordinator)[1]
    except NetflixTrendError:
        return parse_catalogue(bundled_catalogue())
