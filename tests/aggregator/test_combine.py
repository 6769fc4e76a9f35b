import numpy as np
import pytest

from aggregator.combine import Total, Totals, estimate, merge
from shared.mechanism import randomizer_of
from shared.study import Study
from shared.week import IsoWeek

WEEK = IsoWeek(2024, 47)
OLD = Study(catalogue_rows=2, catalogue_sha256="0" * 64)
NEW = Study(catalogue_rows=3, catalogue_sha256="1" * 64, epsilon=1.0)
STUDIES = {OLD.id: OLD, NEW.id: NEW}


def release(study: Study, *counts: int) -> Totals:
    return {WEEK: {study.id: Total(1, np.array(counts, dtype=np.int64))}}


def test_an_estimate_is_the_closed_formula_of_the_sum() -> None:
    totals: Totals = {}
    for counts in ((1, 0), (1, 1), (0, 0), (1, 0)):
        merge(totals, release(OLD, *counts))
    found = estimate(WEEK, totals[WEEK], STUDIES, 2)
    q = 1 / (1 + np.exp(2))
    assert found.estimate == pytest.approx([(3 - 4 * q) / (1 - 2 * q), (1 - 4 * q) / (1 - 2 * q)])
    assert found.deviation == pytest.approx(np.sqrt(4 * q * (1 - q)) / (1 - 2 * q))
    assert found.participants == 4


def test_with_many_participants_the_interval_is_that_of_the_normal_curve() -> None:
    totals = {OLD.id: Total(1000, np.array([200, 120]))}
    found = estimate(WEEK, totals, STUDIES, 2)
    low, high = found.interval95
    assert low == pytest.approx(found.estimate - 1.959964 * found.deviation)
    assert high == pytest.approx(found.estimate + 1.959964 * found.deviation)


def test_only_sums_of_one_mechanism_have_an_exact_distribution() -> None:
    same = Study(catalogue_rows=3, catalogue_sha256="1" * 64)
    sums = Total(4, np.array([1, 2])), Total(3, np.array([1, 0, 1]))
    exact = estimate(WEEK, {OLD.id: sums[0], same.id: sums[1]}, {OLD.id: OLD, same.id: same}, 3).sums
    assert exact is not None
    assert exact.sums.tolist() == [2, 2, 1]
    assert exact.participants.tolist() == [7, 7, 3]
    assert estimate(WEEK, {OLD.id: sums[0], NEW.id: sums[1]}, STUDIES, 3).sums is None


def test_studies_add_up_and_a_show_that_one_did_not_have_counts_fewer_participants() -> None:
    totals: Totals = {}
    merge(totals, release(OLD, 1, 0))
    merge(totals, release(NEW, 1, 0, 1))
    merge(totals, release(NEW, 0, 0, 1))
    found = estimate(WEEK, totals[WEEK], STUDIES, 3)
    assert found.counted.tolist() == [3, 3, 2]
    variances = [randomizer_of(study).variance for study in (OLD, NEW)]
    assert found.deviation**2 == pytest.approx([variances[0] + 2 * variances[1]] * 2 + [2 * variances[1]])
    assert found.share[2] == pytest.approx(found.estimate[2] / 2)


def test_a_week_without_releases_has_no_participants() -> None:
    found = estimate(WEEK, {}, STUDIES, 3)
    assert found.participants == 0
    assert found.share.tolist() == [0, 0, 0]
