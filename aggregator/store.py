"""The coordinator's private record of weeks that are final: what was added up when they closed for releases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from aggregator.combine import Total, Totals
from shared.database import Database, open_database
from shared.study import Study, parse_study
from shared.week import IsoWeek

VERSION: Final = 1

_TABLES: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE studies (id TEXT PRIMARY KEY, terms BLOB NOT NULL) STRICT;
CREATE TABLE final_weeks (week INTEGER PRIMARY KEY) STRICT;
CREATE TABLE final_totals (
    week INTEGER NOT NULL REFERENCES final_weeks (week),
    study TEXT NOT NULL,
    participants INTEGER NOT NULL,
    sums BLOB NOT NULL,
    PRIMARY KEY (week, study)
) STRICT;
"""


class Store(Database):
    """The open record. A week in it stays as it is: releases that come, change or go later count no more."""

    def first_week(self, proposed: IsoWeek) -> IsoWeek:
        """Return the first week that can have been released to this coordinator: as proposed at the first call."""
        self._execute("INSERT OR IGNORE INTO facts VALUES ('first_week', ?)", str(proposed))
        ((text,),) = self._execute("SELECT value FROM facts WHERE name = 'first_week'")
        return IsoWeek.parse(text)

    def remember(self, studies: Mapping[str, Study]) -> dict[str, Study]:
        """Keep these studies, and return all that were ever kept: their releases stay summable."""
        for study in studies.values():
            self._execute("INSERT OR IGNORE INTO studies VALUES (?, ?)", study.id, study.to_json())
        return {study_id: parse_study(terms) for study_id, terms in self._execute("SELECT id, terms FROM studies")}

    def final(self) -> Totals:
        """Return the totals of all final weeks, also of those without any release."""
        totals: Totals = {IsoWeek.from_key(week): {} for (week,) in self._execute("SELECT week FROM final_weeks")}
        for week, study, participants, sums in self._execute(
            "SELECT week, study, participants, sums FROM final_totals"
        ):
            totals[IsoWeek.from_key(week)][study] = Total(participants, np.frombuffer(sums, dtype="<i8").copy())
        return totals

    def finish(self, week: IsoWeek, totals: Mapping[str, Total]) -> None:
        """Make a week final with these totals; one that is final already stays as it is."""
        if self._execute("SELECT 1 FROM final_weeks WHERE week = ?", week.key):
            return
        with self._transaction() as connection:
            connection.execute("INSERT INTO final_weeks VALUES (?)", (week.key,))
            connection.executemany(
                "INSERT INTO final_totals VALUES (?, ?, ?, ?)",
                [
                    (week.key, study, total.participants, total.sums.astype("<i8").tobytes())
                    for study, total in totals.items()
                ],
            )


@contextlib.contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """Open the record, making it at the first time.

    Raises: LedgerError if it cannot be read or written, or was made by a newer version.
    """
    with contextlib.closing(open_database(path, _TABLES, VERSION)) as connection:
        yield Store(connection, path)
