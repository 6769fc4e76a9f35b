"""The promise in closed form: the whole output distribution of each mechanism over small catalogues, nothing sampled.

`tests/shared/test_mechanism.py` holds what OpenDP draws to these distributions.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from participant.bound import bound_counts
from shared.mechanism import DiscreteLaplace, RandomizedResponse, randomizer_of
from shared.study import Study

ROWS = 3
BASE: dict[str, Any] = {"catalogue_rows": ROWS, "catalogue_sha256": "0" * 64}
MOST_VIEWS = 4
"""Views of a show and week in the histories: more than any cap here."""

STUDIES = [
    Study(**BASE, **terms, epsilon=epsilon)
    for epsilon in (0.1, 1.0, 2.0, 3.3)
    for terms in (
        {},
        {"unit": "week", "max_shows_per_week": 1},
        {"unit": "week", "max_shows_per_week": 2},
        {"mechanism": "laplace"},
        {"mechanism": "laplace", "max_views_per_show": 2},
        {"mechanism": "laplace", "max_views_per_show": 3, "unit": "view"},
        {"mechanism": "laplace", "max_views_per_show": 2, "unit": "week", "max_shows_per_week": 2},
    )
]


def histories() -> Iterator[dict[int, int]]:
    """Yield all weeks over the catalogue: row -> views."""
    for views in itertools.product(range(MOST_VIEWS + 1), repeat=ROWS):
        yield {row: number for row, number in enumerate(views) if number}


def neighbours(week: Mapping[int, int], unit: str) -> Iterator[dict[int, int]]:
    """Yield all weeks that lack one unit of this one."""
    if unit == "week":
        yield {}
        return
    for row in week:
        without = {other: views for other, views in week.items() if other != row}
        if unit == "view" and week[row] > 1:
            without[row] = week[row] - 1
        yield without


def log_probabilities(study: Study, count: int) -> list[float]:
    """Return the log-probabilities of all values of a released cell whose bounded count is `count`.

    Of a Laplace cell, whose values are without end, those beyond three are taken together on either side: there the
    ratio between two counts does not change any more.
    """
    mechanism = randomizer_of(study)
    if isinstance(mechanism, RandomizedResponse):
        q = mechanism.flip_probability
        return [math.log(1 - q if value == count else q) for value in (0, 1)]
    assert isinstance(mechanism, DiscreteLaplace)
    a = math.exp(-1 / mechanism.scale)
    low, high = -3, study.max_views_per_show + 3
    beyond = [a ** (count - low) / (1 + a), a ** (high - count) / (1 + a)]
    between = [(1 - a) / (1 + a) * a ** abs(value - count) for value in range(low + 1, high)]
    probabilities = [*beyond, *between]
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-12)
    return [math.log(each) for each in probabilities]


def largest_log_ratio(study: Study) -> float:
    """Return the largest log-ratio of the probabilities of any output over all neighbours, in both directions."""
    cells = {count: np.array(log_probabilities(study, count)) for count in range(study.max_views_per_show + 1)}
    largest = 0.0
    for week in histories():
        for neighbour in neighbours(week, study.unit):
            one, other = bound_counts(week, study).tolist(), bound_counts(neighbour, study).tolist()
            ratios = [cells[a] - cells[b] for a, b in zip(one, other, strict=True)]
            # Cells are noised alone: the largest ratio of a vector is made of the largest ratios of its cells.
            largest = max(largest, sum(each.max() for each in ratios), sum((-each).max() for each in ratios))
    return largest


@pytest.mark.parametrize("study", STUDIES)
def test_the_largest_log_ratio_over_neighbours_is_epsilon(study: Study) -> None:
    assert largest_log_ratio(study) == pytest.approx(study.epsilon, abs=1e-9)
    assert randomizer_of(study).epsilon <= study.epsilon


@pytest.mark.parametrize("study", STUDIES[:7])
def test_cell_by_cell_is_the_whole_distribution(study: Study) -> None:
    """For two cells, all outputs are enumerated, and the largest ratio is that of the cells together."""
    counts = range(study.max_views_per_show + 1)
    cells = {count: log_probabilities(study, count) for count in counts}
    for one, other in itertools.product(itertools.product(counts, repeat=2), repeat=2):
        together = [
            sum(cells[one[place]][value] - cells[other[place]][value] for place, value in enumerate(output))
            for output in itertools.product(range(len(cells[0])), repeat=2)
        ]
        apart = sum((np.array(cells[a]) - np.array(cells[b])).max() for a, b in zip(one, other, strict=True))
        assert max(together) == pytest.approx(apart, abs=1e-12)


@pytest.mark.parametrize("study", STUDIES)
def test_the_enumeration_notices_an_excessive_epsilon_and_a_missing_cap(study: Study) -> None:
    more = largest_log_ratio(dataclasses.replace(study, epsilon=1.1 * study.epsilon))
    assert more == pytest.approx(1.1 * study.epsilon, abs=1e-9)
    if study.unit == "week" and study.max_shows_per_week == 1:
        uncapped = dataclasses.replace(study, max_shows_per_week=ROWS, epsilon=ROWS * study.epsilon)
        assert largest_log_ratio(uncapped) == pytest.approx(ROWS * study.epsilon, abs=1e-9)
