"""One act sent at most as often as it may be: intent durable, one byte or none, outcome recorded.

This is the only place that sends a write. An outcome that leaves room for doubt is handed on as
a doubt and never sent again from here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from hnbulk.client import Client
from hnbulk.entries import ABSENT, Attempt, Ended, Intent, Result
from hnbulk.errors import AccessRefused, HnbulkError, JournalError, RunStopped
from hnbulk.failpoints import failpoint
from hnbulk.journal import Journal
from hnbulk.messages import Reply
from hnbulk.outcome import Operation, Outcome, OutcomeKind, classify, maybe_processed
from hnbulk.pacing import BUSY_ATTEMPTS, SEND_ATTEMPTS
from hnbulk.progress import OPEN_STATES, Tally
from hnbulk.steps import Action, Ending, State
from hnbulk.throttle import Halted, Throttle
from hnbulk.work import Act, Chain, Desk, Ready, Work, refusal

#: How often a request that was not processed is tried in all (safety rules, section 3 and 2.5).
TRIES = {OutcomeKind.NOT_SENT: SEND_ATTEMPTS, OutcomeKind.NOT_PROCESSED: BUSY_ATTEMPTS}
CALL_TRIES = {**TRIES, OutcomeKind.NOT_PROCESSED: 3}
#: The code of a done create whose order was found, not made.
ADOPTED = "adopted"
_FIRST = 20  # so many refusals out of the first sent are looked at
_MOST_DOUBTS, _DOUBT_SHARE = 20, 0.05
#: Seconds after which what was prepared ahead of its turn is looked at anew before it is sent.
_LONGEST_AHEAD = 5.0


@dataclass(slots=True, eq=False)
class Doubt:
    """An act that may or may not have been processed, and since when that can be waited out."""

    chain: Chain
    act: Act
    attempt: int
    fence: dict[str, object]
    since: datetime  # world time at the end of the attempt
    since_mono: float
    empty_looks: int = 0


@dataclass(slots=True)
class Sent:
    """What the journal knows of an act's attempts."""

    attempts: int = 0  # rows, whatever came of them
    possible: int = 0  # of these, how many the service may have processed
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A request whose intent is durable and whose turn has not come."""

    ready: Ready
    attempt: int
    since: float  # on the pace clock, before it was prepared


@dataclass(slots=True)
class _First:
    """The first outcomes of a run: a bad sheet shows here."""

    seen: int = 0
    refused: int = 0


@dataclass(slots=True)
class Sender:
    """Sends the acts of one run, from many threads."""

    run_id: str
    work: Work
    desk: Desk
    client: Client
    journal: Journal
    throttle: Throttle
    tally: Tally
    sent: dict[Act, Sent] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    taken_over: int = 0  # creates whose order was there before this run sent anything of them
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _first: _First = field(default_factory=_First)
    _ahead: dict[Act, _Ahead] = field(default_factory=dict)

    def perform(self, chain: Chain) -> None:
        """The chain's acts are ended, in doubt, or pending where the run stops or rests.

        An error of the service or the journal stops the run; the row is then as the journal has it.
        """
        try:
            for act in chain:
                if self.open_steps(act) and not self._perform(chain, act):
                    return
                if not self._succeeded(act):
                    self._give_up_rest(chain, act)
                    return
        except Halted:
            return
        except HnbulkError as error:
            code = error.exit_code if isinstance(error, AccessRefused) else RunStopped.exit_code
            self.throttle.stop(error.message, exit_code=code)

    def open_steps(self, act: Act) -> list[int]:
        """The act's steps that have not ended."""
        return [step for step in act.steps if self.tally.state(step) in OPEN_STATES]

    def end(self, endings: Sequence[Ending], *, results: Iterable[Result] = ()) -> None:
        """The endings are recorded with the results that led to them, together or not at all."""
        self.journal.record(self.run_id, results=results, endings=[self._ended(one) for one in endings])
        self.tally.put((one.step, one.state) for one in endings)
        for one in endings:
            if one.state is State.DONE:
                self.desk.keep_sid(one.step, one.sid)

    def _ended(self, ending: Ending) -> Ended:
        step = self.desk.plan.steps[ending.step]
        if step.action is not Action.CREATE:
            return Ended(ending)
        return Ended(ending, step.content_hash(), step.number_hash())

    @property
    def too_many_doubts(self) -> bool:
        """More is in doubt than may pile up before it is looked into."""
        return len(self.doubts) > max(_MOST_DOUBTS, _DOUBT_SHARE * self.tally.sent)

    # -- one act

    def _perform(self, chain: Chain, act: Act) -> bool:
        """The act has ended. False where it is in doubt, or pending because it may not go on."""
        most = self.work.most_sends(act, self.desk)
        tries = dict(CALL_TRIES if self._operation(act) is Operation.CALL else TRIES)
        again = self._sent(act).attempts > 0
        tried = 0
        while self.throttle.may_go_on():
            if self._sent(act).possible >= most:
                self.end(self.work.unknown(act, self.desk))
                return True
            ready = self._ready(act) or self.work.prepare(act, self.desk, again=again)
            if not isinstance(ready, Ready):
                self._count_taken_over(act, ready)
                self.end(ready)
                return True
            fingerprint = ready.request.fingerprint()
            if self._sent(act).fingerprint not in (None, fingerprint):
                self.end(self._changed(act))
                return True
            outcome, reply, attempt = self._send(act, ready, fingerprint)
            if outcome.kind is OutcomeKind.DONE and reply is not None:
                return self._conclude(chain, act, ready, outcome, reply, attempt)
            if outcome.kind is OutcomeKind.REJECTED:
                return self._conclude(chain, act, ready, outcome, None, attempt)
            if outcome.kind is OutcomeKind.STOP_RUN:
                self.throttle.stop(_why_stopped(outcome), exit_code=_exit_code(outcome))
            if maybe_processed(outcome):
                self._doubt(chain, act, ready, outcome, attempt)
                return False
            self.journal.record(self.run_id, results=[_result(attempt, outcome, self.desk.clock.now())])
            tries[outcome.kind] = tries.get(outcome.kind, 0) - 1
            if tries[outcome.kind] <= 0 or not self.throttle.may_retry(outcome):
                return False
            tried += 1
            again = True
            self.throttle.rest_after(outcome, tried)
        return False

    def _send(self, act: Act, ready: Ready, fingerprint: str) -> tuple[Outcome, Reply | None, int]:
        operation = self._operation(act)
        known = self._sent(act)
        if self.journal.failing:
            raise JournalError(
                "the journal cannot be written; nothing more is sent. Make room on the disk."
            )
        attempt = self._take_ahead(act)
        if attempt is None:
            (attempt,) = self._intend([(act, ready, fingerprint)])()
        failpoint("after_intent")
        try:
            with self.throttle.slot(operation):
                self.tally.add_sent()
                result = self.client.send(ready.request)
        except Halted:
            self._record_not_sent(attempt, "halted")
            raise
        failpoint("after_response")
        outcome = classify(operation, result, ready.expected)
        self.throttle.note(outcome)
        if maybe_processed(outcome) or outcome.kind is OutcomeKind.DONE:
            known.possible += 1
        return outcome, result if isinstance(result, Reply) else None, attempt

    # -- intents, each by itself or several in one commit

    def intend_together(self, chains: Sequence[Chain]) -> Callable[[], None]:
        """The chains' creates are prepared, their intents on the way to the disk; when what comes back
        was called, they are durable and may be sent by `perform`, or are not there.

        Those that need no request have ended. One that cannot be prepared has no intent, nor have
        those behind it: `perform` meets its error again and says what follows from it.
        """
        prepared: list[tuple[Act, Ready, str]] = []
        since = self.throttle.monotonic()
        with suppress(HnbulkError):
            for (act,) in chains:
                ready = self.work.prepare(act, self.desk, again=False)
                if isinstance(ready, Ready):
                    prepared.append((act, ready, ready.request.fingerprint()))
                else:
                    self._count_taken_over(act, ready)
                    self.end(ready)
        if not prepared or self.journal.failing or self.throttle.stopping:
            return lambda: None
        durable = self._intend(prepared)

        def wait() -> None:
            with suppress(JournalError):
                attempts = durable()
                for (act, ready, _), attempt in zip(prepared, attempts, strict=True):
                    self._ahead[act] = _Ahead(ready, attempt, since)

        return wait

    def take_back(self, chains: Sequence[Chain]) -> None:
        """Intents of these that were not sent after all are recorded as that."""
        for chain in chains:
            for act in chain:
                if (ahead := self._ahead.pop(act, None)) is not None:
                    self._record_not_sent(ahead.attempt, "not-begun")

    def may_share(self, chain: Chain) -> bool:
        """The chain is one create that was never sent: its intent may be durable ahead of its turn."""
        (act, *more) = chain
        fresh = act not in self.sent or self.sent[act].attempts == 0
        return not more and fresh and self._operation(act) is Operation.CREATE

    def _ready(self, act: Act) -> Ready | None:
        """What was prepared ahead, where that is not too long ago to be believed."""
        ahead = self._ahead.get(act)
        if ahead is None:
            return None
        if self.throttle.monotonic() - ahead.since > _LONGEST_AHEAD:
            self.take_back([(act,)])
            return None
        return ahead.ready

    def _take_ahead(self, act: Act) -> int | None:
        ahead = self._ahead.pop(act, None)
        return None if ahead is None else ahead.attempt

    def _intend(self, prepared: Sequence[tuple[Act, Ready, str]]) -> Callable[[], list[int]]:
        """The intents are on the way to the disk, in one commit; what comes back waits and gives their
        attempts, or raises `JournalError`: then none of them is there."""
        wall, mono = self.desk.clock.now(), self.throttle.monotonic()
        intents = []
        for act, ready, fingerprint in prepared:
            failpoint("before_intent")
            n, operation = self._sent(act).attempts + 1, str(self._operation(act))
            intents.append(Intent(act.first, n, operation, fingerprint, wall, mono, ready.fence))
        durable = self.journal.intend_soon(self.run_id, intents)

        def wait() -> list[int]:
            attempts = durable()
            for act, _, fingerprint in prepared:
                known = self._sent(act)
                known.attempts += 1
                known.fingerprint = fingerprint
            return attempts

        return wait

    def _record_not_sent(self, attempt: int, reason: str) -> None:
        outcome = Outcome(OutcomeKind.NOT_SENT, reason)
        self.journal.record(self.run_id, results=[_result(attempt, outcome, self.desk.clock.now())])

    def _changed(self, act: Act) -> list[Ending]:
        note = "not sent again: it would be another request than the first time"
        return [
            Ending(
                step, State.REVIEW, code="changed", message=note, next_step="look at it, then plan again"
            )
            for step in self.open_steps(act)
        ]

    def _conclude(
        self, chain: Chain, act: Act, ready: Ready, outcome: Outcome, reply: Reply | None, attempt: int
    ) -> bool:
        try:
            if reply is not None:
                endings = self.work.done(act, outcome, reply, self.desk)
            else:
                endings = self._refused(act, outcome)
        except HnbulkError:
            # what it amounts to could not be read: a look later will tell
            self._doubt(chain, act, ready, outcome, attempt)
            raise
        if reply is None:
            self._count_taken_over(act, endings)
        self._watch_first(refused=reply is None and any(one.state is not State.DONE for one in endings))
        self.end([*endings, *ready.set_apart], results=[_result(attempt, outcome, self.desk.clock.now())])
        failpoint("after_outcome")
        return True

    def _refused(self, act: Act, outcome: Outcome) -> list[Ending]:
        try:
            return self.work.refused(act, outcome, self.desk)
        except Halted:
            if self._sent(act).possible:
                raise
            # nothing of it can be there: with the run stopping, the service's own no is enough
            return [refusal(step, None, outcome, "change the row") for step in self.open_steps(act)]

    def _doubt(self, chain: Chain, act: Act, ready: Ready, outcome: Outcome, attempt: int) -> None:
        now = self.desk.clock.now()
        doubt = Doubt(chain, act, attempt, dict(ready.fence), now, self.throttle.monotonic())
        endings = [
            Ending(step, State.IN_DOUBT, code=outcome.reason, next_step="resume the run")
            for step in self.open_steps(act)
        ]
        self.end(endings, results=[_result(attempt, outcome, now)])
        with self._lock:
            self.doubts.append(doubt)
        if self.too_many_doubts:
            self.throttle.hold()

    def _succeeded(self, act: Act) -> bool:
        return all(self.tally.state(step) is State.DONE for step in act.steps)

    def _give_up_rest(self, chain: Chain, failed: Act) -> None:
        rest = chain[chain.index(failed) + 1 :]
        if self.open_steps(failed):
            return
        self.end(
            [
                Ending(step, State.REFUSED, code="no-order", message="not sent: the step before it failed")
                for act in rest
                for step in self.open_steps(act)
            ]
        )

    def _count_taken_over(self, act: Act, endings: Sequence[Ending]) -> None:
        with self._lock:
            if self.sent.get(act, Sent()).possible == 0:
                self.taken_over += sum(one.code == ADOPTED for one in endings)

    def _watch_first(self, *, refused: bool) -> None:
        """Half or more of the first refused: the sheet is wrong, not the rows."""
        with self._lock:
            self._first.seen += 1
            self._first.refused += refused
            first = self._first
            if first.seen != _FIRST or first.refused * 2 < _FIRST:
                return
        self.throttle.stop(
            f"{first.refused} of the first {_FIRST} requests were refused; the rest was not sent. "
            "Look at the error file before resuming."
        )

    def _operation(self, act: Act) -> Operation:
        return self.work.operation(act, self.desk)

    def _sent(self, act: Act) -> Sent:
        with self._lock:
            return self.sent.setdefault(act, Sent())


def sent_before(attempts: Sequence[Attempt]) -> Sent:
    """What the journal's attempts of one act say about sending it again."""
    return Sent(
        attempts=max((attempt.n for attempt in attempts), default=0),
        possible=sum(maybe_sent(attempt) for attempt in attempts),
        fingerprint=attempts[0].fingerprint if attempts else None,
    )


def maybe_sent(attempt: Attempt) -> bool:
    """The service may have processed the attempt, for all the journal knows."""
    return attempt.kind == ABSENT or is_doubtful(attempt)


def is_doubtful(attempt: Attempt) -> bool:
    """Nobody has found out what came of the attempt: no result, or one that settles nothing.

    A reply whose meaning was not recorded with it (the process died in between) is one of these.
    """
    if attempt.kind is None:
        return True
    kind = OutcomeKind(attempt.kind) if attempt.kind != ABSENT else None
    if kind in (OutcomeKind.DONE, OutcomeKind.REJECTED):
        return True
    return kind is not None and maybe_processed(Outcome(kind, attempt.reason or ""))


def _result(attempt: int, outcome: Outcome, at: datetime) -> Result:
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


def _exit_code(outcome: Outcome) -> int:
    refused = outcome.reason in {"status-401", "status-403", "no-access"}
    return AccessRefused.exit_code if refused else RunStopped.exit_code


def _why_stopped(outcome: Outcome) -> str:
    if _exit_code(outcome) == AccessRefused.exit_code:
        code = f", code {outcome.code}" if outcome.code else ""
        return (
            f"the service refused access ({outcome.reason}{code}). Check the credentials and that the "
            "account has the Hosted Numbers preview."
        )
    return f"the other side does not answer like the service ({outcome.reason}). Check the address."
