"""The release file made of a ledger, and what is kept of one that is already in the datasite."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from participant.ledger import Draw
from participant.publish import Found, examine_published, is_over, payload_of, release_file
from shared.mechanism import NoisedCounts
from shared.release import Release, decode_records, encode_releases
from shared.study import Coordinator, Study
from shared.week import IsoWeek

WEEK = IsoWeek(2024, 47)
TODAY = date(2024, 11, 26)
COORDINATOR = "coordinator@example.org"
STUDY = Study(catalogue_rows=2, catalogue_sha256="0" * 64, weeks=3)
OTHER = dataclasses.replace(STUDY, catalogue_sha256="1" * 64, weeks=2)
LEADER, HELPER = (Coordinator(f"{each}@example.org", each * 64, each * 64) for each in "ab")
PAIR = dataclasses.replace(STUDY, mechanism="laplace", trust="two-coordinators", leader=LEADER, helper=HELPER)
STUDIES = {study.id: study for study in (STUDY, OTHER, PAIR)}


def counts(*cells: int) -> NoisedCounts:
    return NoisedCounts(np.array(cells, dtype=np.int16))


def drawn(week: IsoWeek, study: Study = STUDY, *cells: int, form: str = "netflix_reduced") -> Draw:
    return Draw(week, study.id, form, payload_of(counts(*(cells or (0, 1)))), "drawn", COORDINATOR)


def release(week: IsoWeek, study: Study = STUDY, *cells: int) -> Release:
    return Release(week, study.id, counts(*(cells or (0, 1))))


def examine(data: bytes, known: Sequence[Draw] = (), today: date = TODAY) -> Found | None:
    return examine_published(data, known, STUDIES, COORDINATOR, today)


def weeks_of(data: bytes | None) -> list[IsoWeek]:
    assert data is not None
    return [IsoWeek.from_key(int(key)) for key in decode_records(data)["week"]]


def test_a_week_is_over_from_its_sunday_on_which_is_monday_somewhere() -> None:
    assert [is_over(WEEK, date(2024, 11, day)) for day in (22, 23, 24, 25)] == [False, False, True, True]


def test_the_file_goes_as_far_back_as_the_study_of_its_newest_week_keeps() -> None:
    draws = [drawn(WEEK.plus(-back)) for back in range(5)]
    assert weeks_of(release_file(draws, STUDIES, TODAY)) == [WEEK.plus(-2), WEEK.plus(-1), WEEK]
    newer = [*draws[1:], drawn(WEEK, OTHER)]
    assert weeks_of(release_file(newer, STUDIES, TODAY)) == [WEEK.plus(-1), WEEK]


def test_the_file_holds_no_week_of_another_coordinator_none_of_the_future_and_no_shares() -> None:
    foreign, shared = drawn(WEEK.plus(-1), PAIR, form="shares"), drawn(WEEK.plus(-2), OTHER)
    draws = [drawn(WEEK), drawn(WEEK.plus(1)), foreign, shared]
    assert weeks_of(release_file(draws, {STUDY.id: STUDY}, TODAY)) == [WEEK]
    assert release_file([foreign, drawn(WEEK.plus(1))], STUDIES, TODAY) is None


def test_of_a_week_drawn_twice_the_latest_recorded_stands() -> None:
    data = release_file([drawn(WEEK, STUDY, 0, 1), drawn(WEEK, STUDY, 1, 0)], STUDIES, TODAY)
    assert data is not None
    assert decode_records(data)["count"].tolist() == [[1, 0]]


def test_what_another_device_released_is_found_and_what_is_known_is_not() -> None:
    data = encode_releases([release(WEEK), release(WEEK.plus(-1), STUDY, 1, 1)])
    found = examine(data, [drawn(WEEK)])
    other = dataclasses.replace(drawn(WEEK.plus(-1), STUDY, 1, 1), origin="adopted")
    assert found == Found([other], [], [])


def test_another_draw_of_a_known_week_is_found_too() -> None:
    found = examine(encode_releases([release(WEEK, STUDY, 1, 1)]), [drawn(WEEK, STUDY, 0, 1)])
    assert found is not None
    assert [draw.payload for draw in found.draws] == [payload_of(counts(1, 1))]


@pytest.mark.parametrize("cells", [(0, 2), (-1, 0)])
def test_cells_that_the_mechanism_cannot_give_spoil_their_week_unless_it_is_known(cells: tuple[int, int]) -> None:
    data = encode_releases([release(WEEK, STUDY, *cells)])
    assert examine(data) == Found([], [WEEK], [])
    assert examine(data, [drawn(WEEK)]) == Found([], [], [])
    assert examine(data, [drawn(WEEK, OTHER)]) == Found([], [WEEK], [])


def test_a_record_as_wide_as_another_catalogue_spoils_its_week() -> None:
    assert examine(encode_releases([release(WEEK, STUDY, 0, 1, 1)])) == Found([], [WEEK], [])


def test_a_week_of_a_study_that_is_not_here_is_unreadable_unless_it_is_known() -> None:
    unknown = dataclasses.replace(STUDY, catalogue_sha256="2" * 64)
    data = encode_releases([release(WEEK, unknown), release(WEEK.plus(-1))])
    found = examine(data)
    assert found is not None
    assert (found.unreadable, found.spoiled, [draw.week for draw in found.draws]) == ([WEEK], [], [WEEK.plus(-1)])
    found = examine(data, [drawn(WEEK, unknown)])
    assert found is not None
    assert (found.unreadable, found.spoiled) == ([], [])


def test_a_release_under_a_study_with_two_coordinators_is_none_of_ours_and_its_week_is_spoiled() -> None:
    assert examine(encode_releases([release(WEEK, PAIR)])) == Found([], [WEEK], [])


def test_a_week_that_is_not_over_is_left_out() -> None:
    assert examine(encode_releases([release(WEEK.plus(1)), release(WEEK.plus(2), PAIR)])) == Found([], [], [])


def test_a_file_with_more_weeks_than_any_study_keeps_is_damaged() -> None:
    kept = encode_releases([release(WEEK.plus(-back)) for back in range(3)])
    found = examine(kept)
    assert found is not None
    assert len(found.draws) == 3
    assert examine(encode_releases([release(WEEK.plus(-back)) for back in range(4)])) is None
    assert examine(kept[:-1]) is None
