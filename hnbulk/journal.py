"""What a run intends and what came of it, durable: runs, plans, attempts, outcomes, endings.

An intent is on disk before the first byte of its request leaves; attempts, outcomes and endings
are only ever added, each hanging on the one before. Personal data lies in the plans alone, the
rest holds hashes and sids. This module decides nothing: what an attempt without outcome means is
for the engine to ask.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from sys import intern
from typing import Any, Literal, Self

from hnbulk.chains import prove_runs, proved
from hnbulk.closing import Closing
from hnbulk.commits import Commits, left_file
from hnbulk.database import UNIQUE, Database
from hnbulk.entries import RUNNING, Attempt, Ended, Intent, Result, RunRecord
from hnbulk.errors import JournalError, PlanAltered, RunLocked, UsageError
from hnbulk.files import sync_folder
from hnbulk.journalfile import (
    SHAPE,
    Entry,
    ending_entry,
    intent_entry,
    read_lines,
    result_entry,
    state_entry,
)
from hnbulk.lineage import Machine, Place, missing, new_lineage, read_marker, this_machine, used_on
from hnbulk.planfile import PlanFile, loads_plan
from hnbulk.replies import ABOUT_THE_NUMBER
from hnbulk.runlock import RunLock, holder_of
from hnbulk.shapes import Connect, connect_sqlite
from hnbulk.steps import Ending, State

FILE = "journal.db"

_STATES: Mapping[str, State] = {str(state): state for state in State}
_NOTHING: tuple[str | None, str | None] = (None, None)
_ABOUT_THE_NUMBER = {str(code) for code in ABOUT_THE_NUMBER}


class Journal(Closing):
    """One account's runs at one address, in one file. Threads may share it. Close it."""

    def __init__(
        self, database: Database, home: Path, *, account_sid: str, base_url: str, machine: Machine
    ) -> None:
        self.home = home
        self.account_sid = account_sid
        self.base_url = base_url
        self.left_behind: tuple[Path, ...] = ()  # once closed: files with what the disk refused
        self._machine = machine
        self._database = database
        self._commits = Commits(database, home)

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        account_sid: str,
        base_url: str,
        machine: Machine | None = None,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        connect: Connect = connect_sqlite,
    ) -> Self:
        """`home/journal.db` is open, made where there never was one. `wall` is the machine's time.

        Raises `JournalError` where it is damaged, missing or another one than was begun here, and
        `UsageError` where it cannot be written.
        """
        machine = machine or this_machine()
        path, known = home / FILE, read_marker(home)
        if known is not None and not os.path.lexists(path):
            raise missing(home)
        first = used_on(machine, new_lineage(), wall())
        database = Database.open(path, SHAPE, first=[first], connect=connect)
        try:
            Place(home, database, machine).take(known, wall())
            with _decoding(database):
                prove_runs(database)
        except BaseException:
            database.close()
            raise
        return cls(database, home, account_sid=account_sid, base_url=base_url, machine=machine)

    # -- runs

    def runs(self, *, counted: bool = True) -> list[RunRecord]:
        """This account's runs at this address, newest first; without their counts unless `counted`."""
        self.flush()
        rows = self._database.read(
            "SELECT r.run_id, kind, checksum, input_name, made_at, steps, state, note "
            "FROM runs r JOIN states s ON s.id = (SELECT max(id) FROM states WHERE run_id = r.run_id) "
            "WHERE account_sid = ? AND base_url = ? ORDER BY r.rowid DESC",
            (self.account_sid, self.base_url),
        )
        holder = holder_of(self.home) if any(row[6] == RUNNING for row in rows) else None
        with _decoding(self._database):
            return [self._record(row, holder, counted=counted) for row in rows]

    def run(self, run_id: str, *, counted: bool = True) -> RunRecord:
        """The run of this id. Raises `UsageError` where this account has none at this address."""
        for record in self.runs(counted=counted):
            if record.run_id == run_id:
                return record
        raise UsageError(f"there is no run {run_id} here; `hnbulk runs` lists them.", run_id=run_id)

    def lock(self, run_id: str) -> RunLock:
        """The one right to run in this home, on this machine. Raises `RunLocked`, `JournalError`."""
        lock = RunLock.take(self.home, run_id)
        try:
            Place(self.home, self._database, self._machine).move_in(datetime.now(UTC))
        except BaseException:
            lock.release()
            raise
        return lock

    def new_run_id(self, wall: datetime, checksum: str) -> str:
        """An id no run of this home has: short, sortable, readable, such as `r20261123-183012-4f2a`
        (the machine's time, UTC, and four characters of the plan)."""
        begins = f"r{wall.astimezone(UTC):%Y%m%d-%H%M%S}-"
        rows = self._database.read("SELECT run_id FROM runs WHERE run_id LIKE ?", (f"{begins}%",))
        taken = {run_id for (run_id,) in rows}
        seeds = (hashlib.sha256(f"{checksum} {n}".encode()).hexdigest()[:4] for n in count())
        return next(run_id for seed in seeds if (run_id := begins + seed) not in taken)

    def begin(
        self,
        run_id: str,
        plan: PlanFile,
        *,
        kind: str,
        at: datetime,
        options: Mapping[str, Any],
        sent: Sequence[Intent] = (),
    ) -> None:
        """A new run and its plan are durable, in state `running`, with what may have been `sent`."""
        head, content = plan.header, zlib.compress(plan.dumps(), 1)
        row = (run_id, self.account_sid, self.base_url, plan.checksum, head.input_name, kind)
        told = (at.isoformat(), len(plan.steps), json.dumps(dict(options)), _digest(content))
        self._commits.now(
            [
                Entry("runs", (*row, *told)),
                ("INSERT INTO plans VALUES (?, ?)", (run_id, content)),
                state_entry(run_id, RUNNING, at, None),
                *(intent_entry(run_id, intent, boot=self._machine.boot) for intent in sent),
            ]
        )

    def mark(self, run_id: str, state: str, *, at: datetime, note: str | None = None) -> None:
        """The run's state is durable, and everything recorded before it."""
        self.flush()
        self._commits.now([state_entry(run_id, state, at, note)])

    def taken_up(self, run_id: str) -> list[datetime]:
        """The world times at which a process began the run or took it up, in their order."""
        rows = self._database.read(
            "SELECT at FROM states WHERE run_id = ? AND state = ? ORDER BY id", (run_id, RUNNING)
        )
        with _decoding(self._database):
            return [datetime.fromisoformat(at) for (at,) in rows]

    def marked_at(self, run_id: str) -> datetime:
        """The world time at which the run came into the state it is in."""
        rows = self._database.read(
            "SELECT at FROM states WHERE run_id = ? ORDER BY id DESC LIMIT 1", (run_id,)
        )
        with _decoding(self._database):
            return datetime.fromisoformat(rows[0][0])

    def plan_of(self, run_id: str) -> PlanFile:
        """The plan of a run, as it was begun with. Raises `UsageError`, `JournalError`."""
        rows = self._database.read(
            "SELECT content, plan, checksum FROM plans JOIN runs USING (run_id) "
            "WHERE run_id = ? AND account_sid = ? AND base_url = ?",
            (run_id, self.account_sid, self.base_url),
        )
        if not rows:
            raise UsageError(f"there is no run {run_id} here; `hnbulk runs` lists them.", run_id=run_id)
        content, digest, checksum = rows[0]
        name = f"the plan of run {run_id}"
        try:
            whole = _digest(content) == digest
            plan = loads_plan(_unpacked(content), name=name, kept=True) if whole else None
        except (PlanAltered, UsageError, TypeError, zlib.error):
            plan = None
        if plan is None or plan.checksum != checksum:
            raise self._database.refusal(f"the plan of run {run_id} is not as it was written")
        return plan

    # -- what a run writes

    def intend(self, run_id: str, intents: Sequence[Intent]) -> list[int]:
        """The intents are on disk; their attempt ids, in order. Only now may a byte be sent.

        Raises `JournalError` where they are not, `RunLocked` where somebody else has written the
        same attempts; then nothing may be sent.
        """
        return self.intend_soon(run_id, intents)()

    def intend_soon(self, run_id: str, intents: Sequence[Intent]) -> Callable[[], list[int]]:
        """The intents are on their way to the disk; calling what comes back ends as `intend` does."""
        durable = self._commits.soon(
            [intent_entry(run_id, intent, boot=self._machine.boot) for intent in intents]
        )

        def wait() -> list[int]:
            try:
                return durable()
            except JournalError as error:
                if error.facts.get("kind") != UNIQUE:
                    raise
                raise RunLocked(
                    f"another process is sending for run {run_id} at this moment; this one stops. See "
                    "`hnbulk runs`, and resume it when the other has ended.",
                    run_id=run_id,
                ) from None

        return wait

    def record(self, run_id: str, *, results: Iterable[Result] = (), endings: Iterable[Ended] = ()) -> None:
        """Results and endings are on their way to the disk; `flush` waits for them.

        They are kept where the disk refuses them, tried again with every later write, and
        written to `<run>.errored.jsonl` when the journal is closed.
        """
        rows = [result_entry(run_id, result) for result in results]
        rows += [ending_entry(run_id, ended) for ended in endings]
        if rows:
            self._commits.later(run_id, rows)

    def take_in(self, run_id: str) -> int:
        """What an earlier process left in `<run>.errored.jsonl` is on disk here; how many records.

        The file is then called `.imported`. Raises `JournalError` where a line is not a result or
        an ending of this run; nothing of it is taken in then. A last line that is cut is left out:
        what it told is in doubt, and looked up.
        """
        path = left_file(self.home, run_id)
        if not os.path.lexists(path):
            return 0
        attempts = {attempt.attempt for attempt in self.attempts(run_id)}
        try:
            text = path.read_text(encoding="utf-8")
            rows = read_lines(text, run_id, attempts=attempts, steps=self.run(run_id).steps)
        except (OSError, ValueError) as error:
            raise JournalError(
                f"cannot take in {path}: {error}. It holds results that the disk refused. Correct it, or "
                "move it away: what it tells is then looked up.",
                path=str(path),
                reason=str(error),
            ) from None
        self._commits.now(rows)
        done = (path.with_name(f"{path.name}.imported{n or ''}") for n in count())
        path.rename(next(name for name in done if not os.path.lexists(name)))
        sync_folder(self.home)
        return len(rows)

    def flush(self) -> None:
        """Everything recorded is on disk. Raises `JournalError` where the disk refuses."""
        self._commits.flush()

    @property
    def failing(self) -> bool:
        """The disk refused something that happened; no further request may be sent."""
        return self._commits.failing

    @property
    def what_to_do(self) -> str:
        """What a person does about a journal that is failing, as the beginning of a sentence."""
        return self._commits.what_to_do

    # -- what a run left

    def endings(self, run_id: str) -> list[Ending]:
        """The newest ending of every step that has one, in step order. Raises `JournalError` where
        one is not as it was written."""
        self.flush()
        newest: dict[int, Ending] = {}
        with _decoding(self._database):
            for row in proved(self._database, "endings", run_id):
                _, step, state, sid, status, code, message, next_step, retryable, *_ = row
                status = status and intern(status)
                told = (sid, status, code, message, next_step, bool(retryable))
                newest[step] = Ending(step, _STATES[state], *told)
        return [newest[step] for step in sorted(newest)]

    def attempts(self, run_id: str, *, steps: Container[int] | None = None) -> list[Attempt]:
        """Every attempt of a run, or those of some steps, oldest first, with its newest result. Raises
        `JournalError` where one of the run's is not as it was written."""
        self.flush()
        newest: dict[int, tuple[str, str]] = {}
        for row in proved(self._database, "outcomes", run_id):
            newest[row[1]] = (row[2], row[3])
        found: list[Attempt] = []
        there: set[int] = set()
        with _decoding(self._database):
            for row in proved(self._database, "attempts", run_id):
                there.add(row[-1])
                if steps is not None and row[1] not in steps:
                    continue
                found.append(
                    Attempt(
                        attempt=row[-1],
                        step=row[1],
                        n=row[2],
                        operation=row[3],
                        fingerprint=row[4],
                        fence=json.loads(row[5]),
                        wall=datetime.fromisoformat(row[6]),
                        kind=newest.get(row[-1], _NOTHING)[0],
                        reason=newest.get(row[-1], _NOTHING)[1],
                    )
                )
        if not newest.keys() <= there:
            raise self._database.refusal(f"some attempts of run {run_id} are lost")
        return found

    def count_sent(self, run_id: str) -> int:
        """How many requests of a run went out, or may have."""
        self.flush()
        unsent = "SELECT attempt FROM outcomes WHERE run_id = ?1 AND kind = 'not-sent'"
        ((sent,),) = self._database.read(
            f"SELECT count(*) FROM attempts WHERE run_id = ?1 AND id NOT IN ({unsent})",  # noqa: S608
            (run_id,),
        )
        return int(sent)

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
            f"FROM endings e JOIN runs USING (run_id) WHERE {column} IS NOT NULL AND account_sid = ? "
            f"AND base_url = ? GROUP BY {column})",
            (str(State.REFUSED), self.account_sid, self.base_url),
        )
        return {hashed: (code or "", message or "") for hashed, code, message in rows}

    # -- closing

    def close(self) -> None:
        """Everything recorded is on disk, or in the files of `left_behind`; the file is closed."""
        self.left_behind += tuple(self._commits.close())
        self._database.close()

    def _counts(self, run_id: str, steps: int) -> dict[str, int]:
        """How many steps of a run are in each state."""
        counts = Counter(
            dict(
                self._database.read(
                    "SELECT state, count(*) FROM endings WHERE id IN "
                    "(SELECT max(id) FROM endings WHERE run_id = ? GROUP BY step) GROUP BY state",
                    (run_id,),
                )
            )
        )
        left = steps - sum(counts.values())
        if left and (sent := self._unanswered(run_id)):
            counts[str(State.IN_DOUBT)] += sent
            left -= sent
        if left > 0:
            counts[str(State.PENDING)] += left
        return dict(counts)

    def _unanswered(self, run_id: str) -> int:
        """How many steps without an ending have an attempt of which nothing came back."""
        ((count,),) = self._database.read(
            "SELECT count(DISTINCT step) FROM attempts WHERE run_id = ?1 "
            "AND step NOT IN (SELECT step FROM endings WHERE run_id = ?1) "
            "AND id NOT IN (SELECT attempt FROM outcomes WHERE run_id = ?1)",
            (run_id,),
        )
        return int(count)

    def _record(self, row: tuple[Any, ...], holder: str | None, *, counted: bool) -> RunRecord:
        run_id, kind, checksum, input_name, made_at, steps, state, note = row
        counts = self._counts(run_id, steps) if counted else {}
        alive = state != RUNNING or holder == run_id
        return RunRecord(
            run_id=run_id,
            kind=kind,
            state=state if alive else "unfinished",
            checksum=checksum,
            input_name=input_name,
            made_at=datetime.fromisoformat(made_at),
            steps=steps,
            counts=counts,
            note=note,
        )


def _unpacked(content: bytes) -> bytearray:
    """What `zlib.compress` made this of, never twice in memory. Raises `zlib.error` where it is cut."""
    whole, unpack, left = bytearray(), zlib.decompressobj(), content
    while left:
        whole += unpack.decompress(left, 1 << 20)
        left = unpack.unconsumed_tail
    whole += unpack.flush()
    if not unpack.eof:
        raise zlib.error("it is cut off")
    return whole


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _decoding(database: Database) -> Iterator[None]:
    """What cannot be read as what it should be is damage, and said as that."""
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, zlib.error) as error:
        raise database.refusal(f"a row cannot be read ({type(error).__name__})") from None
