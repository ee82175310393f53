"""What statuses orders were seen in, and when: the API keeps no history, so this does.

An event is a change of status with the time it was seen and the last time another status was
seen; between the two it happened. Who saw it (poll, callback, own write) stays with it. Times
are world times, handed in; this asks no clock and no service.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

from hnbulk.closing import Closing
from hnbulk.database import Database
from hnbulk.shapes import Shape, Statement

_SCHEMA = """
CREATE TABLE lineages (
    id INTEGER PRIMARY KEY, account_sid TEXT, base_url TEXT, UNIQUE (account_sid, base_url)
) STRICT;
CREATE TABLE orders (
    lineage INTEGER NOT NULL REFERENCES lineages, order_sid TEXT NOT NULL, phone_number TEXT NOT NULL,
    date_created INTEGER NOT NULL, PRIMARY KEY (lineage, order_sid)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, lineage INTEGER NOT NULL, order_sid TEXT NOT NULL, status TEXT NOT NULL,
    seen_at INTEGER NOT NULL, not_before INTEGER NOT NULL, source TEXT NOT NULL, run_id TEXT,
    FOREIGN KEY (lineage, order_sid) REFERENCES orders
) STRICT;
CREATE INDEX events_order ON events (lineage, order_sid);
CREATE TABLE sets (digest TEXT PRIMARY KEY, sids BLOB NOT NULL) STRICT;
CREATE TABLE readings (
    id INTEGER PRIMARY KEY, lineage INTEGER NOT NULL REFERENCES lineages, at INTEGER NOT NULL,
    count INTEGER NOT NULL, digest TEXT NOT NULL REFERENCES sets, source TEXT NOT NULL
) STRICT;
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, lineage INTEGER NOT NULL REFERENCES lineages, order_sid TEXT NOT NULL,
    at INTEGER NOT NULL, run_id TEXT
) STRICT;
"""

SHAPE = Shape(
    name="the history",
    application_id=0x686E6831,  # "hnh1"
    version=1,
    schema=_SCHEMA,
    way_out="Restore it from a copy, or move it away: a new one begins, and what was seen before is only "
    "in the old one.",
)

_EVENT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
OWN = "own"
#: The status every order begins in (lifecycle: the move from nothing, by the client).
_BIRTH = "twilio-processing"


class Seen(NamedTuple):
    """An order as it was seen: its status then, and when the service says it was made."""

    order_sid: str
    phone_number: str
    status: str
    date_created: datetime


class Reading(NamedTuple):
    """One look at many orders: how many, and a digest of which."""

    snapshot_id: str
    at: datetime
    orders: int
    digest: str


class History(Closing):
    """One account's events at one address, in one file. Threads may share it. Close it."""

    def __init__(self, database: Database, lineage: int) -> None:
        self._database = database
        self._lineage = lineage
        self._lock = threading.Lock()
        self._last: dict[str, tuple[str, int]] = {}  # sid -> last status, last time it was seen (µs)
        self._load()

    @classmethod
    def open(cls, home: Path, *, account_sid: str, base_url: str) -> Self:
        """`home/history.db` is open, made where it was missing. Raises `JournalError`, `UsageError`."""
        database = Database.open(home / "history.db", SHAPE)
        try:
            return cls(database, _lineage(database, account_sid, base_url))
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            database.close()
            raise database.refusal(f"a row cannot be read ({type(error).__name__})") from None
        except BaseException:
            database.close()
            raise

    def observe(
        self, records: Iterable[Seen], *, seen_at: datetime, source: str, run_id: str | None = None
    ) -> int:
        """The statuses seen at `seen_at` are durable; how many of them were news.

        A status that was known already moves no event, but the time it was last seen. An order
        never seen before begins at its `date_created`, unless our own write made it. A record
        older than what is known of its order changes nothing.
        """
        now = _micros(seen_at)
        self._database.must_be_ours()
        with self._lock:
            if self._database.changed_elsewhere():
                self._load()
            fresh: dict[str, tuple[str, int]] = {}
            news = 0

            def counted() -> Iterator[Statement]:
                nonlocal news
                for statement in self._news(records, fresh, now, source, run_id):
                    news += statement[0] is _EVENT
                    yield statement

            # made as they are written: a hundred thousand orders are not all in memory at once
            self._database.write(counted())
            self._last.update(fresh)
        return news

    def _news(
        self,
        records: Iterable[Seen],
        fresh: dict[str, tuple[str, int]],
        now: int,
        source: str,
        run_id: str | None,
    ) -> Iterator[Statement]:
        """What to write of these records; `fresh` is then what is known of their orders."""
        for record in records:
            sid, _, status, _ = record
            known = fresh.get(sid) or self._last.get(sid)
            at = now
            if known is None:
                yield self._order(record)
                yield from self._first(record, now, source, run_id)
            elif source == OWN:
                at = max(now, known[1])  # a reply's Date has whole seconds only
            elif known[1] > now:
                continue
            if known is not None and known[0] != status:
                yield self._event(sid, status, at, min(known[1], at), source, run_id)
            fresh[sid] = (status, at)
        if fresh:
            yield from self._reading(fresh, now, source)

    def note_calls(self, calls: Iterable[tuple[datetime, str]], *, run_id: str | None = None) -> None:
        """Calls by us are durable: when, and to the order of which sid."""
        rows = [(self._lineage, sid, _micros(at), run_id) for at, sid in calls]
        self._database.must_be_ours()
        with self._lock:
            self._database.write([("INSERT INTO calls VALUES (NULL, ?, ?, ?, ?)", row) for row in rows])

    def events(self) -> list[dict[str, Any]]:
        """Every event, oldest first, with the keys of the events frame. `attempt` counts the
        orders of one number by `date_created`."""
        rows = self._database.read(
            "SELECT e.order_sid, o.phone_number, status, seen_at, not_before, source, attempt, run_id FROM "
            "events e JOIN (SELECT order_sid, phone_number, rank() OVER (PARTITION BY phone_number "
            "ORDER BY date_created, order_sid) AS attempt FROM orders WHERE lineage = ?1) o "
            "USING (order_sid) WHERE e.lineage = ?1 ORDER BY seen_at, e.id",
            (self._lineage,),
        )
        return [
            {
                "order_sid": sid,
                "phone_number": number,
                "status": status,
                "seen_at": _moment(seen_at),
                "not_before": _moment(not_before),
                "source": source,
                "attempt": attempt,
                "run_id": run_id,
            }
            for sid, number, status, seen_at, not_before, source, attempt, run_id in rows
        ]

    def last_statuses(self) -> dict[str, str]:
        """The last status seen of every order, by sid."""
        self._database.must_be_ours()
        with self._lock:
            return {sid: status for sid, (status, _) in self._last.items()}

    def last_calls(self) -> Mapping[str, datetime]:
        """When we last asked for a call to each order, by sid."""
        rows = self._database.read(
            "SELECT order_sid, max(at) FROM calls WHERE lineage = ? GROUP BY order_sid", (self._lineage,)
        )
        return {sid: _moment(at) for sid, at in rows}

    def readings(self) -> list[Reading]:
        """Every look, oldest first."""
        rows = self._database.read(
            "SELECT id, at, count, digest FROM readings WHERE lineage = ? ORDER BY id", (self._lineage,)
        )
        return [Reading(str(row[0]), _moment(row[1]), row[2], row[3]) for row in rows]

    def close(self) -> None:
        """The file is closed; closing twice is fine."""
        self._database.close()

    def _load(self) -> None:
        lineage = (self._lineage,)
        rows = self._database.read(
            "SELECT order_sid, status, seen_at FROM events WHERE lineage = ? ORDER BY seen_at, id", lineage
        )
        self._last = {sid: (status, at) for sid, status, at in rows}
        looks = self._database.read(
            "SELECT sids, max(at) AS at FROM readings JOIN sets USING (digest) WHERE lineage = ? "
            "GROUP BY digest ORDER BY at",
            lineage,
        )
        for sids, at in looks:
            for sid in zlib.decompress(sids).decode().split():
                status, before = self._last[sid]
                self._last[sid] = (status, max(before, at))

    def _order(self, record: Seen) -> Statement:
        row = (self._lineage, record.order_sid, record.phone_number, _micros(record.date_created))
        return ("INSERT INTO orders VALUES (?, ?, ?, ?)", row)

    def _event(
        self, sid: str, status: str, seen_at: int, not_before: int, source: str, run_id: str | None
    ) -> Statement:
        row = (self._lineage, sid, status, seen_at, not_before, source, run_id)
        return (_EVENT, row)

    def _first(self, record: Seen, now: int, source: str, run_id: str | None) -> list[Statement]:
        sid = record.order_sid
        if source == OWN:
            return [self._event(sid, record.status, now, now, source, run_id)]
        born = min(_micros(record.date_created), now)
        found = [self._event(sid, _BIRTH, born, born, source, run_id)]
        if record.status != _BIRTH:
            found.append(self._event(sid, record.status, now, born, source, run_id))
        return found

    def _reading(self, fresh: Mapping[str, Any], now: int, source: str) -> Iterator[Statement]:
        # which orders were seen is stored once for many looks at the same ones
        sids = "\n".join(sorted(fresh)).encode()
        digest = hashlib.sha256(sids).hexdigest()[:32]
        yield ("INSERT OR IGNORE INTO sets VALUES (?, ?)", (digest, zlib.compress(sids, 1)))
        row = (self._lineage, now, len(fresh), digest, source)
        yield ("INSERT INTO readings VALUES (NULL, ?, ?, ?, ?, ?)", row)


def _lineage(database: Database, account_sid: str, base_url: str) -> int:
    database.write([("INSERT OR IGNORE INTO lineages VALUES (NULL, ?, ?)", (account_sid, base_url))])
    rows = database.read(
        "SELECT id FROM lineages WHERE account_sid = ? AND base_url = ?", (account_sid, base_url)
    )
    return int(rows[0][0])


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _moment(micros: int) -> datetime:
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
