"""Ranks, the most common show and trends. Simulations state how often they fail by chance."""

import numpy as np
import pytest

from aggregator.combine import Estimates
from aggregator.rank import chart_history, most_common, trends
from shared.mechanism import RandomizedResponse
from shared.week import IsoWeek

RESPONSE = RandomizedResponse(2.0, 1)


def week(number: int, estimates: list[float], participants: int = 100, deviation: float = 1.0) -> Estimates:
    shape = len(estimates)
    return Estimates(
        IsoWeek(2024, number),
        participants,
        np.full(shape, participants),
        np.array(estimates, dtype=float),
        np.full(shape, deviation),
    )


def released(number: int, truth: np.ndarray, participants: int) -> Estimates:
    """Return what the coordinator estimates when `truth` of the participants watched each show."""
    luck = np.random.default_rng()
    q = RESPONSE.flip_probability
    sums = luck.binomial(truth, 1 - q) + luck.binomial(participants - truth, q)
    counted = np.full(len(truth), participants)
    deviation = np.sqrt(counted * RESPONSE.variance)
    return Estimates(IsoWeek(2024, number), participants, counted, RESPONSE.estimate(sums, counted), deviation)


def test_equal_estimates_share_the_better_rank() -> None:
    assert week(1, [3.0, 7.0, 7.0, 1.0]).rank.tolist() == [3, 1, 1, 4]


def test_a_clear_winner_is_conclusive_and_a_tie_is_not() -> None:
    clear = most_common(week(1, [1.0, 40.0, 3.0]))
    assert clear.row == 1
    assert clear.conclusive
    assert clear.candidates == (1,)
    tie = most_common(week(1, [20.0, 20.0, 1.0]))
    assert tie.confidence == pytest.approx(0.5, abs=0.01)
    assert not tie.conclusive
    assert tie.candidates == (0, 1)


def test_the_confidence_is_the_probability_of_being_truly_first() -> None:
    found = most_common(week(1, [5.0, 4.0, 3.0, 0.0], deviation=2.0))
    truths = np.random.default_rng().normal([5, 4, 3, 0], 2, size=(200_000, 4))
    share = (truths.argmax(axis=1) == 0).mean()
    assert found.confidence == pytest.approx(share, abs=0.007)  # six deviations of the share: by chance 2e-9


def test_noise_alone_is_never_announced_as_a_winner() -> None:
    announced = sum(most_common(released(1, np.zeros(2000, dtype=int), 50)).conclusive for _ in range(100))
    assert announced <= 20  # at 5 % the chance of more is 1e-8; measured: none


def test_a_change_that_stands_out_of_the_noise_is_called_and_the_rest_is_steady() -> None:
    before = np.full(500, 20)
    after = before.copy()
    after[[3, 7]] = 300, 0
    before[7] = 300
    found = trends([released(46, before, 1000), released(47, after, 1000)])
    called = {trend.row: trend.direction for trend in found if trend.direction != "steady"}
    assert called[3] in {"new", "rising"}  # new unless noise put it on last week's chart
    assert called[7] == "falling"
    assert len(called) <= 12  # two true ones; ten false ones among 500 at a rate of 10 %: by chance 1e-9


def test_a_show_that_was_on_the_chart_before_rises_and_one_that_was_not_is_new() -> None:
    flat = [0.0] * 30
    weeks = [week(45, [90.0, *flat]), week(46, [50.0, *flat]), week(47, [90.0, *flat[:-1], 80.0])]
    directions = {trend.row: trend.direction for trend in trends(weeks)}
    assert directions[0] == "rising"
    assert directions[30] == "new"
    assert directions[5] == "steady"


def test_fewer_participants_do_not_fake_a_fall() -> None:
    many, few = week(46, [400.0, 100.0], 1000, 10.0), week(47, [40.0, 10.0], 100, 3.0)
    assert {trend.direction for trend in trends([many, few])} == {"steady"}


def test_one_week_has_no_trend() -> None:
    assert trends([week(47, [1.0])]) == []


def test_weeks_on_chart_and_peak_are_counted() -> None:
    filler = [5.0] * 10
    weeks = [week(45, [9.0, *filler]), week(46, [0.0, *filler]), week(47, [4.9, *filler[:8], 0.0, 0.0])]
    history = chart_history(weeks)
    assert history[0] == (2, 1)
    assert history[1] == (3, 1)
