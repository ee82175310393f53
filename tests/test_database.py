"""A file is opened whole or refused as it is, and a disk that failed is not trusted again."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from forked import in_a_child

from hnbulk.database import BROKEN, BUSY, CONSTRAINT, UNIQUE, VALUE, Database
from hnbulk.errors import JournalError, UsageError
from hnbulk.shapes import Link, Rows, Shape, connect_sqlite

SHAPE = Shape(
    name="the notebook",
    application_id=7,
    version=2,
    schema="CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE,\n n INTEGER) STRICT;",
    way_out="Begin anew.",
    way_on="Finish it with the old version.",
)
ADD = "INSERT INTO notes VALUES (NULL, ?, NULL)"


class Failing:
    """A connection whose disk fails at the statements that begin with `at`, with this error code."""

    def __init__(self, path: Path, at: str, code: int) -> None:
        self.real = connect_sqlite(path)
        self.at, self.code, self.armed = at, code, False

    @property
    def in_transaction(self) -> bool:
        return self.real.in_transaction

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        if self.armed and sql.startswith(self.at):
            self.armed = False  # the disk would take the next one
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.code
            raise error
        return self.real.execute(sql, values)

    def close(self) -> None:
        self.real.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database.open(path, SHAPE)
    yield opened
    opened.close()


def texts(database: Database) -> list[str]:
    return [row[0] for row in database.read("SELECT text FROM notes ORDER BY id")]


@pytest.mark.parametrize("size", [0, 1, 99])
def test_a_file_shorter_than_any_database_is_refused(path: Path, size: int) -> None:
    """SQLite would begin anew in it; it stays as it was."""
    path.write_bytes(b"S" * size)
    with pytest.raises(JournalError, match=f"cut off after {size} bytes"):
        Database.open(path, SHAPE)
    assert path.read_bytes() == b"S" * size


def test_an_empty_database_of_somebody_else_is_refused(path: Path) -> None:
    """Only a file that was not there is made."""
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 0")
        other.execute("VACUUM")
    other.close()
    assert path.stat().st_size > 0
    with pytest.raises(JournalError, match="not the notebook of hnbulk"):
        Database.open(path, SHAPE)


def test_a_process_that_dies_while_making_it_leaves_no_file(path: Path) -> None:
    """What it had begun lies under another name, and is in nobody's way."""
    with pytest.raises(UsageError, match="No space left"):
        Database.open(path, SHAPE, connect=_no_room)
    assert not path.exists()
    path.with_name(".notes.db.new").write_bytes(b"half of it")
    Database.open(path, SHAPE, first=[(ADD, ("first",))]).close()
    assert [one.name for one in path.parent.iterdir() if one.stat().st_size] == ["notes.db"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def _no_room(_path: Path) -> Link:
    raise OSError(28, "No space left on device")


def test_many_who_open_it_first_share_one_file(path: Path) -> None:
    """None of them writes over what another has made."""
    opened: list[Database] = []

    def open_it(n: int) -> None:
        database = Database.open(path, SHAPE, first=[(ADD, ("first",))])
        database.write([(ADD, (f"by {n}",))])
        opened.append(database)

    threads = [threading.Thread(target=open_it, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts(opened[0])) == sorted(["first", *(f"by {n}" for n in range(8))])
    for database in opened:
        database.close()


def test_what_belongs_to_a_file_that_is_gone_is_not_played_into_a_new_one(path: Path) -> None:
    """A rollback journal without its database is a sign of loss."""
    path.with_name("notes.db-journal").write_bytes(b"x" * 512)
    with pytest.raises(JournalError, match="is missing"):
        Database.open(path, SHAPE)
    assert not path.exists()


def test_an_older_version_is_refused_with_its_own_way_on(path: Path) -> None:
    """A newer one and another schema with the ordinary one."""
    Database.open(path, SHAPE).close()
    for version, said in ((1, "Finish it with the old version"), (3, "Begin anew")):
        with sqlite3.connect(path) as other:
            other.execute(f"PRAGMA user_version = {version}")
        other.close()
        with pytest.raises(JournalError, match=said):
            Database.open(path, SHAPE)


def test_tables_that_are_not_the_ones_made_are_damage(path: Path) -> None:
    """A trigger dropped, a column renamed: the file is not what this wrote."""
    Database.open(path, SHAPE).close()
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE notes RENAME COLUMN n TO m")
    other.close()
    with pytest.raises(JournalError, match="damaged"):
        Database.open(path, SHAPE)


@pytest.mark.parametrize("at", ["BEGIN", "INSERT", "COMMIT"])
def test_a_disk_that_failed_once_is_not_trusted_again(path: Path, at: str) -> None:
    """Nothing is written or read through that connection any more; another one finds it whole."""
    made: list[Failing] = []

    def connect(where: Path) -> Link:
        made.append(Failing(where, at, sqlite3.SQLITE_IOERR_FSYNC))
        return made[-1]

    database = Database.open(path, SHAPE, connect=connect)
    database.write([(ADD, ("before",))])
    made[-1].armed = True
    with pytest.raises(JournalError, match="disk I/O error") as caught:
        database.write([(ADD, ("lost",))])
    assert (caught.value.facts["kind"], database.broken) == (BROKEN, True)
    with pytest.raises(JournalError, match="not trusted again"):
        database.write([(ADD, ("after",))])
    with pytest.raises(JournalError, match="not trusted again"):
        texts(database)
    database.close()
    fresh = Database.open(path, SHAPE)
    assert texts(fresh) == ["before"]
    fresh.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED])
def test_a_full_or_busy_disk_may_be_tried_again(path: Path, code: int) -> None:
    """Nothing of the transaction is there, and the next one may be."""
    made: list[Failing] = []

    def connect(where: Path) -> Link:
        made.append(Failing(where, "COMMIT", code))
        return made[-1]

    database = Database.open(path, SHAPE, connect=connect)
    made[-1].armed = True
    with pytest.raises(JournalError):
        database.write([(ADD, ("lost",))])
    database.write([(ADD, ("after",))])
    assert (texts(database), database.broken) == (["after"], False)
    database.close()


class Hasty:
    """A connection that waits for no other process."""

    def __init__(self, path: Path) -> None:
        self.real = connect_sqlite(path)

    @property
    def in_transaction(self) -> bool:
        return self.real.in_transaction

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        return self.real.execute("PRAGMA busy_timeout = 0" if "busy_timeout" in sql else sql, values)

    def close(self) -> None:
        self.real.close()


@contextmanager
def in_use(path: Path, how: str) -> Iterator[None]:
    """Somebody else reads the file, or writes to it."""
    other = connect_sqlite(path)
    other.execute(how)
    other.execute("SELECT count(*) FROM notes").fetchall()
    yield
    other.close()


def said_while_in_use(act: Callable[[], object]) -> str:
    with pytest.raises(JournalError, match="another process is using it") as caught:
        act()
    assert caught.value.facts["kind"] == BUSY
    assert not re.search("disk|make room|begin anew|restore|left as it is", caught.value.message, re.I)
    return caught.value.message


def test_a_file_that_another_process_uses_is_neither_damaged_nor_full(path: Path) -> None:
    """Whether it is opened, read or written: one waits, and tries again."""
    database = Database.open(path, SHAPE, connect=Hasty)
    database.write([(ADD, ("before",))])
    with in_use(path, "BEGIN EXCLUSIVE"):
        for act in (
            lambda: Database.open(path, SHAPE, connect=Hasty),
            lambda: texts(database),
            lambda: database.write([(ADD, ("lost",))]),
        ):
            assert "try again" in said_while_in_use(act)
    with in_use(path, "BEGIN"):
        said_while_in_use(lambda: database.write([(ADD, ("lost",))]))
    assert (texts(database), database.broken) == (["before"], False)
    database.close()


def test_half_a_minute_of_another_process_is_waited_out(database: Database) -> None:
    """A backup or a viewer stops no run."""
    assert database.read("PRAGMA busy_timeout") == [(30_000,)]


def test_a_forked_child_has_no_part_in_it(database: Database, path: Path) -> None:
    """It is told so, closes nothing, and may open the file itself."""

    def child() -> None:
        for use in (lambda: texts(database), lambda: database.write([(ADD, ("by the child",))])):
            with pytest.raises(JournalError, match="forked"):
                use()
        database.close()
        anew = Database.open(path, SHAPE)
        anew.write([(ADD, ("anew",))])
        anew.close()

    database.write([(ADD, ("before",))])
    assert in_a_child(child) == 0
    database.write([(ADD, ("after",))])
    assert texts(database) == ["before", "anew", "after"]


def test_a_child_forked_in_the_midst_of_a_transaction_does_not_undo_it(path: Path) -> None:
    """Nor when it closes what it has and ends as a program does; the parent's file stays whole."""
    script = """
import os, sys, threading
from pathlib import Path
from test_database import ADD, SHAPE, Database
database = Database.open(Path(sys.argv[1]), SHAPE)
database.write([(ADD, (f"{n} " + "x" * 200,)) for n in range(2000)])
midst, forked = threading.Event(), threading.Event()
def much():
    yield "PRAGMA cache_size = 2", ()
    yield "UPDATE notes SET n = 1, text = 'y' || text", ()
    midst.set()
    forked.wait()
    yield ADD, ("last",)
writer = threading.Thread(target=database.write, args=(much(),))
writer.start()
midst.wait()
child = os.fork()
if child == 0:
    database.close()
    sys.exit(0)
os.waitpid(child, 0)
forked.set()
writer.join()
database.close()
"""
    paths = os.pathsep.join(sys.path)
    subprocess.run(
        [sys.executable, "-c", script, path],
        env={**os.environ, "PYTHONPATH": paths},
        check=True,
        timeout=60,
    )
    whole = Database.open(path, SHAPE)
    assert {text[0] for text in texts(whole)} == {"y", "l"}
    whole.close()


def test_what_the_statements_are_to_blame_for_is_told_apart(database: Database) -> None:
    """A second of its kind, a rule broken, a value no column takes; the disk is innocent."""
    database.write([(ADD, ("one",))])
    for value, kind in (("one", UNIQUE), (None, CONSTRAINT), (1 << 70, VALUE), ("\ud800", VALUE)):
        with pytest.raises(JournalError) as caught:
            database.write([(ADD, ("innocent",)), (ADD, (value,))])
        assert caught.value.facts["kind"] == kind
    assert (texts(database), database.broken) == (["one"], False)


def test_a_place_that_cannot_be_written_is_named(path: Path) -> None:
    """A link is not followed, a folder is no file."""
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(UsageError, match="HNBULK_HOME"):
        Database.open(path, SHAPE)
    assert not os.path.lexists(path.parent / "elsewhere")


_ASK = """
import sqlite3, sys
link = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    link.execute("BEGIN IMMEDIATE")
    print("free")
except sqlite3.OperationalError:
    print("taken")
"""


def test_opening_it_again_takes_no_lock_from_a_writer(path: Path, database: Database) -> None:
    """POSIX locks are the process's: a second opening must not end those of the first."""

    def ask() -> str:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK, path], capture_output=True, text=True, check=True
        )
        return asked.stdout.strip()

    def halfway() -> Iterator[tuple[str, list[str]]]:
        yield ADD, ["one"]
        said.append(ask())
        Database.open(path, SHAPE).close()
        said.append(ask())

    said: list[str] = []
    database.write(halfway())
    assert (said, ask()) == (["taken", "taken"], "free")


@pytest.mark.parametrize("what", ["link", "folder"])
def test_only_a_plain_file_is_opened(tmp_path: Path, path: Path, what: str) -> None:
    """What a link points to is somebody else's."""
    if what == "link":
        Database.open(tmp_path / "other.db", SHAPE).close()
        path.symlink_to(tmp_path / "other.db")
    else:
        path.mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*no plain file"):
        Database.open(path, SHAPE)
