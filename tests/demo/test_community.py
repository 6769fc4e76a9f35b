"""The simulated community is distributed as real ones are. A sampled check fails by chance once in a million runs."""

from collections import Counter
from datetime import date

import numpy as np
import pytest

from demo.community import EMPTY_WEEKS, simulate
from participant.history import read_history
from participant.reduce import count_views
from shared.catalogue import bundled_catalogue, parse_catalogue
from shared.week import IsoWeek, weeks_between

CATALOGUE = parse_catalogue(bundled_catalogue())
WEEKS = weeks_between(IsoWeek(2024, 20), IsoWeek(2024, 39))


def test_weeks_and_shows_are_distributed_as_in_real_exports() -> None:
    community = simulate(200, WEEKS, CATALOGUE)
    sizes = np.array([len(member.shows[week]) for member in community.members for week in WEEKS])
    empty = (sizes == 0).mean()
    assert empty == pytest.approx(EMPTY_WEEKS, abs=5 * np.sqrt(0.22 * 0.78 / len(sizes)))
    quantiles = np.quantile(sizes[sizes > 0], [0.25, 0.5, 0.75, 0.9])
    assert quantiles == pytest.approx([1, 3, 5, 8], abs=1)


def test_every_community_is_a_fresh_one() -> None:
    one, other = (simulate(5, WEEKS, CATALOGUE).members for _ in range(2))
    assert [member.shows for member in one] != [member.shows for member in other]


def test_what_the_apps_read_from_an_export_is_the_simulated_truth() -> None:
    community = simulate(20, WEEKS, CATALOGUE)
    made = date(2024, 12, 1)
    found: Counter[tuple[IsoWeek, str]] = Counter()
    for member in community.members:
        reading = read_history(member.export(made), made)
        assert reading.left_out.total() == 0
        for week, rows in count_views(reading.views, CATALOGUE).items():
            found.update((week, CATALOGUE.shows[row].name) for row in rows)
    for week in WEEKS:
        truth = community.viewers(week)
        assert {show: count for (one, show), count in found.items() if one == week} == truth
