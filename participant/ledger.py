"""The participant's private record of what was released and what it cost: every week is drawn once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from shared.database import Database, make_tables, open_database
from shared.errors import LedgerError
from shared.study import Study, parse_study
from shared.week import IsoWeek

VERSION: Final = 1
REDUCED: Final = "netflix_reduced"
"""The form of a payload that is a release's noised counts as little-endian i2. Later forms get names of their own."""
SHARES: Final = "shares"
"""The form of a payload that is a report for two coordinators, byte for byte."""

_CLOCK: Final = "clock"

_TABLES: Final = """
CREATE TABLE studies (id TEXT PRIMARY KEY, terms BLOB NOT NULL) STRICT;
CREATE TABLE draws (
    number INTEGER PRIMARY KEY,
    week INTEGER NOT NULL,
    study TEXT NOT NULL REFERENCES studies (id),
    form TEXT NOT NULL,
    payload BLOB NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('drawn', 'adopted')),
    coordinator TEXT NOT NULL,
    recorded_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX a_week_is_drawn_once ON draws (week) WHERE origin = 'drawn';
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO facts VALUES ('device', lower(hex(randomblob(16))));
"""


@dataclass(frozen=True)
class Draw:
    """One row of the ledger: what was released for a week, under which study, and where it came from."""

    week: IsoWeek
    study: str
    form: str
    payload: bytes
    origin: Literal["drawn", "adopted"]
    coordinator: str
    """The e-mail of the coordinator whose study it was."""


class Ledger(Database):
    """An open ledger."""

    @property
    def device(self) -> str:
        """The random identifier of this machine, made with the ledger."""
        return self.fact("device")

    def fact(self, name: str) -> str:
        """Return what was noted under a name, empty if nothing was."""
        rows = self._execute("SELECT value FROM facts WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def note(self, name: str, value: str) -> None:
        """Note a fact, in place of an earlier one of the same name."""
        self._execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def draws(self) -> list[Draw]:
        """Return all draws in the order in which they were recorded."""
        rows = self._execute("SELECT week, study, form, payload, origin, coordinator FROM draws ORDER BY number")
        return [Draw(IsoWeek.from_key(week), *rest) for week, *rest in rows]

    def weeks(self) -> set[IsoWeek]:
        """Return the weeks that were drawn or adopted: none of them is drawn again."""
        return {draw.week for draw in self.draws()}

    @property
    def blocked(self) -> IsoWeek | None:
        """The last week that may have been drawn elsewhere without a trace here; it and all before are not drawn."""
        return IsoWeek.parse(text) if (text := self.fact("blocked")) else None

    def block(self, until: IsoWeek) -> None:
        """Draw no week up to `until` any more."""
        if self.blocked is None or until > self.blocked:
            self.note("blocked", str(until))

    @property
    def clock(self) -> datetime | None:
        """When the last draw was recorded, unless `set_clock` was told otherwise since: it is no earlier now."""
        return datetime.fromisoformat(text) if (text := self.fact(_CLOCK)) else None

    def set_clock(self, now: datetime) -> None:
        """Note that `now` is right, and that the draws recorded later were made while the clock ran ahead."""
        if self.clock and now < self.clock:
            self.note(_CLOCK, now.isoformat(timespec="seconds"))

    def studies(self) -> dict[str, Study]:
        """Return the studies that draws were made under, by id."""
        return {study_id: parse_study(terms) for study_id, terms in self._execute("SELECT id, terms FROM studies")}

    def record(self, draw: Draw, study: Study, now: datetime) -> None:
        """Record a draw, before anything of it is published.

        Raises: LedgerError if the week was drawn before: nothing is recorded then.
        """
        recorded_at = now.isoformat(timespec="seconds")
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO studies VALUES (?, ?)", (study.id, study.to_json()))
            try:
                connection.execute(
                    "INSERT INTO draws (week, study, form, payload, origin, coordinator, recorded_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (draw.week.key, draw.study, draw.form, draw.payload, draw.origin, draw.coordinator, recorded_at),
                )
            except sqlite3.IntegrityError:
                raise LedgerError(f"{self._path}: that week was drawn before; nothing was drawn again") from None
            if self.clock is None or now > self.clock:  # what is adopted by a clock set back does not make it right
                connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_CLOCK, recorded_at))

    def spent(self) -> float:
        """Return the privacy loss of all draws together, published or not, added up as decimals."""
        studies = self.studies()
        return float(sum(Decimal(repr(studies[draw.study].epsilon)) for draw in self.draws()))

    def copy_into(self, connection: sqlite3.Connection) -> None:
        """Copy the ledger, as it is now, into an empty database."""
        with self._failures():
            self._connection.backup(connection)


@contextlib.contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """Open the ledger, making it at the first time.

    Raises: LedgerError if it is no ledger, cannot be read or written, or was made by a newer version.
    """
    with contextlib.closing(open_database(path, _TABLES, VERSION)) as connection:
        yield Ledger(connection, path)


@contextlib.contextmanager
def read_ledger(path: Path) -> Iterator[Ledger]:
    """Open a copy of the ledger in memory, an empty one if there is none: whatever is done to it is not kept.

    Raises: see open_ledger.
    """
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        if path.exists():
            with open_ledger(path) as ledger:
                ledger.copy_into(copy)
        else:
            make_tables(copy, _TABLES, VERSION)
        yield Ledger(copy, path)
