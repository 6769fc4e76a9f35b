"""The apps' private SQLite files: the participant's ledger, the coordinator's final weeks and weeks of two."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import LedgerError
from shared.files import make_folder


class Database:
    """An open private file. Whatever a method records is durable when it returns.

    Raises: LedgerError from every method, if the file cannot be read or written.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def _execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._failures():
            return self._connection.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Record all that is done within, or, where it raises, nothing."""
        with self._failures(), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(
                f"cannot use {self._path}: {error}; free space or mend the permissions. Do not delete it"
            ) from None


def open_database(path: Path, tables: str, version: int, page_bytes: int = 4096) -> sqlite3.Connection:
    """Return a connection to a private database, made with these `tables` at the first time; commits are durable.

    `page_bytes` is SQLite's page size: large where rows are.

    Raises: LedgerError if it is none, cannot be read or written, or was made by a newer version.
    """
    connection = None
    try:
        make_folder(path.parent, private=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        connection.execute(f"PRAGMA page_size = {page_bytes}")  # of a new file; nothing in one that is there
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found == 0:
            make_tables(connection, tables, version)
    except (OSError, sqlite3.Error) as error:
        if connection:
            connection.close()
        raise LedgerError(
            f"cannot use {path}: {error}; free space or mend the permissions. "
            f"Do not delete it; restore it from a backup"
        ) from None
    if found > version:
        connection.close()
        raise LedgerError(f"{path} was written by a newer version ({found}): update netflix-trend")
    return connection


def make_tables(connection: sqlite3.Connection, tables: str, version: int) -> None:
    """Make an empty database's tables, in one transaction: a crash leaves none rather than half of them."""
    connection.executescript(f"BEGIN IMMEDIATE; PRAGMA user_version = {version}; {tables} COMMIT;")
