"""A journal that keeps its promises in memory, and loses in a crash what a disk would not have yet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from hnbulk.entries import Attempt, Ended, Intent, Result
from hnbulk.errors import JournalError
from hnbulk.failpoints import failpoint
from hnbulk.steps import Ending


@dataclass
class _Job:
    """What goes to the disk together, and what came of it."""

    intents: Sequence[Intent] = ()
    results: Sequence[Result] = ()
    endings: Sequence[Ended] = ()
    attempts: list[int] = field(default_factory=list)
    lost: bool = False


class MemoryJournal:
    """The journal's promises without its disk: `intend_soon` is durable when what it gave was called,
    `record` only with the next of these or `flush`, and a crash drops what was not, from some point on."""

    def __init__(self, dice: random.Random) -> None:
        self.full = 0.0  # how often the disk refuses
        self.slow: Callable[[], object] = lambda: None  # called where somebody waits for the disk
        self.together: list[int] = []  # how many intents each commit had
        self.failing = False
        self.what_to_do = "Make room"
        self.intents: list[Intent] = []
        self.begun: list[datetime] = []  # by each process
        self.durable: Counter[str] = Counter()  # intents by fingerprint
        self._dice = dice
        self.results: dict[int, Result] = {}
        self._endings: dict[int, Ending] = {}
        self._queue: list[_Job] = []

    def intend_soon(self, _run_id: str, intents: Sequence[Intent]) -> Callable[[], list[int]]:
        job = _Job(intents)
        self._queue.append(job)
        self.together.append(len(intents))

        def wait() -> list[int]:
            self.slow()
            if not job.attempts and not job.lost:
                with suppress(JournalError):
                    self.flush()
            if job.lost:
                raise JournalError("the disk is full")
            return job.attempts

        return wait

    def record(
        self, _run_id: str, *, results: Iterable[Result] = (), endings: Iterable[Ended] = ()
    ) -> None:
        self._queue.append(_Job((), list(results), list(endings)))

    def flush(self) -> None:
        self.failing = self._dice.random() < self.full
        if self.failing:
            for job in self._queue:
                job.lost = bool(job.intents)
            self._queue = [job for job in self._queue if not job.lost]
            raise JournalError("the disk is full")
        results = any(not job.intents for job in self._queue)
        self._take(len(self._queue))
        if results:
            failpoint("outcome_durable")

    def crash(self) -> None:
        """The thread that writes had come this far."""
        self._take(self._dice.randint(0, len(self._queue)))
        self._queue.clear()

    def taken_up(self, _run_id: str) -> list[datetime]:
        return self.begun

    def count_sent(self, run_id: str) -> int:
        return sum(one.kind != "not-sent" for one in self.attempts(run_id))

    def endings(self, _run_id: str) -> list[Ending]:
        self.flush()
        return [self._endings[step] for step in sorted(self._endings)]

    def attempts(self, _run_id: str, *, steps: Container[int] | None = None) -> list[Attempt]:
        self.flush()
        found = []
        for number, one in enumerate(self.intents):
            if steps is not None and one.step not in steps:
                continue
            result = self.results.get(number)
            kind, reason = (result.kind, result.reason) if result else (None, None)
            sent = (one.step, one.n, one.operation, one.fingerprint, dict(one.fence), one.wall)
            found.append(Attempt(number, *sent, kind, reason))
        return found

    def _take(self, jobs: int) -> None:
        for job in self._queue[:jobs]:
            job.attempts += range(len(self.intents), len(self.intents) + len(job.intents))
            self.intents += job.intents
            self.durable.update(intent.fingerprint for intent in job.intents)
            self.results.update((result.attempt, result) for result in job.results)
            self._endings.update((ended.ending.step, ended.ending) for ended in job.endings)
        del self._queue[:jobs]
