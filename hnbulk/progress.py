"""Where a run is and how it ended, as values that a bar, a widget or a command can show.

Counting is all this does; it starts no thread and reads no file.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from hnbulk.pacing import Recent
from hnbulk.steps import State

#: A step in one of these has not ended: it was never sent, or nobody knows yet.
OPEN_STATES = frozenset({State.PENDING, State.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Progress:
    """The steps of a run by where they are, at one moment. `sent` counts writes, retries too.

    `rate` is requests a second over the last ten seconds, reads too; `limit` how many may be under
    way now; `busy` how often the service has answered that it is busy (429); `eta` the seconds
    until all is done if it goes on like this, None where nothing says so.
    """

    total: int
    done: int = 0
    refused: int = 0  # ended, but not done: refused, stale, conflict, review, call unknown
    in_doubt: int = 0
    pending: int = 0
    sent: int = 0
    doing: str = ""  # what it waits for, where it waits
    rate: float = 0.0
    limit: int = 0
    busy: int = 0
    eta: float | None = None

    @property
    def ended(self) -> int:
        """Steps that have ended, one way or another."""
        return self.done + self.refused

    def __str__(self) -> str:
        parts = [f"{self.done:,} of {self.total:,} done"]
        for count, word in ((self.refused, "refused"), (self.in_doubt, "in doubt"), (self.pending, "left")):
            if count:
                parts.append(f"{count:,} {word}")
        told = ", ".join(part for part in (self.doing, self.pace) if part)
        return ", ".join(parts) + (f" ({told})" if told else "")

    @property
    def pace(self) -> str:
        """How fast it goes and how long it takes, in words: `4.9 requests/s, about 3 min left`."""
        parts = []
        if self.rate:
            parts.append(f"{self.rate:.1f} requests/s")
        if self.busy:
            parts.append(f"{self.busy:,} busy {'reply' if self.busy == 1 else 'replies'}")
        if self.eta is not None:
            parts.append(f"{_about(self.eta)} left")
        return ", ".join(parts)


def _about(seconds: float) -> str:
    """As exact as anybody can know it: ten seconds, minutes, hours."""
    if seconds < 60:
        return f"about {max(10, round(seconds / 10) * 10)} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {seconds / 3600:.1f} h"


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. `counts`: steps by state. `exit_code`: 0 all done and looked at again, 3 finished
    and some did not succeed or could not be looked at again, 6 stopped early, 7 no access."""

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
    """The state of every step of a run, counted as it changes. Threads may share it.

    `settle` is how many seconds what is in doubt is given, by the `monotonic` clock.
    """

    def __init__(
        self, total: int, *, monotonic: Callable[[], float] = time.monotonic, settle: float = 0.0
    ) -> None:
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._settle = settle
        self._ended = Recent(60.0)
        self._doubted = monotonic()  # when a step was last in doubt
        self._states: dict[int, State] = {}
        self._counts = Counter({State.PENDING: total})
        self._total = total
        self._sent = 0
        self.doing = ""

    def put(self, changes: Iterable[tuple[int, State]]) -> None:
        """These steps are in these states now."""
        ended, now = 0, self._monotonic()
        with self._lock:
            for step, state in changes:
                ended += self._move(step, state)
                if state is State.IN_DOUBT:
                    self._doubted = now
            if ended:
                self._ended.add(now, ended)

    def take_up(self, changes: Iterable[tuple[int, State]]) -> None:
        """These steps were in these states before the run went on; that says nothing of its speed."""
        with self._lock:
            for step, state in changes:
                self._move(step, state)

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
                eta=self._eta(pending, in_doubt),
                total=self._total,
                done=done,
                refused=self._total - done - in_doubt - pending,
                in_doubt=in_doubt,
                pending=pending,
                sent=self._sent,
                doing=self.doing,
            )

    def _move(self, step: int, state: State) -> bool:
        """Whether the step has ended with this."""
        before = self._states.get(step, State.PENDING)
        self._counts[before] -= 1
        self._counts[state] += 1
        self._states[step] = state
        return before in OPEN_STATES and state not in OPEN_STATES

    def _eta(self, pending: int, in_doubt: int) -> float | None:
        now = self._monotonic()
        if in_doubt and not pending:
            return max(0.0, self._doubted + self._settle - now)
        rate = self._ended.rate(now)
        return (pending + in_doubt) / rate if pending and rate else None
