"""Ranks, the most common show and trends. Simulations state how often they fail by chance."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from aggregator.combine import Z95, Estimates, Total, estimate
from aggregator.noise import NoisedSums
from aggregator.rank import Top, chart_history, most_common, p_values, stands_out_of_all, trends
from aggregator.shrink import Shrunken, shrink
from benchmarks.sums import Community, noised_sums, observed, simulate
from shared.mechanism import DiscreteLaplace, RandomizedResponse, Randomizer
from shared.study import MechanismName, Study
from shared.week import IsoWeek

STUDY = Study(catalogue_rows=2000, catalogue_sha256="0" * 64)


def week(number: int, estimates: list[float], participants: int = 100, deviation: float = 1.0) -> Estimates:
    shape = len(estimates)
    return Estimates(
        IsoWeek(2024, number),
        participants,
        np.full(shape, participants),
        np.array(estimates, dtype=float),
        np.full(shape, deviation),
        np.full(shape, participants),
    )


def shrunken(*weeks: Estimates) -> list[Shrunken]:
    return list(shrink(weeks))


def top_of(estimates: list[float]) -> Top:
    return most_common(shrunken(week(1, estimates))[0])


def released(number: int, truth: np.ndarray, participants: int, study: Study = STUDY) -> Estimates:
    """Return what the coordinator estimates when `truth` of the participants watched each show."""
    sums = noised_sums(np.random.default_rng(), study, truth, np.asarray(participants))
    return estimate(IsoWeek(2024, number), {study.id: Total(participants, sums)}, {study.id: study}, len(truth))


def test_equal_estimates_share_the_better_rank() -> None:
    assert shrunken(week(1, [3.0, 7.0, 7.0, 1.0]))[0].rank.tolist() == [3, 1, 1, 4]


def test_a_clear_winner_is_conclusive_and_a_tie_is_not() -> None:
    clear = top_of([1.0, 40.0, 3.0])
    assert clear.row == 1
    assert clear.conclusive
    assert clear.candidates == (1,)
    tie = top_of([20.0, 20.0, 1.0])
    assert tie.confidence == pytest.approx(0.5, abs=0.01)
    assert not tie.conclusive
    assert tie.candidates == (0, 1)


def test_two_shows_that_are_surely_level_are_no_winner() -> None:
    level = shrunken(week(1, [20.0, 20.0, 1.0], deviation=0.01))[0]
    assert level.first == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    assert not most_common(level).conclusive


def test_the_confidence_is_the_posterior_probability_of_being_first() -> None:
    found = shrunken(week(1, [8.0, 7.0, 3.0, 0.0], deviation=2.0))[0]
    luck = np.random.default_rng()
    counts = np.array([luck.choice(found.grid, 200_000, p=row) for row in found.posterior])
    highest = counts == counts.max(axis=0)
    share = (highest / highest.sum(axis=0)).mean(axis=1)
    assert found.first == pytest.approx(share, abs=0.007)  # six deviations of the share: by chance 1e-8


def calibration(weeks: list[Estimates], truths: np.ndarray, low: float, high: float) -> tuple[float, int]:
    """Return by how much announced confidences between two bounds are above how often they are right, and how many."""
    differences = []
    for each, truth in zip(weeks, truths, strict=True):
        top = most_common(shrunken(each)[0])
        if low <= top.confidence < high:
            first = truth == truth.max()
            differences.append(top.confidence - first[top.row] / first.sum())
    return float(np.mean(differences)), len(differences)


@pytest.fixture(scope="module")
def simulated_weeks() -> tuple[list[Estimates], np.ndarray]:
    luck = np.random.default_rng()
    study = dataclasses.replace(STUDY, catalogue_rows=500)
    communities = [simulate(luck, [people], 500) for people in (50, 100, 300) for _ in range(200)]
    return [observed(luck, study, each)[0] for each in communities], np.array([each.viewers[0] for each in communities])


def test_a_winner_announced_with_confidence_is_right_as_often(
    simulated_weeks: tuple[list[Estimates], np.ndarray],
) -> None:
    # The benchmark measures bins of 0.1 on 20,000 weeks; these are 600, so six deviations of chance are added: 2e-9.
    difference, number = calibration(*simulated_weeks, 0.4, 0.95)
    assert abs(difference) < 0.05 + 6 * 0.5 / math.sqrt(number)
    difference, number = calibration(*simulated_weeks, 0.95, 1.01)
    assert difference < 0.01 + 6 * 0.16 / math.sqrt(number)  # 0.16: the deviation of right or wrong at 0.975


def test_that_check_notices_noise_taken_for_a_third_of_what_it_is(
    simulated_weeks: tuple[list[Estimates], np.ndarray],
) -> None:
    weeks, truths = simulated_weeks
    sure = [dataclasses.replace(each, deviation=each.deviation / 3, sums=None) for each in weeks]
    difference, number = calibration(sure, truths, 0.95, 1.01)
    assert difference > 0.01 + 6 * 0.16 / math.sqrt(number)


def test_noise_alone_is_never_announced_as_a_winner() -> None:
    nothing = [released(1, np.zeros(2000, dtype=np.int64), people) for people in (10, 50) for _ in range(50)]
    announced = sum(most_common(shrunken(each)[0]).conclusive for each in nothing)
    assert announced <= 20  # at 5 % the chance of more is 1e-8; measured: none


def test_a_change_that_stands_out_of_the_noise_is_called_and_the_rest_is_steady() -> None:
    before = np.full(500, 20)
    after = before.copy()
    after[[3, 7]] = 300, 0
    before[7] = 300
    found = trends(shrunken(released(46, before, 1000), released(47, after, 1000)))
    called = {trend.row: trend.direction for trend in found if trend.direction != "steady"}
    assert called[3] in {"new", "rising"}  # new unless noise put it on last week's chart
    assert called[7] == "falling"
    assert len(called) <= 12  # two true ones; ten false ones among 500 at a rate of 10 %: by chance 1e-9


def test_a_show_that_was_on_the_chart_before_rises_and_one_that_was_not_is_new() -> None:
    flat = [0.0] * 30
    weeks = [week(45, [90.0, *flat]), week(46, [50.0, *flat]), week(47, [90.0, *flat[:-1], 80.0])]
    directions = {trend.row: trend.direction for trend in trends(shrunken(*weeks))}
    assert directions[0] == "rising"
    assert directions[30] == "new"
    assert directions[5] == "steady"


def test_fewer_participants_do_not_fake_a_fall() -> None:
    many, few = week(46, [400.0, 100.0], 1000, 10.0), week(47, [40.0, 10.0], 100, 3.0)
    assert {trend.direction for trend in trends(shrunken(many, few))} == {"steady"}


def test_one_week_has_no_trend() -> None:
    assert trends(shrunken(week(47, [1.0]))) == []


def test_weeks_on_chart_and_peak_are_counted() -> None:
    filler = [5.0] * 10
    weeks = [week(45, [9.0, *filler]), week(46, [0.0, *filler]), week(47, [4.9, *filler[:8], 0.0, 0.0])]
    history = chart_history(shrunken(*weeks))
    assert history[0] == (2, 1)
    assert history[1] == (3, 1)


def test_a_show_that_comes_back_to_the_chart_is_a_re_entry_and_climbs() -> None:
    others = [30.0 + each for each in range(10)]
    weeks = [week(45, [90.0, *others]), week(46, [1.0, *others]), week(47, [90.0, *others])]
    back = trends(shrunken(*weeks))[0]
    assert back.re_entry
    assert back.rank_change == 10
    assert not any(trend.re_entry for trend in trends(shrunken(*weeks[:2])))
    assert not trends(shrunken(weeks[1], weeks[2]))[0].re_entry  # it was on no earlier chart


def false_calls(study: Study, *, blind: bool) -> int:
    """Return in how many of 200 pairs of weeks, where no share changes, some show is called rising or falling."""
    luck = np.random.default_rng()
    calls = 0
    for _ in range(200):
        shares = simulate(luck, [30], 1000).shares[[0, 0]]
        people = luck.integers(8, 40, 2)
        weeks = observed(luck, study, Community(people, shares, luck.binomial(people[:, None], shares)))
        found = p_values(*weeks)
        if blind:
            spread = sum(each.deviation**2 / each.counted**2 for each in weeks)
            found = 2 * stats.norm.sf(np.abs(weeks[1].share - weeks[0].share) / np.sqrt(spread))
        calls += bool((stats.false_discovery_control(found) <= 0.1).any())
    return calls


@pytest.mark.parametrize("mechanism", ["randomized-response", "laplace"])
def test_of_changes_that_are_none_at_most_a_tenth_is_called_with_changing_participation(
    mechanism: MechanismName,
) -> None:
    study = Study(catalogue_rows=1000, catalogue_sha256="0" * 64, epsilon=4.0, mechanism=mechanism)
    assert false_calls(study, blind=False) <= 46  # at a rate of 10 % the chance of more is 1e-8; measured: 2 %


def test_that_check_notices_a_normal_curve_and_forgotten_people() -> None:
    study = Study(catalogue_rows=1000, catalogue_sha256="0" * 64, epsilon=4.0)
    assert false_calls(study, blind=True) > 46  # measured: nearly all of 200


MECHANISMS: list[Randomizer] = [
    *(RandomizedResponse(epsilon, 1) for epsilon in (0.01, 16.0, 30.0, 100.0)),
    *(DiscreteLaplace(epsilon, cap, cap) for epsilon in (0.01, 16.0, 30.0, 100.0) for cap in (1, 3)),
]


def exactly(number: int, sums: list[int], participants: int, mechanism: Randomizer) -> Estimates:
    """Return the estimates of these sums, also under a mechanism of which no study may be."""
    people = np.full(len(sums), participants)
    deviation = np.sqrt(people * mechanism.variance)
    exact = NoisedSums(mechanism, np.array(sums), people, 1)
    figures = mechanism.estimate(exact.sums, people)
    return Estimates(IsoWeek(2024, number), participants, people, figures, deviation, people, exact)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=str)
@pytest.mark.parametrize(("before", "now"), [(6, 6), (5, 10_000), (10_000, 5)])
def test_next_to_no_noise_and_next_to_nothing_but_noise_are_no_trouble(
    mechanism: Randomizer, before: int, now: int
) -> None:
    sums = [[0, people, 0, people // 2] for people in (before, now)]
    weeks = [exactly(1, sums[0], before, mechanism), exactly(2, sums[1][::-1], now, mechanism)]
    found = p_values(*weeks)
    assert ((found > 0) & (found <= 1)).all()
    assert len(trends(shrunken(*weeks))) == 4
    assert all(np.isfinite(week.interval95).all() for week in weeks)


@pytest.mark.parametrize("mechanism", [mechanism for mechanism in MECHANISMS if mechanism.variance < 1e-4], ids=str)
def test_without_noise_the_chance_of_a_change_is_that_of_another_choice_of_people(mechanism: Randomizer) -> None:
    (found,) = p_values(exactly(1, [0], 6, mechanism), exactly(2, [6], 6, mechanism))
    exact = 2 * 0.5**12  # half of the twelve watch it: none of the first six, all of the others, or the reverse
    assert exact <= found <= 1.3 * exact


def test_what_stands_out_is_what_benjamini_and_hochberg_say() -> None:
    luck = np.random.default_rng()
    for size in (1, 2, 30, 2000):
        found = luck.choice(luck.random(size) ** luck.choice([1, 3, 8]), size)  # some of them equal
        assert (stands_out_of_all(found) == (stats.false_discovery_control(found) <= 0.1)).all()
    assert pytest.approx(stats.norm.ppf(0.975)) == Z95


def test_a_pass_does_without_scipy() -> None:
    code = "import sys, aggregator.cli; sys.exit('scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
