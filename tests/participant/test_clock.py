"""Clocks that are wrong: nothing is spent twice, nothing spoils the release file, and a line says so."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from aggregator import app as aggregator
from aggregator.collect import Reason, Rules, examine, newest_week
from participant.app import ledger_path, time_zone
from participant.cli import ParticipantApp
from participant.install import install_participant
from participant.ledger import open_ledger
from participant.publish import is_over, release_file
from participant.settings import TEMPLATE, read_settings
from participant.terms import published_studies
from shared.errors import ClockError, HistoryError, LedgerError
from shared.runner import run_once
from shared.settings import write_settings
from shared.week import IsoWeek
from shared.workspace import PARTICIPANT_APP, RELEASE_FILE, Workspace
from tests.conftest import COORDINATOR, EXPORT, TUESDAY, Neighbourhood
from tests.participant.killing import ANN, draws_of, published

LATER = datetime(2030, 1, 8, 12, tzinfo=UTC)
"""A day in 2030-W02, which no clock should show yet."""
NOW = [202443, 202444, 202445, 202446, 202447]
AHEAD = [202949, 202950, 202951, 202952, 203001]


@pytest.fixture
def ann(neighbourhood: Neighbourhood) -> Workspace:
    """Return the workspace of a member; the coordinator's study is there."""
    aggregator.run(neighbourhood.coordinator(), TUESDAY)
    return neighbourhood.join(ANN, EXPORT)


def release(box: Workspace) -> Path:
    return box.api_data(ANN) / RELEASE_FILE


def accepted(box: Workspace, now: datetime) -> bool:
    """Tell whether the coordinator, whose clock is right, takes the release file."""
    rules = Rules(published_studies(box, COORDINATOR), newest_week(now), IsoWeek(2000, 1), frozenset())
    return not isinstance(examine(release(box).read_bytes(), rules), Reason)


def test_a_week_adopted_by_a_clock_that_was_set_back_does_not_make_that_clock_right(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    first = np.load(release(ann))[:1]
    first["count"] = 1 - first["count"]
    np.save(release(ann), first)
    for _ in range(2):
        with pytest.raises(ClockError, match="Set it right"):
            neighbourhood.run(ANN, TUESDAY - timedelta(weeks=3))
    with open_ledger(ledger_path(ann)) as ledger:
        assert [draw.origin for draw in ledger.draws()].count("adopted") == 1
        assert ledger.clock is not None
        assert ledger.clock.date() == TUESDAY.date()


@pytest.mark.parametrize(
    "back", [timedelta(hours=25), timedelta(days=3), timedelta(weeks=1), timedelta(weeks=3), timedelta(days=4 * 365)]
)
def test_a_clock_that_was_set_back_draws_nothing_and_takes_nothing_back_for_good(
    neighbourhood: Neighbourhood, ann: Workspace, back: timedelta
) -> None:
    neighbourhood.run(ANN)
    before, draws = release(ann).read_bytes(), draws_of(ann)
    for _ in range(2):
        with pytest.raises(ClockError, match=r"clock says 202.*released on 2024-11-26.*Set it right"):
            neighbourhood.run(ANN, TUESDAY - back)
    assert draws_of(ann) == draws
    assert published(ann).items() <= draws.items()
    neighbourhood.run(ANN)
    assert release(ann).read_bytes() == before
    assert draws_of(ann) == draws


def test_a_clock_years_back_leaves_the_file_as_it_is(neighbourhood: Neighbourhood, ann: Workspace) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    with pytest.raises(ClockError):
        neighbourhood.run(ANN, TUESDAY - timedelta(days=4 * 365))
    assert release(ann).read_bytes() == before


def test_a_clock_that_is_right_again_is_noticed_though_no_file_changed(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    home = neighbourhood.home(ANN)
    for _ in range(2):
        run_once(lambda: ParticipantApp(ann, lambda: TUESDAY - timedelta(days=3), home))
    assert not (ledger_path(ann).parent / "stamp.json").exists()


@pytest.mark.usefixtures("ann")
def test_travelling_west_is_no_wrong_clock(neighbourhood: Neighbourhood) -> None:
    neighbourhood.run(ANN, datetime(2024, 11, 26, 1, tzinfo=timezone(timedelta(hours=14))))
    neighbourhood.run(ANN, datetime(2024, 11, 25, 1, tzinfo=timezone(timedelta(hours=-11))))


def test_a_clock_ahead_draws_nothing_of_the_future_while_the_export_is_of_now(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    assert neighbourhood.run(ANN, LATER).released == ()
    assert draws_of(ann) == {}
    assert [week.key for week in neighbourhood.run(ANN).released] == NOW


@pytest.mark.parametrize("member", ["established", "new"])
def test_weeks_drawn_while_clock_and_export_were_ahead_wait_until_they_are_over(
    neighbourhood: Neighbourhood, ann: Workspace, member: str
) -> None:
    if member == "established":
        neighbourhood.run(ANN)
    neighbourhood.download(ANN, EXPORT, made=LATER)
    neighbourhood.run(ANN, LATER)
    assert [week for week in published(ann) if week > 202500] == AHEAD
    assert not accepted(ann, TUESDAY)
    draws = draws_of(ann)
    neighbourhood.download(ANN, EXPORT)
    with pytest.raises(ClockError, match=r"yet weeks were released on 2030-01-08.*netflix-trend-participant install"):
        neighbourhood.run(ANN)
    assert draws_of(ann) == draws
    if member == "established":
        assert list(published(ann)) == NOW
    install_participant(ann, COORDINATOR, [], TUESDAY, take_over=False)
    done = neighbourhood.run(ANN)
    assert "5 drawn while the clock ran ahead, 2029-W49 to 2030-W01, wait until they are over" in done.line
    assert list(published(ann)) == NOW
    assert accepted(ann, TUESDAY)
    draws = draws_of(ann)
    assert len(draws) == 10
    neighbourhood.download(ANN, EXPORT, made=LATER)
    neighbourhood.run(ANN, LATER)
    assert draws_of(ann) == draws
    assert {week: cells for week, cells in draws.items() if week in AHEAD} == published(ann)


def test_without_the_wait_one_week_of_the_future_would_spoil_the_file(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    """The twin: the file as it would be if it held what was drawn ahead of time is rejected whole."""
    neighbourhood.run(ANN)
    neighbourhood.download(ANN, EXPORT, made=LATER)
    neighbourhood.run(ANN, LATER)
    with open_ledger(ledger_path(ann)) as ledger:
        data = release_file(ledger.draws(), published_studies(ann, COORDINATOR), LATER.date())
    release(ann).write_bytes(data or b"")
    assert not accepted(ann, TUESDAY)


def test_a_repeated_install_does_not_forget_a_draw_that_lies_before(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    neighbourhood.run(ANN)
    install_participant(ann, COORDINATOR, [], TUESDAY + timedelta(weeks=10), take_over=False)
    neighbourhood.run(ANN)
    with pytest.raises(ClockError):
        neighbourhood.run(ANN, TUESDAY - timedelta(days=3))


@pytest.mark.parametrize("year", [1, 1970, 2006, 2100, 9999])
def test_a_year_in_which_nobody_takes_part_gets_a_clear_line(
    neighbourhood: Neighbourhood, ann: Workspace, year: int
) -> None:
    for month, day in ((1, 1), (12, 31)):
        with pytest.raises(ClockError, match=f"clock says the year {year}: set it right"):
            neighbourhood.run(ANN, datetime(year, month, day, tzinfo=UTC))
    assert draws_of(ann) == {}


@pytest.mark.parametrize("made", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC)])
@pytest.mark.usefixtures("ann")
def test_an_export_of_a_strange_time_ends_in_a_line(neighbourhood: Neighbourhood, made: datetime) -> None:
    neighbourhood.download(ANN, EXPORT, made=made)
    if made < TUESDAY:
        with pytest.raises(HistoryError, match="dates lie after 1970-01-01"):
            neighbourhood.run(ANN)
    else:
        assert [week.key for week in neighbourhood.run(ANN).released] == NOW


@pytest.mark.usefixtures("ann")
def test_a_view_of_the_future_counts_in_no_week_and_stops_nothing(neighbourhood: Neighbourhood) -> None:
    neighbourhood.download(ANN, EXPORT + '"Dark: Season 1: Lies","31/12/2031"\n"Dark: Season 1: Truth","31/12/9999"\n')
    assert [week.key for week in neighbourhood.run(ANN).released] == NOW


@pytest.mark.parametrize("week", [101, 152, 199952, 300001, 999952])
def test_a_published_week_at_the_end_of_the_calendar_is_damage(
    neighbourhood: Neighbourhood, ann: Workspace, week: int
) -> None:
    neighbourhood.run(ANN)
    before = release(ann).read_bytes()
    records = np.load(release(ann))[:1]
    records["week"] = week
    np.save(release(ann), records)
    assert "damaged" in neighbourhood.run(ANN).line
    assert release(ann).read_bytes() == before
    assert list(draws_of(ann)) == NOW


def test_a_ledger_of_a_newer_version_is_left_alone_and_nothing_is_published(
    neighbourhood: Neighbourhood, ann: Workspace
) -> None:
    with sqlite3.connect(ledger_path(ann)) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = ledger_path(ann).read_bytes()
    with pytest.raises(LedgerError, match="newer version"):
        neighbourhood.run(ANN)
    assert ledger_path(ann).read_bytes() == before
    assert not release(ann).exists()


def test_a_week_is_known_to_be_over_a_day_early_at_most() -> None:
    week = IsoWeek(2024, 47)
    assert is_over(week, week.last_day)
    assert not is_over(week, week.last_day - timedelta(days=1))


def test_the_time_zone_is_asked_for_once_and_the_stated_one_comes_first(
    ann: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that travels must not put a view on another day than the release of its week did."""
    zones = iter(["Pacific/Auckland", "America/Lima"])
    monkeypatch.setattr("participant.app.local_zone", lambda: next(zones))
    path = ann.app(PARTICIPANT_APP) / "settings.toml"
    with open_ledger(ledger_path(ann)) as ledger:
        ledger.note("time_zone", "")
        for _ in range(2):
            assert time_zone(read_settings(path), ledger).key == "Pacific/Auckland"
        write_settings(path, TEMPLATE, {"timezone": "Europe/Paris"})
        assert time_zone(read_settings(path), ledger).key == "Europe/Paris"
        write_settings(path, TEMPLATE, {"timezone": ""})
        assert time_zone(read_settings(path), ledger).key == "Pacific/Auckland"
