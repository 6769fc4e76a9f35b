import dataclasses
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from participant.ledger import Draw, open_ledger
from shared.errors import LedgerError
from shared.study import Study
from shared.week import IsoWeek

NOW = datetime(2024, 11, 26, tzinfo=UTC)
STUDY = Study(catalogue_rows=2, catalogue_sha256="0" * 64)
DRAW = Draw(IsoWeek(2024, 47), STUDY.id, "netflix_reduced", b"\1\0\0\0", "drawn", "coordinator@example.org")


def test_a_draw_is_there_after_reopening_and_costs_its_epsilon(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger") as ledger:
        ledger.record(DRAW, STUDY, NOW)
        device = ledger.device
    with open_ledger(tmp_path / "ledger") as ledger:
        assert ledger.draws() == [DRAW]
        assert ledger.studies() == {STUDY.id: STUDY}
        assert ledger.spent() == STUDY.epsilon
        assert ledger.device == device
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600


def test_a_week_is_drawn_once_whatever_the_study(tmp_path: Path) -> None:
    other = Study(catalogue_rows=2, catalogue_sha256="1" * 64)
    with open_ledger(tmp_path / "ledger") as ledger:
        ledger.record(DRAW, STUDY, NOW)
        for study in (STUDY, other):
            with pytest.raises(LedgerError, match="drawn before"):
                ledger.record(Draw(DRAW.week, study.id, DRAW.form, b"\0\0\1\0", "drawn", DRAW.coordinator), study, NOW)
        assert ledger.draws() == [DRAW]
        assert ledger.studies() == {STUDY.id: STUDY}


def test_what_is_adopted_is_charged_too(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger") as ledger:
        ledger.record(DRAW, STUDY, NOW)
        ledger.record(Draw(DRAW.week, STUDY.id, DRAW.form, b"\0\0\1\0", "adopted", DRAW.coordinator), STUDY, NOW)
        assert ledger.spent() == 2 * STUDY.epsilon


def test_the_weeks_that_may_not_be_drawn_grow_and_never_shrink(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger") as ledger:
        assert ledger.blocked is None
        for until, blocked in ((5, 5), (3, 5), (9, 9), (9, 9)):
            ledger.block(IsoWeek(2024, until))
            assert ledger.blocked == IsoWeek(2024, blocked)


def test_the_clock_is_that_of_the_latest_draw_and_goes_back_by_set_clock_alone(tmp_path: Path) -> None:
    earlier, later = NOW - timedelta(weeks=3), NOW + timedelta(hours=1)
    with open_ledger(tmp_path / "ledger") as ledger:
        assert ledger.clock is None
        ledger.set_clock(NOW)
        assert ledger.clock is None  # nothing was drawn, so nothing ran ahead
        for back, now, clock in ((0, NOW, NOW), (1, later, later), (2, earlier, later)):
            ledger.record(dataclasses.replace(DRAW, week=DRAW.week.plus(-back)), STUDY, now)
            assert ledger.clock == clock
        ledger.set_clock(later + timedelta(weeks=1))
        assert ledger.clock == later
        ledger.set_clock(NOW)
        assert ledger.clock == NOW


def test_a_broken_or_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="Do not delete"), open_ledger(broken):
        pass
    assert broken.read_bytes() == b"this is no database" * 100
    newer = tmp_path / "newer"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(LedgerError, match="newer version"), open_ledger(newer):
        pass
