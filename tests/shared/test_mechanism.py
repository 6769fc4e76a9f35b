"""The noise is what the study promises. Sampled checks state how often they fail by chance."""

import math

import numpy as np
import pytest
from scipy import stats

from shared import mechanism as mechanisms
from shared.errors import StudyError
from shared.mechanism import (
    CLIPPING_PROBABILITY,
    LARGEST,
    MANY_SHOWS,
    MAX_PARTICIPANTS,
    DiscreteLaplace,
    ExactCounts,
    RandomizedResponse,
    Randomizer,
    mechanism_of,
    noised_sum_of,
    randomizer_of,
)
from shared.study import Coordinator, Study

CHANCE = 1e-9
"""The false-alarm rate of each sampled check: it fails by chance once in a thousand million runs."""


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 3.3, 8.0])
@pytest.mark.parametrize("flips", [1, 5])
def test_the_privacy_map_of_randomized_response_stays_within_epsilon_and_uses_it(epsilon: float, flips: int) -> None:
    assert epsilon - 1e-9 < RandomizedResponse(epsilon, flips).epsilon <= epsilon


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 3.3, 8.0])
@pytest.mark.parametrize("sensitivity", [1, 3, 7, 12])
def test_the_privacy_map_of_laplace_stays_within_epsilon_and_uses_it(epsilon: float, sensitivity: int) -> None:
    assert epsilon - 1e-9 < DiscreteLaplace(epsilon, sensitivity, 1).epsilon <= epsilon


def test_the_flip_probability_is_the_one_of_the_promise() -> None:
    q = RandomizedResponse(2.0, 1).flip_probability
    assert (1 - q) / q == pytest.approx(math.e**2, rel=1e-12)
    assert (1 - q) / q <= math.e**2


@pytest.mark.parametrize("truth", [0, 1])
def test_every_cell_is_flipped_alone_with_that_probability(truth: int) -> None:
    mechanism = RandomizedResponse(2.0, 1)
    cells, draws = 1001, 200  # no multiple of eight: the last bits are noised too
    exact = ExactCounts(np.full(cells, truth, dtype=np.int64))
    flipped = np.array([mechanism.noise(exact) != truth for _ in range(draws)])
    total = stats.binomtest(int(flipped.sum()), cells * draws, mechanism.flip_probability).pvalue
    last = stats.binomtest(int(flipped[:, -1].sum()), draws, mechanism.flip_probability).pvalue
    together = stats.binomtest(
        int((flipped[:, :-1] & flipped[:, 1:]).sum()), (cells - 1) * draws, mechanism.flip_probability**2
    ).pvalue
    assert min(total, last, together) > CHANCE


def test_that_check_notices_half_the_noise() -> None:
    q = RandomizedResponse(2.0, 1).flip_probability
    flipped = stats.binom.rvs(1001 * 200, q / 2, random_state=1)
    assert stats.binomtest(int(flipped), 1001 * 200, q).pvalue < CHANCE


def test_two_draws_differ() -> None:
    mechanism, nothing = RandomizedResponse(2.0, 1), ExactCounts(np.zeros(2000, dtype=np.int64))
    assert (mechanism.noise(nothing) != mechanism.noise(nothing)).any()  # equal by chance: less than 1e-100


def test_laplace_noise_has_the_stated_distribution() -> None:
    mechanism = DiscreteLaplace(1.0, 2, 2)
    draws = mechanism.noise(ExactCounts(np.zeros(50_000, dtype=np.int64)))
    a = math.exp(-1 / mechanism.scale)
    for value in range(-3, 4):
        expected = (1 - a) / (1 + a) * a ** abs(value)
        assert stats.binomtest(int((draws == value).sum()), len(draws), expected).pvalue > CHANCE


@pytest.mark.parametrize("mechanism", [RandomizedResponse(2.0, 1), DiscreteLaplace(2.0, 1, 1)])
def test_estimates_are_unbiased_with_the_stated_variance(mechanism: RandomizedResponse | DiscreteLaplace) -> None:
    participants, cells = 20, 5_000
    exact = np.zeros(cells, dtype=np.int64)
    exact[: cells // 2] = 1
    sums = sum(mechanism.noise(ExactCounts(exact)).astype(np.int64) for _ in range(participants))
    errors = mechanism.estimate(np.asarray(sums), np.full(cells, participants)) - participants * exact
    deviation = math.sqrt(participants * mechanism.variance)
    assert abs(errors.mean()) < 6.1 * deviation / math.sqrt(cells)  # by chance: 1e-9
    # The variance of the sample variance is below 2.1 deviation^4 / cells here; seven of its deviations.
    assert errors.var() == pytest.approx(deviation**2, rel=7 * math.sqrt(2.1 / cells))


def test_counts_that_were_not_bounded_are_refused() -> None:
    with pytest.raises(ValueError, match="bound them first"):
        RandomizedResponse(2.0, 1).noise(ExactCounts(np.array([0, 2])))


def test_cells_that_the_mechanism_cannot_produce_are_told() -> None:
    response, laplace = RandomizedResponse(2.0, 1), DiscreteLaplace(2.0, 1, 1)
    assert response.possible(np.array([0, 1], dtype=np.int16))
    assert not response.possible(np.array([0, 2], dtype=np.int16))
    assert not response.possible(np.array([-1], dtype=np.int16))
    assert laplace.possible(np.array([-5, 7], dtype=np.int16))
    assert not laplace.possible(np.array([-(2**15)], dtype=np.int16))


@pytest.mark.parametrize("epsilon", [0.001, 0.1, 1.0, 2.0, 8.0, 30.0])
@pytest.mark.parametrize("sensitivity", [1, 7])
def test_laplace_noise_reaches_as_far_as_once_in_ten_to_the_twelve_cells(epsilon: float, sensitivity: int) -> None:
    laplace = DiscreteLaplace(epsilon, sensitivity, 1)
    a = math.exp(-1 / laplace.scale)
    beyond = [2 * a ** (reach + 1) / (1 + a) for reach in (laplace.reach, laplace.reach - 1)]
    assert beyond[0] <= CLIPPING_PROBABILITY * (1 + 1e-9)
    assert beyond[1] > CLIPPING_PROBABILITY


def test_laplace_cells_beyond_the_reach_are_not_possible_and_never_drawn() -> None:
    laplace = DiscreteLaplace(2.0, 1, 3)
    ends = np.array([-laplace.reach, 3 + laplace.reach], dtype=np.int16)
    assert laplace.possible(ends)
    assert not laplace.possible(ends + np.array([0, 1], dtype=np.int16))
    assert not laplace.possible(ends - np.array([1, 0], dtype=np.int16))


@pytest.mark.parametrize(
    "mechanism", [RandomizedResponse(2.0, 1), RandomizedResponse(2.0, 5), DiscreteLaplace(2.0, 1, 3)]
)
def test_one_participant_moves_an_estimate_by_the_stated_influence_and_no_more(mechanism: Randomizer) -> None:
    cells = np.arange(-300, 300, dtype=np.int16)
    possible = [cell for cell in cells if mechanism.possible(np.array([cell], dtype=np.int16))]
    others = 50
    figures = mechanism.estimate(others + np.array(possible, dtype=np.int64), np.full(len(possible), others + 1))
    assert figures.max() - figures.min() == pytest.approx(mechanism.influence)


@pytest.mark.parametrize("mechanism", [RandomizedResponse(2.0, 1), DiscreteLaplace(1.0, 2, 2)])
def test_the_mass_of_honest_noise_and_how_often_cells_agree_are_the_closed_forms(mechanism: Randomizer) -> None:
    cells = 200_000
    drawn = mechanism.noise(ExactCounts(np.zeros(cells, dtype=np.int64)))
    least, most = mechanism.honest_mass(cells)
    middle = (least + most) / 2
    shift = 100 * (1 - 2 * mechanism.flip_probability) / 2 if isinstance(mechanism, RandomizedResponse) else 0.0
    deviation = ((most - least) / 2 - (shift or 200)) / 5
    # Within 6.1 deviations: outside by chance less than once in 10^9.
    assert abs(int(mechanism.mass(drawn)) - (middle - shift)) < 6.1 * deviation
    agree = int((drawn[: cells // 2] == drawn[cells // 2 :]).sum())
    assert stats.binomtest(agree, cells // 2, mechanism.agreement).pvalue > CHANCE


def test_an_honest_mass_allows_as_many_shows_as_the_study_caps_or_a_hundred() -> None:
    plain = Study(catalogue_rows=6_500, catalogue_sha256="0" * 64)
    capped = Study(catalogue_rows=6_500, catalogue_sha256="0" * 64, unit="week", max_shows_per_week=3, epsilon=6.0)
    low, high = randomizer_of(plain).honest_mass(6_500)
    capped_low, capped_high = randomizer_of(capped).honest_mass(6_500)
    one = 1 - 2 * RandomizedResponse(2.0, 1).flip_probability
    assert capped_low == pytest.approx(low)
    assert high - capped_high == pytest.approx(97 * one)


class HalfTheNoise(DiscreteLaplace):
    """A mechanism whose map states twice the study's epsilon."""

    @property
    def scale(self) -> float:
        return super().scale / 2


class TooFewFlips(RandomizedResponse):
    """A mechanism whose map states a little more than the study's epsilon."""

    @property
    def flip_probability(self) -> float:
        return super().flip_probability * 0.999


@pytest.mark.parametrize("wrong", [HalfTheNoise(2.0, 1, 1), TooFewFlips(2.0, 1), TooFewFlips(6.0, 3)])
def test_nothing_is_drawn_where_opendp_states_more_than_the_studys_epsilon(wrong: Randomizer) -> None:
    with pytest.raises(AssertionError, match="OpenDP states"):
        wrong.noise(ExactCounts(np.zeros(8, dtype=np.int64)))


def test_no_noise_for_a_sum_is_drawn_where_opendp_states_more_than_the_studys_epsilon() -> None:
    with pytest.raises(AssertionError, match="OpenDP states"):
        HalfTheNoise(2.0, 1, 1).on_nothing(8)


@pytest.mark.parametrize("change", [-1, 1])
def test_bits_that_opendp_lost_or_added_are_no_release(monkeypatch: pytest.MonkeyPatch, change: int) -> None:
    dp = mechanisms._opendp()
    monkeypatch.setattr(dp.m, "make_randomized_response_bitvec", lambda *_: lambda bits: bytes(len(bits) + change))
    with pytest.raises(AssertionError, match="another number of bits"):
        RandomizedResponse(2.0, 1).noise(ExactCounts(np.zeros(2000, dtype=np.int64)))


def laplace_study(views: int, **terms: object) -> Study:
    """Return a study whose noise does not depend on how many views of a show it counts."""
    stated = {
        "catalogue_rows": 1,
        "unit": "view",
        "mechanism": "laplace",
        "epsilon": 0.00086,
        "max_views_per_show": views,
    }
    return Study(catalogue_sha256="0" * 64, **(stated | terms))  # type: ignore[arg-type]


def test_a_study_may_use_all_of_a_releases_cell_and_no_more() -> None:
    reach = DiscreteLaplace(0.00086, 1, 1).reach
    terms = laplace_study(LARGEST - reach)
    ends = np.array([-reach, terms.max_views_per_show + reach])
    assert (ends.astype(np.int16) == ends).all()
    assert ends.max() == np.iinfo(np.int16).max
    with pytest.raises(StudyError, match="leaves a release's cells"):
        laplace_study(LARGEST - reach + 1)


def pair_study(**terms: object) -> Study:
    keys = [Coordinator(f"{each}@example.org", each * 64, each * 64) for each in "ab"]
    return laplace_study(3, trust="two-coordinators", leader=keys[0], helper=keys[1], **terms)


def test_a_study_with_two_coordinators_has_noise_for_sums_and_none_for_participants() -> None:
    terms = pair_study(epsilon=2.0)
    assert mechanism_of(terms) == noised_sum_of(terms)
    with pytest.raises(StudyError, match="participants share, and add no noise"):
        randomizer_of(terms)


def test_a_sum_over_as_many_as_may_take_part_stays_within_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = noised_sum_of(pair_study(epsilon=2.0))
    most = (2**31 - 1 - noise.bound) // 3
    assert noise.fits(MAX_PARTICIPANTS)
    assert noise.fits(most)
    assert not noise.fits(most + 1)
    monkeypatch.setattr(mechanisms, "MAX_PARTICIPANTS", most + 1)  # no terms that are allowed reach it with fewer
    with pytest.raises(StudyError, match="could leave 32 bits"):
        pair_study(epsilon=2.0)


def test_a_sum_is_plausible_as_far_as_honest_members_and_both_noises_reach() -> None:
    noise = noised_sum_of(pair_study(epsilon=2.0))
    assert noise.bound == 2 * DiscreteLaplace(2.0, 1, 3).reach
    ends = np.array([-noise.bound, 10 * 3 + noise.bound])
    assert noise.plausible(ends, 10)
    assert not noise.plausible(ends + np.array([0, 1]), 10)
    assert not noise.plausible(ends - np.array([1, 0]), 10)


def test_laplace_counts_as_many_shows_as_the_study_caps_or_a_hundred() -> None:
    capped = laplace_study(1, unit="week", max_shows_per_week=3, epsilon=6.0, catalogue_rows=9)
    for terms, shows in ((laplace_study(2), MANY_SHOWS), (capped, 3)):
        noise = randomizer_of(terms)
        assert isinstance(noise, DiscreteLaplace)
        assert noise.most_shows == shows


@pytest.mark.parametrize("cells", [50, 6_500])
def test_an_honest_mass_is_the_mean_of_the_noise_five_deviations_and_what_may_be_watched(cells: int) -> None:
    response, laplace = RandomizedResponse(2.0, 1), DiscreteLaplace(2.0, 1, 3, most_shows=80)
    q = response.flip_probability
    ones = stats.binom(cells, q)
    low, high = response.honest_mass(cells)
    assert low == pytest.approx(ones.mean() - 5 * ones.std())
    assert high == pytest.approx(ones.mean() + 5 * ones.std() + min(MANY_SHOWS, cells) * (1 - 2 * q))
    noise = stats.dlaplace(1 / laplace.scale)
    mean = noise.expect(abs, lb=-100, ub=100)
    spread = 5 * math.sqrt(cells * (noise.var() - mean**2)) + 3 * min(80, cells)
    assert laplace.honest_mass(cells) == pytest.approx((cells * mean - spread, cells * mean + spread))


@pytest.mark.parametrize("mechanism", [RandomizedResponse(2.0, 1), DiscreteLaplace(2.0, 1, 3)])
def test_the_variance_of_a_sum_is_that_of_each_participant_added_up(mechanism: Randomizer) -> None:
    participants = np.array([0, 1, 40])
    assert mechanism.variance_of(participants) == pytest.approx(participants * mechanism.variance)
