"""From estimates to what people want to know: the most common show, how sure that is, and what rises or falls.

Ranks and the most common show go by the shrunken estimates, which name the true one far more often; rising and falling
by the plain ones, whose error rate can be stated whatever people watch. Both as measured by `benchmarks.accuracy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from aggregator.combine import Z95, Estimates
from aggregator.shrink import Shrunken

CHART: Final = 10
CONCLUSIVE: Final = 0.95
FALSE_DISCOVERIES: Final = 0.10
Direction = Literal["rising", "falling", "steady", "new"]

_DEVIATIONS: Final = np.arange(0.5, 12.5, 0.5)  # where the bound of a p-value is tried
_FACTORS: Final = 2.0 ** np.arange(-2, 6)  # and, for one participant, where it is tried however small the noise is


@dataclass(frozen=True)
class Top:
    """The most common show of a week: row `row`, truly first with probability `confidence`."""

    row: int
    confidence: float
    """A shared first place counts in equal parts: of two shows that are surely level each has 0.5."""
    candidates: tuple[int, ...]
    """The rows that cannot be told apart: together they hold the true first show with 95 %."""

    @property
    def conclusive(self) -> bool:
        """Whether the first show is announced as such."""
        return self.confidence >= CONCLUSIVE


@dataclass(frozen=True)
class Trend:
    """How a show did from the published week before to the last one."""

    row: int
    change: float
    """Of its share."""
    interval95: tuple[float, float]
    direction: Direction
    rank_change: int
    """How many ranks it climbed; negative if it lost some."""
    re_entry: bool
    """Whether it is in the last week's chart and in an earlier one's, but not in the one between."""


def leading(week: Shrunken, number: int = CHART) -> list[int]:
    """Return the rows of the highest shrunken estimates, first the highest; of equals, the better known first.

    Only of shows that somebody counted.
    """
    rows = np.argsort(-week.ranked, kind="stable")[:number]
    return [int(row) for row in rows if week.week.counted[row]]


def most_common(week: Shrunken) -> Top:
    """Return the show that is ranked first and how sure it is that it truly is first: see Shrunken.first."""
    row = leading(week, 1)[0]
    order = np.argsort(-week.chances, kind="stable")
    enough = int(np.searchsorted(np.cumsum(week.chances[order]), CONCLUSIVE)) + 1
    candidates = {int(each) for each in week.contenders[order[:enough]]} | {row}
    confidence = float(week.first[week.contenders == row].sum())
    return Top(row, confidence, tuple(sorted(candidates, key=lambda each: (-week.estimate[each], each))))


def trends(weeks: Sequence[Shrunken]) -> list[Trend]:
    """Return how every show did between the last two weeks, in the order of the rows; empty with fewer than two.

    A change is called rising or falling where it stands out of the noise of both weeks, and of other people taking
    part in each, after the correction of Benjamini and Hochberg (1995) for all shows: among the changes called so, at
    most 10 % are expected to be none. A show rises as new when it was in no earlier week's chart.
    """
    if len(weeks) < 2:
        return []
    before, now = weeks[-2].week, weeks[-1].week
    change = now.share - before.share
    margin = Z95 * np.sqrt(_share_variance(before) + _share_variance(now))
    stands_out = stands_out_of_all(p_values(before, now))
    charts = [set(leading(week)) for week in weeks]
    charted = set().union(*charts[:-1])
    climbed = weeks[-2].rank - weeks[-1].rank
    return [
        Trend(
            row,
            float(change[row]),
            (float(change[row] - margin[row]), float(change[row] + margin[row])),
            _direction(bool(stands_out[row]), float(change[row]), row in charted),
            int(climbed[row]),
            row in charts[-1] and row in charted and row not in charts[-2],
        )
        for row in range(len(change))
    ]


def stands_out_of_all(found: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell which of these p-values stand out of all of them, so that at most FALSE_DISCOVERIES of those are chance.

    Those up to the highest that is at most its rank's part of FALSE_DISCOVERIES. Source: Benjamini and Hochberg 1995,
    https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    """
    ordered = np.sort(found)
    low = ordered[ordered <= FALSE_DISCOVERIES * np.arange(1, len(found) + 1) / len(found)]
    called: npt.NDArray[np.bool_] = found <= low.max(initial=-1.0)
    return called


def p_values(before: Estimates, now: Estimates) -> npt.NDArray[np.float64]:
    """Return for each show a bound of how likely so large a change of its share is if it is none, shape (rows,).

    Chernoff's bound of the difference's tail, from the exact distributions: never below the true probability at the
    estimated common share, also where the noise takes few values or has heavier tails than a normal curve.
    Source: Chernoff 1952, https://doi.org/10.1214/aoms/1177729330
    """
    found = np.ones(len(now.share))
    deviation = np.sqrt(_share_variance(before) + _share_variance(now))
    both = (before.counted > 0) & (now.counted > 0) & (deviation > 0)
    rows = np.flatnonzero(both & (np.abs(now.share - before.share) > deviation))
    if not len(rows):
        return found
    weeks = [before.of(rows), now.of(rows)]
    people = weeks[0].counted + weeks[1].counted
    share = np.clip((weeks[0].estimate + weeks[1].estimate) / people, 0, 1)
    change = weeks[1].share - weeks[0].share
    fewest = np.minimum(weeks[0].counted, weeks[1].counted)[:, None]
    spread, steep = _DEVIATIONS / deviation[rows, None], _FACTORS * fewest
    exponents = np.minimum(np.hstack([spread, steep]), np.minimum(spread[:, -1:], steep[:, -1:]))  # or e^x overflows
    tail = -exponents * np.abs(change)[:, None]
    for week, sign in zip(weeks, (-np.sign(change), np.sign(change)), strict=True):
        factors = sign[:, None] * exponents / week.counted[:, None]
        watching = np.log1p(share[:, None] * np.expm1(factors)) - share[:, None] * factors
        tail += week.cumulants(factors, share * week.counted) + week.counted[:, None] * watching
    found[rows] = np.minimum(1, 2 * np.exp(tail.min(axis=1)))
    return found


def chart_history(weeks: Sequence[Shrunken]) -> dict[int, tuple[int, int]]:
    """Return for every show that was ever in a week's chart: in how many weeks, and its best rank."""
    history: dict[int, tuple[int, int]] = {}
    for week in weeks:
        for row in leading(week):
            number, peak = history.get(row, (0, len(week.rank)))
            history[row] = number + 1, min(peak, int(week.rank[row]))
    return history


def _direction(stands_out: bool, change: float, charted: bool) -> Direction:  # noqa: FBT001  # three findings
    if not stands_out:
        return "steady"
    if change < 0:
        return "falling"
    return "rising" if charted else "new"


def _share_variance(week: Estimates) -> npt.NDArray[np.float64]:
    """Return the variance of each share: the noise's, and that of a sample of people as large as those taking part."""
    counted = np.maximum(week.counted, 1)
    share = np.clip(week.share, 0, 1)
    variance: npt.NDArray[np.float64] = week.deviation**2 / counted**2 + share * (1 - share) / counted
    return variance
