"""Which of day, month and year comes first: decided once for a whole file, from all it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from participant.dates import Form, day_of, orders_of, parse_form
from participant.languages import DATE_ORDERS, ORDERS_OF_SEASON_WORD, SEASON_WORD, DateOrder, word
from shared.errors import DateOrderUnknown, HistoryError

MOST_MISFITS: Final = 0.01  # garbled or hand-made dates are left out; more, and the order is not this one
ALWAYS_FORGIVEN: Final = 2  # dates that are none in any order, in however short a file
FEWEST_STEPS: Final = 6  # dates in a row that fall before "newest first" says anything
FEWEST_SEASONS: Final = 3  # titles with a season word before a language says anything
FEWEST_STEPS_SPOKEN: Final = 3  # the same as FEWEST_STEPS where the language says so too

Days = npt.NDArray[np.int64]
"""Days as `date.toordinal` numbers them; 0 is none."""


@dataclass(frozen=True)
class Decision:
    """What was found out about a file's dates."""

    order: DateOrder | None
    """None if every order reads the same days, so that nothing was decided."""
    why: str
    certain: bool
    """The form has only one reading (four-digit year first): nothing had to be decided."""
    days: Days
    """The day of each distinct date of the file, 0 where it is none that can be."""


@dataclass(frozen=True)
class Dates:
    """The dates of a file, private: the distinct texts, and for each row which one it has, newest row first."""

    texts: list[str]
    codes: npt.NDArray[np.int32]
    titles: Iterable[str] = ()
    """What the season words are looked for in; taken only if nothing else decides."""
    groups: npt.NDArray[np.int32] | None = None
    """The profile of each row: newest first holds within a profile only."""


def decide_dates(
    dates: Dates,
    made: date,
    *,
    stated: DateOrder | None = None,
    remembered: DateOrder | None = None,
    own_form: bool = False,
) -> Decision:
    """Return the one order that the whole file keeps, and the days it means.

    `stated` (a setting) decides between orders that the dates allow, and so does `remembered` (an earlier export of the
    same person) where the file leaves it open. `own_form`: the dates are not written in the viewer's language, so where
    they have one reading only (four-digit year first) they contradict neither. A day later than the one after `made`
    is none: clocks and time zones differ by a day at most.

    Raises: DateOrderUnknown if the file does not show the order, or shows another than the one stated or remembered;
    HistoryError if its dates keep to no order.
    """
    forms = [parse_form(text) for text in dates.texts]
    weights = np.bincount(dates.codes, minlength=len(forms))
    found, certain = _days_by_order(forms, weights, made)
    fits = _fitting(found, weights, made, forms)
    order, why = _decide(dates, fits)
    known, source = (stated, "date_order says") if stated else (remembered, "your earlier export was")
    if known and not (certain and own_form):
        if known not in fits or (not stated and order not in (None, known)):
            found_order = next(iter(fits)) if order is None else order
            raise DateOrderUnknown(_contradiction(known, source, found_order))
        if order is None and not _all_same(fits, weights):
            order, why = known, "set in settings.toml" if stated else "as in your earlier export"
        elif stated and order:
            order, why = stated, "set in settings.toml"
    if order is None and not _all_same(fits, weights):
        raise DateOrderUnknown(_question(list(fits)), orders=list(fits))
    return Decision(order, why, certain, fits[order] if order else next(iter(fits.values())))


def _days_by_order(
    forms: list[Form | None], weights: npt.NDArray[np.int64], made: date
) -> tuple[dict[DateOrder, Days], bool]:
    """Return the days in each order that the file's one form allows; and whether it allows only one, by its form.

    A file keeps one form: what is written otherwise is not its date.
    """
    written: Counter[tuple[str, str]] = Counter()
    for form, weight in zip(forms, weights.tolist(), strict=True):
        if form:
            written[form[:2]] += weight
    if not written:
        return dict.fromkeys(DATE_ORDERS, np.zeros(len(forms), np.int64)), False
    usual = written.most_common(1)[0][0]
    latest = made.toordinal() + 1
    # A sample of the form: `orders_of` looks at how it is written only.
    orders = orders_of(Form(*usual, 0, 0, 0))
    days = {
        order: np.array([day_of(form, order, latest) if form and form[:2] == usual else 0 for form in forms], np.int64)
        for order in orders
    }
    return days, usual[1].startswith("yyyy first")


def _fitting(
    found: dict[DateOrder, Days], weights: npt.NDArray[np.int64], made: date, forms: list[Form | None]
) -> dict[DateOrder, Days]:
    """Return the orders that all rows keep to, but for a few that are garbled."""
    rows = int(weights.sum())
    garbled = int(weights[np.all([days == 0 for days in found.values()], axis=0)].sum())
    if garbled > max(ALWAYS_FORGIVEN, MOST_MISFITS * rows) or (rows and garbled == rows):
        later, _ = _days_by_order(forms, weights, date.max.replace(year=2100))
        dated_later = garbled - int(weights[np.all([days == 0 for days in later.values()], axis=0)].sum())
        if dated_later * 2 > garbled:
            raise HistoryError(
                f"the dates lie after {made}, the day the file was made by its time; "
                "set the file's time right (touch) or download it anew"
            )
        raise HistoryError(
            "too many dates cannot be read, or keep to no one form; the file was damaged or changed: download it anew"
        )
    fits = {order: days for order, days in found.items() if weights[days == 0].sum() - garbled <= MOST_MISFITS * rows}
    if not fits:
        raise HistoryError(
            "the dates keep to no one order of day, month and year; the file was changed: download it anew"
        )
    return fits


def _all_same(fits: dict[DateOrder, Days], weights: npt.NDArray[np.int64]) -> bool:
    first, *others = fits.values()
    used = weights > 0
    return len(fits) > 1 and all(bool((first == other)[used].all()) for other in others)


def _decide(dates: Dates, fits: dict[DateOrder, Days]) -> tuple[DateOrder | None, str]:
    """Return the order that the evidence decides for and what decided, None if it does not decide."""
    if len(fits) == 1:
        return next(iter(fits)), "the only order that all dates fit"
    if _all_same(fits, np.bincount(dates.codes, minlength=len(dates.texts))):
        return None, "every order reads the same days"
    left = _by_slow_year(dates, fits)
    if len(left) == 1:
        return next(iter(left)), "the year that changes least"
    by_rows = _by_newest_first(dates, left)
    by_language = _by_language(dates, left)
    if by_rows and by_rows in by_language:
        return by_rows, "the only order in which the newest view comes first"
    if not by_rows and len(by_language) == 1:
        return next(iter(by_language)), "the language of the season words"
    return None, "the rows say one thing, the language another" if by_rows else "nothing decided"


def _steps(dates: Dates) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the dates of neighbouring rows of one profile, where they differ."""
    before, after = dates.codes[:-1], dates.codes[1:]
    differ = before != after
    if dates.groups is not None:
        differ &= dates.groups[:-1] == dates.groups[1:]
    return before[differ], after[differ]


def _by_slow_year(dates: Dates, fits: dict[DateOrder, Days]) -> dict[DateOrder, Days]:
    """Return the orders left when two-digit years may stand first or last: of neighbours, most share the year.

    `22/1/21` over `20/1/21`: the same month of one year, hardly the same day of 2022 and 2020. Year first is rare, so
    it takes one step more to show.
    """
    if "year-first" not in fits or len(fits) == 1:
        return fits
    forms = [parse_form(text) for text in dates.texts]
    first, third = (
        np.array(
            [form[place] if form and days else -1 for form, days in zip(forms, next(iter(fits.values())), strict=True)]
        )
        for place in (2, 4)
    )
    before, after = _steps(dates)
    known = (first[before] >= 0) & (first[after] >= 0)
    first_moves = (first[before] != first[after]) & known
    third_moves = (third[before] != third[after]) & known
    year_last, year_first = int((first_moves & ~third_moves).sum()), int((third_moves & ~first_moves).sum())
    if year_last >= 2 and year_last > 10 * year_first:
        return {order: days for order, days in fits.items() if order != "year-first"}
    if year_first >= 3 and year_first > 10 * year_last:
        return {order: days for order, days in fits.items() if order == "year-first"}
    return fits


def _by_newest_first(dates: Dates, fits: dict[DateOrder, Days]) -> DateOrder | None:
    """Return the order in which the days fall from row to row, as Netflix writes them, if in the others they jump."""
    moves = _rises_and_falls(dates, fits)
    best, second = sorted(fits, key=lambda order: moves[order][0])[:2]
    rises, falls = moves[best]
    enough = falls >= FEWEST_STEPS and rises <= MOST_MISFITS * falls
    return best if enough and moves[second][0] >= 2 + 10 * rises else None


def _rises_and_falls(dates: Dates, fits: dict[DateOrder, Days]) -> dict[DateOrder, tuple[int, int]]:
    """Return for each order how often a row's day is later than that of the row above, and how often earlier."""
    before, after = _steps(dates)
    moves = {}
    for order, days in fits.items():
        known = (days[before] > 0) & (days[after] > 0)
        moves[order] = (
            int((known & (days[after] > days[before])).sum()),
            int((known & (days[after] < days[before])).sum()),
        )
    return moves


def _by_language(dates: Dates, fits: dict[DateOrder, Days]) -> set[DateOrder]:
    """Return the orders that the language of the season words leaves; all of them if it says nothing.

    English says nothing: each of its countries has its own order. Dots (3.4.21), and dashes before a year of four
    digits, are never written month first, so there the language is enough; else the rows have to say the same, though
    fewer of them than without it. It says nothing against the rows.
    """
    spoken: Counter[frozenset[DateOrder]] = Counter()
    for title, _ in zip(dates.titles, range(20_000), strict=False):
        if found := SEASON_WORD.search(word(title[:500])):
            spoken[ORDERS_OF_SEASON_WORD[found[1] or found[2]]] += 1
    languages = [orders for orders, titles in spoken.items() if titles >= 0.1 * spoken.total()]
    left = set(fits).intersection(*languages)
    if spoken.total() < FEWEST_SEASONS or not left or left == set(fits):
        return set(fits)
    form = next((form for text in dates.texts if (form := parse_form(text))), None)
    enough = form is not None and (form.separator, form.year) in {(".", "yy"), (".", "yyyy last"), ("-", "yyyy last")}
    moves = _rises_and_falls(dates, fits)
    if enough and len({rises for rises, _ in moves.values()}) == 1:
        return left
    for order in left:
        rises, falls = moves[order]
        if rises > MOST_MISFITS * falls or falls < FEWEST_STEPS_SPOKEN:
            return set(fits)
    fewest_without = min(moves[order][0] for order in fits if order not in left)
    return left if enough or fewest_without > max(moves[order][0] for order in left) else set(fits)


_EXAMPLES: Final[dict[frozenset[DateOrder], tuple[str, dict[DateOrder, str]]]] = {
    frozenset({"day-first", "month-first"}): (
        "3/4/21",
        {"day-first": "3 April 2021", "month-first": "4 March 2021"},
    ),
    frozenset({"day-first", "year-first"}): (
        "21/3/22",
        {"day-first": "21 March 2022", "year-first": "22 March 2021"},
    ),
    frozenset({"month-first", "year-first"}): (
        "10/11/12",
        {"month-first": "11 October 2012", "year-first": "12 November 2010"},
    ),
    frozenset(DATE_ORDERS): (
        "10/11/12",
        {"day-first": "10 November 2012", "month-first": "11 October 2012", "year-first": "12 November 2010"},
    ),
}
"""Invented dates: no date of a history is ever shown."""


def _question(orders: list[DateOrder]) -> str:
    return f"the file does not show whether {_readings(orders)}: set date_order to the right one in settings.toml"


def _contradiction(known: DateOrder, source: str, found: DateOrder) -> str:
    return (
        f"the file's dates are {found}, but {source} {known} (a date like {_readings([found, known])}): "
        "set date_order to the right one in settings.toml"
    )


def _readings(orders: list[DateOrder]) -> str:
    example, meanings = _EXAMPLES[frozenset(orders)]
    return f"{example} is " + " or ".join(f"{meanings[order]} ({order})" for order in meanings)
