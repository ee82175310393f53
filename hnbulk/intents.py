"""Attempts of one run on their way into the journal: none may be sent before it is durable there.

Several may share a commit. Those whose turn to be sent has not come are kept here; where it does
not come, or comes too late, they are recorded as not sent. This sends nothing itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hnbulk.attempts import Sent
from hnbulk.entries import Intent, Result
from hnbulk.errors import HnbulkError, JournalError
from hnbulk.failpoints import failpoint
from hnbulk.journal import Journal
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.work import Act, Desk, Ready, Work

#: Nothing was sent: the run stopped, or was to begin nothing more, before its turn came.
HALTED = Outcome(OutcomeKind.NOT_SENT, "halted")
#: Nothing was sent: what the request rests on was too old when its turn came.
WAITED = Outcome(OutcomeKind.NOT_SENT, "waited")
#: Seconds after which what was prepared ahead of its turn is looked at anew before it is sent.
_LONGEST_AHEAD = 5.0


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A request that may be sent, and when it was begun to be prepared, on the pace clock."""

    act: Act
    ready: Ready
    since: float


@dataclass(frozen=True, slots=True)
class Written:
    """An attempt whose intent is durable, as of which world time."""

    attempt: int
    wall: datetime


class Intents:
    """What is written down of one run's requests before and after they are sent. Threads share it."""

    def __init__(
        self, run_id: str, work: Work, desk: Desk, journal: Journal, monotonic: Callable[[], float]
    ) -> None:
        self.sent: dict[Act, Sent] = {}
        self._run_id = run_id
        self._work = work
        self._desk = desk
        self._journal = journal
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ahead: dict[Act, tuple[Prepared, Written]] = {}
        self._met: dict[Act, HnbulkError] = {}

    def known(self, act: Act) -> Sent:
        """What is known of the act's attempts; its own to change."""
        with self._lock:
            return self.sent.setdefault(act, Sent())

    def write(self, act: Act, ready: Ready) -> Written:
        """The act's intent is durable, now or since it was written ahead. Raises `JournalError`."""
        if (ahead := self._ahead.pop(act, None)) is not None:
            return ahead[1]
        (written,) = self._write([Prepared(act, ready, self._monotonic())])()
        return written

    def record(self, attempt: int, outcome: Outcome) -> None:
        """What came of the attempt is on its way to the disk."""
        self._journal.record(self._run_id, results=[result_of(attempt, outcome, self._desk.clock.now())])

    # -- ahead of their turn

    def write_ahead(self, prepared: Sequence[Prepared]) -> Callable[[], None]:
        """The intents are on their way to the disk, in one commit; when what comes back was called, they
        are durable and kept for their turn, or not there at all."""
        durable = self._write(prepared)

        def wait() -> None:
            try:
                written = durable()
            except JournalError:
                return  # whose turn comes writes its own, and meets the error
            for one, its in zip(prepared, written, strict=True):
                self._ahead[one.act] = (one, its)

        return wait

    def ahead(self, act: Act) -> Prepared | None:
        """What was prepared ahead, where that may still be believed. Raises what stood in its way."""
        if (error := self._met.pop(act, None)) is not None:
            raise error
        if (ahead := self._ahead.get(act)) is None:
            return None
        if self._monotonic() - ahead[0].since > _LONGEST_AHEAD:
            self.take_back(act, WAITED)
            return None
        return ahead[0]

    def met(self, act: Act, error: HnbulkError) -> None:
        """The act could not be prepared: whose turn comes meets the error, and nobody asks twice."""
        self._met[act] = error

    def take_back(self, act: Act, why: Outcome = HALTED) -> None:
        """An intent of the act that was not sent after all is recorded as that."""
        self._met.pop(act, None)
        if (ahead := self._ahead.pop(act, None)) is not None:
            self.record(ahead[1].attempt, why)

    def _write(self, prepared: Sequence[Prepared]) -> Callable[[], list[Written]]:
        """The intents are on their way to the disk, in one commit. What comes back waits for them, or
        raises `JournalError`: then none of them is there."""
        wall, mono = self._desk.clock.now(), self._monotonic()
        intents = []
        for one in prepared:
            failpoint("before_intent")
            intents.append(
                Intent(
                    step=one.act.first,
                    n=self.known(one.act).attempts + 1,
                    operation=str(self._work.operation(one.act, self._desk)),
                    fingerprint=one.ready.request.fingerprint(),
                    wall=wall,
                    mono=mono,
                    fence=one.ready.fence,
                )
            )
        durable = self._journal.intend_soon(self._run_id, intents)

        def wait() -> list[Written]:
            attempts = durable()
            for one, intent in zip(prepared, intents, strict=True):
                known = self.known(one.act)
                known.attempts += 1
                known.fingerprint = intent.fingerprint
            return [Written(attempt, wall) for attempt in attempts]

        return wait


def result_of(attempt: int, outcome: Outcome, at: datetime) -> Result:
    """What is recorded of how an attempt came out."""
    return Result(
        attempt=attempt,
        kind=str(outcome.kind),
        reason=outcome.reason,
        at=at,
        code=outcome.code,
        sid=outcome.sid,
        status=outcome.status,
        server_date=outcome.server_date,
    )
