"""The chains of the journal: each row hangs on the one before, so that a changed file is noticed.

The runs hang on the journal's own id, one after the other; a run's states, attempts, outcomes and
endings hang on the run. It shows damage and edits, not a forger who writes the chain anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from hnbulk.database import VALUE, Database, Statement
from hnbulk.errors import JournalError
from hnbulk.journalfile import CHAINED, Entry

_CHUNK = 20_000  # rows read at once


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
    """Every run and its states are as they were written. Raises `JournalError`."""
    rows = database.read(f"SELECT {', '.join(CHAINED['runs'])}, link FROM runs ORDER BY rowid")  # noqa: S608
    if _unbroken(_beginning(database), rows) is None:
        raise database.refusal("the list of its runs is not as it was written")
    for run_id, *_, link in rows:
        _prove(database, "states", run_id, link)


def prove_run(database: Database, run_id: str) -> None:
    """Every attempt, outcome and ending of the run is as it was written. Raises `JournalError`."""
    for (link,) in database.read("SELECT link FROM runs WHERE run_id = ?", (run_id,)):
        for table in ("states", "attempts", "outcomes", "endings"):
            _prove(database, table, run_id, link)


def _prove(database: Database, table: str, run_id: str, run_link: bytes) -> None:
    last, newest = _first(run_link, table), 0
    # in the order they were written, whatever index there is
    columns = ", ".join(CHAINED[table])
    query = (
        f"SELECT id, {columns}, link FROM {table} WHERE +run_id = ? AND id > ? ORDER BY id LIMIT {_CHUNK}"  # noqa: S608
    )
    while rows := database.read(query, (run_id, newest)):
        newest = rows[-1][0]
        found = _unbroken(last, (row[1:] for row in rows))
        if found is None:
            raise database.refusal(f"the {table} of run {run_id} are not as they were written")
        last = found


def _unbroken(before: bytes, rows: Iterable[Sequence[Any]]) -> bytes | None:
    """The last link, where every row (its values, then its link) follows from the one before."""
    for row in rows:
        try:
            before = _link(before, row[:-1])
        except TypeError:
            return None
        if before != row[-1]:
            return None
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
