"""The report as a page of its own: every text escaped, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from participant.report import RECENT, Line, Report
from participant.viewing import BINGE
from shared.errors import FilesError
from shared.files import write_atomically
from shared.screen import printable
from shared.week import IsoWeek
from shared.wording import DOWNLOAD_PAGE
from shared.workspace import PARTICIPANT_APP, REPORT_FILE, Workspace

_WIDTH, _HEIGHT, _GAP = 640.0, 120.0, 3.0
_SPARK: Final = (220.0, 44.0)
_MARGIN: Final = 5.0


@dataclass(frozen=True)
class Bar:
    """A rectangle of a chart, in its coordinates."""

    x: float
    y: float
    width: float
    height: float


def render_report(report: Report) -> str:
    """Return the HTML of the report."""
    pages = Environment(loader=PackageLoader("participant", "assets"), autoescape=True, undefined=StrictUndefined)
    pages.filters["week_dates"] = week_dates
    pages.filters["percent"] = percent
    pages.filters["shown"] = printable
    pages.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
    return pages.get_template("report.html").render(
        report=report,
        binge=BINGE,
        recent=RECENT,
        download_page=DOWNLOAD_PAGE,
        chart=(_WIDTH, _HEIGHT),
        bars=list(zip(report.weeks, bars([week.views for week in report.weeks]), strict=True)),
        spark=_SPARK,
        sparks=[(line, spark(line), dots(line)) for line in report.lines],
    )


def write_report(workspace: Workspace, page: str) -> Path:
    """Write the page into the app's private folder, readable by its owner alone, and return where it is.

    Raises: FilesError if that folder leads into the synced tree, or the machine refuses.
    """
    folder = workspace.private(PARTICIPANT_APP)
    if folder.resolve().is_relative_to(workspace.datasites.resolve()):
        raise FilesError(f"{folder} leads into {workspace.datasites}, which is synced: nothing was written; mend that")
    path = folder / REPORT_FILE
    write_atomically(path, page.encode(), private=True)
    return path


def bars(values: Sequence[int]) -> list[Bar]:
    """Return a bar for each value, the highest as high as the chart.

    >>> bars([0, 2])[1].height == _HEIGHT, bars([0])
    (True, [Bar(x=0.0, y=120.0, width=637.0, height=0.0)])
    """
    step, highest = _WIDTH / max(len(values), 1), max([1, *values])
    heights = [round(_HEIGHT * value / highest, 1) for value in values]
    return [
        Bar(round(place * step, 1), round(_HEIGHT - height, 1), round(step - _GAP, 1), height)
        for place, height in enumerate(heights)
    ]


def spark(line: Line) -> list[str]:
    """Return the community's share of a show as polylines from 0 to its highest, broken where it was not counted."""
    highest = max((share for share in line.shares if share is not None), default=0.0)
    runs: list[list[str]] = [[]]
    for place, share in enumerate(line.shares):
        if share is None:
            runs.append([])
            continue
        height = max(0.0, min(1.0, share / highest)) if highest > 0 else 0.0
        y = _SPARK[1] - _MARGIN - height * (_SPARK[1] - 4 * _MARGIN)
        runs[-1].append(f"{_across(place, len(line.shares)):.1f},{y:.1f}")
    return [" ".join(run if len(run) > 1 else run * 2) for run in runs if run]  # a point alone is drawn as a dot


def dots(line: Line) -> list[float]:
    """Return where the weeks stand in which I watched it."""
    return [round(_across(place, len(line.mine)), 1) for place, views in enumerate(line.mine) if views]


def _across(place: int, number: int) -> float:
    return _MARGIN + place * (_SPARK[0] - 2 * _MARGIN) / max(number - 1, 1)


def percent(share: float) -> str:
    """Return a share as people write it.

    >>> percent(0.125), percent(-0.001)
    ('12 %', '0 %')
    """
    return f"{100 * max(share, 0):.0f} %"


def week_dates(week: IsoWeek) -> str:
    """Return the days of a week.

    >>> week_dates(IsoWeek(2024, 47))
    '18 to 24 November 2024'
    """
    first, last = week.first_day, week.last_day
    month = "" if first.month == last.month else f" {first:%B}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day}{month}{year} to {last.day} {last:%B %Y}"
