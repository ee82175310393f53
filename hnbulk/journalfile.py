"""The journal's file: its tables, its chained rows, and the plain lines they are kept as in need.

Rows of the chained tables carry `link`, the SHA-256 of the link before and of their own values
(`chains`). This opens no file.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hnbulk.entries import ABSENT, Ended, Intent, Result
from hnbulk.outcome import OutcomeKind
from hnbulk.shapes import Shape
from hnbulk.steps import State

_SCHEMA = """
CREATE TABLE lineage (
    id INTEGER PRIMARY KEY, lineage TEXT NOT NULL, host TEXT NOT NULL, boot TEXT NOT NULL, at TEXT NOT NULL,
    home TEXT, device TEXT, inode TEXT
) STRICT;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, account_sid TEXT NOT NULL, base_url TEXT NOT NULL, checksum TEXT NOT NULL,
    input_name TEXT NOT NULL, kind TEXT NOT NULL, made_at TEXT NOT NULL, steps INTEGER NOT NULL,
    options TEXT NOT NULL, plan TEXT NOT NULL, link BLOB NOT NULL
) STRICT;
CREATE TABLE plans (run_id TEXT PRIMARY KEY REFERENCES runs, content BLOB NOT NULL) STRICT;
CREATE TABLE states (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, state TEXT NOT NULL, at TEXT NOT NULL,
    note TEXT, link BLOB NOT NULL
) STRICT;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL, n INTEGER NOT NULL,
    operation TEXT NOT NULL, fingerprint TEXT NOT NULL, fence TEXT NOT NULL, wall TEXT NOT NULL,
    mono REAL NOT NULL, boot TEXT NOT NULL, link BLOB NOT NULL, UNIQUE (run_id, step, n)
) STRICT;
CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs,
    attempt INTEGER NOT NULL REFERENCES attempts, kind TEXT NOT NULL, reason TEXT NOT NULL, code INTEGER,
    sid TEXT, status TEXT, server_date TEXT, at TEXT NOT NULL, link BLOB NOT NULL
) STRICT;
CREATE INDEX outcomes_attempt ON outcomes (attempt);
CREATE TABLE endings (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL,
    state TEXT NOT NULL, sid TEXT, status TEXT, code TEXT, message TEXT, next_step TEXT,
    retryable INTEGER NOT NULL, content TEXT, number TEXT, link BLOB NOT NULL
) STRICT;
CREATE INDEX endings_step ON endings (run_id, step);
CREATE INDEX endings_content ON endings (content) WHERE content IS NOT NULL;
CREATE INDEX endings_number ON endings (number) WHERE number IS NOT NULL;
""" + "".join(
    f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} are only added'); END;\n"
    for table in ("attempts", "outcomes", "endings", "states")
    for verb in ("UPDATE", "DELETE")
)

SHAPE = Shape(
    name="the journal",
    application_id=0x686E6A31,  # "hnj1"
    version=3,
    schema=_SCHEMA,
    way_out="Restore it from a copy, or begin a new one for each plan that was under way: "
    "`hnbulk rebuild PLAN --approve HASH8` (every step is then looked up before anything is sent).",
    way_on="Finish its runs with the version that made it, then move the folder away: a new one begins.",
)

#: The columns of each chained table that its links cover, in order.
CHAINED: Mapping[str, Sequence[str]] = {
    table: names.split()
    for table, names in (
        ("runs", "run_id account_sid base_url checksum input_name kind made_at steps options plan"),
        ("states", "run_id state at note"),
        ("attempts", "run_id step n operation fingerprint fence wall mono boot"),
        ("outcomes", "run_id attempt kind reason code sid status server_date at"),
        ("endings", "run_id step state sid status code message next_step retryable content number"),
    )
}
#: What is kept as a plain line where the disk refuses it.
_LINES = {"outcomes": "result", "endings": "ended"}
_INSERT = {
    table: f"INSERT INTO {table} ({', '.join(columns)}, link) "  # noqa: S608 - our own names
    f"VALUES ({', '.join('?' * (len(columns) + 1))})"
    for table, columns in CHAINED.items()
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be added to a chained table: its values in the order of `CHAINED`, the run's id first."""

    table: str
    values: tuple[Any, ...]

    @property
    def run_id(self) -> str:
        """The run it belongs to."""
        return str(self.values[0])

    def statement(self, link: bytes) -> tuple[str, Sequence[Any]]:
        """The row with its link."""
        return _INSERT[self.table], (*self.values, link)


# -- what a run writes, as entries


def state_entry(run_id: str, state: str, at: datetime, note: str | None) -> Entry:
    """The run is in this state from `at` on."""
    return Entry("states", (run_id, state, at.isoformat(), _text(note)))


def intent_entry(run_id: str, intent: Intent, *, boot: str) -> Entry:
    """A request about to be sent."""
    fence = json.dumps(dict(intent.fence), sort_keys=True)
    row = (intent.step, intent.n, intent.operation, intent.fingerprint, fence, intent.wall.isoformat())
    return Entry("attempts", (run_id, *row, float(intent.mono), boot))


def result_entry(run_id: str, result: Result) -> Entry:
    """What came of an attempt."""
    date = result.server_date.isoformat() if result.server_date else None
    told = (result.kind, _text(result.reason), result.code, _text(result.sid), _text(result.status))
    return Entry("outcomes", (run_id, result.attempt, *told, date, result.at.isoformat()))


def ending_entry(run_id: str, ended: Ended) -> Entry:
    """What became of a step."""
    one = ended.ending
    told = (one.sid, one.status, one.code, one.message, one.next_step)
    row = (one.step, str(one.state), *map(_text, told), int(one.retryable), ended.content, ended.number)
    return Entry("endings", (run_id, *row))


def _text(value: str | None) -> str | None:
    """Text that can be stored: what the service says may hold half a character."""
    return value if value is None or value.isascii() else value.encode("utf-8", "replace").decode()


# -- results and endings as plain lines


def as_line(entry: Entry) -> str:
    """The entry of a result or an ending as one line of JSON, by names."""
    names = CHAINED[entry.table]
    return json.dumps({"record": _LINES[entry.table], **dict(zip(names, entry.values, strict=True))})


def bare(entry: Entry) -> Entry:
    """The entry without the hashes of what was asked for."""
    kept = zip(CHAINED[entry.table], entry.values, strict=True)
    return Entry(
        entry.table, tuple(None if name in ("content", "number") else value for name, value in kept)
    )


def read_lines(text: str, run_id: str, *, attempts: Container[int], steps: int) -> list[Entry]:
    """The results and endings that `as_line` made these lines of. A last line that is cut is left out.

    Raises `ValueError` naming the first line that is anything else: another shape, another run, an
    attempt or step that this run has not.
    """
    rows = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            rows.append(_read_line(line, run_id, attempts=attempts, steps=steps))
        except ValueError as error:
            raise ValueError(f"line {number} is no record: {error}") from None
    return rows


def _read_line(line: str, run_id: str, *, attempts: Container[int], steps: int) -> Entry:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("not a record")
    record = found.pop("record", None)
    table = next((table for table, name in _LINES.items() if name == record), "")
    if not table or set(found) != set(CHAINED[table]) or found["run_id"] != run_id:
        raise ValueError("not a result or an ending of this run")
    for name, value in found.items():
        kind = int if (table, name) in _NUMBERS else str
        if type(value) is not kind and not (value is None and name in _NULLABLE):
            raise ValueError(f"{name} is not of its type")
    if table == "outcomes":
        if found["kind"] != ABSENT:
            OutcomeKind(found["kind"])
        for moment in filter(None, (found["at"], found["server_date"])):
            datetime.fromisoformat(moment)
        known = found["attempt"] in attempts
    else:
        State(found["state"])
        known = 0 <= found["step"] < steps and found["retryable"] in (0, 1)
    if not known:
        raise ValueError("of an attempt or step that this run has not")
    return Entry(table, tuple(found[name] for name in CHAINED[table]))


_NUMBERS = {("outcomes", "attempt"), ("outcomes", "code"), ("endings", "step"), ("endings", "retryable")}
_NULLABLE = {"code", "sid", "status", "server_date", "message", "next_step", "content", "number"}
