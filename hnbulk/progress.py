"""Where a run is and how it ended, as values that a bar, a widget or a command can show.

Counting is all this does; it starts no thread and reads no file.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hnbulk.steps import State

#: A step in one of these has not ended: it was never sent, or nobody knows yet.
OPEN_STATES = frozenset({State.PENDING, State.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Progress:
    """The steps of a run by where they are, at one moment. `sent` counts writes, retries too."""

    total: int
    done: int = 0
    refused: int = 0  # ended, but not done: refused, stale, conflict, review, call unknown
    in_doubt: int = 0
    pending: int = 0
    sent: int = 0
    doing: str = ""  # what it waits for, where it waits

    @property
    def ended(self) -> int:
        """Steps that have ended, one way or another."""
        return self.done + self.refused

    def __str__(self) -> str:
        parts = [f"{self.done:,} of {self.total:,} done"]
        for count, word in ((self.refused, "refused"), (self.in_doubt, "in doubt"), (self.pending, "left")):
            if count:
                parts.append(f"{count:,} {word}")
        return ", ".join(parts) + (f" ({self.doing})" if self.doing else "")


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. `counts`: steps by state. `exit_code`: 0 all done, 3 finished and some
    did not succeed, 6 stopped early, 7 no access."""

    run_id: str
    state: str  # finished, stopped, interrupted, already applied
    exit_code: int
    counts: Mapping[str, int] = field(default_factory=dict)
    message: str = ""

    @property
    def ok(self) -> bool:
        """Every step is done."""
        return self.exit_code == 0

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {state}" for state, count in self.counts.items()) or "nothing to do"
        return f"run {self.run_id} {self.state}: {counted}" + (f". {self.message}" if self.message else "")


class Tally:
    """The state of every step of a run, counted as it changes. Threads may share it."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._states: dict[int, State] = {}
        self._counts = Counter({State.PENDING: total})
        self._total = total
        self._sent = 0
        self.doing = ""

    def put(self, changes: Iterable[tuple[int, State]]) -> None:
        """These steps are in these states now."""
        with self._lock:
            for step, state in changes:
                self._counts[self._states.get(step, State.PENDING)] -= 1
                self._counts[state] += 1
                self._states[step] = state

    def add_sent(self) -> int:
        """One more write was sent; how many so far."""
        with self._lock:
            self._sent += 1
            return self._sent

    def state(self, step: int) -> State:
        """Where a step is."""
        with self._lock:
            return self._states.get(step, State.PENDING)

    @property
    def sent(self) -> int:
        """Writes sent so far, retries too."""
        with self._lock:
            return self._sent

    @property
    def counts(self) -> dict[str, int]:
        """How many steps are in each state, in the order of `State`, zeros left out."""
        with self._lock:
            return {str(state): self._counts[state] for state in State if self._counts[state]}

    @property
    def progress(self) -> Progress:
        """The run at this moment."""
        with self._lock:
            done, in_doubt, pending = (
                self._counts[state] for state in (State.DONE, State.IN_DOUBT, State.PENDING)
            )
            return Progress(
                total=self._total,
                done=done,
                refused=self._total - done - in_doubt - pending,
                in_doubt=in_doubt,
                pending=pending,
                sent=self._sent,
                doing=self.doing,
            )
