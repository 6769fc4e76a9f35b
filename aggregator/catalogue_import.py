"""From a catalogue and the shows of a list to the longer catalogue: rows are appended, none ever changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from aggregator.listing import Listed, Skip, leading_names
from shared.catalogue import (
    MAX_BYTES,
    MAX_ROWS,
    Catalogue,
    Show,
    format_catalogue,
    names_a_part,
    parse_catalogue,
)
from shared.show import show_key

_LINE: Final = 20  # bytes of a row beside its names, at most


@dataclass(frozen=True)
class Report:
    """What became of the listed shows, `new + known + sum(skipped)` in all, and of their alternative titles."""

    new: int = 0
    known: int = 0
    skipped: Mapping[Skip, int] = field(default_factory=dict)
    alternatives_of_known: int = 0
    """Alternative titles that a row could have, but rows never change."""
    alternatives_taken: int = 0
    """Alternative titles of new rows that would lead to another row too."""
    kinds_assumed: int = 0
    """New rows of which no list told the kind: they are films, so that nothing is counted for them but their name."""


def extend(catalogue: Catalogue, listed: Sequence[Listed]) -> tuple[bytes, Report]:
    """Return the bytes of the catalogue with a row for every listed show it does not know, and what was done.

    The bytes begin with those of the catalogue, unchanged, and parse to a sound catalogue in which every name of a new
    row leads to this row. A show is known if a row has its name, as name or alternative. Names come before
    alternatives: a title that is another listed show's name is nobody's alternative, nor is one that two shows claim.
    """
    rows = {show_key(name): row for row, show in enumerate(catalogue.shows) for name in (show.name, *show.also)}
    hosts = {key for key, row in rows.items() if catalogue.shows[row].kind == "series"}
    hosts.update(show_key(one.name) for one in listed if one.certain and one.kind == "series")
    known = alternatives_of_known = 0
    skipped: Counter[Skip] = Counter()
    fresh: dict[str, Listed] = {}
    for one in listed:
        key = show_key(one.name)
        if not key:
            skipped[Skip.NAMELESS] += 1
        elif key in rows or key in fresh:
            known += 1
            alternatives_of_known += sum(show_key(name) not in rows for name in one.also)
        elif names_a_part(one.name) or (
            not one.certain and any(show_key(name) in hosts for name in leading_names(one.name))
        ):
            skipped[Skip.PART] += 1
        else:
            fresh[key] = one
    shows, taken = _with_alternatives(fresh, rows.keys())
    fit = _how_many_fit(catalogue, shows)
    skipped[Skip.FULL] += len(shows) - fit
    shows = shows[:fit]
    data, shows, unsound = _append(catalogue, shows)
    skipped[Skip.UNSOUND] += unsound
    assumed = sum(fresh[show_key(show.name)].kind is None for show in shows)
    return data, Report(len(shows), known, +skipped, alternatives_of_known, taken, assumed)


def _with_alternatives(fresh: Mapping[str, Listed], taken: Iterable[str]) -> tuple[list[Show], int]:
    """Return the new shows with those alternatives that lead to them alone, and how many were dropped."""
    names = {*taken, *fresh}
    claims = Counter(key for own, one in fresh.items() for key in {show_key(name) for name in one.also} - {own})
    dropped = 0
    shows = []
    for own, one in fresh.items():
        also: dict[str, str] = {}
        for name in one.also:
            key = show_key(name)
            if key in ("", own) or key in also or names_a_part(name):
                continue
            if key in names or claims[key] > 1:
                dropped += 1
            else:
                also[key] = name
        shows.append(Show(one.name, one.kind or "film", tuple(also.values())))
    return shows, dropped


def _how_many_fit(catalogue: Catalogue, shows: Sequence[Show]) -> int:
    """Return how many of the shows, from the first on, a catalogue may take: in rows, and in bytes."""
    size = sum(map(len, catalogue.lines))
    for count, show in enumerate(shows):
        size += 2 * sum(len(name.encode()) + 1 for name in (show.name, *show.also)) + _LINE  # every quote is doubled
        if size > MAX_BYTES or len(catalogue) + count >= MAX_ROWS:
            return count
    return len(shows)


def _append(catalogue: Catalogue, shows: list[Show]) -> tuple[bytes, list[Show], int]:
    """Return the bytes with the shows appended, the shows, and how many of them were left out.

    Each must lead to its own row by `Catalogue.row_of` itself, whatever it takes for a season or an episode.
    """
    unsound = 0
    old = b"".join(catalogue.lines)
    while True:
        lines = format_catalogue([*catalogue.shows, *shows]).split(b"\n")[len(catalogue.lines) : -1]
        data = old + b"".join(line + b"\n" for line in lines)
        longer = parse_catalogue(data)
        kept = []
        for row, show in enumerate(shows, len(catalogue)):
            if longer.row_of(show.name) == row:
                kept.append(replace(show, also=tuple(name for name in show.also if longer.row_of(name) == row)))
        if kept == shows:
            return data, shows, unsound
        unsound += len(shows) - len(kept)
        shows = kept
