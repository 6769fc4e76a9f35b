"""What was released so far and what it cost: the ledger, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from participant.age import Age, age_of
from participant.app import WITHDRAWN, time_zone
from participant.exports import exports_made, find_exports
from participant.ledger import Draw, Ledger
from participant.settings import Settings
from participant.terms import check_offered_by_both, read_terms
from shared.errors import NetflixTrendError
from shared.promise import SUBJECT, odds
from shared.study import Study, Unit
from shared.wording import amount
from shared.workspace import RELEASE_FILE, SHARE_SUFFIX, Workspace


@dataclass(frozen=True)
class Standing:
    """Where a participant stands."""

    datasite: str
    aggregator: str
    """Empty after a withdrawal."""
    draws: list[Draw]
    """By week; a week that another device published too has two."""
    studies: dict[str, Study]
    spent: float
    """Epsilon of all draws: what a unit that lies in every one of the weeks has lost."""
    limit: float
    published: str | None
    """The path of the release file, or of the latest report for two coordinators, if there is one."""
    withdrawn: bool

    note: str | None = None
    """What is the matter with the exports, if anything is."""

    def lines(self) -> Iterator[str]:
        """Yield the standing for people."""
        yield self.head()
        for week, epsilon, unit, study, adopted in self.rows():
            yield f"  {week}  epsilon {epsilon} per {unit}  study {study}{f'  {adopted}' if adopted else ''}"
        yield from self.sums()
        if self.note:
            yield self.note

    def head(self) -> str:
        """Return who takes part, and with whom."""
        return f"{self.datasite}, " + (f"coordinator {self.aggregator}" if self.aggregator else "withdrawn")

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Yield week, epsilon, unit, study and origin of each draw."""
        for draw in self.draws:
            study = self.studies[draw.study]
            adopted = "published elsewhere, kept and charged" if draw.origin == "adopted" else ""
            yield str(draw.week), f"{study.epsilon:g}", study.unit, study.id[:8], adopted

    def sums(self) -> Iterator[str]:
        """Yield what all of it costs together."""
        weeks = Counter(draw.week for draw in self.draws)
        yield f"{amount(len(weeks), 'week')} released; published: {self.published or 'nothing'}"
        yield f"epsilon {self.spent:g} of your limit {self.limit:g} is spent"
        for epsilon, unit, number in self._by_terms():
            once, always = odds(epsilon), odds(number * epsilon)
            line = f"the odds of a guess about you shift at most: {SUBJECT[unit]} in one week at epsilon {epsilon:g}, "
            line += f"{once} times" + (f"; in all {number} of these weeks, {always} times" if number > 1 else "")
            yield line + ("" if unit == "week" else f"; five shows of one week, {odds(5 * epsilon)} times")
        for week, number in weeks.items():
            if number > 1:
                yield f"{week} was published {number} times with different noise: its costs add up"

    def _by_terms(self) -> list[tuple[float, Unit, int]]:
        terms = sorted((self.studies[draw.study].epsilon, self.studies[draw.study].unit) for draw in self.draws)
        return [(epsilon, unit, len(list(same))) for (epsilon, unit), same in groupby(terms)]

    def to_json(self) -> dict[str, Any]:
        """Return the standing for scripts."""
        return {
            "datasite": self.datasite,
            "aggregator": self.aggregator,
            "released": [
                {
                    "week": str(draw.week),
                    "study": draw.study,
                    "unit": self.studies[draw.study].unit,
                    "epsilon": self.studies[draw.study].epsilon,
                    "origin": draw.origin,
                }
                for draw in self.draws
            ],
            "epsilon_spent": self.spent,
            "max_epsilon_total": self.limit,
            "published": self.published,
            "withdrawn": self.withdrawn,
        }


def standing(workspace: Workspace, settings: Settings, ledger: Ledger, note: str | None = None) -> Standing:
    """Return where the participant stands."""
    folder, shares = workspace.api_data(workspace.email), workspace.shares(workspace.email)
    published = [
        path for path in (folder / RELEASE_FILE, *sorted(shares.glob(f"*{SHARE_SUFFIX}"))[-1:]) if path.exists()
    ]
    return Standing(
        workspace.email,
        settings.aggregator,
        sorted(ledger.draws(), key=lambda draw: draw.week),
        ledger.studies(),
        ledger.spent(),
        settings.max_epsilon_total,
        str(published[-1]) if published else None,
        bool(ledger.fact(WITHDRAWN)),
        note,
    )


def export_age(settings: Settings, ledger: Ledger, now: datetime, home: Path) -> Age:
    """Return how old the exports are. Reads no title.

    Raises: NetflixTrendError if one cannot be read, or there is none.
    """
    zone = time_zone(settings, ledger)
    made = exports_made(find_exports(settings.history, home, settings.profile), zone)
    return age_of(made, now.astimezone(zone).date())


def export_note(settings: Settings, ledger: Ledger, now: datetime, home: Path) -> str | None:
    """Return what to do where the exports have grown old or are not there; None if all is well."""
    try:
        return export_age(settings, ledger, now, home).line
    except NetflixTrendError as error:
        return str(error)


def study_note(workspace: Workspace, settings: Settings) -> str | None:
    """Return what the app waits for or cannot use of the coordinator's study; None if all is well."""
    try:
        study, _ = read_terms(workspace, settings.aggregator)
        settings.check_limits(study)
        check_offered_by_both(workspace, study, settings.aggregator)
    except NetflixTrendError as error:
        return str(error)
    return None
