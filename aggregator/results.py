"""From estimates to the published documents: JSON, CSV, the feed and the page. Pure: no file and no clock."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from aggregator.combine import Estimates
from aggregator.feed import Item, render_feed
from aggregator.rank import CHART, chart_history, leading, most_common, trends
from aggregator.shrink import Shrunken, shrink
from aggregator.site import render_page
from shared.catalogue import Catalogue
from shared.promise import ANYONE, promise
from shared.study import Study
from shared.week import IsoWeek
from shared.wording import too_few

TOP_SCHEMA: Final = "netflix-trend/most-common-show/1"
TRENDS_SCHEMA: Final = "netflix-trend/trends/1"
CSV_HEADER: Final = ("week", "participants", "show", "kind", "estimate", "low", "high", "share", "rank", "shrunken")

_SHOWN: Final = ("estimate", "interval95", "share", "shrunken", "shrunken_interval95")  # of the most common show

Document = dict[str, Any]


@dataclass(frozen=True)
class Week:
    """A closed week as it is published; withheld if it has no estimates."""

    week: IsoWeek
    participants: int
    final: bool
    estimates: Estimates | None
    study: Study
    """Of the studies that its releases were made under, the one that promised least."""
    min_participants: int
    reason: str | None = None
    """Why it is withheld, where it is not for want of participants."""


@dataclass(frozen=True)
class Results:
    """All that is published, before it becomes files."""

    catalogue: Catalogue
    weeks: Sequence[Week]
    """Every closed week from the first with a release, in time order; at least one."""
    rejected: Counter[str]
    """How many release files do not count, by reason."""
    flagged: int
    """How many participants count whose open weeks are outside what honest noise gives."""
    community: UUID
    """What tells this community's feed from others'."""

    def files(self, generated_at: datetime) -> dict[str, bytes]:
        """Return the bytes of every result file by name, in the order in which they are to be written."""
        made = {"generated_at": generated_at.isoformat(timespec="seconds")}
        documents = {name: document | made for name, document in self.documents.items()}
        files = {name: json.dumps(document, indent=2, ensure_ascii=False) for name, document in documents.items()}
        files["trends.csv"] = self.table()
        files["feed.xml"] = render_feed(self.community, self._items(documents, generated_at), generated_at)
        files["index.html"] = render_page(documents, self.shown.study, self.rejected)
        return {name: text.encode() + b"\n" * (name.endswith("json")) for name, text in files.items()}

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The JSON documents by file name, without the time at which they were made."""
        weeks = {f"weeks/{week.week}.json": self.top_of(week) for week in self.weeks}
        shown = weeks[f"weeks/{self.shown.week}.json"]
        return {**weeks, "most_common_show.json": shown, "trends.json": self.trends()}

    @cached_property
    def shrunken(self) -> dict[IsoWeek, Shrunken]:
        """The shrunken figures of every published week, in time order."""
        return {week.week.week: week for week in shrink(week.estimates for week in self.weeks if week.estimates)}

    @property
    def shown(self) -> Week:
        """The week that "this week" means: the latest closed one with enough participants, else the latest closed."""
        return next((week for week in reversed(self.weeks) if week.estimates), self.weeks[-1])

    def top_of(self, week: Week) -> Document:
        """Return the document of one week: its most common show, how sure that is, and the ten leading shows."""
        document = {
            **self._head(TOP_SCHEMA, week.study),
            "week": str(week.week),
            "from": week.week.first_day.isoformat(),
            "to": week.week.last_day.isoformat(),
            "participants": week.participants,
            "final": week.final,
            "withheld": week.estimates is None,
            "reason": None,
            **dict.fromkeys(("show", *_SHOWN, "confidence", "conclusive")),
            "candidates": [],
            "ranking": [],
        }
        if week.estimates is None:
            document["reason"] = week.reason or too_few(week.participants, week.min_participants)
            return document
        shrunken = self.shrunken[week.week]
        top = most_common(shrunken)
        figures = self._figures(shrunken, top.row)
        return document | {
            "show": self.catalogue.shows[top.row].name,
            **{name: figures[name] for name in _SHOWN},
            "confidence": round(top.confidence, 4),
            "conclusive": top.conclusive,
            "candidates": [self.catalogue.shows[row].name for row in top.candidates],
            "ranking": [self._named(row) | self._figures(shrunken, row) for row in leading(shrunken)],
        }

    def trends(self) -> Document:
        """Return the document of the trends: participants a week, and the leading shows through the weeks."""
        published = list(self.shrunken.values())
        history = chart_history(published)
        changes = {trend.row: trend for trend in trends(published)}
        shows = []
        for row in sorted(history, key=lambda row: (-published[-1].ranked[row], row)):
            number, peak = history[row]
            trend = changes.get(row)
            shows.append(
                self._named(row)
                | {
                    "change": _rounded(trend.change, 5) if trend else None,
                    "change_interval95": [_rounded(end, 5) for end in trend.interval95] if trend else None,
                    "direction": trend.direction if trend else None,
                    "rank_change": trend.rank_change if trend else None,
                    "re_entry": trend.re_entry if trend else None,
                    "weeks_on_chart": number,
                    "peak_rank": peak,
                    "weeks": [
                        {"week": str(week.week.week), **self._figures(week, row)}
                        for week in published
                        if week.week.counted[row]
                    ],
                }
            )
        return {
            **self._head(TRENDS_SCHEMA, max((week.study for week in self.weeks), key=lambda study: study.epsilon)),
            "chart": CHART,
            "flagged": self.flagged,
            "weeks": [
                {
                    "week": str(week.week),
                    "participants": week.participants,
                    "final": week.final,
                    "withheld": week.estimates is None,
                }
                for week in self.weeks
            ],
            "shows": shows,
        }

    def table(self) -> str:
        """Return the figures of the trends as CSV, one line for each week and leading show."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        participants = {str(week.week): week.participants for week in self.weeks}
        for show in self.documents["trends.json"]["shows"]:
            for week in show["weeks"]:
                low, high = week["interval95"]
                figures = (week["estimate"], low, high, week["share"], week["rank"], week["shrunken"])
                writer.writerow([week["week"], participants[week["week"]], _cell(show["show"]), show["kind"], *figures])
        return text.getvalue()

    def _items(self, documents: Mapping[str, Document], generated_at: datetime) -> list[Item]:
        """Return the weeks that the feed tells of, the latest first: the one shown, and those that stay as they are."""
        told = [week for week in reversed(self.weeks) if week.estimates and (week.final or week is self.shown)]
        return [
            Item(
                documents[f"weeks/{week.week}.json"],
                min(_midnight(week.week.plus(week.study.open_weeks)), generated_at) if week.final else generated_at,
            )
            for week in told
        ]

    @staticmethod
    def _head(schema: str, study: Study) -> Document:
        """Return what every result begins with: schema, study and privacy terms, in figures and in words."""
        return {
            "schema": schema,
            "generated_at": None,
            "study": study.id,
            "privacy": {
                "unit": study.unit,
                "epsilon": study.epsilon,
                "mechanism": study.mechanism,
                "trust": study.trust,
                "min_participants": study.min_participants,
                "words": promise(study, ANYONE),
            },
            "counts": "viewers" if study.max_views_per_show == 1 else "views",
        }

    def _named(self, row: int) -> Document:
        show = self.catalogue.shows[row]
        return {"show": show.name, "kind": show.kind}

    def _figures(self, shrunken: Shrunken, row: int) -> Document:
        week, credible = shrunken.week, shrunken.interval95
        low, high = week.interval95
        return {
            "estimate": _rounded(week.estimate[row], 2),
            "interval95": [_rounded(low[row], 2), _rounded(high[row], 2)],
            "share": _rounded(week.share[row], 5),
            "shrunken": _rounded(shrunken.estimate[row], 2),
            "shrunken_interval95": [_rounded(end[row], 2) for end in credible],
            "rank": int(shrunken.rank[row]),
        }


def _midnight(week: IsoWeek) -> datetime:
    """Return when a week is over."""
    return datetime.combine(week.end, time.min, UTC)


def _cell(text: str) -> str:
    """Return a text that no spreadsheet program takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


def _rounded(value: float, digits: int) -> float:
    """Return the value rounded, and never a negative zero."""
    return round(float(value), digits) + 0.0
