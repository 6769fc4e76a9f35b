"""A better guess than the plain estimate, from the same releases: post-processing costs no privacy.

Of thousands of shows nearly all have few viewers, so most of a very high estimate is luck; and a show that many watched
last week is likely to be watched by many this week. Both are put into one posterior for each show and week:

- The prior over shows is fitted to the week's own estimates (empirical Bayes): a mixture of geometric distributions
  of many means, which takes the form of any smoothly falling popularity, heavy tails included. Its weights come from
  expectation maximization. Source: Stephens 2017, https://doi.org/10.1093/biostatistics/kxw041
- The weeks before enter through a Kalman filter of each show's share whose level moves (local-level model, Durbin and
  Koopman 2012, section 2.2), as one more observation, which is believed to have nothing to do with this week with
  probability NEW_START: a hit is not held down by its past.

A week's figures depend on that week and earlier ones only, so those of a final week stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.combine import Estimates
from shared.week import IsoWeek, weeks_between

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]

CONTENDERS: Final = 256  # a show outside the first 256 is first with a probability that no figure shows
DRIFT: Final = 0.3  # by how much of itself a share moves in a week: from 0.1 to 1 the figures hardly differ (benchmark)
NEW_START: Final = 0.05
_MEANS: Final = 0.03 * 1.6 ** np.arange(60)  # of the prior's components: viewers of a show
_ROUNDS: Final = 300  # of expectation maximization from nothing
_MORE_ROUNDS: Final = 40  # and from a prior that is nearly right
_PSEUDO_SHOWS: Final = 0.02  # that each component is given beforehand, so that no size is ever ruled out
_BELIEF: Final = 0.1  # and for each of them, times participants / mean: shows above a share are as many as 1 / share
_MOST_BELIEVED: Final = 6.0
_HIGHEST_BELIEVED: Final = 0.6  # of the participants: no show is expected above
_UNKNOWN: Final = 1e6  # the variance of a share of which nothing is known
_THIN: Final = 0.002  # chances thinner than this are counted down: see Shrunken.first
_BLOCK: Final = 1024  # rows at once: bounds the memory


@dataclass(frozen=True)
class Shrunken:
    """The shrunken figures of one week. Arrays have shape (rows,)."""

    week: Estimates
    estimate: Floats
    """The mean of each show's posterior, in the unit of the plain estimate."""
    interval95: tuple[Floats, Floats]
    """The ends of the shortest-tailed 95 % credible intervals: it stays right for the show that is picked as first."""
    contenders: Rows
    """The shows that may be first."""
    grid: Integers
    """The true counts that contenders may have."""
    posterior: Floats
    """The probability of each such count, shape (contenders, counts)."""

    @cached_property
    def ranked(self) -> Floats:
        """The shrunken estimates, minus infinity where nobody counted the show: there is no figure then."""
        return np.where(self.week.counted > 0, self.estimate, -np.inf)

    @cached_property
    def rank(self) -> Integers:
        """Each show's rank, 1 the highest; equals share the better rank. Shows that nobody counted are last."""
        ranks: Integers = np.searchsorted(np.sort(-self.ranked), -self.ranked) + 1
        return ranks

    @cached_property
    def chances(self) -> Floats:
        """The posterior probability that each contender's true count is the highest; equal counts share it.

        With F and f the distribution of a show's count, that of the k-th being first with others level is the mean of
        1 / (1 + how many are level), which is the integral of prod (F(x - 1) + u f(x)) over u from 0 to 1.
        """
        points, weights = np.polynomial.legendre.leggauss(8)
        below = np.cumsum(self.posterior, axis=1) - self.posterior
        chances = np.zeros(len(self.contenders))
        for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
            reached = np.log(np.maximum(below + point * self.posterior, 1e-300))
            others = np.exp(reached.sum(axis=0) - reached)
            chances += weight * (self.posterior * others).sum(axis=1)
        found: Floats = chances / max(chances.sum(), 1e-300)
        return found

    @cached_property
    def first(self) -> Floats:
        """The same, calibrated: p counts as p^2 / (p + _THIN).

        Taken alone, hundreds of shows each keep a thin chance that together they do not have, because all lean on one
        prior. Without this, confidences of 0.1 to 0.4 proved right too often (benchmark); above 0.9 it changes nothing.
        """
        thick = self.chances**2 / (self.chances + _THIN)
        found: Floats = thick / max(thick.sum(), 1e-300)
        return found


@dataclass(frozen=True)
class _Past:
    """What the weeks so far tell of every show's level, the share that a new sample of people would have on average.

    Mean and variance, shape (rows,).
    """

    week: IsoWeek
    share: Floats
    variance: Floats

    def drift(self, share: Floats, week: Estimates) -> Floats:
        """Return the variance of how far shows of this share move from the last week known to this one."""
        gap = len(weeks_between(self.week, week.week)) - 1
        moved: Floats = gap * (DRIFT * share) ** 2
        return moved


def shrink(weeks: Iterable[Estimates]) -> Iterator[Shrunken]:
    """Yield the shrunken figures of every week, from published weeks in time order over one catalogue."""
    past = None
    for week in weeks:
        after = _filter(past, week)
        yield _shrink(week, past, after)
        past = after


def _shrink(week: Estimates, past: _Past | None, after: _Past) -> Shrunken:
    """Return the figures of one week; `after` is what is known with this week's estimates, without the prior."""
    reach = np.maximum(week.ranked, after.share * week.participants)
    order = np.argsort(-reach, kind="stable")
    order = order[week.counted[order] > 0]  # nothing is known of the others, and they are no contenders
    grid = _grid(week, float(reach[order[0]]))
    components = _components(grid)
    # Shows with the same figures are equally likely at every count.
    figures = np.stack([week.estimate, week.counted], axis=1)
    _, first, like, number = np.unique(figures, axis=0, return_index=True, return_inverse=True, return_counts=True)
    likely_at = week.of(first).likelihood(grid)
    number = np.where(week.counted[first] > 0, number, 0)
    start = np.full(len(components), 1 / len(components))
    weights = _fit(likely_at @ components.T, number, start, _belief(week, len(components)), _ROUNDS)
    # Shows are taken together that reach about as high, the highest first: few need the whole grid.
    evidence, blocks = [], []
    for rows in [order[:CONTENDERS], *np.split(order[CONTENDERS:], range(_BLOCK, len(order) - CONTENDERS, _BLOCK))]:
        if len(rows):
            top = int(np.searchsorted(grid, reach[rows[0]] + 6 * week.deviation[rows].max())) + 1
            likely = likely_at[like.ravel()[rows], :top]  # NumPy 2.0.0 alone gives `like` another shape
            if past:
                likely *= _from_past(past, week, rows, grid[:top], weights @ components[:, :top])
            evidence.append(likely)
            blocks.append(rows)
    if past:
        each = [likely @ components[:, : likely.shape[1]].T for likely in evidence]
        weights = _fit(np.vstack(each), np.ones(len(order)), weights, _belief(week, len(weights)), _MORE_ROUNDS)
    prior = weights @ components
    estimate, low, high = (np.zeros(len(reach)) for _ in range(3))
    posteriors = [_normed(likely * prior[: likely.shape[1]]) for likely in evidence]
    for rows, posterior in zip(blocks, posteriors, strict=True):
        estimate[rows] = posterior @ grid[: posterior.shape[1]]
        below = np.cumsum(posterior, axis=1)
        low[rows] = grid[np.argmax(below > 0.025, axis=1)]
        high[rows] = grid[np.argmax(below >= 0.975 - 1e-9, axis=1)]
    return Shrunken(week, estimate, (low, high), blocks[0], grid[: posteriors[0].shape[1]], posteriors[0])


def _normed(weights: Floats) -> Floats:
    """Return these rows as probabilities."""
    found: Floats = weights / weights.sum(axis=1, keepdims=True)
    return found


def _grid(week: Estimates, reach: float) -> Integers:
    """Return true counts from 0 to the highest thinkable one, in steps of at most half the noise's deviation.

    None is above what the caps allow; the last step may be shorter.
    """
    deviation = week.deviation[week.counted > 0]
    step = max(1, int(deviation.min() / 2)) if deviation.size else 1
    highest = int(max(reach, 0) + 6 * (deviation.max() if deviation.size else 0))
    return np.unique(np.minimum(np.arange(0, highest + 2 * step, step), week.most.max()))


def _fit(likely: Floats, number: npt.ArrayLike, weights: Floats, belief: Floats, rounds: int) -> Floats:
    """Return the weights after so many rounds of expectation maximization.

    `likely` says how likely each component makes each show's evidence, shape (shows, components), `number` how many
    such shows there are, and `belief` how many shows of each component are believed in beforehand.
    """
    for _ in range(rounds):
        share = likely * weights
        weights = (number / share.sum(axis=1)) @ share + belief
        weights /= weights.sum()
    return weights


def _belief(week: Estimates, components: int) -> Floats:
    """Return how many shows of each component are believed in beforehand: a little of Zipf's law."""
    means = _MEANS[: components - 1]
    tail = np.minimum(_BELIEF * week.participants / means, _MOST_BELIEVED)
    tail = np.where(means > _HIGHEST_BELIEVED * week.participants, 0, tail)
    return _PSEUDO_SHOWS + np.concatenate([[0], tail])


def _components(grid: Integers) -> Floats:
    """Return geometric distributions over the grid, shape (components, counts), the first one of shows nobody watched.

    A count of the grid stands for those nearest to it.
    """
    means = _MEANS[: np.searchsorted(_MEANS, grid[-1]) + 1]
    falls = np.log1p(1 / means)[:, None]  # a count is as likely as the one before times e^-fall
    counts = np.append(grid, 2 * grid[-1] - grid[-2])  # and one as far beyond the last as the one before is below it
    above = np.exp(-falls * np.concatenate([[0], (counts[:-1] + counts[1:] + 1) // 2]))
    found = np.vstack([np.eye(1, len(grid)), above[:, :-1] - above[:, 1:]])
    found /= found.sum(axis=1, keepdims=True)
    return found


def _from_past(past: _Past, week: Estimates, rows: Rows, grid: Integers, prior: Floats) -> Floats:
    """Return how likely the weeks before make each count of these rows, up to a factor; shape (rows, counts)."""
    share = grid / max(week.participants, 1)
    variance = past.variance[rows, None] + past.drift(share, week) + share / max(week.participants, 1)
    known = np.exp(-((past.share[rows, None] - share) ** 2) / variance / 2) / np.sqrt(variance) + 1e-300
    unrelated = known @ (prior / prior.sum())
    found: Floats = (1 - NEW_START) * known + NEW_START * unrelated[:, None]
    return found


def _filter(past: _Past | None, week: Estimates) -> _Past:
    """Return what is known of every level after this week: one step of a Kalman filter."""
    counted = np.maximum(week.counted, 1)
    noise = np.where(week.counted > 0, (week.deviation / counted) ** 2, _UNKNOWN) + 1e-12
    level = np.clip(past.share if past else week.share, 0, 1)
    noise += level / counted  # and those who take part are a sample
    if past is None:
        return _Past(week.week, week.share, noise)
    variance = past.variance + past.drift(level, week)
    gain = variance / (variance + noise)
    return _Past(week.week, past.share + gain * (week.share - past.share), (1 - gain) * variance)
