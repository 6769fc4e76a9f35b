"""What a study promises, in words and figures: the same wherever people read it."""

from __future__ import annotations

import math
from typing import Final

from shared.mechanism import mechanism_of, noised_sum_of
from shared.study import Study, Unit
from shared.wording import amount

MEMBER: Final = ("your file", "you", "your")
"""Of whom the promise speaks to a member: the file, the person, and theirs."""
ANYONE: Final = ("a member's file", "they", "that member's")

SUBJECT: Final[dict[Unit, str]] = {
    "view": "one viewing",
    "show": "one show",
    "week": "all you watched, against nothing,",
}
"""What one epsilon protects, as the subject of a sentence about some weeks."""

_WRITTEN_OUT: Final = 1000  # larger odds are written as a power of e
_SHOWS: Final = 5  # of the example of a whole week; half of all weeks with views have at most three


def odds(epsilon: float) -> str:
    """Return by how many times a loss of `epsilon` can shift odds, at most: two digits, rounded up.

    >>> odds(2.0), odds(0.5), odds(10)
    ('7.4', '1.7', 'e^10')
    """
    times = math.exp(min(epsilon, 100.0))  # beyond it all are powers of e
    if times >= _WRITTEN_OUT:
        return f"e^{epsilon:g}"
    step = 10.0 ** (math.floor(math.log10(times)) - 1)
    return f"{math.ceil(times / step - 1e-9) * step:.{1 if step < 1 else 0}f}"


def promise(study: Study, whose: tuple[str, str, str] = MEMBER) -> str:
    """Return the promise of a study as one sentence: one unit, and what several of them add up to."""
    file, they, their = whose
    epsilon, cap = study.epsilon, study.max_views_per_show
    given = {
        "view": f"that {they} had one given viewing in one given week",
        "show": f"that {they} watched one given show in one given week",
        "week": f"that {they} watched what {they} did in one given week, rather than nothing,",
    }[study.unit]
    adds_up = {
        "view": (
            f"for n viewings by {_power(epsilon, 'n')}, of which {cap} of a show and week count; "
            f"for a whole week of {_SHOWS} shows by {odds(epsilon * cap * _SHOWS)}"
        ),
        "show": (
            f"over k weeks of that show by {_power(epsilon, 'k')}; "
            f"for a whole week of {_SHOWS} shows by {odds(epsilon * _SHOWS)}"
        ),
        "week": (
            f"of one way to spend that week against another by {odds(2 * epsilon)}; "
            f"over k weeks, against nothing, by {_power(epsilon, 'k')}"
        ),
    }[study.unit]
    anyone = f"Anyone who sees {file}" if study.trust == "one-coordinator" else "Anyone but both coordinators together"
    return (
        f"{anyone}, even knowing all else about {their} viewing, can shift the odds {given} "
        f"by at most {odds(epsilon)} times; {adds_up}."
    )


def public_promise(study: Study) -> list[str]:
    """Return what a community is told of a study: the promise, how it is kept, and what is not told at all."""
    noise = f"each of the {study.catalogue_rows:,} cells, one a show, {mechanism_of(study).words}, watched or not"
    added = "".join(f" {line}" for line in _of_the_sum(study))
    return [
        promise(study, ANYONE),
        f"Before anything leaves a member's machine, {noise}; the full history never leaves it.{added}",
        f"A week with fewer than {amount(study.min_participants, 'participant')} is withheld.",
    ]


def terms_in_words(study: Study) -> list[str]:
    """Return a study's terms for people, the promise first: one sentence a line."""
    what = "viewers: a show counts once a week and person"
    if study.max_views_per_show > 1:
        what = f"views: at most {study.max_views_per_show} of a show a week and person"
    if study.max_shows_per_week:
        what += f", at most the {study.max_shows_per_week} most viewed shows of a week"
    year = 52 * study.epsilon
    one = SUBJECT[study.unit]
    noise = f"each of the {study.catalogue_rows:,} cells {mechanism_of(study).words}"
    still_open = amount(study.open_weeks, "week")
    lines = [
        promise(study),
        f"In a year, for {one} in each of 52 weeks: {odds(year)} (epsilon {study.epsilon:g} each, {year:g} in all).",
        f"Counted are {what}.",
        f"Before anything leaves the machine, {noise}, watched or not.",
        *_of_the_sum(study),
        f"A file keeps {amount(study.weeks, 'week')}; a week takes releases for {still_open} after its end.",
        f"A week with fewer than {amount(study.min_participants, 'participant')} is withheld.",
    ]
    if study.predecessor:
        lines.append(f"It follows study {study.predecessor[:8]}, whose releases stay in the sums.")
    return lines


def _of_the_sum(study: Study) -> list[str]:
    """Return what two coordinators do with the halves, and what they could do; nothing with one."""
    if not (study.leader and study.helper):
        return []
    each = noised_sum_of(study).each
    return [
        (
            f"{study.leader.email} and {study.helper.email} each {each.words.replace('gets', 'add')} to their half of "
            f"the sum over all members; the two halves together are published."
        ),
        "Both together could read exact counts: compare their fingerprint, told outside SyftBox.",
    ]


def _power(epsilon: float, times: str) -> str:
    shift = odds(epsilon)
    return f"e^({epsilon:g} x {times})" if shift.startswith("e") else f"{shift} to the power {times}"
