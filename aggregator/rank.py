"""From estimates to what people want to know: the most common show, how sure that is, and what rises or falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from aggregator.combine import Z95, Estimates

CHART: Final = 10
CONCLUSIVE: Final = 0.95
FALSE_DISCOVERIES: Final = 0.10
Direction = Literal["rising", "falling", "steady", "new"]

_CONTENDERS: Final = 200  # a show outside the first 200 is first with a probability that no figure shows


@dataclass(frozen=True)
class Top:
    """The most common show of a week: row `row`, truly first with probability `confidence`."""

    row: int
    confidence: float
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


def leading(week: Estimates, number: int = CHART) -> list[int]:
    """Return the rows of the highest estimates, first the highest; of equals, the better known first.

    Only of shows that somebody counted.
    """
    rows = np.argsort(-week.ranked, kind="stable")[:number]
    return [int(row) for row in rows if week.counted[row]]


def most_common(week: Estimates) -> Top:
    """Return the show with the highest estimate and how sure it is that it truly is first.

    Each true count is taken to be normal around its estimate with the noise's deviation, independently; the
    probability that a show's is the highest of all is then an integral over one variable, computed on a grid.
    """
    rows = leading(week, _CONTENDERS)
    center, width = week.estimate[rows], np.maximum(week.deviation[rows], 1e-9)
    grid = np.linspace(center[0] - 8 * width[0], (center + 8 * width).max(), 1001)
    scaled = (grid[:, None] - center) / width
    below = stats.norm.logcdf(scaled)
    all_below = below.sum(axis=1, keepdims=True)
    density = stats.norm.logpdf(scaled) - np.log(width)
    first = np.exp(density + all_below - below).sum(axis=0) * (grid[1] - grid[0])
    first /= max(first.sum(), 1e-300)
    order = np.argsort(-first, kind="stable")
    enough = int(np.searchsorted(np.cumsum(first[order]), CONCLUSIVE)) + 1
    return Top(rows[0], float(first[0]), tuple(rows[index] for index in sorted(order[:enough].tolist())))


def trends(weeks: Sequence[Estimates]) -> list[Trend]:
    """Return how every show did between the last two weeks, in the order of the rows; empty with fewer than two.

    A change is called rising or falling where it stands out of the noise of both weeks, and of other people taking
    part in each, after the correction of Benjamini and Hochberg (1995) for all shows: among the changes called so, at
    most 10 % are expected to be none. A show rises as new when it was in no earlier week's chart.
    """
    if len(weeks) < 2:
        return []
    before, now = weeks[-2:]
    change = now.share - before.share
    deviation = np.sqrt(_share_variance(before) + _share_variance(now))
    counted = (before.counted > 0) & (now.counted > 0)
    p_values = np.where(counted, 2 * stats.norm.sf(np.abs(change) / np.where(deviation > 0, deviation, np.inf)), 1.0)
    stands_out = stats.false_discovery_control(p_values) <= FALSE_DISCOVERIES
    charted = {row for week in weeks[:-1] for row in leading(week)}
    return [
        Trend(
            row,
            float(change[row]),
            (float(change[row] - Z95 * deviation[row]), float(change[row] + Z95 * deviation[row])),
            _direction(bool(stands_out[row]), float(change[row]), row in charted),
        )
        for row in range(len(change))
    ]


def chart_history(weeks: Sequence[Estimates]) -> dict[int, tuple[int, int]]:
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
