import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from participant.bound import bound_counts
from shared.study import Study

ROWS = 12
BASE = {"catalogue_rows": ROWS, "catalogue_sha256": "0" * 64}
STUDIES = [
    Study(**BASE),  # type: ignore[arg-type]
    Study(**BASE, unit="week", max_shows_per_week=3),  # type: ignore[arg-type]
    Study(**BASE, mechanism="laplace", max_views_per_show=4),  # type: ignore[arg-type]
    Study(**BASE, mechanism="laplace", unit="view", max_views_per_show=4),  # type: ignore[arg-type]
    Study(**BASE, mechanism="laplace", unit="week", max_views_per_show=4, max_shows_per_week=3),  # type: ignore[arg-type]
]
WEEKS = st.dictionaries(st.integers(0, ROWS + 3), st.integers(1, 9), max_size=ROWS)


@given(WEEKS, st.sampled_from(STUDIES), st.data())
def test_neighbours_are_never_further_apart_than_the_stated_sensitivity(
    week: dict[int, int], study: Study, data: st.DataObject
) -> None:
    neighbour = dict(week)
    if study.unit == "week":
        neighbour = {}
    elif week:
        show = data.draw(st.sampled_from(sorted(week)))
        if study.unit == "view" and week[show] > 1:
            neighbour[show] -= 1
        else:
            del neighbour[show]
    distance = np.abs(bound_counts(week, study) - bound_counts(neighbour, study)).sum()
    assert distance <= study.sensitivity


def test_the_sensitivity_is_reached() -> None:
    everything = dict.fromkeys(range(ROWS), 9)
    assert bound_counts(everything, STUDIES[4]).sum() == STUDIES[4].sensitivity == 12


def test_of_too_many_shows_the_most_viewed_are_kept() -> None:
    counts = bound_counts({5: 1, 1: 1, 7: 8, 2: 1}, STUDIES[1])
    assert np.flatnonzero(counts).tolist() == [1, 2, 7]


def test_rows_beyond_the_study_do_not_count() -> None:
    assert bound_counts({ROWS: 5}, STUDIES[0]).sum() == 0
