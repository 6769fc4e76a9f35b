"""The only module that draws noise, with OpenDP alone, and the only one that knows what the noise does to a sum.

No seed and no NumPy generator is anywhere near: OpenDP samples from the operating system's randomness.
OpenDP is imported only when noise is drawn; the coordinator needs the closed forms alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NewType, Protocol

import numpy as np
import numpy.typing as npt

from shared.errors import StudyError

if TYPE_CHECKING:
    from shared.study import Study

ExactCounts = NewType("ExactCounts", "npt.NDArray[np.int64]")
"""Bounded private counts, one for each catalogue row. Never leaves the machine."""

NoisedCounts = NewType("NoisedCounts", "npt.NDArray[np.int16]")
"""What a release carries. Only this module makes them from private counts."""

LARGEST: Final = 2**15 - 1  # a release's cell is an i2; its smallest value marks rows the study did not have
CLIPPING_PROBABILITY: Final = 1e-12
MANY_SHOWS: Final = 100
"""More shows than anybody watches in one week; what honest noise gives is judged by it where the study has no cap."""
HONEST_DEVIATIONS: Final = 5.0
MAX_PARTICIPANTS: Final = 250_000  # of a week with two coordinators: a batch of them is 8 MB, SyftBox carries 10
COORDINATORS: Final = 2  # who each noise a sum that they hold in halves
_GRID: Final = 2**53  # below 1, floats p with 1/2 <= p < 1 are multiples of 2^-53: there 1 - p is exact


class Mechanism(Protocol):
    """What the noise of a study means for the sum that its coordinator gets."""

    @property
    def words(self) -> str:
        """What becomes of a participant's cell, as the end of a sentence that begins with it."""

    @property
    def epsilon(self) -> float:
        """The privacy loss per unit and week that OpenDP's map states for what is built: at most the study's."""

    def variance_of(self, participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the variance that the noise gives an estimate over so many participants, whatever the counts are."""

    def estimate(self, sums: npt.NDArray[np.int64], participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return unbiased estimates of the exact sums; `participants` are those who counted each cell."""

    def cumulants(
        self, angles: npt.NDArray[Any], exact: npt.NDArray[np.float64], participants: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.complex128]:
        """Return log E[e^(i angle sum)] of the noised sum over `participants` whose exact sum is `exact`.

        That is the whole distribution of the sum, in closed form. Angles are real or imaginary; infinite where no such
        mean exists. Arrays broadcast; `exact` lies in what is possible.
        """

    @property
    def influence(self) -> float:
        """By how much one participant can move an estimate, at most, without being rejected; may be infinite."""


class Randomizer(Mechanism, Protocol):
    """How a participant noises the counts themselves, before anybody else sees them."""

    @property
    def variance(self) -> float:
        """The variance that one participant's noise adds to an estimate, whatever the counts are."""

    def noise(self, counts: ExactCounts) -> NoisedCounts:
        """Return a noised count for every cell, watched or not. Each call costs the study's epsilon once more."""

    def possible(self, counts: npt.NDArray[np.int16]) -> bool:
        """Tell whether the mechanism can have produced these cells."""

    @property
    def agreement(self) -> float:
        """The probability, at most, that two honest releases have the same value in a given cell."""

    def mass(self, counts: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
        """Return the sum of the cells' absolute values over the last axis: of ones, where cells are 0 and 1."""

    def honest_mass(self, cells: int) -> tuple[float, float]:
        """Return the least and the most mass of an honest release of so many cells.

        A member is taken to have watched at most `most_shows` shows in the week; the noise around that is allowed five
        standard deviations, so that an honest release is outside less than once in a million weeks.
        """


@dataclass(frozen=True)
class RandomizedResponse:
    """Every 0/1 cell is flipped with probability q, alone.

    Unit of privacy: one show's views in a week (`flips` = 1) or a whole week of at most S shows (`flips` = S).
    Neighbours differ in at most `flips` cells, bounded before by `participant.bound`. Cost: `flips` x ln((1-q)/q),
    at most the study's epsilon, as the privacy map of OpenDP's `make_randomized_response_bool` states it.
    Source: Warner 1965, https://doi.org/10.1080/01621459.1965.10480775
    """

    study_epsilon: float
    flips: int
    most_shows: int = MANY_SHOWS

    @property
    def words(self) -> str:
        """See Mechanism."""
        return f"is flipped with probability {self.flip_probability:.3f}"

    @property
    def flip_probability(self) -> float:
        """Q with (1-q)/q = e^(epsilon/flips), rounded up by a few parts in 2^53.

        Rounded up, so that OpenDP's map, which rounds upwards itself, never exceeds epsilon; on the grid of 2^-53,
        so that 1 - q, the form in which the map takes it, is exact.
        """
        return (math.ceil(_GRID / (1 + math.exp(self.study_epsilon / self.flips))) + 16) / _GRID

    @property
    def epsilon(self) -> float:
        """See Mechanism."""
        return _boolean_map(1 - self.flip_probability) * self.flips

    @property
    def variance(self) -> float:
        """See Mechanism."""
        q = self.flip_probability
        return q * (1 - q) / (1 - 2 * q) ** 2

    def variance_of(self, participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """See Mechanism: everyone's noise adds up."""
        variance: npt.NDArray[np.float64] = participants * np.float64(self.variance)
        return variance

    def noise(self, counts: ExactCounts) -> NoisedCounts:
        """See Mechanism. ValueError for a count other than 0 and 1."""
        if not np.isin(counts, (0, 1)).all():
            raise ValueError("randomized response takes counts of 0 and 1; bound them first")
        if not self.epsilon <= self.study_epsilon:
            raise AssertionError(f"OpenDP states {self.epsilon} for a study of epsilon {self.study_epsilon}")
        dp = _opendp()
        # OpenDP checks neither the length nor the weight of what it is given. Any vector of n bits is a member of the
        # domain of weight n, and the length is checked below. Its own map is not used: it bounds replacing all bits.
        domain = dp.bitvector_domain(max_weight=len(counts))
        flip = dp.m.make_randomized_response_bitvec(domain, dp.discrete_distance(), 2 * self.flip_probability)
        packed = np.packbits(counts.astype(np.uint8))
        noised = np.frombuffer(flip(packed.tobytes()), dtype=np.uint8)
        if noised.shape != packed.shape:
            raise AssertionError("OpenDP returned another number of bits than it was given")
        return NoisedCounts(np.unpackbits(noised)[: len(counts)].astype(np.int16))

    def estimate(self, sums: npt.NDArray[np.int64], participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """See Mechanism: (sum - n q) / (1 - 2 q)."""
        q = self.flip_probability
        estimates: npt.NDArray[np.float64] = (sums - participants * q) / (1 - 2 * q)
        return estimates

    def possible(self, counts: npt.NDArray[np.int16]) -> bool:
        """See Mechanism: cells of 0 and 1."""
        return bool(counts.view(np.uint16).max() <= 1)  # a negative cell is a large one then

    @property
    def influence(self) -> float:
        """See Mechanism: a cell of 1 rather than 0."""
        return 1 / (1 - 2 * self.flip_probability)

    @property
    def agreement(self) -> float:
        """See Mechanism: both flipped or neither."""
        q = self.flip_probability
        return q * q + (1 - q) * (1 - q)

    def mass(self, counts: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
        """See Mechanism."""
        fits = counts.shape[-1] <= LARGEST  # sums without wider cells are made five times as fast
        return np.asarray(counts.sum(axis=-1, dtype=np.int16 if fits else np.int32), dtype=np.int64)

    def honest_mass(self, cells: int) -> tuple[float, float]:
        """See Mechanism: of n cells nq are ones, and each show watched adds 1 - 2q."""
        q = self.flip_probability
        margin = HONEST_DEVIATIONS * math.sqrt(cells * q * (1 - q))
        return cells * q - margin, cells * q + min(self.most_shows, cells) * (1 - 2 * q) + margin

    def cumulants(
        self, angles: npt.NDArray[Any], exact: npt.NDArray[np.float64], participants: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.complex128]:
        """See Mechanism: Binomial(exact, 1 - q) + Binomial(participants - exact, q)."""
        q = self.flip_probability
        turn: npt.NDArray[np.complex128] = np.exp(1j * angles)
        kept, made = np.log(q + (1 - q) * turn), np.log(1 - q + q * turn)
        found = exact * kept + (participants - exact) * made
        return found.astype(np.complex128)


@dataclass(frozen=True)
class DiscreteLaplace:
    """Discrete Laplace noise on every cell, P(x) proportional to e^(-|x|/scale).

    Neighbours are at most `sensitivity` apart in L1, bounded before by `participant.bound`. Cost: OpenDP's map of the
    built measurement at that distance, at most the study's epsilon.
    Source: Ghosh, Roughgarden, Sundararajan 2009, https://arxiv.org/abs/0811.2841
    """

    study_epsilon: float
    sensitivity: int
    max_count: int
    most_shows: int = MANY_SHOWS

    @property
    def words(self) -> str:
        """See Mechanism."""
        return f"gets discrete Laplace noise of scale {self.scale:.3g}"

    @property
    def scale(self) -> float:
        """Sensitivity / epsilon, rounded up by a few parts in 2^53, so that OpenDP's map never exceeds epsilon."""
        return self.sensitivity / self.study_epsilon * (1 + 2**-48)

    @property
    def epsilon(self) -> float:
        """See Mechanism."""
        return float(self._measurement(1).map(self.sensitivity))

    @property
    def variance(self) -> float:
        """See Mechanism: 2a / (1 - a)^2 with a = e^(-1/scale)."""
        a = math.exp(-1 / self.scale)
        return 2 * a / (1 - a) ** 2

    def variance_of(self, participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """See Mechanism: everyone's noise adds up."""
        variance: npt.NDArray[np.float64] = participants * np.float64(self.variance)
        return variance

    @property
    def reach(self) -> int:
        """The least k that a cell's noise X exceeds with a probability of at most 1e-12.

        P(|X| > k) = 2 a^(k+1) / (1 + a) with a = e^(-1/scale).
        """
        a = math.exp(-1 / self.scale)
        return max(math.ceil(-self.scale * math.log(CLIPPING_PROBABILITY * (1 + a) / 2)) - 1, 0)

    def noise(self, counts: ExactCounts) -> NoisedCounts:
        """See Mechanism. Noise is clipped at its `reach`, which post-processes, once in 10^12 cells."""
        noised = self._draw(counts)
        return NoisedCounts(np.clip(noised, -self.reach, self.max_count + self.reach).astype(np.int16))

    def estimate(self, sums: npt.NDArray[np.int64], participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """See Mechanism: the sums themselves, however many took part."""
        del participants
        return sums.astype(np.float64)

    def possible(self, counts: npt.NDArray[np.int16]) -> bool:
        """See Mechanism: cells within the reach of the noise around 0 to `max_count`."""
        return bool(counts.min() >= -self.reach and counts.max() <= self.max_count + self.reach)

    @property
    def influence(self) -> float:
        """See Mechanism: from the lowest possible cell to the highest."""
        return float(self.max_count + 2 * self.reach)

    @property
    def agreement(self) -> float:
        """See Mechanism: the sum of P(x)^2, which is largest where both counts are the same."""
        a = math.exp(-1 / self.scale)
        return (1 - a) ** 2 / (1 + a) ** 2 * (1 + a * a) / (1 - a * a)

    def mass(self, counts: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
        """See Mechanism."""
        return np.asarray(np.abs(counts.astype(np.int32)).sum(axis=-1), dtype=np.int64)

    def honest_mass(self, cells: int) -> tuple[float, float]:
        """See Mechanism: E|X| = 2a / (1 - a^2), E X^2 = 2a / (1 - a)^2, and each show watched moves it by its count."""
        a = math.exp(-1 / self.scale)
        mean = 2 * a / (1 - a * a)
        watched = min(self.most_shows, cells) * self.max_count
        margin = watched + HONEST_DEVIATIONS * math.sqrt(cells * (self.variance - mean * mean))
        return cells * mean - margin, cells * mean + margin

    def cumulants(
        self, angles: npt.NDArray[Any], exact: npt.NDArray[np.float64], participants: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.complex128]:
        """See Mechanism: the exact sum, and `participants` draws of discrete Laplace noise."""
        found: npt.NDArray[np.complex128] = 1j * angles * exact + participants * self.cumulant(angles)
        return found

    def cumulant(self, angles: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return log E[e^(i angle X)] of one draw X of the noise; infinite where there is no such mean."""
        a = math.exp(-1 / self.scale)
        spread = 1 - 2 * a * np.cos(angles).real + a**2
        return np.where(spread > 0, 2 * math.log(1 - a) - np.log(np.where(spread > 0, spread, 1)), np.inf)

    def on_nothing(self, cells: int) -> npt.NDArray[np.int64]:
        """Return the noise alone, to be added to a sum, which costs the study's epsilon.

        Not clipped: to clip noise, and not what it was added to, would be no post-processing.
        """
        return self._draw(np.zeros(cells, dtype=np.int64))

    def _draw(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        measurement = self._measurement(len(counts))
        stated = measurement.map(self.sensitivity)
        if not stated <= self.study_epsilon:
            raise AssertionError(f"OpenDP states {stated} for a study of epsilon {self.study_epsilon}")
        return np.asarray(measurement([int(count) for count in counts]), dtype=np.int64)

    def _measurement(self, cells: int) -> Any:
        dp = _opendp()
        domain = dp.vector_domain(dp.atom_domain(T=int), size=cells)
        return dp.m.make_laplace(domain, dp.l1_distance(T=int), self.scale)


@dataclass(frozen=True)
class NoisedSum:
    """Discrete Laplace noise on the exact sum, drawn by each of two coordinators on its half of it.

    The counts travel in two halves of which each alone is uniformly random (`shared.sharing`), so a coordinator has
    nothing to noise but its half of the sum. Each adds the full noise for the study's unit and epsilon: the promise
    holds as long as one of the two is honest, and for whoever knows the other's noise.
    """

    each: DiscreteLaplace
    """The noise of one coordinator."""

    @property
    def words(self) -> str:
        """See Mechanism."""
        return "is split into two random halves, each encrypted to one of two coordinators"

    @property
    def epsilon(self) -> float:
        """See Mechanism: what is lost where one coordinator's noise is known."""
        return self.each.epsilon

    def variance_of(self, participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """See Mechanism: two draws, however many take part."""
        return np.where(participants > 0, COORDINATORS * self.each.variance, 0.0)

    def estimate(self, sums: npt.NDArray[np.int64], participants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """See Mechanism: the sums themselves."""
        del participants
        return sums.astype(np.float64)

    def cumulants(
        self, angles: npt.NDArray[Any], exact: npt.NDArray[np.float64], participants: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.complex128]:
        """See Mechanism: the exact sum, and two draws of discrete Laplace noise."""
        drawn = np.where(np.asarray(participants) > 0, COORDINATORS, 0)
        found: npt.NDArray[np.complex128] = 1j * angles * exact + drawn * self.each.cumulant(angles)
        return found

    @property
    def influence(self) -> float:
        """See Mechanism: without a proof of validity a half can be anything."""
        return math.inf

    def draw(self, cells: int) -> npt.NDArray[np.uint32]:
        """Return one coordinator's noise modulo 2^32, for each cell. Each call on the same sum costs epsilon again."""
        return self.each.on_nothing(cells).astype(np.uint32)

    @property
    def bound(self) -> int:
        """What the noise of both together exceeds in a cell with a probability below 1e-12, in absolute value."""
        return COORDINATORS * self.each.reach

    def fits(self, participants: int) -> bool:
        """Tell whether the noised sum over so many participants stays what it is modulo 2^32, as a signed number."""
        return participants * self.each.max_count + self.bound < 2**31

    def plausible(self, sums: npt.NDArray[np.int64], participants: int) -> bool:
        """Tell whether honest participants can have given these noised sums."""
        return bool(sums.min() >= -self.bound and sums.max() <= participants * self.each.max_count + self.bound)


def mechanism_of(study: Study) -> Mechanism:
    """Return what a study's noise means for sums, with the parameters that its unit and caps ask for."""
    return noised_sum_of(study) if study.trust == "two-coordinators" else randomizer_of(study)


def randomizer_of(study: Study) -> Randomizer:
    """Return how a participant noises the counts under a study.

    Raises: StudyError for one with two coordinators: there the sum is noised.
    """
    if study.trust != "one-coordinator":
        raise StudyError(f"study {study.id[:8]} has two coordinators: participants share, and add no noise")
    if study.mechanism == "randomized-response":
        return RandomizedResponse(study.epsilon, study.sensitivity, study.max_shows_per_week or MANY_SHOWS)
    return _laplace_of(study)


def noised_sum_of(study: Study) -> NoisedSum:
    """Return how two coordinators noise the sum under a study."""
    return NoisedSum(_laplace_of(study))


def _laplace_of(study: Study) -> DiscreteLaplace:
    shows = study.max_shows_per_week or MANY_SHOWS
    return DiscreteLaplace(study.epsilon, study.sensitivity, study.max_views_per_show, shows)


def check_laplace_fits(study: Study) -> None:
    """Refuse a study whose Laplace draws could leave a release's cells, or a sum's, with probability above 1e-12.

    Raises: StudyError.
    """
    if study.trust == "two-coordinators":
        if not noised_sum_of(study).fits(MAX_PARTICIPANTS):
            raise StudyError(f"the noise on the sum of {MAX_PARTICIPANTS:,} participants could leave 32 bits")
        return
    laplace = _laplace_of(study)
    if study.max_views_per_show + laplace.reach > LARGEST:
        raise StudyError(
            f"a Laplace scale of {laplace.scale:g} leaves a release's cells with a probability above "
            f"{CLIPPING_PROBABILITY:g}: raise epsilon or lower the caps"
        )


@lru_cache(maxsize=1)
def _opendp() -> Any:
    """Import OpenDP, which takes a third of a second: only when noise is drawn."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    return dp


@lru_cache(maxsize=8)
def _boolean_map(truth_probability: float) -> float:
    """Return the privacy loss of one bit that keeps its value with this probability, as OpenDP's map states it."""
    return float(_opendp().m.make_randomized_response_bool(prob=truth_probability).map(1))
