"""The sums of weeks that still take releases, kept from pass to pass: only what is new is read and added.

A private file that can be deleted at any time: it holds nothing that is not made anew from the release files.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from aggregator.collect import (
    MARK_BYTES,
    Participant,
    Reason,
    Rules,
    Seen,
    Verdict,
    chunks,
    find_releases,
    look,
)
from aggregator.combine import Total, Totals, merge
from shared.database import open_database
from shared.errors import LedgerError
from shared.week import IsoWeek

VERSION: Final = 1
"""To be raised when other releases count than before, or the tables change: then all is made anew."""
YOUNG_NS: Final = 2_000_000_000
"""A file changed less than this before it was read may be changed again without its times telling: it is read twice."""
AHEAD: Final = 8
"""So many chunks are at work or waiting to be added: more would only fill the memory."""

_TABLES: Final = """
CREATE TABLE basis (text TEXT NOT NULL) STRICT;
CREATE TABLE participants (
    email BLOB PRIMARY KEY,
    state TEXT NOT NULL,
    again INTEGER NOT NULL,
    counted BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE verdicts (
    email BLOB NOT NULL,
    datasite BLOB NOT NULL,
    reason TEXT,
    weeks TEXT NOT NULL,
    flagged INTEGER NOT NULL,
    PRIMARY KEY (email, datasite)
) STRICT, WITHOUT ROWID;
CREATE TABLE sums (
    week INTEGER NOT NULL,
    study TEXT NOT NULL,
    participants INTEGER NOT NULL,
    sums BLOB NOT NULL,
    PRIMARY KEY (week, study)
) STRICT, WITHOUT ROWID;
"""
_COUNTED: Final = np.dtype([("week", "<i4"), ("mark", f"<u{MARK_BYTES}")])


@dataclass(frozen=True)
class _Task:
    """What one update works with: see `OpenWeeks.update`."""

    datasites: str
    rules: Rules
    counts: Callable[[str], bool]
    read_ns: int
    executor: Executor | None

    def seen(self, participants: Iterator[Participant]) -> Iterator[tuple[list[Seen], Totals]]:
        """Yield what was found of the participants, chunk by chunk; a few chunks are ahead, the rest is not begun."""
        if self.executor is None:
            yield from (look(chunk, self.datasites, self.rules) for chunk in chunks(participants))
            return
        waiting: deque[Future[tuple[list[Seen], Totals]]] = deque()
        for chunk in chunks(participants):
            waiting.append(self.executor.submit(look, chunk, self.datasites, self.rules))
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class OpenWeeks:
    """The open file. What it says of a release and what is in the sums are written together or not at all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def update(
        self,
        datasites: Path,
        rules: Rules,
        counts: Callable[[str], bool],
        basis: str,
        read_ns: int,
        executor: Executor | None = None,
    ) -> None:
        """Bring the sums in line with the release files: read those that changed, and add what is new in them.

        Where something that was added is gone, the sums are made anew from all files. `counts` tells whether a
        datasite's releases count; `basis` names whatever else decided (when it changes, all is made anew); `read_ns` is
        the time now. The work is done by `executor`, in this thread without one.
        """
        found = find_releases(datasites)
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute("SELECT text FROM basis").fetchall() != [(basis,)]:
                self._clear(basis)
            for week in rules.final:
                self._connection.execute("DELETE FROM sums WHERE week = ?", (week.key,))
            task = _Task(str(datasites), rules, counts, read_ns, executor)
            if not self._add(found, task):
                self._clear(basis)
                self._add(found, task)

    def totals(self) -> Totals:
        """Return the sums of all weeks that take releases."""
        totals: Totals = {}
        rows = self._connection.execute("SELECT week, study, participants, sums FROM sums")
        for week, study, participants, sums in rows:
            total = Total(participants, np.frombuffer(sums, dtype="<i8").copy())
            totals.setdefault(IsoWeek.from_key(week), {})[study] = total
        return totals

    def reasons(self) -> Counter[Reason | None]:
        """Return how many datasites there are for each reason; None for those that count."""
        rows = self._connection.execute("SELECT reason, count(*) FROM verdicts GROUP BY reason")
        return Counter({Reason[name] if name else None: number for name, number in rows})

    def verdicts(self) -> Iterator[Verdict]:
        """Yield the verdict on each datasite's release file."""
        flagged = self._flagged()
        rows = self._connection.execute("SELECT email, datasite, reason, weeks, flagged FROM verdicts ORDER BY email")
        for email, datasite, reason, weeks, _ in rows:
            odd = reason is None and email in flagged
            yield Verdict(
                os.fsdecode(datasite), Reason[reason] if reason else None, tuple(map(int, weeks.split())), odd
            )

    def flagged(self) -> int:
        """Return how many participants count whose open weeks are not what honest noise gives, or are another's too."""
        return len(self._flagged())

    def _flagged(self) -> set[bytes]:
        odd = {email for (email,) in self._connection.execute("SELECT email FROM verdicts WHERE flagged")}
        emails, counted = [], []
        for email, blob in self._connection.execute("SELECT email, counted FROM participants WHERE counted != x''"):
            emails.append(email)
            counted.append(blob)
        marks = np.frombuffer(b"".join(counted), dtype=_COUNTED)["mark"]
        whose = np.repeat(np.arange(len(emails)), [len(blob) // _COUNTED.itemsize for blob in counted])
        order = np.argsort(marks)
        same = marks[order[1:]] == marks[order[:-1]]
        copied = whose[np.concatenate([order[1:][same], order[:-1][same]])]
        return odd | {emails[index] for index in np.unique(copied).tolist()}

    def _clear(self, basis: str) -> None:
        for table in ("basis", "participants", "verdicts", "sums"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608  # our own names
        self._connection.execute("INSERT INTO basis VALUES (?)", (basis,))

    def _add(self, found: dict[str, dict[str, str]], task: _Task) -> bool:
        """Read what changed and add what is new; False if something that was added is gone."""
        known = {
            os.fsdecode(email): (state, again)
            for email, state, again in self._connection.execute("SELECT email, state, again FROM participants")
        }
        changed = [email for email, folders in found.items() if known.pop(email, None) != (repr(folders), 0)]
        if any(task.rules.takes(week) for email in known for week in self._counted_weeks(email)):
            return False
        self._forget(known)
        totals = self.totals()
        left_out = [email for email in changed if not task.counts(email)]
        reason = Reason.NOT_A_MEMBER
        self._keep([_left_out(email, found[email], reason) for email in left_out], found, task.read_ns)
        work = (email for email in changed if email not in set(left_out))
        for seen, sums in task.seen(Participant(email, tuple(found[email]), self._counted(email)) for email in work):
            if any(one.lost for one in seen):
                return False
            self._keep(seen, found, task.read_ns)
            merge(totals, sums)
        if changed:
            self._write(totals)
        return True

    def _counted(self, email: str) -> bytes:
        row = self._connection.execute("SELECT counted FROM participants WHERE email = ?", (os.fsencode(email),))
        found: bytes = (row.fetchone() or (b"",))[0]
        return found

    def _counted_weeks(self, email: str) -> list[int]:
        weeks: list[int] = np.frombuffer(self._counted(email), dtype=_COUNTED)["week"].tolist()
        return weeks

    def _forget(self, emails: Iterable[str]) -> None:
        rows = [(os.fsencode(email),) for email in emails]
        self._connection.executemany("DELETE FROM participants WHERE email = ?", rows)
        self._connection.executemany("DELETE FROM verdicts WHERE email = ?", rows)

    def _keep(self, seen: Sequence[Seen], found: dict[str, dict[str, str]], read_ns: int) -> None:
        """Record what was found of participants, in place of what was known of them."""
        self._forget(one.email for one in seen)
        self._connection.executemany(
            "INSERT INTO participants VALUES (?, ?, ?, ?)",
            [
                (os.fsencode(one.email), repr(found[one.email]), _again(one, found[one.email], read_ns), one.counted)
                for one in seen
            ],
        )
        self._connection.executemany(
            "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?)",
            [
                (os.fsencode(one.email), os.fsencode(verdict.datasite), *_row(verdict))
                for one in seen
                for verdict in one.verdicts
            ],
        )

    def _write(self, totals: Totals) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO sums VALUES (?, ?, ?, ?)",
            [
                (week.key, study, total.participants, total.sums.astype("<i8").tobytes())
                for week, studies in totals.items()
                for study, total in studies.items()
            ],
        )


def _left_out(email: str, folders: Iterable[str], reason: Reason) -> Seen:
    return Seen(email, tuple(Verdict(name, reason) for name in folders), b"", lost=False)


def _again(seen: Seen, states: Mapping[str, str], read_ns: int) -> bool:
    """Tell whether the files are to be read at the next pass although they are as they were."""
    young = any(int(state.partition(":")[0]) > read_ns - YOUNG_NS for state in states.values())
    return young or any(verdict.reason is Reason.FUTURE_WEEK for verdict in seen.verdicts)


def _row(verdict: Verdict) -> tuple[str | None, str, bool]:
    weeks = " ".join(map(str, verdict.weeks))
    return verdict.reason.name if verdict.reason else None, weeks, verdict.flagged


@contextlib.contextmanager
def open_sums(path: Path) -> Iterator[OpenWeeks]:
    """Open the file, making it at the first time, and anew if it is broken or was made by another version.

    Raises: LedgerError if the machine refuses to read or write.
    """
    try:
        connection = _connection(path)
    except LedgerError:
        _remove(path)
        connection = _connection(path)
    with contextlib.closing(connection):
        try:
            yield OpenWeeks(connection)
        except sqlite3.OperationalError as error:
            raise LedgerError(f"cannot use {path}: {error}; free space or mend the permissions") from None
        except sqlite3.DatabaseError as error:
            _remove(path)
            raise LedgerError(f"{path} was broken ({error}): the next pass makes it anew") from None


def _connection(path: Path) -> sqlite3.Connection:
    connection = open_database(path, _TABLES, VERSION)
    if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
        connection.close()
        raise LedgerError(f"{path} was written by an older version")
    return connection


def _remove(path: Path) -> None:
    for found in (path, path.with_name(path.name + "-journal")):
        with contextlib.suppress(OSError):
            found.unlink()
