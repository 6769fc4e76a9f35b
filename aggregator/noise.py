"""What the noise does to a sum, exactly: how likely a sum is, and which true counts it leaves possible.

With few participants or a large epsilon the noise of a sum takes few values, and no normal curve describes it. The
mechanism's characteristic function does, and a Fourier transform of it gives every probability to 1e-15.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from shared.mechanism import Mechanism

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FLOOR: Final = 1e-15  # probabilities below it are the transform's rounding errors
COARSE: Final = 6.0  # a sum whose noise deviates less than this takes so few values that a normal curve misleads
_LEVEL: Final = 0.95
_LEAST: Final = 0.93  # an interval's coverage where no set of values comes closer to 0.95
_TAIL: Final = 0.07
_BALANCE: Final = 0.3  # how much coverage nearer to 0.95 a set may give for one unit of balance between its tails


@dataclass(frozen=True)
class NoisedSums:
    """Sums of releases that were all noised by the same mechanism. Arrays have shape (rows,)."""

    mechanism: Mechanism
    sums: Integers
    participants: Integers
    """How many releases each sum has."""
    max_count: int
    """The largest count of one participant."""

    @cached_property
    def gain(self) -> float:
        """By how much an estimate grows with its sum."""
        sums, nobody = np.array([0, 1]), np.zeros(2, dtype=np.int64)
        return float(np.diff(self.mechanism.estimate(sums, nobody))[0])

    def deviation(self, participants: int) -> float:
        """Return the standard deviation of the noise in a sum of so many releases."""
        return math.sqrt(float(self.mechanism.variance_of(np.array(participants)))) / self.gain

    def of(self, rows: npt.NDArray[np.intp]) -> NoisedSums:
        """Return these rows alone."""
        return NoisedSums(self.mechanism, self.sums[rows], self.participants[rows], self.max_count)

    def likelihood(self, counts: Integers) -> Floats:
        """Return the probability of every sum for each true count, shape (rows, counts), at least FLOOR.

        1 for sums of nothing. True counts that so many participants cannot have are taken as the most that they can.
        """
        found = np.ones((len(self.sums), len(counts)))
        for participants, rows in self._groups():
            exact = np.minimum(counts, participants * self.max_count)
            first, table = self._distribution(exact, participants)
            sums, where = np.unique(self.sums[rows], return_inverse=True)
            at = sums[:, None] - first
            inside = (at >= 0) & (at < table.shape[1])
            each = np.where(inside, table[np.arange(len(counts)), np.clip(at, 0, table.shape[1] - 1)], 0)
            found[rows] = np.maximum(each, FLOOR)[where]
        return found

    def cumulants(self, factors: Floats, counts: Floats) -> Floats:
        """Return log E[e^(factor x noise of the estimate)] at the rows' true counts, shape (rows, factors).

        Infinite where no such mean exists. `factors` have shape (rows, factors), `counts` (rows,).
        """
        people = self.participants
        exact = np.minimum(counts, people * self.max_count)
        mean = (exact - self.mechanism.estimate(np.zeros_like(people), people)) / self.gain
        steps = factors * self.gain
        found: Floats = self.mechanism.cumulants(-1j * steps, exact[:, None], people[:, None]).real
        return found - steps * mean[:, None]

    def interval95(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return `low` and `high`, those of the normal curve, with exact ends wherever it misleads.

        An exact interval holds the whole numbers that the sum does not speak against. For each true count, the sums
        that do not are chosen so that they come as near as possible to a probability of 0.95, and never below 0.93.
        So a true count is covered with that probability, whatever it is. Below 0 and above what is possible the
        interval goes on in a straight line, as the estimate does, which it always contains.
        """
        low, high = low.copy(), high.copy()
        for participants, rows in self._groups():
            if self.deviation(participants) < COARSE:
                sums, where = np.unique(self.sums[rows], return_inverse=True)
                ends = self._exact_ends(sums, participants)
                low[rows], high[rows] = ends[0][where], ends[1][where]
        return low, high

    def _groups(self) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
        """Yield each number of participants with the rows that have it."""
        for participants in np.unique(self.participants[self.participants > 0]):
            yield int(participants), np.flatnonzero(self.participants == participants)

    def _distribution(self, exact: Integers, participants: int) -> tuple[Integers, Floats]:
        """Return the first sum of a window for each true count, shape (counts,), and the probabilities from there on.

        The window reaches nine deviations and 16 values to each side of the mean: what is outside wraps around.
        """
        nothing = float(self.mechanism.estimate(np.zeros(1, dtype=np.int64), np.array([participants]))[0])
        size = 1 << math.ceil(math.log2(2 * (9 * self.deviation(participants) + 16)))
        angles = 2 * np.pi * np.arange(size // 2 + 1) / size
        spectrum = np.exp(self.mechanism.cumulants(angles, exact[:, None].astype(np.float64), np.array(participants)))
        table = np.clip(np.fft.hfft(spectrum, n=size, axis=1) / size, 0, None)
        first = np.floor((exact - nothing) / self.gain).astype(np.int64) - size // 2
        return first, np.take_along_axis(table, (first[:, None] + np.arange(size)) % size, axis=1)

    def _exact_ends(self, sums: Integers, participants: int) -> tuple[Floats, Floats]:
        """Return both ends of the exact interval of each of these sums, which are in order."""
        most = participants * self.max_count
        estimates = self.mechanism.estimate(sums, np.full(len(sums), participants))
        reach = math.ceil(5 * self.deviation(participants) * self.gain) + 2
        centers = np.unique(np.clip(np.rint(estimates), 0, most).astype(np.int64))
        near = np.unique(np.clip(centers[:, None] + np.arange(-reach, reach + 1), 0, most))
        counts = np.unique(np.concatenate([[0, most], near]))
        first, table = self._distribution(counts, participants)
        lowest, highest = (first + ends for ends in np.array([_agreeing(row) for row in table]).T)
        lowest = np.minimum.accumulate(lowest[::-1])[::-1]  # a greater count never asks for smaller sums
        highest = np.maximum.accumulate(highest)
        low = counts[np.minimum(np.searchsorted(highest, sums), len(counts) - 1)].astype(np.float64)
        high = counts[np.maximum(np.searchsorted(lowest, sums, side="right") - 1, 0)].astype(np.float64)
        low = np.where(sums <= highest[0], (sums - highest[0]) * self.gain, low)
        low = np.where(sums > highest[-1], most + (sums - highest[-1]) * self.gain, low)
        high = np.where(sums >= lowest[-1], most + (sums - lowest[-1]) * self.gain, high)
        high = np.where(sums < lowest[0], (sums - lowest[0]) * self.gain, high)
        return np.minimum(low, estimates), np.maximum(high, estimates)


def _agreeing(probabilities: Floats) -> tuple[int, int]:
    """Return the first and last value of the set whose probability is nearest to 0.95, of those the most balanced."""
    below = np.concatenate([[0.0], np.cumsum(probabilities)[:-1]])
    above = np.clip(1 - below - probabilities, 0, 1)
    firsts = np.flatnonzero((below <= _TAIL) & (below + probabilities > FLOOR))
    lasts = np.flatnonzero((above <= _TAIL) & (above + probabilities > FLOOR))
    under, over = below[firsts][:, None], above[lasts]
    covered = 1 - under - over
    cost = np.abs(covered - _LEVEL) + _BALANCE * np.abs(under - over) + (covered < _LEAST)
    first, last = np.unravel_index(int(cost.argmin()), cost.shape)
    return int(firsts[first]), int(lasts[last])
