"""From releases to sums, and from sums to unbiased estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.noise import FLOOR, NoisedSums
from shared.mechanism import mechanism_of
from shared.study import Study
from shared.week import IsoWeek

Z95: Final = 1.959963984540054  # the normal curve's quantile at 97.5 %


@dataclass
class Total:
    """The noised counts of one week under one study, added up."""

    participants: int
    sums: npt.NDArray[np.int64]


Totals = dict[IsoWeek, dict[str, Total]]
"""Week -> study id -> total: all that the estimates need, whatever the number of participants."""


@dataclass(frozen=True)
class Estimates:
    """The unbiased figures of one week. Arrays have shape (rows of the largest study,)."""

    week: IsoWeek
    participants: int
    """How many releases the week has."""
    counted: npt.NDArray[np.int64]
    """How many of them counted each show: an older study may not have had it."""
    estimate: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    """The exact standard deviation of the noise in each estimate."""
    most: npt.NDArray[np.int64]
    """The largest true count that each show can have: what the caps of those who counted it add up to."""
    sums: NoisedSums | None = None
    """The sums themselves where one mechanism noised them all; None where the noise is only known to be near normal."""

    @cached_property
    def share(self) -> npt.NDArray[np.float64]:
        """The estimate per participant who counted the show; 0 where nobody did."""
        return self.estimate / np.maximum(self.counted, 1)

    @cached_property
    def interval95(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The lower and upper ends of the 95 % intervals of the estimates, exact where the noise is not near normal."""
        margin = Z95 * self.deviation
        low, high = self.estimate - margin, self.estimate + margin
        return self.sums.interval95(low, high) if self.sums else (low, high)

    def of(self, rows: npt.NDArray[np.intp]) -> Estimates:
        """Return the figures of these rows alone."""
        sums = self.sums.of(rows) if self.sums else None
        return Estimates(
            self.week,
            self.participants,
            self.counted[rows],
            self.estimate[rows],
            self.deviation[rows],
            self.most[rows],
            sums,
        )

    def likelihood(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return how likely each estimate is for each true count, up to a factor; shape (rows, counts).

        0 for counts that a show cannot have, 1 for shows that nobody counted.
        """
        if self.sums:
            likely = self.sums.likelihood(counts)
        else:
            distance = (self.estimate[:, None] - counts) / np.maximum(self.deviation, 1e-9)[:, None]
            likely = np.maximum(np.exp(-(distance**2) / 2), FLOOR)
        return np.where(self.counted[:, None] > 0, np.where(counts <= self.most[:, None], likely, 0.0), 1.0)

    def cumulants(self, factors: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return log E[e^(factor x noise)] of each estimate at these true counts, shape (rows, factors)."""
        if self.sums:
            return self.sums.cumulants(factors, counts)
        normal: npt.NDArray[np.float64] = (factors * self.deviation[:, None]) ** 2 / 2
        return normal

    @cached_property
    def ranked(self) -> npt.NDArray[np.float64]:
        """The estimates, minus infinity where nobody counted the show: there is no figure then."""
        return np.where(self.counted > 0, self.estimate, -np.inf)


def merge(totals: Totals, more: Totals) -> None:
    """Add other participants' totals to the totals."""
    for week, studies in more.items():
        mine = totals.setdefault(week, {})
        for study, total in studies.items():
            if study in mine:
                mine[study].participants += total.participants
                mine[study].sums += total.sums
            else:
                mine[study] = total


def estimate(week: IsoWeek, totals: Mapping[str, Total], studies: Mapping[str, Study], rows: int) -> Estimates:
    """Return the estimates of a week over `rows` catalogue rows, from its totals by study."""
    counted = np.zeros(rows, dtype=np.int64)
    sums = np.zeros(rows, dtype=np.int64)
    most = np.zeros(rows, dtype=np.int64)
    estimates = np.zeros(rows)
    variance = np.zeros(rows)
    mechanisms = {study_id: mechanism_of(studies[study_id]) for study_id in totals}
    for study_id, total in totals.items():
        mechanism = mechanisms[study_id]
        participants = np.full(len(total.sums), total.participants)
        had = slice(len(total.sums))
        counted[had] += participants
        sums[had] += total.sums
        most[had] += participants * studies[study_id].max_views_per_show
        estimates[had] += mechanism.estimate(total.sums, participants)
        variance[had] += mechanism.variance_of(participants)
    everyone = sum(total.participants for total in totals.values())
    one_mechanism = None
    if len(set(mechanisms.values())) == 1:
        max_count = max(studies[study_id].max_views_per_show for study_id in totals)
        one_mechanism = NoisedSums(mechanism, sums, counted, max_count)
    return Estimates(week, everyone, counted, estimates, np.sqrt(variance), most, one_mechanism)
