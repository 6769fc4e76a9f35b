"""`status` and `preview` for people: tables on a terminal, the plain lines in a pipe."""

from __future__ import annotations

from typing import Final

from rich.console import Console

from participant.preview import Preview
from participant.status import Standing
from shared.screen import Column, print_lines, print_table

WEEK: Final = Column("week", style="cyan")


def print_standing(console: Console, found: Standing) -> None:
    """Print what was released and what it cost."""
    if not console.is_terminal:
        print_lines(console, found.lines())
        return
    print_lines(console, [found.head()], "bold")
    if found.draws:
        columns = (
            Column("week", style="cyan"),
            Column("epsilon", number=True),
            Column("per"),
            Column("study"),
            Column(""),
        )
        print_table(console, columns, found.rows())
    print_lines(console, found.sums())
    print_lines(console, [found.note] if found.note else [], "yellow")


def print_preview(console: Console, found: Preview) -> None:
    """Print what would be released, what it would cost, and what would be protected."""
    if not console.is_terminal:
        print_lines(console, found.lines())
        return
    print_lines(console, [*found.promises(), "", *found.outlook()])
    print_lines(console, found.warnings(), "yellow")
    if found.weeks:
        columns = (
            Column("week", style="cyan"),
            Column("show"),
            Column("views", number=True),
            Column("counted", number=True),
        )
        rows: list[tuple[object, ...]] = []
        for week, shows in found.weeks.items():
            rows += [(week, show.show, show.views, show.count) for show in shows]
            rows += [] if shows else [(week, "nothing that counts", "", "")]
        print_table(console, columns, rows, "Your exact counts: private, on this screen only")
    print_lines(console, found.outside_lines())
