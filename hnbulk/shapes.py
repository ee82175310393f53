"""What a file of SQLite must be: its tables, how it is made whole or not at all, and how it is proved.

A file that exists is never opened here but by SQLite itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hnbulk.files import sync_folder

Statement = tuple[str, Sequence[Any]]
_SETTINGS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 30000",
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA synchronous = EXTRA",
    "PRAGMA secure_delete = ON",
)


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


class Unusable(Exception):
    """Why a file is not the one that is expected."""


class Older(Unusable):
    """It is of a version from before."""


def check(connection: Link, shape: Shape) -> None:
    for setting in _SETTINGS:
        connection.execute(setting).fetchall()
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if mark != shape.application_id:
        raise Unusable(f"it is a database, but not {shape.name} of hnbulk")
    if version != shape.version:
        kind = Older if 0 < version < shape.version else Unusable
        raise kind(f"it is of version {version}; this hnbulk reads {shape.version}")
    found = _integrity(connection)
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    if found != "ok" or {_plain(row[0]) for row in rows} != {*_plain_statements(shape.schema)}:
        raise Unusable("it is damaged")


def _integrity(connection: Link) -> str:
    """`ok`, or what is wrong. Every entry of every index is looked up: with room for a moment."""
    connection.execute("PRAGMA cache_size = -12000").fetchall()
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    connection.execute("PRAGMA cache_size = -2000").fetchall()
    connection.execute("PRAGMA shrink_memory").fetchall()
    return str(found)


def size_of(path: Path) -> int:
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


def make(path: Path, shape: Shape, first: Sequence[Statement], connect: Connect) -> None:
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
            raise Unusable(f"the file is missing, and {rest.name}, which belongs to it, is there")
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
