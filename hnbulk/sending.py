"""One act sent at most as often as it may be: intent durable, one byte or none, outcome recorded.

This is the only place that sends a write. An outcome that leaves room for doubt is handed on as
a doubt and never sent again from here.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from hnbulk.attempts import Doubt, Sent
from hnbulk.client import Client
from hnbulk.entries import Ended, Result
from hnbulk.errors import AccessRefused, HnbulkError, JournalError, RunStopped, ServiceUnreachable
from hnbulk.failpoints import failpoint
from hnbulk.intents import HALTED, WAITED, Intents, Prepared, result_of
from hnbulk.journal import Journal
from hnbulk.looks import BELIEVED
from hnbulk.messages import Reply
from hnbulk.outcome import Operation, Outcome, OutcomeKind, classify, maybe_processed
from hnbulk.pacing import BUSY_ATTEMPTS, BUSY_PATIENCE, SEND_ATTEMPTS
from hnbulk.progress import OPEN_STATES, Tally
from hnbulk.steps import Action, Ending, State
from hnbulk.stoprules import MOST_FORBIDDEN, StopRules, why_stopped
from hnbulk.throttle import Halted, Paused, Throttle
from hnbulk.work import (
    NO_ACCESS,
    Act,
    Chain,
    Desk,
    Ready,
    Work,
    another_request,
    no_access,
)

#: How often a request that was not processed is tried in all (safety rules, section 3 and 2.5).
TRIES = {
    OutcomeKind.NOT_SENT: SEND_ATTEMPTS,
    OutcomeKind.NOT_PROCESSED: BUSY_ATTEMPTS,
    OutcomeKind.STOP_RUN: MOST_FORBIDDEN,
}
CALL_TRIES = {**TRIES, OutcomeKind.NOT_PROCESSED: 3}
#: The code of a done create whose order was found, not made.
ADOPTED = "adopted"
_MOST_DOUBTS, _DOUBT_SHARE = 20, 0.05
#: How often a request is prepared anew because it waited too long: at a pace of a request a minute
#: it would always have.
_MOST_WAITS = 3
FORBIDDEN = "status-403"


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
    sent_earlier: int = 0  # requests that the run sent before it was resumed
    doubts: list[Doubt] = field(default_factory=list)
    left: list[Chain] = field(default_factory=list)  # pending: the service could not be asked about them
    taken_over: int = 0  # creates whose order was there before this run sent anything of them
    rules: StopRules = field(init=False)
    intents: Intents = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.rules = StopRules(self.throttle, self.desk.plan.header.account_sid)
        self.intents = Intents(self.run_id, self.work, self.desk, self.journal, self.throttle.monotonic)

    @property
    def sent(self) -> dict[Act, Sent]:
        """What is known of the attempts of each act that has any."""
        return self.intents.sent

    def perform(self, chain: Chain) -> bool:
        """The chain's acts are ended, in doubt, or pending where the run stops or rests. False where it
        is paused before their next write: the chain is to be performed again after the pause.

        An error of the service or the journal stops the run; the row is then as the journal has it.
        """
        try:
            for act in chain:
                if self.open_steps(act) and not self._perform(chain, act):
                    break
                if not self._succeeded(act):
                    self._give_up_rest(chain)
                    break
        except Paused:
            return False
        except Halted:
            pass
        except HnbulkError as error:
            code = error.exit_code if isinstance(error, AccessRefused) else RunStopped.exit_code
            self.throttle.stop(error.message, exit_code=code)
        return True

    def known(self, act: Act) -> Sent:
        """What is known of the act's attempts; its own to change."""
        return self.intents.known(act)

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
        if step.action is not Action.CREATE or ending.code == NO_ACCESS:
            return Ended(ending)
        return Ended(ending, step.content_hash(), step.number_hash())

    @property
    def too_many_doubts(self) -> bool:
        """More is in doubt than may pile up before it is looked into."""
        sent = self.sent_earlier + self.tally.sent
        return len(self.doubts) > max(_MOST_DOUBTS, _DOUBT_SHARE * sent)

    def take_left(self) -> list[Chain]:
        """The chains that were left pending since this was asked last, each once."""
        with self._lock:
            left, self.left = self.left, []
        return list(dict.fromkeys(left))

    # -- several acts ahead of their turn

    def may_share(self, chain: Chain) -> bool:
        """The chain is one create that was never sent: its intent may be durable ahead of its turn.

        Where orders have no name, none: ours is told by the time of its request then.
        """
        (act, *more) = chain
        fresh = act not in self.sent or self.sent[act].attempts == 0
        named = self.desk.lookups.dialect.has_unique_name
        return named and fresh and not more and self._operation(act) is Operation.CREATE

    def intend_together(self, chains: Sequence[Chain]) -> Callable[[], None]:
        """The chains' creates are prepared, their intents on the way to the disk; when what comes back
        was called, they are durable and may be sent by `perform`, or are not there.

        Those that need no request have ended. Where one cannot be prepared, those behind it are not:
        `perform` meets its error and says what follows from it.
        """
        prepared: list[Prepared] = []
        for (act,) in chains:
            if self.throttle.paused or not self.throttle.may_go_on():
                break
            since = self.throttle.monotonic()
            try:
                ready = self._prepare(act)
            except HnbulkError as error:
                self.intents.met(act, error)
                break
            if isinstance(ready, Ready):
                prepared.append(Prepared(act, ready, since))
            else:
                self.end(ready)
        held_back = self.throttle.stopping or self.throttle.paused
        if not prepared or self.journal.failing or held_back:
            return lambda: None
        return self.intents.write_ahead(prepared)

    def take_back(self, chains: Sequence[Chain]) -> None:
        """Intents of these that were not sent after all are recorded as that."""
        for chain in chains:
            for act in chain:
                self.intents.take_back(act)

    # -- one act

    def _perform(self, chain: Chain, act: Act) -> bool:
        """The act has ended. False where it is in doubt, or pending because it may not go on.

        Raises `Paused` where the run is paused before a write; its intent is not left waiting.
        """
        tries = CALL_TRIES if self._operation(act) is Operation.CALL else TRIES
        tried: Counter[OutcomeKind] = Counter()
        waits, until = 0, math.inf
        while self.throttle.may_go_on(write=True):
            seen = self.throttle.monotonic()
            try:
                if (ahead := self.intents.ahead(act)) is not None:
                    seen = ahead.since
                ready = self._prepare(act, ahead)
            except ServiceUnreachable as error:
                self._leave(chain, error)
                return False
            except AccessRefused as error:
                if error.facts.get("status") != 403:
                    raise
                outcome = Outcome(OutcomeKind.STOP_RUN, FORBIDDEN, error.facts.get("api_code"))
            else:
                if not isinstance(ready, Ready):
                    self.end(ready)
                    return True
                latest = seen + BELIEVED.total_seconds() if waits < _MOST_WAITS else math.inf
                outcome, reply, attempt = self._send(act, ready, latest)
                if outcome == WAITED:
                    waits += 1
                    continue
                if outcome.kind in (OutcomeKind.DONE, OutcomeKind.REJECTED):
                    return self._conclude(chain, act, ready, outcome, reply, attempt)
                if maybe_processed(outcome):
                    self.rules.told_to_stop(outcome)
                    self._doubt(chain, act, ready, outcome, attempt)
                    return False
            self._heed(act, outcome)
            if self._account(act) in self.rules.closed:
                continue
            tried[outcome.kind] += 1
            if tried[outcome.kind] >= tries[outcome.kind] or not self.throttle.may_retry(outcome):
                return False
            if outcome.kind is OutcomeKind.NOT_PROCESSED:
                until = min(until, self.throttle.monotonic() + BUSY_PATIENCE)
            if not self.throttle.rest_after(outcome, tried[outcome.kind] - 1, until=until):
                return False
        return False

    def _heed(self, act: Act, outcome: Outcome) -> None:
        """What was not carried out stops the run, or closes an account to it, where it says so."""
        if outcome.reason == FORBIDDEN:
            why = why_stopped(outcome, refused=True)
            self.rules.forbidden(self._account(act), why, once=self._operation(act) is Operation.CALL)
        else:
            self.rules.told_to_stop(outcome)

    def _prepare(self, act: Act, ahead: Prepared | None = None) -> Ready | list[Ending]:
        known = self.known(act)
        if self._account(act) in self.rules.closed:
            return [no_access(step) for step in self.open_steps(act)]
        if ahead is not None:
            return ahead.ready
        if known.possible >= self.work.most_sends(act, self.desk):
            return self.work.unknown(act, self.desk)
        ready = self.work.prepare(act, self.desk, again=known.attempts > 0)
        self.rules.looked_at()
        if not isinstance(ready, Ready):
            self._count_taken_over(act, ready)
        elif known.fingerprint not in (None, ready.request.fingerprint()):
            return [another_request(step) for step in self.open_steps(act)]
        return ready

    def _leave(self, chain: Chain, error: ServiceUnreachable) -> None:
        """The chain stays pending, to be tried once more after the others."""
        with self._lock:
            self.left.append(chain)
        self.rules.left(error)

    def _send(self, act: Act, ready: Ready, latest: float) -> tuple[Outcome, Reply | None, int]:
        """What came of one request; recorded, where it was not carried out. `WAITED` where it could not
        start until `latest`: what it rests on is too old then, and nothing was sent."""
        operation = self._operation(act)
        known = self.known(act)
        if self.journal.failing:
            raise JournalError(
                f"the journal cannot be written; nothing more is sent. {self.journal.what_to_do}."
            )
        self.throttle.refuse_paused()
        written = self.intents.write(act, ready)
        attempt = written.attempt
        failpoint("after_intent")
        try:
            with self.throttle.slot(operation):
                if self.throttle.monotonic() > latest:
                    self.intents.record(attempt, WAITED)
                    return WAITED, None, attempt
                self.tally.add_sent()
                result = self.client.send(ready.request)
        except Halted:
            self.intents.record(attempt, HALTED)
            raise
        failpoint("after_response")
        outcome = classify(operation, result, ready.expected)
        self.throttle.note(outcome)
        if maybe_processed(outcome) or outcome.kind is OutcomeKind.DONE:
            known.possible += 1
            self.desk.note_sent(act.first, written.wall)
        elif outcome.kind is not OutcomeKind.REJECTED:
            self.intents.record(attempt, outcome)
        return outcome, result if isinstance(result, Reply) else None, attempt

    def _conclude(
        self, chain: Chain, act: Act, ready: Ready, outcome: Outcome, reply: Reply | None, attempt: int
    ) -> bool:
        try:
            if reply is not None and outcome.kind is OutcomeKind.DONE:
                endings = self.work.done(act, outcome, reply, self.desk)
            else:
                endings = self._refused(act, ready, outcome)
        except (Halted, ServiceUnreachable) as error:
            if outcome.kind is OutcomeKind.REJECTED and not self.known(act).possible:
                self._put_off(chain, outcome, attempt, error)
            else:
                self._doubt(chain, act, ready, outcome, attempt)
            return False
        except HnbulkError:
            # what it amounts to could not be read: a look later will tell
            self._doubt(chain, act, ready, outcome, attempt)
            raise
        if not endings:
            self._doubt(chain, act, ready, outcome, attempt)
            return False
        refused = outcome.kind is OutcomeKind.REJECTED
        if refused:
            self._count_taken_over(act, endings)
        self.rules.answered(refused=refused and any(one.state is not State.DONE for one in endings))
        failpoint("before_outcome")
        self.end([*endings, *ready.set_apart], results=[result_of(attempt, outcome, self.desk.clock.now())])
        failpoint("after_outcome")
        return True

    def _refused(self, act: Act, ready: Ready, outcome: Outcome) -> list[Ending]:
        """What the service's no amounts to; empty where that is in doubt, for an earlier attempt may be
        why it said no."""
        operation = self._operation(act)
        if self.known(act).possible and operation is not Operation.CALL:
            found = self.work.settle(act, ready.fence, self.desk)
            if found is not None or operation in (Operation.CREATE, Operation.LETTER):
                return found or []
        return self.work.refused(act, outcome, self.desk)

    def _put_off(self, chain: Chain, outcome: Outcome, attempt: int, error: HnbulkError) -> None:
        """Refused because something is there, and it could not be looked at what. Nothing of ours can be:
        the act is pending, as if its request was not processed."""
        self.intents.record(attempt, replace(outcome, kind=OutcomeKind.NOT_PROCESSED))
        if isinstance(error, ServiceUnreachable):
            self._leave(chain, error)

    def _doubt(self, chain: Chain, act: Act, ready: Ready, outcome: Outcome, attempt: int) -> None:
        now = self.desk.clock.now()
        doubt = Doubt(chain, act, attempt, dict(ready.fence), now, self.throttle.monotonic())
        if outcome.kind is OutcomeKind.REJECTED:
            # a no that is not believed counts as a request that may have been carried out
            self.known(act).possible += 1
            doubt.refused = outcome
        endings = [
            Ending(step, State.IN_DOUBT, code=outcome.reason, next_step="resume the run")
            for step in self.open_steps(act)
        ]
        failpoint("before_outcome")
        self.end(endings, results=[result_of(attempt, outcome, now)])
        with self._lock:
            self.doubts.append(doubt)
        if self.too_many_doubts:
            self.throttle.hold()

    def _succeeded(self, act: Act) -> bool:
        return all(self.tally.state(step) is State.DONE for step in act.steps)

    def _give_up_rest(self, chain: Chain) -> None:
        self.end(
            [
                Ending(step, State.REFUSED, code="no-order", message="not sent: the step before it failed")
                for act in chain
                for step in self.open_steps(act)
            ]
        )

    def _count_taken_over(self, act: Act, endings: Sequence[Ending]) -> None:
        with self._lock:
            if self.sent.get(act, Sent()).possible == 0:
                self.taken_over += sum(one.code == ADOPTED for one in endings)

    def _account(self, act: Act) -> str:
        return self.desk.account_of(self.desk.step(act))

    def _operation(self, act: Act) -> Operation:
        return self.work.operation(act, self.desk)
