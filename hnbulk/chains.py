"""The chains of the journal: each row hangs on the one before, so that a changed file is noticed.

The runs hang on the journal's own id, one after the other; a run's states, attempts, outcomes and
endings hang on the run. It shows damage and edits, not a forger who writes the chain anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from hnbulk.database import VALUE, Database
from hnbulk.errors import JournalError
from hnbulk.journalfile import CHAINED, Entry
from hnbulk.shapes import Statement

_CHUNK = 1_000  # rows read at once: few enough to be forgotten young


class Links:
    """The last link of every chain that was written to. A copy takes further rows for itself."""

    def __init__(self, database: Database, known: dict[tuple[str, str], bytes] | None = None) -> None:
        self._database = database
        self._known = dict(known or {})

    def copy(self) -> Links:
        """The same links; what is added to the copy does not touch these."""
        return Links(self._database, self._known)

    def statement(self, row: Entry) -> Statement:
        """The row with its link, which the next row of its chain will hang on.

        Raises `JournalError` for a value that no column takes.
        """
        chain = ("runs", "") if row.table == "runs" else (row.table, row.run_id)
        before = self._known.get(chain) or self._last(row)
        try:
            link = _link(before, row.values)
        except TypeError as error:
            path = self._database.path
            raise JournalError(f"cannot write {path}: {error}.", path=str(path), kind=VALUE) from None
        self._known[chain] = link
        if row.table == "runs":
            self._known["run", row.run_id] = link
        return row.statement(link)

    def _last(self, row: Entry) -> bytes:
        read = self._database.read
        if row.table == "runs":
            found = read("SELECT link FROM runs ORDER BY rowid DESC LIMIT 1")
            return bytes(found[0][0]) if found else _beginning(self._database)
        newest = f"SELECT link FROM {row.table} WHERE +run_id = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
        if found := read(newest, (row.run_id,)):
            return bytes(found[0][0])
        run = self._known.get(("run", row.run_id))
        if run is None:
            found = read("SELECT link FROM runs WHERE run_id = ?", (row.run_id,))
            run = bytes(found[0][0]) if found else b""  # the row refers to no run: the file refuses it
        return _first(run, row.table)


def prove_runs(database: Database) -> None:
    """Every run and its states are as they were written, and no row is lost. Raises `JournalError`."""
    columns = ", ".join(CHAINED["runs"])
    rows = database.read(f"SELECT {columns}, link, rowid FROM runs ORDER BY rowid")  # noqa: S608
    if rows and not _followed(_beginning(database), rows):
        raise database.refusal("the list of its runs is not as it was written")
    for run_id, *_, link, _ in rows:
        for _ in _proved(database, "states", run_id, link):
            pass
    for table in ("attempts", "outcomes", "endings"):
        # at one moment: another process may be writing
        counts = f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM {table} NOT INDEXED)"  # noqa: S608
        if len(set(database.read(counts)[0])) > 1:
            raise database.refusal(f"some of its {table} are lost")


def proved(database: Database, table: str, run_id: str) -> Iterator[tuple[Any, ...]]:
    """The run's rows in this table as they were written, oldest first: values, link, id.

    Raises `JournalError` where one was changed or is lost; what came before it is then worth nothing.
    """
    for (run_link,) in database.read("SELECT link FROM runs WHERE run_id = ?", (run_id,)):
        yield from _proved(database, table, run_id, run_link)


def _proved(database: Database, table: str, run_id: str, run_link: bytes) -> Iterator[tuple[Any, ...]]:
    last, newest = _first(run_link, table), 0
    # in the order they were written, past every index: a damaged one may leave rows out
    query = (
        f"SELECT {', '.join(CHAINED[table])}, link, id FROM {table} "  # noqa: S608 - our own names
        f"WHERE +run_id = ? AND id > ? ORDER BY id LIMIT {_CHUNK}"
    )
    while rows := database.read(query, (run_id, newest)):
        last = _followed(last, rows)
        if not last:
            raise database.refusal(f"the {table} of run {run_id} are not as they were written")
        yield from rows
        newest = rows[-1][-1]


def _followed(before: bytes, rows: Sequence[tuple[Any, ...]]) -> bytes:
    """The last link of these rows (values, link, id), where each follows from the one before; else
    nothing."""
    hashed, written = hashlib.sha256, orjson.dumps  # as `_link` does, for very many
    try:
        for row in rows:
            before = hashed(before + written(row[:-2])).digest()
            if before != row[-2]:
                return b""
    except TypeError:
        return b""
    return before


def _link(before: bytes, values: Sequence[Any]) -> bytes:
    return hashlib.sha256(before + orjson.dumps(values)).digest()


def _first(run_link: bytes, table: str) -> bytes:
    return hashlib.sha256(run_link + table.encode()).digest()


def _beginning(database: Database) -> bytes:
    rows = database.read("SELECT lineage FROM lineage WHERE id = 1")
    if not rows:
        raise database.refusal("it has no id")
    return _first(str(rows[0][0]).encode(), "runs")
