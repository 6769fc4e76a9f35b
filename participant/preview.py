"""What the next pass would release and what that would cost, before anything is spent. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from participant.age import age_of
from participant.app import affordable_weeks, check_part, due_weeks, ledger_path, read_history_of, time_zone
from participant.bound import bound_counts
from participant.ledger import read_ledger
from participant.reduce import count_views
from participant.settings import Settings
from participant.terms import check_offered_by_both, read_terms
from shared.errors import LimitReached, NetflixTrendError
from shared.promise import SUBJECT, odds, terms_in_words
from shared.study import Study
from shared.week import IsoWeek
from shared.wording import amount
from shared.workspace import Workspace


@dataclass(frozen=True)
class ShowCount:
    """One show of one week: how often it was viewed, and what of it would count. Exact and private."""

    show: str
    views: int
    count: int


@dataclass(frozen=True)
class Preview:
    """What the next pass would do. Private: for the screen of the participant alone."""

    study: Study
    weeks: dict[IsoWeek, list[ShowCount]]
    """The weeks that would be released, oldest first, and what of each would be protected."""
    spent: float
    """Epsilon of all that was released so far."""
    limit: float
    """`max_epsilon_total` of the settings."""
    outside: int
    """Views of these weeks whose shows the catalogue does not have: they count nowhere."""
    obstacle: str | None
    """Why nothing would be released now, or not all of it."""
    doubt: str | None = None
    """What speaks against releasing these weeks."""

    @property
    def cost(self) -> float:
        """Epsilon that these weeks would cost together."""
        return len(self.weeks) * self.study.epsilon

    def lines(self) -> Iterator[str]:
        """Yield the preview for people."""
        yield from self.promises()
        yield ""
        yield from self.outlook()
        yield from self.warnings()
        if self.weeks:
            yield ""
            yield "What would be protected: your exact counts, private, on this screen only."
        for week, shows in self.weeks.items():
            if not shows:
                yield f"  {week}  nothing that counts"
            for show in shows:
                yield f"  {week}  {show.show}: {amount(show.views, 'view')}, counted {show.count}"
        yield from self.outside_lines()

    def warnings(self) -> Iterator[str]:
        """Yield what stands in the way, and what speaks against it."""
        if self.obstacle:
            yield f"But: {self.obstacle}"
        if self.weeks and self.doubt:
            yield f"Check: {self.doubt}"

    def promises(self) -> list[str]:
        """Return the study's terms in words."""
        return terms_in_words(self.study)

    def outlook(self) -> Iterator[str]:
        """Yield what the next pass would release, and what that would cost."""
        if not self.weeks:
            yield f"The next pass would release nothing new; {self.spent:g} of your limit {self.limit:g} are spent."
            return
        first, *_ = self.weeks
        *_, last = self.weeks
        weeks = f"{len(self.weeks)} weeks, {first} to {last}, each" if first != last else f"1 week, {first},"
        yield (
            f"The next pass would release {weeks} over all {self.study.catalogue_rows:,} shows of the catalogue, "
            f"watched or not."
        )
        yield (
            f"It costs epsilon {self.cost:g} ({len(self.weeks)} x {self.study.epsilon:g}); {self.spent:g} are "
            f"spent so far, {self.spent + self.cost:g} of your limit {self.limit:g} afterwards."
        )
        of_all = f", in all {len(self.weeks)} of them {odds(self.cost)}" if len(self.weeks) > 1 else ""
        yield (
            f"In odds, at most: {SUBJECT[self.study.unit]} in one of these weeks {odds(self.study.epsilon)} times"
            f"{of_all}."
        )

    def outside_lines(self) -> Iterator[str]:
        """Yield how many views count nowhere, if any."""
        if self.outside:
            views = amount(self.outside, "view")
            yield f"  of shows that the catalogue does not have, and not counted: {views} of these weeks."

    def to_json(self) -> dict[str, Any]:
        """Return the preview for scripts."""
        return {
            "study": self.study.id,
            "terms": terms_in_words(self.study),
            "shows": self.study.catalogue_rows,
            "epsilon_per_week": self.study.epsilon,
            "epsilon_now": self.cost,
            "epsilon_spent": self.spent,
            "max_epsilon_total": self.limit,
            "obstacle": self.obstacle,
            "doubt": self.doubt,
            "not_in_catalogue": self.outside,
            "weeks": {str(week): [vars(show) for show in shows] for week, shows in self.weeks.items()},
        }


def preview(workspace: Workspace, settings: Settings, now: datetime, home: Path) -> Preview:
    """Return what the next pass would do with these settings. `now` carries a time zone; `home` is where Downloads is.

    Raises: NetflixTrendError where there is nothing to say: no study, no readable export.
    """
    with read_ledger(ledger_path(workspace)) as ledger:
        now = now.astimezone(time_zone(settings, ledger))
        if not settings.aggregator:
            check_part(workspace, settings, ledger)
        study, catalogue = read_terms(workspace, settings.aggregator)
        history = read_history_of(settings, ledger, home)
        due = due_weeks(ledger, study, history.made, now.date())
        within = affordable_weeks(ledger, settings, study)
        obstacle = None
        try:
            check_part(workspace, settings, ledger)
            settings.check_limits(study)
            check_offered_by_both(workspace, study, settings.aggregator)
            if len(due) > within:
                raise LimitReached(
                    f"only {within} of these weeks are within your limit max_epsilon_total = "
                    f"{settings.max_epsilon_total:g}; raise it in settings.toml to release the others"
                )
        except NetflixTrendError as error:
            obstacle = str(error)
        if not due and obstacle is None:
            obstacle = age_of(history.made, now.date()).line
        counts = count_views(history.views, catalogue)
        weeks = {}
        for week in due:
            views = counts.get(week, {})
            bounded = bound_counts(views, study)
            rows = sorted(views, key=lambda row: (-views[row], row))
            weeks[week] = [ShowCount(catalogue.shows[row].name, views[row], int(bounded[row])) for row in rows]
        of_weeks = history.views["date"].map(lambda day: IsoWeek.of(day.date()) in weeks).sum() if due else 0
        outside = int(of_weeks) - sum(show.views for shows in weeks.values() for show in shows)
        return Preview(study, weeks, ledger.spent(), settings.max_epsilon_total, outside, obstacle, history.silence)
