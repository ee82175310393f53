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
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from hnbulk.errors import JournalError, UsageError
from hnbulk.files import private_folder
from hnbulk.shapes import (
    Connect,
    Link,
    Older,
    Shape,
    Statement,
    Unusable,
    check,
    connect_sqlite,
    make,
    size_of,
)

_HEADER = 100  # bytes; a database has them from its first commit on

#: What a refused write was refused for (`facts["kind"]`). After `BROKEN` the connection is not
#: trusted again; `UNIQUE`, `CONSTRAINT` and `VALUE` lie in the statements, not in the disk.
FULL, BUSY, UNIQUE, CONSTRAINT, VALUE, BROKEN = "full", "busy", "unique", "constraint", "value", "broken"
#: The kind of an error that says: the file opened, and it is not what was written.
DAMAGED = "damaged"
_KINDS = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_CONSTRAINT: CONSTRAINT,
}


class Database:
    """One open file and one connection, which threads may share and forked children not. Close it."""

    def __init__(self, path: Path, shape: Shape, connection: Link) -> None:
        self.path = path
        self._shape = shape
        self._connection = connection
        self._lock = threading.Lock()
        self._open = True
        self._broken = ""
        self._process = os.getpid()
        self._version = int(connection.execute("PRAGMA data_version").fetchone()[0])

    @classmethod
    def open(
        cls, path: Path, shape: Shape, *, first: Sequence[Statement] = (), connect: Connect = connect_sqlite
    ) -> Self:
        """The file, 0600, in a folder that exists; where it was missing, made whole with its
        tables and what `first` puts into them.

        Raises `JournalError` for a file that is cut, damaged, foreign, or of another version, and
        `UsageError` for one that may not be written; it stays as it was.
        """
        private_folder(path.parent)
        try:
            if not os.path.lexists(path):
                make(path, shape, first, connect)
            size = size_of(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(
                f"cannot write {path}: {reason}. Set HNBULK_HOME to a folder that can be written.",
                path=str(path),
                reason=reason,
            ) from None
        except (sqlite3.Error, Unusable) as error:
            raise _unopened(path, shape, error) from None
        if size < _HEADER:
            # SQLite would take it for a new file; every file made here is whole from the start
            raise _refusal(path, shape, f"it is cut off after {size} bytes")
        connection = connect(path)
        try:
            check(connection, shape)
            return cls(path, shape, connection)
        except Older as error:
            connection.close()
            raise _refusal(path, shape, str(error), way_out=shape.way_on) from None
        except (sqlite3.Error, Unusable) as error:
            connection.close()
            raise _unopened(path, shape, error) from None
        except UnicodeDecodeError:
            connection.close()
            raise _refusal(path, shape, "a text in it is none") from None
        except BaseException:
            connection.close()
            raise

    @property
    def broken(self) -> bool:
        """The disk failed under this connection: nothing is read from it or written to it again."""
        return bool(self._broken)

    def write(self, statements: Iterable[Statement]) -> list[int]:
        """All statements are durable, in one transaction; the row id each one left, in order. They may
        be made while they are written.

        Raises `JournalError` where the disk is full or fails, or where a statement cannot be;
        nothing of them is there then.
        """
        self.must_be_ours()
        with self._lock:
            self._must_be_usable()
            try:
                return self._transaction(statements)
            except sqlite3.Error as error:
                raise self._failed("write", error) from None
            except (ValueError, OverflowError, TypeError) as error:
                # the values' own fault: a number too large, a text that is none
                raise JournalError(
                    f"cannot write {self.path}: a value cannot be stored ({type(error).__name__}).",
                    path=str(self.path),
                    reason=type(error).__name__,
                    kind=VALUE,
                ) from None

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of one query. Raises `JournalError` where the file cannot be read."""
        self.must_be_ours()
        with self._lock:
            self._must_be_usable()
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                kind = _kind(error)
                self._broken = str(error) if kind == BROKEN else self._broken
                if kind == BUSY:
                    raise _in_use(self.path, error) from None
                raise _refusal(self.path, self._shape, str(error), kind=kind) from None
            except UnicodeDecodeError:
                raise self.refusal("a text in it is none") from None

    def refusal(self, reason: str) -> JournalError:
        """The error of a file that opened and is not what it should be, with its way out."""
        return _refusal(self.path, self._shape, reason, kind=DAMAGED)

    def changed_elsewhere(self) -> bool:
        """Another process has written to the file since this was last asked (or since it was opened)."""
        version = int(self.read("PRAGMA data_version")[0][0])
        changed, self._version = version != self._version, version
        return changed

    @property
    def forked(self) -> bool:
        """This is a forked child of the process that opened it."""
        return self._process != os.getpid()

    def must_be_ours(self) -> None:
        """Raises `JournalError` in a forked child, before that waits for a lock nobody will free."""
        if self.forked:
            raise JournalError(
                f"{self.path} was opened by the process that this one was forked from, and is for that one "
                "alone. Open it anew here, or leave it to the parent.",
                path=str(self.path),
                reason="forked",
            )

    def close(self) -> None:
        """The file is closed; closing twice is fine. A forked child closes nothing: it would undo
        the transaction that the parent is in."""
        if self.forked:
            return
        with self._lock:
            if self._open:
                self._open = False
                self._connection.close()

    def _transaction(self, statements: Iterable[Statement]) -> list[int]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            ids = [self._connection.execute(*statement).lastrowid or 0 for statement in statements]
            self._connection.execute("COMMIT")
        except BaseException:
            try:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._broken = str(error)
            raise
        return ids

    def _failed(self, what: str, error: sqlite3.Error) -> JournalError:
        kind = _kind(error)
        if kind == BROKEN:
            self._broken = str(error)
        if kind == BUSY:
            return _in_use(self.path, error)
        return JournalError(
            f"cannot {what} {self.path}: {error}. {what_to_do(kind)}; nothing was sent that is not written "
            "down.",
            path=str(self.path),
            reason=str(error),
            kind=kind,
        )

    def _must_be_usable(self) -> None:
        if not self._open:
            raise JournalError(f"{self.path} is closed.", path=str(self.path), reason="closed")
        if self._broken:
            raise JournalError(
                f"{self.path} failed before ({self._broken}) and is not trusted again. Check the disk, "
                "then start anew: what is in doubt is looked up first.",
                path=str(self.path),
                reason=self._broken,
                kind=BROKEN,
            )


def _kind(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return VALUE  # the driver's own complaint: it never came to the disk
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return UNIQUE
    return _KINDS.get(code & 0xFF, BROKEN)


def what_to_do(kind: object) -> str:
    """What a person does about a write that was refused for this, as the beginning of a sentence."""
    if kind == BUSY:
        return "Another process is using it; wait until that has ended, then try again"
    return "Make room or check the disk"


def _in_use(path: Path, error: sqlite3.Error) -> JournalError:
    return JournalError(
        f"cannot use {path}: another process is using it ({error}). Wait until that has ended, then try "
        "again; nothing was sent that is not written down.",
        path=str(path),
        reason=str(error),
        kind=BUSY,
    )


def _unopened(path: Path, shape: Shape, error: sqlite3.Error | Unusable) -> JournalError:
    if isinstance(error, sqlite3.Error) and _kind(error) == BUSY:
        return _in_use(path, error)
    return _refusal(path, shape, str(error))


def _refusal(path: Path, shape: Shape, reason: str, *, way_out: str = "", **facts: str) -> JournalError:
    way_out = way_out or shape.way_out
    return JournalError(
        f"cannot use {path} as {shape.name}: {reason}. The file was left as it is. {way_out}",
        path=str(path),
        reason=reason,
        **facts,
    )
