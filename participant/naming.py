"""From the titles of one history to shows, with everything at hand: the private side, never a release.

A release takes a view's show from the catalogue alone (`Catalogue.row_of`). `reduce` and `report` also name the shows
that are in no catalogue, from season words and from the other titles of the same history.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np
import pandas as pd

from shared.catalogue import Catalogue
from shared.season import Marker, is_film, is_pilot, is_trailer, marker_of, name_end, named_again, repeats_name
from shared.show import Part, show_key, split_title

Rule = Literal[
    "catalogue",
    "season word",
    "episode word",
    "name repeated",
    "known show",
    "siblings",
    "season siblings",
    "subtitle",
    "whole title",
]
"""What decided a title's show; `docs` and `reduce --explain` show it:

- `catalogue`: the title alone leads to a row of the catalogue
- `season word`, `episode word`: the name ends before a season (part, book, arc) or an episode
- `name repeated`: the name comes twice, the second time as a season: `Show: Show 2: Episode`
- `known show`: the title begins with a name that the above found in this history
- `siblings`: several titles, watched close together, differ only after the name
- `season siblings`: several seasons with names of their own follow the same name
- `subtitle`: `Name: Subtitle: Episode`, with one subtitle only: it belongs to the name
- `whole title`: none of these, so the title is a film or a special
"""


_Found = tuple[Hashable, str, Rule]
"""Which show (catalogue row or key), how a title spells it, and the rule."""


class Named(NamedTuple):
    """A title's show, spelled as the history spells it most, and the rule that decided it."""

    show: str
    rule: Rule


def name_shows(views: pd.DataFrame, catalogue: Catalogue) -> dict[str, Named]:
    """Return the show of every title in the views (`title`, `date`), which are one history, of any length.

    The order of the views changes nothing.
    """
    codes, titles = pd.factorize(views["title"])
    counts = np.bincount(codes, minlength=len(titles)).tolist()
    found = [_by_title(title, catalogue) for title in titles]
    rest = [code for code, show in enumerate(found) if show is None]
    if rest:
        days = np.full(len(titles), np.iinfo(np.int64).max)
        np.minimum.at(days, codes, views["date"].to_numpy().astype("datetime64[D]").astype(np.int64))
        known = {show_key(show[1]) for show in set(found) if show is not None and show[2] != "whole title"}
        first = {titles[code]: int(days[code]) for code in rest}
        named = _by_history(first, known, catalogue)
        for code in rest:
            found[code] = named[titles[code]]
    shows = [show for show in found if show is not None]
    spellings: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for (show, spelling, _), count in zip(shows, counts, strict=True):
        spellings[show][spelling] += count
    most = {show: min(texts, key=lambda text: (-texts[text], text)) for show, texts in spellings.items()}
    return {title: Named(most[show], rule) for title, (show, _, rule) in zip(titles, shows, strict=True)}


def _by_title(title: str, catalogue: Catalogue) -> _Found | None:
    """Return what the title alone tells: which show, its spelling, the rule."""
    parts = split_title(title)
    matched = catalogue.match_parts(title, parts)
    if matched is not None:
        return matched[0], matched[1].strip(), "catalogue"
    if len(title) > _LONGEST_TITLE:
        return show_key(title), title.strip(), "whole title"
    end = name_end(parts)
    if end is None:
        return None
    stop, taken, marker = end
    name = title[:stop].strip()
    rule: Rule = "episode word" if marker is Marker.EPISODE else "season word"
    once = _without_repetition(title, parts[:taken])
    if once is not None:
        name = once
    return show_key(name), name, rule


def _without_repetition(title: str, parts: list[Part]) -> str | None:
    """Return the name of `Rome: Rome` or `Kronika Avalonu: Kronika Awalonu` once, None if it is once."""
    if len(parts) == 1 or len(parts) > _MOST_PARTS:
        return None
    for taken in range(1, len(parts)):
        if named_again(title, parts, taken):
            return title[: parts[taken - 1].end].strip()
    return None


_LONGEST_TITLE: Final = 1000  # the reader leaves longer ones out
_MOST_PARTS: Final = 12


def _by_history(first: dict[str, int], known: set[str], catalogue: Catalogue) -> dict[str, _Found]:
    """Return the shows of titles that tell nothing by themselves, from what else the history holds.

    `first` says on which day each of them was first watched.
    """
    named: dict[str, _Found] = {}
    families: dict[str, dict[str, list[int]]] = defaultdict(dict)
    bare: set[str] = set()
    for title in first:
        cuts = _cuts(title)
        found = _by_known(title, cuts, known)
        if found is not None:
            named[title] = found
        elif cuts and not is_trailer(title[: cuts[0]]):
            families[show_key(title[: cuts[0]])][title] = cuts
        else:
            if not cuts:
                bare.add(show_key(title))
            named[title] = show_key(title), title.strip(), "whole title"
    for key, family in families.items():
        endings = [title[cuts[0] :].lstrip(_COLONS) for title, cuts in family.items()]
        series = not _is_film_series(endings) and _is_series(
            [first[title] for title in family],
            lone=key in bare,
            films=catalogue.films_under(key),
            numbered=all(marker_of(ending) is not None for ending in endings),
        )
        seasons = {show_key(title[cuts[0] : cuts[1]]) for title, cuts in family.items() if len(cuts) > 1}
        for title, cuts in family.items():
            stop, rule = _place(title, cuts, series=series, seasons=len(seasons), others=catalogue.series_under(key))
            if rule == "siblings" and key in known:
                rule = "known show"
            name = title[:stop].strip()
            named[title] = show_key(name), name, rule
    return named


def _cuts(title: str) -> list[int]:
    """Return where the names end that the title may begin with.

    Only colons set as Netflix sets them count: a French film, `Kill Boksoon : la revanche`, has no such name.
    """
    parts = split_title(title)
    return [part.end for part, following in pairwise(parts[: _MOST_PARTS + 1]) if not following.loose]


def _by_known(title: str, cuts: list[int], known: set[str]) -> _Found | None:
    """Return the show of a title that begins with a known name, or with a name that tells by itself.

    With one part more than the name it is more likely a film or a special of a show whose episodes have seasons:
    `Entourage: Vegas Nights`. Its siblings decide.
    """
    for cut in reversed(cuts[:-1]):
        if show_key(title[:cut]) in known and not is_film(title[cut:]):
            return show_key(title[:cut]), title[:cut].strip(), "known show"
    if not cuts:
        return None
    name, rest = title[: cuts[0]], title[cuts[0] : cuts[1] if len(cuts) > 1 else len(title)]
    if show_key(name) == show_key(rest) or (len(cuts) > 1 and repeats_name(name, rest)):
        return show_key(name), name.strip(), "name repeated"
    if is_pilot(title[cuts[-1] :]):
        return show_key(title[: cuts[-1]]), title[: cuts[-1]].strip(), "episode word"
    return None


def _is_series(days: list[int], *, lone: bool, films: int, numbered: bool) -> bool:
    """Tell whether titles that begin with one name are episodes, by the days they were first watched on.

    The films of a series (`Batman: Year Zero`) and the specials of a comedian begin with one name too. They are
    fewer and further apart, seldom two on a day. The name alone may have been watched, as a film (`lone`), or the
    catalogue have `films` whose names continue it: then it takes many. Two that are only `numbered` may be a film's
    two parts.
    """
    if len(days) < 2 + numbered or ((lone or films) and len(days) < max(_MANY, 2 * films)):
        return False
    days = sorted(days)
    gaps = [after - before for before, after in pairwise(days)]
    if len(days) == 2:
        return gaps[0] <= 1
    if 0 in gaps and days[-1] - days[0] <= _SPAN_DAYS:
        return True
    close = 7 if len(days) >= _MANY else 1
    return len(days) >= _SOME and 2 * sum(gap <= close for gap in gaps) > len(gaps)


def _place(title: str, cuts: list[int], *, series: bool, seasons: int, others: int) -> tuple[int | None, Rule]:
    """Return where the name of a title ends (None: nowhere) that shares its first part with a family of others."""
    if len(cuts) == 1:
        return (cuts[0], "siblings") if series else (None, "whole title")
    if marker_of(title[cuts[0] : cuts[1]].lstrip(_COLONS)) is Marker.FILM:
        return None, "whole title"
    if others == 0 and seasons > 1:
        return cuts[0], "season siblings"
    return cuts[1], "subtitle"


def _is_film_series(endings: list[str]) -> bool:
    """Tell whether what follows the name is itself a name with subtitles: `Undercover - Nightfall`, `Undercover`."""
    heads = Counter(show_key(_DASH.split(ending, 1)[0]) for ending in endings)
    dashed = {show_key(_DASH.split(ending, 1)[0]) for ending in endings if _DASH.search(ending)}
    return any(heads[head] > 1 for head in dashed)


_COLONS: Final = ": _"
_DASH: Final = re.compile(r"\s[-\u2013\u2014]\s")
_SOME: Final = 5
_MANY: Final = 6
_SPAN_DAYS: Final = 45
