"""A coordinator's private record of weeks measured together with another: each is collected once, whatever happens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from aggregator.combine import Total
from shared.database import Database, open_database
from shared.sharing import Half
from shared.week import IsoWeek

RECORD: Final = "pair.sqlite"
VERSION: Final = 1
_PAGE_BYTES: Final = 65_536  # several reports a page: smaller ones would spread each over many, far slower

_TABLES: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE batches (
    week INTEGER PRIMARY KEY,
    study TEXT NOT NULL,
    message BLOB NOT NULL,
    sums BLOB NOT NULL,
    unopened INTEGER NOT NULL
) STRICT;
CREATE TABLE reports (
    week INTEGER NOT NULL,
    id BLOB NOT NULL,
    study TEXT NOT NULL,
    email TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (week, id)
) STRICT;
CREATE TABLE answers (week INTEGER PRIMARY KEY, message BLOB NOT NULL, reports INTEGER NOT NULL) STRICT;
CREATE TABLE results (
    week INTEGER PRIMARY KEY,
    study TEXT NOT NULL,
    participants INTEGER NOT NULL,
    sums BLOB NOT NULL,
    plausible INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Batch:
    """What the leader asked the helper for, and what it needs when the answer comes."""

    study: str
    message: bytes
    """The file, signed: published byte for byte until the week is done."""
    sums: Half
    """The leader's exact half of the sum over all reports of the batch."""
    left_out: int
    """How many files of that week are not in it: they could not be opened, or are under another study."""


@dataclass(frozen=True)
class Result:
    """A week that both coordinators have measured."""

    study: str
    total: Total
    """The noised sum, and over how many reports it is."""
    plausible: bool
    """Whether every cell is what honest participants can have given; if not, the week is withheld."""


class PairRecord(Database):
    """The open record."""

    def note_new(self, public_key: str) -> None:
        """Note that the private key to this one was just made: nothing can have been collected with it."""
        self._execute("INSERT OR IGNORE INTO facts VALUES (?, 'new')", f"key {public_key}")

    def first_week(self, public_key: str, proposed: IsoWeek, unknown: IsoWeek) -> IsoWeek:
        """Return the first week that is collected with a key by this record: as proposed at the first call.

        Of a key that this record does not know as new, `unknown`: an earlier record, which is lost, may have collected
        any week before.
        """
        new = self._execute("SELECT 1 FROM facts WHERE name = ?", f"key {public_key}")
        name = f"first_week {public_key}"
        self._execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", name, str(proposed if new else unknown))
        ((text,),) = self._execute("SELECT value FROM facts WHERE name = ?", name)
        return IsoWeek.parse(text)

    def first_asked(self, week: IsoWeek, today: date) -> date:
        """Return the day on which the helper first had a batch of a week: today at the first call."""
        self._execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", f"asked {week}", today.isoformat())
        ((text,),) = self._execute("SELECT value FROM facts WHERE name = ?", f"asked {week}")
        return date.fromisoformat(text)

    def batch(self, week: IsoWeek) -> Batch | None:
        """Return the leader's batch of a week."""
        rows = self._execute("SELECT study, message, sums, unopened FROM batches WHERE week = ?", week.key)
        return Batch(rows[0][0], rows[0][1], np.frombuffer(rows[0][2], dtype="<u4"), rows[0][3]) if rows else None

    def batched(self) -> list[IsoWeek]:
        """Return the weeks that the leader has asked for."""
        return [IsoWeek.from_key(week) for (week,) in self._execute("SELECT week FROM batches ORDER BY week")]

    def left_out(self) -> dict[IsoWeek, int]:
        """Return for each week that the leader has asked for how many files are not in its batch, or its figures."""
        return {IsoWeek.from_key(week): files for week, files in self._execute("SELECT week, unopened FROM batches")}

    def begin(
        self, week: IsoWeek, kept: Iterable[tuple[bytes, str, str, bytes]], conclude: Callable[[], Batch | None]
    ) -> Batch | None:
        """Record a batch together with its reports (id, study, e-mail, bytes): members may vanish before the answer.

        `conclude` is called when all of `kept` were taken; where it returns None nothing is recorded. Returns the same.
        """
        with self._transaction() as connection:
            rows = ((week.key, *each) for each in kept)
            connection.executemany("INSERT INTO reports VALUES (?, ?, ?, ?, ?)", rows)
            batch = conclude()
            if batch is None:
                connection.rollback()
                return None
            connection.execute("DELETE FROM reports WHERE week = ? AND study != ?", (week.key, batch.study))
            connection.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?)",
                (week.key, batch.study, batch.message, batch.sums.astype("<u4").tobytes(), batch.left_out),
            )
            return batch

    def report(self, week: IsoWeek, report_id: bytes) -> tuple[str, bytes]:
        """Return e-mail and bytes of a report of a batch."""
        ((email, data),) = self._execute(
            "SELECT email, data FROM reports WHERE week = ? AND id = ?", week.key, report_id
        )
        return email, data

    def answer(self, week: IsoWeek) -> bytes | None:
        """Return the helper's one answer for a week, the file."""
        rows = self._execute("SELECT message FROM answers WHERE week = ?", week.key)
        return rows[0][0] if rows else None

    def answered(self) -> dict[IsoWeek, int]:
        """Return the weeks that the helper has answered, with the number of reports."""
        rows = self._execute("SELECT week, reports FROM answers ORDER BY week")
        return {IsoWeek.from_key(week): reports for week, reports in rows}

    def keep_answer(self, week: IsoWeek, message: bytes, reports: int) -> None:
        """Record the helper's answer, before anything of it is published."""
        self._execute("INSERT INTO answers VALUES (?, ?, ?)", week.key, message, reports)

    def results(self) -> dict[IsoWeek, Result]:
        """Return what was measured of each week."""
        rows = self._execute("SELECT week, study, participants, sums, plausible FROM results")
        return {
            IsoWeek.from_key(week): Result(
                study, Total(people, np.frombuffer(sums, dtype="<i8").copy()), bool(plausible)
            )
            for week, study, people, sums, plausible in rows
        }

    def finish(self, week: IsoWeek, result: Result, missing: int) -> None:
        """Record what was measured of a week, with how many of its batch are `missing` there; forget its reports."""
        sums = result.total.sums.astype("<i8").tobytes()
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO results VALUES (?, ?, ?, ?, ?)",
                (week.key, result.study, result.total.participants, sums, result.plausible),
            )
            connection.execute("UPDATE batches SET unopened = unopened + ? WHERE week = ?", (missing, week.key))
            others = connection.execute("SELECT 1 FROM reports WHERE week != ? LIMIT 1", (week.key,)).fetchall()
            if others:
                connection.execute("DELETE FROM reports WHERE week = ?", (week.key,))
            else:  # SQLite forgets a whole table without copying it to its journal first
                connection.execute("DELETE FROM reports")


@contextlib.contextmanager
def open_record(path: Path) -> Iterator[PairRecord]:
    """Open the record, making it at the first time.

    Raises: LedgerError if it cannot be read or written, or was made by a newer version.
    """
    with contextlib.closing(open_database(path, _TABLES, VERSION, _PAGE_BYTES)) as connection:
        yield PairRecord(connection, path)
