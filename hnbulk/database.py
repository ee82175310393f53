"""One SQLite file opened safely: the only door to sqlite3, shared by the journal and the history.

The file is proved whole before it is used and kept as it is where it is not: this never starts
from empty over something it cannot read. What is written in one call is durable when the call
returns, or nothing of it is there. Settings: the "Journal" section of the safety rules, where
each was measured (TRUNCATE with EXTRA loses no acknowledged row at power loss).
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from hnbulk.errors import JournalError, UsageError
from hnbulk.files import private_folder, sync_folder

Statement = tuple[str, Sequence[Any]]

_SETTINGS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 30000",
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA synchronous = EXTRA",
    "PRAGMA secure_delete = ON",
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


class Rows(Protocol):
    """What a statement gave."""

    @property
    def lastrowid(self) -> int | None: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Link(Protocol):
    """A connection to one file, as sqlite3 has it. Its errors are those of sqlite3."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Rows: ...

    def close(self) -> None: ...


Connect = Callable[[Path], Link]


def connect_sqlite(path: Path) -> Link:
    """A connection that threads may share and that begins no transaction by itself."""
    return sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=64)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file must be: its name for people, its mark, its version and its tables."""

    name: str
    application_id: int
    version: int
    schema: str
    way_out: str  # what a person does when the file cannot be used
    way_on: str = ""  # what a person does with a file of an older version; "" where it is the same


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
                _make(path, shape, first, connect)
            size = _size_of(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(
                f"cannot write {path}: {reason}. Set HNBULK_HOME to a folder that can be written.",
                path=str(path),
                reason=reason,
            ) from None
        except (sqlite3.Error, _Unusable) as error:
            raise _unopened(path, shape, error) from None
        if size < _HEADER:
            # SQLite would take it for a new file; every file made here is whole from the start
            raise _refusal(path, shape, f"it is cut off after {size} bytes")
        connection = connect(path)
        try:
            _check(connection, shape)
            return cls(path, shape, connection)
        except _Older as error:
            connection.close()
            raise _refusal(path, shape, str(error), way_out=shape.way_on) from None
        except (sqlite3.Error, _Unusable) as error:
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


class _Unusable(Exception):
    """Why a file is not the one that is expected."""


class _Older(_Unusable):
    """It is of a version from before."""


def _kind(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return VALUE  # the driver's own complaint: it never came to the disk
    if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return UNIQUE
    return _KINDS.get(code & 0xFF, BROKEN)


def _check(connection: Link, shape: Shape) -> None:
    for setting in _SETTINGS:
        connection.execute(setting).fetchall()
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if mark != shape.application_id:
        raise _Unusable(f"it is a database, but not {shape.name} of hnbulk")
    if version != shape.version:
        kind = _Older if 0 < version < shape.version else _Unusable
        raise kind(f"it is of version {version}; this hnbulk reads {shape.version}")
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    if found != "ok" or {_plain(row[0]) for row in rows} != {*_plain_statements(shape.schema)}:
        raise _Unusable("it is damaged")


def _size_of(path: Path) -> int:
    """The size of a file that may be read and written. Raises `OSError`.

    It is not opened: closing it would free SQLite's locks on it, those of a writer in this process too
    (POSIX locks belong to the process and end with the first descriptor that is closed).
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "it is no plain file")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return found.st_size


def _make(path: Path, shape: Shape, first: Sequence[Statement], connect: Connect) -> None:
    """A whole new file lies in `path`: it is made beside it, and moved there in one step.

    A crash leaves no file, or a whole one. Of two processes one makes it and the other finds it.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if os.path.lexists(path):
            return
        rest = path.with_name(f"{path.name}-journal")
        if os.path.lexists(rest) and rest.stat().st_size:
            # it would be played back into the new file
            raise _Unusable(f"the file is missing, and {rest.name}, which belongs to it, is there")
        rest.unlink(missing_ok=True)
        scratch = path.with_name(f".{path.name}.new")
        scratch.unlink(missing_ok=True)  # of a process that died here
        handle = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                _fill(connect(scratch), shape, first)
                os.fsync(handle)
            finally:
                os.close(handle)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        sync_folder(path.parent)
    finally:
        os.close(folder)


def _fill(connection: Link, shape: Shape, first: Sequence[Statement]) -> None:
    try:
        # no file beside it: it is nobody's yet, and whole when it is moved
        connection.execute("PRAGMA journal_mode = OFF").fetchall()
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute(f"PRAGMA application_id = {shape.application_id}")
        connection.execute(f"PRAGMA user_version = {shape.version}")
        for statement in _statements(shape.schema):
            connection.execute(statement)
        for sql, values in first:
            connection.execute(sql, values)
        connection.execute("COMMIT")
    finally:
        connection.close()


def _statements(script: str) -> Iterator[str]:
    part = ""
    for piece in script.split(";"):
        part += piece + ";"
        if part.strip("; \n") and sqlite3.complete_statement(part):
            yield part.strip()
            part = ""


def _plain_statements(script: str) -> list[str]:
    return [_plain(statement) for statement in _statements(script)]


def _plain(statement: str) -> str:
    """One text for one statement, however its lines are broken."""
    return " ".join(statement.removesuffix(";").split())


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


def _unopened(path: Path, shape: Shape, error: sqlite3.Error | _Unusable) -> JournalError:
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
