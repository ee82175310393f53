"""The journal's one writer: a thread that commits together what threads hand in at once.

What is handed in with `now` is durable when the call returns, or the call raises. What is handed
in with `later` is never lost quietly: it is tried again with every later write, and ends in a
plain file where the disk goes on refusing. Here every row of a chained table gets its link.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hnbulk.chains import Links
from hnbulk.database import CONSTRAINT, UNIQUE, VALUE, Database, what_to_do
from hnbulk.errors import JournalError
from hnbulk.failpoints import failpoint
from hnbulk.journalfile import Entry, as_line, bare
from hnbulk.shapes import Statement

_MOST = 400  # rows in one transaction
#: What lies in one job's own rows: the jobs it shared a transaction with are innocent.
_OWN_FAULT = {UNIQUE, CONSTRAINT, VALUE}

Row = Statement | Entry


@dataclass(slots=True)
class _Job:
    """Rows that stand or fall together, and who waits for them."""

    rows: Sequence[Row]
    run_id: str | None = None  # set where the job must be kept
    done: threading.Event = field(default_factory=threading.Event)
    ids: list[int] = field(default_factory=list)
    error: JournalError | None = None


def left_file(home: Path, run_id: str) -> Path:
    """Where results and endings of a run lie that the disk refused."""
    return home / f"{run_id}.errored.jsonl"


class Commits:
    """The queue and its thread, which starts with the first write. Close it."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._home = home
        self._wake = threading.Condition()
        self._queue: list[_Job] = []
        self._kept: list[_Job] = []  # refused by the disk, to be tried again
        self._set_aside: list[_Job] = []  # refused for what they are: trying again is of no use
        self._links = Links(database)
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def failing(self) -> bool:
        """Something that must be kept is not on disk, or nothing more can be written."""
        return bool(self._kept or self._set_aside or self._database.broken)

    @property
    def what_to_do(self) -> str:
        """What a person does about what is not on disk, as the beginning of a sentence."""
        left = next((job.error for job in (*self._kept, *self._set_aside) if job.error is not None), None)
        return what_to_do(left.facts.get("kind") if left else None)

    def now(self, rows: Sequence[Row]) -> list[int]:
        """The rows are durable; their ids. Raises `JournalError`; then none of them is there."""
        return self.soon(rows)()

    def soon(self, rows: Sequence[Row]) -> Callable[[], list[int]]:
        """The rows are on their way to the disk; calling what comes back ends as `now` does."""
        job = _Job(rows)
        self._put(job)

        def wait() -> list[int]:
            job.done.wait()
            if job.error is not None:
                raise job.error
            return job.ids

        return wait

    def later(self, run_id: str, rows: Sequence[Row]) -> None:
        """The rows will be durable soon; in order, and before any later write."""
        self._put(_Job(rows, run_id))

    def flush(self) -> None:
        """Nothing waits. Raises `JournalError` where the disk refuses what must be kept."""
        self._database.must_be_ours()
        if self._thread is None:
            return
        job = _Job([])
        self._put(job)
        job.done.wait()
        if left := [*self._kept, *self._set_aside]:
            run_id = left[0].run_id or ""
            raise JournalError(
                f"cannot write {self._database.path}: {len(left)} results are kept in memory. "
                f"{self.what_to_do}; what cannot be written to the end lies in "
                f"{left_file(self._home, run_id)} then, and `hnbulk resume {run_id}` takes it in.",
                path=str(self._database.path),
            )

    def close(self) -> list[Path]:
        """The thread is over. The files that hold what the disk still refused, one a run. A forked
        child has neither."""
        if self._database.forked:
            return []
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        jobs, self._kept, self._set_aside = [*self._set_aside, *self._kept], [], []
        left: dict[str, list[Entry]] = {}
        for job in jobs:
            entries = left.setdefault(job.run_id or "", [])
            entries += [row for row in job.rows if isinstance(row, Entry)]
        paths = [_leave(self._home, run_id, entries) for run_id, entries in left.items()]
        return [path for path in paths if path is not None]

    def _put(self, job: _Job) -> None:
        self._database.must_be_ours()
        with self._wake:
            if self._closing:
                raise JournalError(f"{self._database.path} is closed.", path=str(self._database.path))
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="hnbulk-journal", daemon=True)
                self._thread.start()
            self._queue.append(job)
            self._wake.notify()

    def _write_all(self) -> None:
        while (batch := self._next_batch()) is not None:
            # what was refused before goes first: results stay in order, none of them overtakes another
            self._kept = self._write([*self._kept, *batch])
            for job in batch:
                job.done.set()

    def _next_batch(self) -> list[_Job] | None:
        with self._wake:
            while not self._queue:
                if self._closing:
                    return None
                self._wake.wait()
            batch: list[_Job] = []
            size = 0
            while self._queue and (not batch or size < _MOST):
                job = self._queue.pop(0)
                batch.append(job)
                size += len(job.rows)
            return batch

    def _write(self, jobs: Sequence[_Job]) -> list[_Job]:
        """Every job is durable or has its error; those of them that must be kept and are not on disk."""
        try:
            self._commit(jobs)
        except JournalError as error:
            own_fault = error.facts.get("kind") in _OWN_FAULT
            if own_fault and len(jobs) > 1:
                return self._write_singly(jobs)
            for job in jobs:
                job.error = error
            kept = [job for job in jobs if job.run_id is not None]
            if own_fault:
                self._set_aside += kept
                return []
            return kept
        if any(job.run_id is not None for job in jobs):
            failpoint("outcome_durable")
        return []

    def _write_singly(self, jobs: Sequence[_Job]) -> list[_Job]:
        kept: list[_Job] = []
        for job in jobs:
            if kept and job.run_id is not None:
                kept.append(job)  # it must not overtake
            else:
                kept += self._write([job])
        return kept

    def _commit(self, jobs: Sequence[_Job]) -> None:
        rows = [row for job in jobs for row in job.rows]
        if not rows:
            return
        try:
            self._add(jobs, rows)
        except JournalError:
            raise
        except Exception as error:  # whatever it is, nobody may wait for a writer that is dead
            kind = type(error).__name__
            raise JournalError(
                f"cannot write {self._database.path}: {kind}.", path=str(self._database.path), reason=kind
            ) from error

    def _add(self, jobs: Sequence[_Job], rows: Sequence[Row]) -> None:
        if self._database.changed_elsewhere():
            self._links = Links(self._database)  # another process has run here since
        links = self._links.copy()
        ids = self._database.write(
            [links.statement(row) if isinstance(row, Entry) else row for row in rows]
        )
        self._links = links
        for job in jobs:
            job.ids, ids = ids[: len(job.rows)], ids[len(job.rows) :]


def _leave(home: Path, run_id: str, entries: Sequence[Entry]) -> Path | None:
    """The file that these results and endings lie in; None where no disk takes them.

    They are then told on stderr: sids and codes, and no hash of a number, which could be guessed.
    """
    path = left_file(home, run_id)
    try:
        _append(path, "".join(as_line(entry) + "\n" for entry in entries).encode())
    except OSError as error:
        sys.stderr.write(
            f"hnbulk: {path} cannot be written either ({error.strerror}). Save the lines that follow "
            f"in a file of that name; `hnbulk resume {run_id}` takes them in. Without them it looks "
            "the orders up.\n"
        )
        sys.stderr.write("".join(as_line(bare(entry)) + "\n" for entry in entries))
        return None
    return path


def _append(path: Path, lines: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(handle).st_size
        try:
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(lines)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)  # whole lines or none
            raise
    finally:
        os.close(handle)
