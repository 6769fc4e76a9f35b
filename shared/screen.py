"""What people see: tables and colour on a terminal, plain lines in a pipe; text from outside stays text in both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_NARROWEST: Final = 20
_JOINERS: Final = "\u200c\u200d"  # part of how Persian, Hindi and others are spelled


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, whether it holds numbers, its style on terminals."""

    name: str
    number: bool = False
    style: str = ""


def printable(text: object) -> str:
    r"""Return a text on one line that no terminal acts upon: what is not printable is spelled out.

    >>> printable("Dark\x1b[2J")
    'Dark\\x1b[2J'
    """
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else letter.encode("unicode_escape").decode()
        for letter in str(text)
    )


def screen(*, stderr: bool = False) -> Console:
    """Return the terminal, or the pipe in its place; `NO_COLOR` is respected, and nothing is read as markup."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_lines(console: Console, lines: Iterable[str], style: str = "") -> None:
    """Print each text as a line of its own: wrapped between words on a terminal, a path or an address never."""
    for line in lines:
        text = printable(line)
        if console.is_terminal:
            text = fill(text, max(console.width, _NARROWEST), break_long_words=False, break_on_hyphens=False)
        console.print(Text(text, style), soft_wrap=True)


def print_table(console: Console, columns: Sequence[Column], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table; in a pipe one line a row, indented, two spaces between the columns, nothing cut."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not console.is_terminal:
        print_lines(console, [title] if title else [])
        print_lines(console, plain_rows([[column.name for column in columns], *cells], columns))
        return
    table = Table(title=Text(title) if title else None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column.name), justify="right" if column.number else "left", style=column.style)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def plain_rows(rows: Sequence[Sequence[str]], columns: Sequence[Column]) -> list[str]:
    """Return the rows as lines whose columns stand below each other."""
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(len(columns))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column.number else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return lines
