"""Simulated communities as the sums a coordinator sees: no member's vector is made, so thousands of weeks are fast.

People watch as in 47 real exports (see demo/community.py): 22 % of weeks have no view, in the others the number of
shows has the quantiles 1, 3, 5, 8, 16 at 25, 50, 75, 90, 99 %. Which shows: of 800 that people know, some are watched
far more than others (1 / (rank + 8)), and six hits rise and fall beside them, each at its peak watched as much as 3 to
45 % of all else together. So some weeks have a runaway winner and in others several shows are level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.combine import Estimates, Total, estimate
from shared.mechanism import COORDINATORS, NoisedSum, RandomizedResponse, mechanism_of
from shared.study import Study
from shared.week import IsoWeek

KNOWN_SHOWS: Final = 800
HITS: Final = 6
EMPTY_WEEKS: Final = 0.22
FIRST_WEEK: Final = IsoWeek(2024, 1)
_LEVELS: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
_SHOWS: Final = (1, 1, 3, 5, 8, 16, 25)
_SHOWS_WATCHED: Final = np.round(np.interp((np.arange(200) + 0.5) / 200, _LEVELS, _SHOWS))


@dataclass(frozen=True)
class Community:
    """What a community watched."""

    participants: npt.NDArray[np.int64]
    """How many took part in each week; shape (weeks,)."""
    shares: npt.NDArray[np.float64]
    """The probability that a member watches each show in a week; shape (weeks, shows)."""
    viewers: npt.NDArray[np.int64]
    """How many members truly watched each show; shape (weeks, shows)."""


def simulate(luck: np.random.Generator, participants: npt.ArrayLike, shows: int) -> Community:
    """Return a community with so many participants in each of its weeks, over a catalogue of `shows`."""
    people = np.asarray(participants, dtype=np.int64)
    known = min(KNOWN_SHOWS, shows)
    weights = np.zeros((len(people), shows))
    weights[:, luck.permutation(shows)[:known]] = 1 / (np.arange(known) + 8)
    everything = weights[0].sum()
    for show in luck.choice(shows, min(HITS, shows), replace=False):
        peak, width = luck.uniform(-1, len(people) + 1), luck.uniform(1.5, 4)
        height = everything * np.exp(luck.uniform(np.log(0.03), np.log(0.45)))
        weights[:, show] += height * np.exp(-(((np.arange(len(people)) - peak) / width) ** 2))
    weights /= weights.sum(axis=1, keepdims=True)
    shares = np.zeros_like(weights)
    for number in np.unique(_SHOWS_WATCHED):  # of `number` draws, the show is among them
        shares += np.mean(number == _SHOWS_WATCHED) * -np.expm1(number * np.log1p(-np.minimum(weights, 0.999)))
    shares *= 1 - EMPTY_WEEKS
    return Community(people, shares, luck.binomial(people[:, None], shares))


def noised_sums(
    luck: np.random.Generator, study: Study, viewers: npt.NDArray[np.int64], participants: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return noised sums as coordinators get them, drawn from the exact distribution of the mechanism's sum."""
    mechanism = mechanism_of(study)
    if isinstance(mechanism, RandomizedResponse):
        q = mechanism.flip_probability
        return luck.binomial(viewers, 1 - q) + luck.binomial(participants - viewers, q)
    stop = 1 - np.exp(-study.epsilon / study.sensitivity)
    draws = COORDINATORS if isinstance(mechanism, NoisedSum) else participants
    up, down = (luck.negative_binomial(np.broadcast_to(draws, viewers.shape), stop) for _ in range(2))
    return viewers + up - down


def observed(luck: np.random.Generator, study: Study, community: Community) -> list[Estimates]:
    """Return what the coordinator estimates for each week of a community under a study."""
    weeks = []
    for number, (people, viewers) in enumerate(zip(community.participants, community.viewers, strict=True)):
        sums = noised_sums(luck, study, viewers, np.asarray(people))
        total = {study.id: Total(int(people), sums)}
        weeks.append(estimate(FIRST_WEEK.plus(number), total, {study.id: study}, len(viewers)))
    return weeks
