"""Questions to a catalogue: which rows have a name, and how much of a history has a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from shared.catalogue import Catalogue, Show
from shared.show import show_key


class Found(NamedTuple):
    """A row of the catalogue."""

    row: int
    show: Show


class Coverage(NamedTuple):
    """How much of a history has a row: counts only, no title."""

    views: int
    views_with_row: int
    rows: int
    """Different rows that the views lead to."""


def search(catalogue: Catalogue, text: str, limit: int) -> list[Found]:
    """Return the first `limit` rows with a name or alternative that holds the text, best first.

    Best is the same name, then one that begins with the text, then one that holds it anywhere; of equals, the first
    row. Spelling counts as little as it does in a title. Without a letter or digit: the first rows of the catalogue.
    """
    wanted = show_key(text)
    ranked: list[tuple[int, int]] = []
    for row, show in enumerate(catalogue.shows):
        keys = [show_key(name) for name in (show.name, *show.also)]
        ranks = [_rank(key, wanted) for key in keys if wanted in key]
        if ranks:
            ranked.append((min(ranks) if wanted else 0, row))
    return [Found(row, catalogue.shows[row]) for _, row in sorted(ranked)[: max(limit, 0)]]


def _rank(key: str, wanted: str) -> int:
    return 0 if key == wanted else 1 if key.startswith(wanted) else 2


def coverage(catalogue: Catalogue, titles: Iterable[str]) -> Coverage:
    """Return how many of the views with these titles count in a row, by the title and the catalogue alone."""
    views = Counter(titles)
    rows = {title: row for title in views if (row := catalogue.row_of(title)) is not None}
    return Coverage(views.total(), sum(views[title] for title in rows), len(set(rows.values())))
