"""From releases to sums, and from sums to unbiased estimates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from shared.mechanism import mechanism_of
from shared.release import Release
from shared.study import Study
from shared.week import IsoWeek

Z95: Final = float(stats.norm.ppf(0.975))


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

    @cached_property
    def share(self) -> npt.NDArray[np.float64]:
        """The estimate per participant who counted the show; 0 where nobody did."""
        return self.estimate / np.maximum(self.counted, 1)

    @cached_property
    def interval95(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The lower and upper ends of the 95 % intervals of the estimates."""
        margin = Z95 * self.deviation
        return self.estimate - margin, self.estimate + margin

    @cached_property
    def rank(self) -> npt.NDArray[np.int64]:
        """Each show's rank by estimate, 1 the highest; equal estimates share the better rank.

        Shows that nobody counted are ranked behind all others.
        """
        ranks: npt.NDArray[np.int64] = stats.rankdata(-self.ranked, method="min").astype(np.int64)
        return ranks

    @cached_property
    def ranked(self) -> npt.NDArray[np.float64]:
        """The estimates, minus infinity where nobody counted the show: there is no figure then."""
        return np.where(self.counted > 0, self.estimate, -np.inf)


def add(totals: Totals, releases: Iterable[Release]) -> None:
    """Add one participant's releases to the totals."""
    for release in releases:
        studies = totals.setdefault(release.week, {})
        total = studies.setdefault(release.study, Total(0, np.zeros(len(release.counts), dtype=np.int64)))
        total.participants += 1
        total.sums += release.counts


def estimate(week: IsoWeek, totals: Mapping[str, Total], studies: Mapping[str, Study], rows: int) -> Estimates:
    """Return the estimates of a week over `rows` catalogue rows, from its totals by study."""
    counted = np.zeros(rows, dtype=np.int64)
    estimates = np.zeros(rows)
    variance = np.zeros(rows)
    for study_id, total in totals.items():
        mechanism = mechanism_of(studies[study_id])
        participants = np.full(len(total.sums), total.participants)
        had = slice(len(total.sums))
        counted[had] += participants
        estimates[had] += mechanism.estimate(total.sums, participants)
        variance[had] += participants * mechanism.variance
    everyone = sum(total.participants for total in totals.values())
    return Estimates(week, everyone, counted, estimates, np.sqrt(variance))
