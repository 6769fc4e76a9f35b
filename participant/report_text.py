"""The report on a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console

from participant.report import RECENT, Listed, Report
from participant.report_page import percent, week_dates
from participant.viewing import BINGE
from shared.screen import Column, print_lines, print_table

_BAR: Final = 24
_LAST: Final = 12


def print_report(console: Console, report: Report) -> None:
    """Print the report: my weeks, the top list and I, my week beside it, the trend."""
    if report.age.line:
        print_lines(console, [report.age.line], "yellow")
    print_lines(console, report.notes, "yellow")
    _print_weeks(console, report)
    if report.top_week and report.listed:
        _print_list(console, report)
        columns = (Column("what I watched"), Column("my views", number=True), Column("rank", number=True), Column(""))
        rows = [(each.name, each.views, each.rank or "-", each.direction or "") for each in report.beside]
        print_table(console, columns, rows, f"My {report.top_week} beside the community")
    if report.trend_weeks:
        columns = (Column("show"), Column("share", number=True, style="cyan"), Column("trend"), Column("my weeks"))
        trends = [
            (
                line.trend.name,
                percent(line.shares[-1] or 0.0),
                line.trend.direction or "",
                "".join("#" if views else "." for views in line.mine),
            )
            for line in report.lines
        ]
        print_table(
            console, columns, trends, f"The community's trend, {report.trend_weeks[0]} to {report.trend_weeks[-1]}"
        )


def _print_weeks(console: Console, report: Report) -> None:
    most = max((week.views for week in report.weeks), default=0)
    columns = (
        Column("week"),
        Column("views", number=True),
        Column("shows", number=True),
        Column("binges", number=True),
        Column("", style="red"),
    )
    rows = [
        (
            f"{week.week}{'' if week.complete else ' so far'}",
            week.views,
            week.shows,
            week.binges,
            "#" * round(_BAR * week.views / most) if most else "",
        )
        for week in report.weeks[-_LAST:]
    ]
    print_table(console, columns, rows, f"My weeks (a binge: {BINGE} views of one show on a day)")
    if report.favourites:
        since = report.weeks[0].week
        names = ", ".join(f"{show.name} ({show.since(since)})" for show in report.favourites)
        print_lines(console, [f"most watched since {since}: {names}"])


def _print_list(console: Console, report: Report) -> None:
    columns = (
        Column("rank", number=True),
        Column("show"),
        Column("share", number=True, style="cyan"),
        Column("trend"),
        Column("I"),
    )
    rows = [
        (each.ranked.rank, each.ranked.name, percent(each.ranked.share), each.direction or "", _mine(each))
        for each in report.listed
    ]
    week = report.top_week
    dates = f", {week_dates(week)}" if week else ""
    call = "" if report.conclusive else "; too close to call"
    print_table(
        console, columns, rows, f"The community's top list, {week}{dates}, {report.participants} took part{call}"
    )
    missed = ", ".join(each.ranked.name for each in report.of("missed"))
    print_lines(console, [f"missed: {missed}"] if missed else [])
    only = ", ".join(show.name for show in report.only_mine)
    print_lines(console, [f"only mine, of the last {RECENT} weeks and in no chart: {only}"] if only else [])


def _mine(each: Listed) -> str:
    if each.mine:
        return f"{each.mine} that week"
    if each.standing == "follow":
        return f"{each.recent} of late"
    return f"earlier, {each.last}" if each.last else "missed"
