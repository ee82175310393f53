"""The journal's one writer: a thread that commits together what threads hand in at once.

What is handed in with `now` is durable when the call returns, or the call raises. What is handed
in with `later` is never lost quietly: it is tried again with every later write, and ends in a
plain file where the disk goes on refusing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hnbulk.database import Database, Statement
from hnbulk.errors import JournalError
from hnbulk.failpoints import failpoint

_MOST = 400  # statements in one transaction


@dataclass(slots=True)
class _Job:
    """Statements that stand or fall together, and who waits for them."""

    statements: Sequence[Statement]
    run_id: str | None = None  # set where the job must be kept
    done: threading.Event = field(default_factory=threading.Event)
    ids: list[int] = field(default_factory=list)
    error: JournalError | None = None


class Commits:
    """The queue and its thread, which starts with the first write. Close it."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._home = home
        self._wake = threading.Condition()
        self._queue: list[_Job] = []
        self._kept: list[_Job] = []  # refused by the disk, to be tried again
        self._busy = False
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def failing(self) -> bool:
        """Something that must be kept is not on disk because the disk refused it."""
        return bool(self._kept)

    def now(self, statements: Sequence[Statement]) -> list[int]:
        """The statements are durable; their row ids. Raises `JournalError`; then none of them is there."""
        return self.soon(statements)()

    def soon(self, statements: Sequence[Statement]) -> Callable[[], list[int]]:
        """The statements are on their way to the disk; calling what comes back ends as `now` does."""
        job = _Job(statements)
        self._put(job)

        def wait() -> list[int]:
            job.done.wait()
            if job.error is not None:
                raise job.error
            return job.ids

        return wait

    def later(self, run_id: str, statements: Sequence[Statement]) -> None:
        """The statements will be durable soon; in order, and before any later write."""
        self._put(_Job(statements, run_id))

    def flush(self) -> None:
        """Nothing waits. Raises `JournalError` where the disk refuses what must be kept."""
        if self._thread is None:
            return
        job = _Job([])
        self._put(job)
        job.done.wait()
        if self._kept:
            raise JournalError(
                f"cannot write {self._database.path}: {len(self._kept)} results are kept in memory. "
                "Make room on the disk, then stop or resume the run.",
                path=str(self._database.path),
            )

    def close(self) -> None:
        """The thread is over; what the disk still refuses lies in `<run>.errored.jsonl`."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for job in self._kept:
            _dump(self._home, job)
        self._kept = []

    def _put(self, job: _Job) -> None:
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
            self._write(batch)

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
                size += len(job.statements)
            return batch

    def _write(self, batch: list[_Job]) -> None:
        # what was refused before goes first: results stay in order, and none of them overtakes another
        jobs = [*self._kept, *batch]
        statements = [statement for job in jobs for statement in job.statements]
        try:
            ids = self._database.write(statements) if statements else []
        except JournalError as error:
            for job in batch:
                job.error = error
            self._kept = [job for job in jobs if job.run_id is not None]
        else:
            self._kept = []
            if any(job.run_id is not None for job in jobs):
                failpoint("outcome_durable")
            for job in jobs:
                job.ids, ids = ids[: len(job.statements)], ids[len(job.statements) :]
        for job in batch:
            job.done.set()


def _dump(home: Path, job: _Job) -> None:
    lines = "".join(json.dumps([sql, list(values)]) + "\n" for sql, values in job.statements)
    path = home / f"{job.run_id}.errored.jsonl"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(lines)
    except OSError:
        # the last place left: results hold sids and codes, no person's data
        sys.stderr.write(lines)
