"""The distribution of noised sums and the intervals that follow: no chance, but for one check against OpenDP."""

import dataclasses
import math
from typing import cast

import numpy as np
import pytest
from scipy import stats

from aggregator.combine import Estimates, Total, estimate
from aggregator.noise import NoisedSums
from shared import mechanism as mechanisms
from shared.mechanism import DiscreteLaplace, ExactCounts, RandomizedResponse, Randomizer, mechanism_of
from shared.study import Coordinator, MechanismName, Study
from shared.week import IsoWeek

WEEK = IsoWeek(2024, 47)


def study(mechanism: MechanismName, epsilon: float) -> Study:
    return Study(catalogue_rows=1, catalogue_sha256="0" * 64, mechanism=mechanism, epsilon=epsilon)


def pair_study(epsilon: float) -> Study:
    keys = [Coordinator(f"{each}@example.org", each * 64, each * 64) for each in "ab"]
    return dataclasses.replace(study("laplace", epsilon), trust="two-coordinators", leader=keys[0], helper=keys[1])


def week(sums: np.ndarray, participants: int, terms: Study) -> Estimates:
    return estimate(WEEK, {terms.id: Total(participants, sums)}, {terms.id: terms}, len(sums))


def all_sums(participants: int, terms: Study) -> np.ndarray:
    """Return every sum that happens at all, with any true count."""
    if terms.mechanism == "randomized-response":
        return np.arange(participants + 1)
    variance = float(mechanism_of(terms).variance_of(np.array([participants]))[0])
    reach = math.ceil(12 * math.sqrt(variance)) + 20
    return np.arange(-reach, participants + reach + 1)


def coverage(participants: int, terms: Study, counts: np.ndarray, *, normal: bool = False) -> np.ndarray:
    """Return the probability that the interval holds each true count: added up, not sampled."""
    sums = all_sums(participants, terms)
    found = week(sums, participants, terms)
    low, high = found.interval95
    if normal:
        low, high = found.estimate - 1.96 * found.deviation, found.estimate + 1.96 * found.deviation
    holds = (low[:, None] <= counts + 1e-9) & (counts <= high[:, None] + 1e-9)
    probabilities: np.ndarray = (found.likelihood(counts) * holds).sum(axis=0)
    return probabilities


def test_the_sum_of_randomized_responses_is_two_binomials() -> None:
    q = RandomizedResponse(2.0, 1).flip_probability
    sums, counts = np.arange(31), np.array([0, 4, 30])
    kept, made = (stats.binom.pmf(sums[:, None], number, rate) for number, rate in ((counts, 1 - q), (30 - counts, q)))
    expected = np.array([np.convolve(kept[:, each], made[:, each])[:31] for each in range(3)]).T
    found = NoisedSums(RandomizedResponse(2.0, 1), sums, np.full(31, 30), 1).likelihood(counts)
    assert found == pytest.approx(expected, abs=1e-14)


def test_the_sum_of_laplace_draws_is_a_difference_of_negative_binomials() -> None:
    mechanism = DiscreteLaplace(1.0, 1, 1)
    sums, draws = np.arange(-20, 26), np.arange(400)
    side = stats.nbinom.pmf(draws, 7, 1 - math.exp(-1 / mechanism.scale))
    difference = np.convolve(side, side[::-1])[len(draws) - 1 + sums - 5]
    found = NoisedSums(mechanism, sums, np.full(len(sums), 7), 1).likelihood(np.array([5]))
    assert found[:, 0] == pytest.approx(difference, abs=1e-14)


@pytest.mark.parametrize("mechanism", [RandomizedResponse(1.0, 1), DiscreteLaplace(1.0, 1, 1)])
def test_what_opendp_draws_has_this_distribution(mechanism: Randomizer) -> None:
    exact = ExactCounts(np.ones(20_000, dtype=np.int64))
    sums = np.sum([mechanism.noise(exact).astype(np.int64) for _ in range(6)], axis=0)
    values = np.arange(-10, 20)
    expected = NoisedSums(mechanism, values, np.full(30, 6), 1).likelihood(np.array([6]))[:, 0]
    for value, probability in zip(values, expected, strict=True):
        drawn = int((sums == value).sum())
        assert stats.binomtest(drawn, len(sums), min(probability, 1)).pvalue > 1e-10  # of 30: by chance 3e-9
        if probability > 0.05:  # and the check notices a fifth more of a value than that
            assert stats.binomtest(round(1.2 * probability * len(sums)), len(sums), probability).pvalue < 1e-10


@pytest.mark.parametrize("mechanism", ["randomized-response", "laplace"])
@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("participants", [5, 10, 13, 20, 30, 49, 55, 80, 120])
def test_every_true_count_is_covered_with_at_least_93_percent(
    mechanism: MechanismName, epsilon: float, participants: int
) -> None:
    counts = np.arange(participants + 1)
    assert coverage(participants, study(mechanism, epsilon), counts).min() >= 0.93


@pytest.mark.parametrize("mechanism", ["randomized-response", "laplace"])
@pytest.mark.parametrize("epsilon", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("participants", [50, 100, 300, 1_000, 10_000])
def test_from_50_participants_true_counts_are_covered_with_93_to_97_percent(
    mechanism: MechanismName, epsilon: float, participants: int
) -> None:
    counts = np.arange(11)
    covered = coverage(participants, study(mechanism, epsilon), counts)
    assert 0.93 <= covered[0] <= 0.97  # most shows: nobody watched them
    assert 0.93 <= covered.mean() <= 0.97


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("participants", [5, 13, 30, 120, 1_000])
def test_with_two_coordinators_every_true_count_is_covered_with_at_least_93_percent(
    epsilon: float, participants: int
) -> None:
    counts = np.arange(min(participants, 200) + 1)
    assert coverage(participants, pair_study(epsilon), counts).min() >= 0.93


def test_that_check_notices_the_interval_of_one_coordinators_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    terms, counts = pair_study(1.0), np.arange(31)
    sums = all_sums(30, terms)
    with monkeypatch.context() as patch:
        patch.setattr(mechanisms, "COORDINATORS", 1)
        low, high = week(sums, 30, terms).interval95
    holds = (low[:, None] <= counts + 1e-9) & (counts <= high[:, None] + 1e-9)
    assert (week(sums, 30, terms).likelihood(counts) * holds).sum(axis=0).min() < 0.9


def test_the_sum_of_two_coordinators_is_the_exact_one_and_two_draws_however_many_take_part() -> None:
    mechanism = mechanism_of(pair_study(1.0))
    draws = np.arange(-60, 61)
    one = stats.dlaplace(1.0).pmf(draws)
    both = np.convolve(one, one)[60:-60]
    for participants in (7, 5_000):
        found = NoisedSums(mechanism, draws + 5, np.full(len(draws), participants), 1).likelihood(np.array([5]))
        assert found[:, 0] == pytest.approx(both, abs=1e-12)
        assert mechanism.variance_of(np.array([participants])) == pytest.approx(2 * stats.dlaplace(1.0).var())
    assert mechanism.variance_of(np.array([0, 1])).tolist() == [0.0, pytest.approx(2 * stats.dlaplace(1.0).var())]
    assert mechanism.cumulants(np.array([0.3]), np.array([0.0]), np.array([0])).tolist() == [0]


def test_that_check_notices_the_interval_of_a_normal_curve() -> None:
    counts = np.arange(31)
    assert coverage(30, study("randomized-response", 4.0), counts, normal=True).min() < 0.90
    assert coverage(55, study("laplace", 4.0), counts, normal=True).min() < 0.93


@pytest.mark.parametrize("mechanism", ["randomized-response", "laplace"])
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0, 30.0])
def test_an_interval_holds_its_estimate_and_grows_with_the_sum(mechanism: MechanismName, epsilon: float) -> None:
    terms = study(mechanism, epsilon)
    found = week(all_sums(12, terms), 12, terms)
    low, high = found.interval95
    assert (low <= found.estimate).all()
    assert (found.estimate <= high).all()
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()


@pytest.mark.parametrize("mechanism", ["randomized-response", "laplace", "two coordinators"])
def test_the_cumulants_are_those_of_the_distribution(mechanism: str) -> None:
    terms = pair_study(2.0) if mechanism == "two coordinators" else study(cast("MechanismName", mechanism), 2.0)
    found = week(all_sums(15, terms), 15, terms)
    factors = np.array([-0.1, 0.05, 0.2])
    errors = found.estimate - 6
    expected = np.log(found.likelihood(np.array([6]))[:, 0] @ np.exp(factors * errors[:, None]))
    one = found.of(np.array([0]))
    assert one.cumulants(factors[None, :], np.array([6.0]))[0] == pytest.approx(expected, abs=1e-6)
