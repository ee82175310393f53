"""A journal that keeps its promises in memory, and loses in a crash what a disk would not have yet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Container, Iterable, Sequence

from hnbulk.entries import Attempt, Ended, Intent, Result
from hnbulk.errors import JournalError
from hnbulk.failpoints import failpoint
from hnbulk.steps import Ending


class MemoryJournal:
    """The journal's promises without its disk: `intend` is durable, `record` only with the next
    `intend` or `flush`, and a crash drops what was not, from some point on."""

    def __init__(self, dice: random.Random) -> None:
        self.full = 0.0  # how often the disk refuses
        self.failing = False
        self.intents: list[Intent] = []
        self.durable: Counter[str] = Counter()  # intents by fingerprint
        self._dice = dice
        self._results: dict[int, Result] = {}
        self._endings: dict[int, Ending] = {}
        self._queue: list[tuple[list[Result], list[Ended]]] = []

    def intend(self, _run_id: str, intents: Sequence[Intent]) -> list[int]:
        self.flush()
        self.intents += intents
        self.durable.update(intent.fingerprint for intent in intents)
        return list(range(len(self.intents) - len(intents), len(self.intents)))

    def record(
        self, _run_id: str, *, results: Iterable[Result] = (), endings: Iterable[Ended] = ()
    ) -> None:
        self._queue.append((list(results), list(endings)))

    def flush(self) -> None:
        self.failing = self._dice.random() < self.full
        if self.failing:
            raise JournalError("the disk is full")
        if self._queue:
            self._take(len(self._queue))
            failpoint("outcome_durable")

    def crash(self) -> None:
        """The thread that writes had come this far."""
        self._take(self._dice.randint(0, len(self._queue)))
        self._queue.clear()

    def endings(self, _run_id: str) -> list[Ending]:
        self.flush()
        return [self._endings[step] for step in sorted(self._endings)]

    def attempts(self, _run_id: str, *, steps: Container[int] | None = None) -> list[Attempt]:
        self.flush()
        found = []
        for number, one in enumerate(self.intents):
            if steps is not None and one.step not in steps:
                continue
            result = self._results.get(number)
            kind, reason = (result.kind, result.reason) if result else (None, None)
            sent = (one.step, one.n, one.operation, one.fingerprint, dict(one.fence), one.wall)
            found.append(Attempt(number, *sent, kind, reason))
        return found

    def _take(self, jobs: int) -> None:
        for results, endings in self._queue[:jobs]:
            self._results.update((result.attempt, result) for result in results)
            self._endings.update((ended.ending.step, ended.ending) for ended in endings)
        del self._queue[:jobs]
