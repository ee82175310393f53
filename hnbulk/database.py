"""One SQLite file opened safely: the only door to sqlite3, shared by the journal and the history.

The file is proved whole before it is used and kept as it is where it is not: this never starts
from empty over something it cannot read. What is written in one call is durable when the call
returns, or nothing of it is there. Settings: the "Journal" section of the safety rules, where
each was measured (TRUNCATE with EXTRA loses no acknowledged row at power loss).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hnbulk.errors import JournalError, UsageError
from hnbulk.files import private_folder

Statement = tuple[str, Sequence[Any]]

_SETTINGS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA synchronous = EXTRA",
    "PRAGMA secure_delete = ON",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file must be: its name for people, its mark, its version and its tables."""

    name: str
    application_id: int
    version: int
    schema: str
    way_out: str  # what a person does when the file cannot be used


class Database:
    """One open file and one connection, which threads may share. Close it."""

    def __init__(self, path: Path, shape: Shape, connection: sqlite3.Connection) -> None:
        self.path = path
        self._shape = shape
        self._connection = connection
        self._lock = threading.Lock()
        self._open = True
        self._version = int(connection.execute("PRAGMA data_version").fetchone()[0])

    @classmethod
    def open(cls, path: Path, shape: Shape) -> Self:
        """The file, 0600, in a folder that exists; made with its tables where it was missing.

        Raises `JournalError` for a file that is damaged, foreign, or of another version, and
        `UsageError` for one that may not be written; it stays as it was.
        """
        private_folder(path.parent)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(
                f"cannot write {path}: {reason}. Set HNBULK_HOME to a folder that can be written.",
                path=str(path),
                reason=reason,
            ) from None
        connection = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None, cached_statements=64
        )
        try:
            _prepare(connection, shape)
        except sqlite3.Error as error:
            connection.close()
            raise _refusal(path, shape, str(error)) from None
        except _Unusable as error:
            connection.close()
            raise _refusal(path, shape, str(error)) from None
        return cls(path, shape, connection)

    def write(self, statements: Sequence[Statement]) -> list[int]:
        """All statements are durable, in one transaction; the row id each one left, in order.

        Raises `JournalError` where the disk is full or fails; nothing of them is there then.
        """
        with self._lock:
            self._must_be_open()
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    ids = [self._connection.execute(*statement).lastrowid or 0 for statement in statements]
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise JournalError(
                    f"cannot write {self.path}: {error}. Make room or check the disk; nothing was sent "
                    "that is not written down.",
                    path=str(self.path),
                    reason=str(error),
                ) from None
            return ids

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one query. Raises `JournalError` where the file cannot be read."""
        with self._lock:
            self._must_be_open()
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise _refusal(self.path, self._shape, str(error)) from None

    def changed_elsewhere(self) -> bool:
        """Another process has written to the file since this was last asked (or since it was opened)."""
        version = int(self.read("PRAGMA data_version")[0][0])
        changed, self._version = version != self._version, version
        return changed

    def close(self) -> None:
        """The file is closed; closing twice is fine."""
        with self._lock:
            if self._open:
                self._open = False
                self._connection.close()

    def _must_be_open(self) -> None:
        if not self._open:
            raise JournalError(f"{self.path} is closed.", path=str(self.path), reason="closed")


class _Unusable(Exception):
    """Why a file is not the one that is expected."""


def _prepare(connection: sqlite3.Connection, shape: Shape) -> None:
    for setting in _SETTINGS:
        connection.execute(setting).close()
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not (mark or version or tables):
        _make(connection, shape)
        return
    if mark != shape.application_id:
        raise _Unusable(f"it is a database, but not {shape.name} of hnbulk")
    if version != shape.version:
        raise _Unusable(f"it is of version {version}; this hnbulk reads {shape.version}")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _Unusable("it is damaged")


def _make(connection: sqlite3.Connection, shape: Shape) -> None:
    # one transaction: a crash leaves an empty file or a whole one
    connection.executescript(
        "BEGIN EXCLUSIVE;\n"
        f"PRAGMA application_id = {shape.application_id};\n"
        f"PRAGMA user_version = {shape.version};\n"
        f"{shape.schema}\nCOMMIT;"
    )


def _refusal(path: Path, shape: Shape, reason: str) -> JournalError:
    return JournalError(
        f"cannot use {path} as {shape.name}: {reason}. The file was left as it is. {shape.way_out}",
        path=str(path),
        reason=reason,
    )
