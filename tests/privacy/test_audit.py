"""The promise measured along the whole way from history to file, and how surely a broken one is found.

A right app fails `test_the_promise_holds...` by chance once in 1 / CHANCE = 100,000 runs of each case.
"""

from typing import Any

import pytest
from scipy import stats

from participant.audit import CHANCE, EXCESS, Verdict, audit, guesses_needed
from participant.audit import _lower_bound as lower_bound
from shared.study import Coordinator, Study
from tests.privacy import variants
from tests.privacy.variants import Variant

BASE: dict[str, Any] = {"catalogue_rows": 6533, "catalogue_sha256": "0" * 64}
BY_SHOW = Study(**BASE)
BY_SHOW_VIEWS = Study(**BASE, mechanism="laplace", max_views_per_show=3)
BY_VIEW = Study(**BASE, mechanism="laplace", max_views_per_show=3, unit="view")
BY_WEEK = Study(**BASE, unit="week", max_shows_per_week=2)
BY_WEEK_VIEWS = Study(**BASE, unit="week", max_shows_per_week=2, mechanism="laplace")
TWO: dict[str, Any] = {
    "trust": "two-coordinators",
    "mechanism": "laplace",
    "leader": Coordinator("leader@example.org", "1" * 64, "2" * 64),
    "helper": Coordinator("helper@example.org", "3" * 64, "4" * 64),
}
SHARED = Study(**BASE, **TWO)
SHARED_BY_VIEW = Study(**BASE, **TWO, max_views_per_show=3, unit="view")


@pytest.mark.parametrize("study", [BY_SHOW, BY_SHOW_VIEWS, BY_VIEW, SHARED, SHARED_BY_VIEW])
def test_the_promise_holds(study: Study) -> None:
    verdict = audit(study)
    assert verdict.holds, verdict.lines()
    assert verdict.lines()[1].startswith("the promise holds")
    assert verdict.lower > 0.85 * study.epsilon  # so sharp are the observers


@pytest.mark.parametrize("study", [BY_WEEK, BY_WEEK_VIEWS])
def test_the_promise_holds_for_whole_weeks_too(study: Study) -> None:
    """With fewer members than an audit takes, for its two minutes: a week has but one coin."""
    verdict = audit(study, most_members=150)
    assert verdict.holds, verdict.lines()
    assert verdict.lower > 0.75 * study.epsilon


@pytest.mark.parametrize(
    ("study", "variant", "caught_by"),
    [
        (BY_SHOW, variants.noise_on_watched_cells_only, "reads"),
        (BY_SHOW_VIEWS, variants.noise_on_watched_cells_only, "subtracts_"),
        (BY_SHOW, variants.half_the_noise, "reads"),
        (BY_VIEW, variants.half_the_noise, "reads"),
        (BY_WEEK, variants.half_the_noise, "reads"),
        (BY_SHOW_VIEWS, variants.a_cap_taken_from_the_data, "reads"),
        (BY_SHOW, variants.redrawn_weeks, "reads"),
        (BY_SHOW, variants.a_week_redrawn_under_a_new_study, "reads"),
        (BY_SHOW, variants.one_flip_mask_for_two_weeks, "subtracts_a_week_before"),
        (BY_SHOW, variants.one_flip_mask_again_after_three_weeks, "subtracts_a_week_before"),
        (BY_SHOW, variants.one_flip_for_two_rows, "subtracts_the_next_row"),
        (BY_SHOW, variants.no_noise_beyond_the_fiftieth_row, "reads"),
        (BY_SHOW, variants.shows_dropped_to_fit_under_unit_show, "sees_who_made_room"),
        (BY_SHOW, variants.a_seed, "subtracts_a_known_member"),
        (SHARED, variants.half_the_noise_on_the_sum, "reads"),
    ],
)
def test_a_wrong_app_is_found(study: Study, variant: Variant, caught_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variant(monkeypatch)
    verdict = audit(study, most_members=40)
    assert verdict.lower > study.epsilon, verdict.lines()
    assert verdict.observer.startswith(caught_by)
    assert "BROKEN" in verdict.lines()[1]


def test_more_noise_than_promised_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    variants.twice_the_noise(monkeypatch)
    verdict = audit(BY_SHOW, most_members=40)
    assert verdict.upper < BY_SHOW.epsilon
    assert "more noise is drawn than promised" in verdict.lines()[1]


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 4.0])
def test_an_epsilon_ten_percent_above_the_promised_one_is_found_in_99_of_100_audits(epsilon: float) -> None:
    """Exactly, by the binomial distribution of the number of right guesses."""
    guesses = guesses_needed(epsilon)
    allowed, excessive = (stats.logistic.cdf(each) for each in (epsilon, EXCESS * epsilon))
    alarm = int(stats.binom.isf(CHANCE / 4, guesses, allowed)) + 1
    assert lower_bound(alarm, guesses, CHANCE / 4) > allowed - 1e-9 > lower_bound(alarm - 2, guesses, CHANCE / 4)
    assert stats.binom.sf(alarm - 1, guesses, excessive) >= 0.99
    assert stats.binom.sf(alarm - 1, guesses, allowed) <= CHANCE / 4


@pytest.mark.parametrize(("right", "made"), [(0, 10), (1, 10), (7, 10), (10, 10), (900, 1000), (15_000, 17_000)])
def test_the_bound_is_the_one_of_clopper_and_pearson(right: int, made: int) -> None:
    interval = stats.binomtest(right, made, alternative="greater").proportion_ci(1 - CHANCE, method="exact")
    assert lower_bound(right, made, CHANCE) == pytest.approx(interval.low, abs=1e-9)


def test_two_lines_say_what_was_measured() -> None:
    first, second = Verdict(BY_SHOW, 1.9, 2.1, 13_000, 13_000, 40, "reads").lines()
    assert first.startswith(
        "measured on this machine: epsilon at least 1.90, by these observers no more than 2.10; promised 2 per show"
    )
    assert second.startswith("the promise holds")
    few = Verdict(BY_SHOW, 0.3, float("inf"), 10, 13_000, 1, "reads").lines()
    assert "no more than" not in few[0]
    assert few[1].startswith("nothing speaks against the promise, but")
