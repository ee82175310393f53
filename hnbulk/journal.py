"""What a run intends and what came of it, durable: runs, plans, attempts, outcomes, endings.

An intent is on disk before the first byte of its request leaves; attempts, outcomes and endings
are only ever added. Personal data lies in the plans alone, the rest holds hashes and sids. This
module decides nothing: what an attempt without outcome means is for the engine to ask.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self

from hnbulk.closing import Closing
from hnbulk.commits import Commits
from hnbulk.database import Database, Shape, Statement
from hnbulk.entries import RUNNING, Attempt, Ended, Intent, Result, RunRecord
from hnbulk.errors import UsageError
from hnbulk.outcome import OutcomeKind
from hnbulk.replies import ABOUT_THE_NUMBER
from hnbulk.runlock import RunLock, holder_of
from hnbulk.steps import Ending, PlanFile, State, loads_plan

_SCHEMA = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, account_sid TEXT NOT NULL, base_url TEXT NOT NULL, checksum TEXT NOT NULL,
    input_name TEXT NOT NULL, kind TEXT NOT NULL, made_at TEXT NOT NULL, steps INTEGER NOT NULL,
    options TEXT NOT NULL
) STRICT;
CREATE TABLE plans (run_id TEXT PRIMARY KEY REFERENCES runs, content BLOB NOT NULL) STRICT;
CREATE TABLE states (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, state TEXT NOT NULL, at TEXT NOT NULL,
    note TEXT
) STRICT;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL, n INTEGER NOT NULL,
    operation TEXT NOT NULL, fingerprint TEXT NOT NULL, fence TEXT NOT NULL, wall TEXT NOT NULL,
    mono REAL NOT NULL, boot TEXT NOT NULL, UNIQUE (run_id, step, n)
) STRICT;
CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempts, kind TEXT NOT NULL,
    reason TEXT NOT NULL, code INTEGER, sid TEXT, status TEXT, server_date TEXT, at TEXT NOT NULL
) STRICT;
CREATE INDEX outcomes_attempt ON outcomes (attempt);
CREATE TABLE endings (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL,
    state TEXT NOT NULL, sid TEXT, status TEXT, code TEXT, message TEXT, next_step TEXT,
    retryable INTEGER NOT NULL, content TEXT, number TEXT
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
    version=2,
    schema=_SCHEMA,
    way_out="Restore it from a copy, or move it away and plan again: the service is asked what is "
    "already there before anything is sent.",
)


_ABOUT_THE_NUMBER = {str(code) for code in ABOUT_THE_NUMBER}


class Journal(Closing):
    """One account's runs at one address, in one file. Threads may share it. Close it."""

    def __init__(self, database: Database, home: Path, *, account_sid: str, base_url: str) -> None:
        self.home = home
        self.account_sid = account_sid
        self.base_url = base_url
        self._database = database
        self._commits = Commits(database, home)

    @classmethod
    def open(cls, home: Path, *, account_sid: str, base_url: str) -> Self:
        """`home/journal.db` is open, made where it was missing. Raises `JournalError`, `UsageError`."""
        database = Database.open(home / "journal.db", SHAPE)
        return cls(database, home, account_sid=account_sid, base_url=base_url)

    # -- runs

    def runs(self) -> list[RunRecord]:
        """This account's runs at this address, newest first."""
        self.flush()
        rows = self._database.read(
            "SELECT r.run_id, kind, checksum, input_name, made_at, steps, state, note "
            "FROM runs r JOIN states s ON s.id = (SELECT max(id) FROM states WHERE run_id = r.run_id) "
            "WHERE account_sid = ? AND base_url = ? ORDER BY r.rowid DESC",
            (self.account_sid, self.base_url),
        )
        holder = holder_of(self.home) if any(row[6] == RUNNING for row in rows) else None
        return [self._record(row, holder) for row in rows]

    def run(self, run_id: str) -> RunRecord:
        """The run of this id. Raises `UsageError` where this account has none at this address."""
        for record in self.runs():
            if record.run_id == run_id:
                return record
        raise UsageError(f"there is no run {run_id} here; `hnbulk runs` lists them.", run_id=run_id)

    def lock(self, run_id: str) -> RunLock:
        """The one right to run in this home. Raises `RunLocked`."""
        return RunLock.take(self.home, run_id)

    def new_run_id(self, wall: datetime, checksum: str) -> str:
        """An id no run of this home has: short, sortable, readable, such as `r20261123-183012-4f2a`
        (the machine's time, UTC, and four characters of the plan)."""
        begins = f"r{wall.astimezone(UTC):%Y%m%d-%H%M%S}-"
        rows = self._database.read("SELECT run_id FROM runs WHERE run_id LIKE ?", (f"{begins}%",))
        taken = {run_id for (run_id,) in rows}
        seeds = (hashlib.sha256(f"{checksum} {n}".encode()).hexdigest()[:4] for n in count())
        return next(run_id for seed in seeds if (run_id := begins + seed) not in taken)

    def begin(
        self, run_id: str, plan: PlanFile, *, kind: str, at: datetime, options: Mapping[str, Any]
    ) -> None:
        """A new run and its plan are durable, in state `running`."""
        head = plan.header
        row = (run_id, self.account_sid, self.base_url, plan.checksum, head.input_name, kind)
        self._commits.now(
            [
                (
                    "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, at.isoformat(), len(plan.steps), json.dumps(dict(options))),
                ),
                ("INSERT INTO plans VALUES (?, ?)", (run_id, zlib.compress(plan.dumps(), 1))),
                _state(run_id, RUNNING, at, None),
            ]
        )

    def mark(self, run_id: str, state: str, *, at: datetime, note: str | None = None) -> None:
        """The run's state is durable, and everything recorded before it."""
        self.flush()
        self._commits.now([_state(run_id, state, at, note)])

    def marked_at(self, run_id: str) -> datetime:
        """The world time at which the run came into the state it is in."""
        rows = self._database.read(
            "SELECT at FROM states WHERE run_id = ? ORDER BY id DESC LIMIT 1", (run_id,)
        )
        return datetime.fromisoformat(rows[0][0])

    def plan_of(self, run_id: str) -> PlanFile:
        """The plan of a run, its checksum proved. Raises `UsageError`, `PlanAltered`."""
        rows = self._database.read(
            "SELECT content FROM plans NATURAL JOIN runs "
            "WHERE run_id = ? AND account_sid = ? AND base_url = ?",
            (run_id, self.account_sid, self.base_url),
        )
        if not rows:
            raise UsageError(f"there is no run {run_id} here; `hnbulk runs` lists them.", run_id=run_id)
        return loads_plan(zlib.decompress(rows[0][0]), name=f"the plan of run {run_id}", kept=True)

    # -- what a run writes

    def intend(self, run_id: str, intents: Sequence[Intent]) -> list[int]:
        """The intents are on disk; their attempt ids, in order. Only now may a byte be sent.

        Raises `JournalError` where they are not; then nothing may be sent.
        """
        return self.intend_soon(run_id, intents)()

    def intend_soon(self, run_id: str, intents: Sequence[Intent]) -> Callable[[], list[int]]:
        """The intents are on their way to the disk; calling what comes back ends as `intend` does."""
        return self._commits.soon([_intent(run_id, intent) for intent in intents])

    def record(self, run_id: str, *, results: Iterable[Result] = (), endings: Iterable[Ended] = ()) -> None:
        """Results and endings are on their way to the disk; `flush` waits for them.

        They are kept where the disk refuses them, tried again with every later write, and
        written to `<run>.errored.jsonl` when the journal is closed.
        """
        statements = [_result(result) for result in results]
        statements += [_ending(run_id, ended) for ended in endings]
        if statements:
            self._commits.later(run_id, statements)

    def flush(self) -> None:
        """Everything recorded is on disk. Raises `JournalError` where the disk refuses."""
        self._commits.flush()

    @property
    def failing(self) -> bool:
        """The disk refused something that happened; no further request may be sent."""
        return self._commits.failing

    # -- what a run left

    def endings(self, run_id: str) -> list[Ending]:
        """The newest ending of every step that has one, in step order."""
        self.flush()
        rows = self._database.read(
            "SELECT step, state, sid, status, code, message, next_step, retryable FROM endings WHERE id IN "
            "(SELECT max(id) FROM endings WHERE run_id = ? GROUP BY step) ORDER BY step",
            (run_id,),
        )
        return [
            Ending(step, State(state), sid, status, code, message, next_step, bool(retryable))
            for step, state, sid, status, code, message, next_step, retryable in rows
        ]

    def attempts(self, run_id: str, *, steps: Container[int] | None = None) -> list[Attempt]:
        """Every attempt of a run, or those of some steps, oldest first, with its newest result."""
        self.flush()
        rows = self._database.read(
            "SELECT a.id, step, n, operation, fingerprint, fence, wall, kind, reason "
            "FROM attempts a LEFT JOIN outcomes o "
            "ON o.id = (SELECT max(id) FROM outcomes WHERE attempt = a.id) WHERE run_id = ? ORDER BY a.id",
            (run_id,),
        )
        return [
            Attempt(
                attempt=row[0],
                step=row[1],
                n=row[2],
                operation=row[3],
                fingerprint=row[4],
                fence=json.loads(row[5]),
                wall=datetime.fromisoformat(row[6]),
                kind=row[7],
                reason=row[8],
            )
            for row in rows
            if steps is None or row[1] in steps
        ]

    def count_sent(self, run_id: str) -> int:
        """How many requests of a run went out, or may have."""
        self.flush()
        (row,) = self._database.read(
            "SELECT count(*) FROM attempts a LEFT JOIN outcomes o "
            "ON o.id = (SELECT max(id) FROM outcomes WHERE attempt = a.id) "
            "WHERE run_id = ? AND kind IS NOT ?",
            (run_id, str(OutcomeKind.NOT_SENT)),
        )
        return int(row[0])

    def refused(self) -> dict[str, tuple[str, str]]:
        """Hash -> (code, message) of each create this service refused and has not taken since.

        The hash is that of the create's content; where the refusal was of the number itself, that
        of the number stands beside it (`Step.number_hash`).
        """
        self.flush()
        contents, numbers = self._refused_by("content"), self._refused_by("number")
        about = {hashed: said for hashed, said in numbers.items() if said[0] in _ABOUT_THE_NUMBER}
        return contents | about

    def _refused_by(self, column: Literal["content", "number"]) -> dict[str, tuple[str, str]]:
        rows = self._database.read(
            f"SELECT {column}, code, message FROM endings WHERE state = ? AND id IN (SELECT max(e.id) "  # noqa: S608
            f"FROM endings e NATURAL JOIN runs WHERE {column} IS NOT NULL AND account_sid = ? "
            f"AND base_url = ? GROUP BY {column})",
            (str(State.REFUSED), self.account_sid, self.base_url),
        )
        return {hashed: (code or "", message or "") for hashed, code, message in rows}

    # -- closing

    def close(self) -> None:
        """Everything recorded is on disk, or in `<run>.errored.jsonl`; the file is closed."""
        self._commits.close()
        self._database.close()

    def _record(self, row: tuple[Any, ...], holder: str | None) -> RunRecord:
        run_id, kind, checksum, input_name, made_at, steps, state, note = row
        ended = self._database.read(
            "SELECT state, count(*) FROM endings WHERE id IN "
            "(SELECT max(id) FROM endings WHERE run_id = ? GROUP BY step) GROUP BY state",
            (run_id,),
        )
        counts = Counter(dict(ended))
        if left := steps - sum(counts.values()):
            counts[str(State.PENDING)] += left
        alive = state != RUNNING or holder == run_id
        return RunRecord(
            run_id=run_id,
            kind=kind,
            state=state if alive else "unfinished",
            checksum=checksum,
            input_name=input_name,
            made_at=datetime.fromisoformat(made_at),
            steps=steps,
            counts=dict(counts),
            note=note,
        )


def boot_id() -> str:
    """This start of the machine: monotonic times of one boot can be compared with each other only."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


_BOOT = boot_id()


def _state(run_id: str, state: str, at: datetime, note: str | None) -> Statement:
    return ("INSERT INTO states VALUES (NULL, ?, ?, ?, ?)", (run_id, state, at.isoformat(), note))


def _intent(run_id: str, intent: Intent) -> Statement:
    fence = json.dumps(dict(intent.fence), sort_keys=True)
    row = (run_id, intent.step, intent.n, intent.operation, intent.fingerprint, fence)
    return (
        "INSERT INTO attempts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, intent.wall.isoformat(), intent.mono, _BOOT),
    )


def _result(result: Result) -> Statement:
    date = result.server_date.isoformat() if result.server_date else None
    row = (result.attempt, result.kind, result.reason, result.code, result.sid, result.status)
    return (
        "INSERT INTO outcomes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, date, result.at.isoformat()),
    )


def _ending(run_id: str, ended: Ended) -> Statement:
    one = ended.ending
    row = (run_id, one.step, str(one.state), one.sid, one.status, one.code, one.message, one.next_step)
    return (
        "INSERT INTO endings VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, int(one.retryable), ended.content, ended.number),
    )
