"""What holds a run back: the account's rate, its own concurrency, the breaker, a pause, a stop.

Every request of a run passes through a `slot` here, reads and writes alike; what is read by hand
meanwhile passes through the same `Gate`, so that both together keep the rate. The rules are those
of `pacing`; this gives them one lock, a clock and a sleep. It sends nothing itself.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from hnbulk.errors import RunStopped
from hnbulk.gate import Gate as Gate
from hnbulk.messages import FailureKind
from hnbulk.outcome import Operation, Outcome, OutcomeKind
from hnbulk.pacing import (
    LONGEST_RETRY_AFTER,
    Breaker,
    Concurrency,
    Recent,
    RetryBudget,
    delay_after,
)
from hnbulk.settings import Pace

_SLICE = 0.5
#: A wait from so many seconds on is told.
_WORTH_TELLING = 5.0
#: No free connection is our own doing and says nothing of the service.
_TRANSPORT = frozenset(str(kind) for kind in FailureKind) - {FailureKind.POOL_TIMEOUT}


class Bucket(StrEnum):
    """Which budget a retry is charged to."""

    REQUESTS = "requests"
    DOUBTS = "doubts"  # looking up what is in doubt must not starve because the rest fails


class Halted(RunStopped):
    """The run was told to stop before this request could start; it was not sent."""

    code = "halted"


class Paused(Halted):
    """The run was paused before this write could start; it was not sent, and may be after the pause."""


class Throttle:
    """One run's pace and its stop switch. Threads share it."""

    def __init__(
        self, pace: Pace, gate: Gate | None = None, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._gate = gate or Gate(pace.rate)
        self.monotonic = self._gate.monotonic
        self.probe: Callable[[], None] = lambda: None  # one read, to try a service that was down
        self.reason = ""
        self.exit_code = 0
        self.interrupted = False
        self._chance = chance
        lock = threading.RLock()
        self._change = threading.Condition(lock)  # of the switch
        self._freed = threading.Condition(lock)  # a place; apart, or a paused row takes the wake-up
        self._under_way = 0
        self._sent = 0  # of those under way, how many have passed the gate
        self._waiting = ""
        self._concurrency = Concurrency(pace.connections, pace.most_connections)
        self._breaker = Breaker()
        self._budgets = {bucket: RetryBudget() for bucket in Bucket}
        self._started = Recent()
        self._busy = 0
        self._stopping = False
        self._holding = False
        self._paused = False

    # -- the switch

    @property
    def stopping(self) -> bool:
        """No further request may start."""
        return self._stopping

    @property
    def paused(self) -> bool:
        """No write starts until `resume`."""
        return self._paused and not self._stopping

    @property
    def waiting(self) -> str:
        """What the requests wait for, in words; empty where they go out. Changes once a wait."""
        return self._waiting

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return self._concurrency.limit

    @property
    def busy(self) -> int:
        """How often the service said that it is busy (429), so far."""
        return self._busy

    @property
    def rate(self) -> float:
        """Starts a second, over the last ten seconds."""
        with self._change:
            return self._started.rate(self.monotonic())

    def stop(self, reason: str, *, exit_code: int = 6, interrupted: bool = False) -> None:
        """No further request starts; the first reason counts."""
        with self._change:
            if not self._stopping:
                self.reason, self.exit_code = reason, exit_code
                self._waiting = _stopping_with(self._sent)
            self.interrupted = self.interrupted or interrupted
            self._stopping = True
            self._change.notify_all()
            self._freed.notify_all()

    def pause(self) -> None:
        """No write starts any more; one that waits for its turn is given up, and may be tried later."""
        with self._change:
            self._paused = True
            self._freed.notify_all()

    def resume(self) -> None:
        """Writes start again."""
        with self._change:
            self._paused = False
            self._change.notify_all()

    def hold(self) -> None:
        """No row is begun until the coordinator has looked into what is in doubt."""
        self._holding = True

    def release_hold(self) -> bool:
        """Rows may be begun again; whether they were held."""
        held, self._holding = self._holding, False
        return held

    def may_start(self) -> bool:
        """A row may be begun, but for a pause: the run neither stops nor holds."""
        return not (self._stopping or self._holding)

    def wait_out_pause(self) -> None:
        """The run is not paused any more, or it stops."""
        with self._change:
            while self._paused and not self._stopping:
                self._change.wait()

    def may_go_on(self, *, write: bool = False) -> bool:
        """A request may be prepared: not stopping, and the service answers. Waits while it does not.

        Raises `Paused` where it is for a write and the run is paused.
        """
        while not self._stopping:
            if write:
                self.refuse_paused()
            if not self._breaker.is_open:
                return True
            self._try_the_service()
        return False

    def refuse_paused(self) -> None:
        """Raises `Paused` while the run is paused."""
        if self.paused:
            raise _paused()

    def rest(self, seconds: float) -> None:
        """Time has passed on the pace clock, less where the run stops meanwhile."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0 and not self._stopping:
            self._gate.sleep(min(left, _SLICE))

    # -- one request

    @contextmanager
    def slot(self, operation: Operation) -> Iterator[None]:
        """Inside, one request is under way and counted. Raises `Halted` where the run stops first, and
        `Paused` where it is paused first and this is a write."""
        self._enter(read=operation is Operation.READ)
        with self._change:
            self._sent += 1
            self._started.add(self.monotonic())
        try:
            yield
        finally:
            self._gate.left()
            with self._change:
                self._sent -= 1
                self._leave()

    def note(self, outcome: Outcome) -> None:
        """The rules know what came of a request."""
        now = self.monotonic()
        with self._change:
            if outcome.reason == FailureKind.POOL_TIMEOUT:
                return
            if outcome.kind is OutcomeKind.NOT_PROCESSED:
                self._busy += 1
                self._concurrency.on_busy(now, under_way=outcome.under_way)
            if is_down(outcome):
                before = self._breaker.wait(now)
                self._breaker.on_failure(now)
                if (wait := self._breaker.wait(now)) > before:
                    self._say(_trying_again("does not answer", wait))
                return
            self._breaker.on_success()
            self._say("")
            if outcome.kind in (OutcomeKind.DONE, OutcomeKind.REJECTED):
                self._concurrency.on_success(now, under_way=outcome.under_way)
                for budget in self._budgets.values():
                    budget.on_success()

    def may_retry(self, outcome: Outcome, bucket: Bucket = Bucket.REQUESTS) -> bool:
        """The budget allows one more try. A busy reply costs nothing: it was never acted on."""
        if outcome.kind is OutcomeKind.NOT_PROCESSED:
            return True
        with self._change:
            return self._budgets[bucket].spend(timeout=outcome.reason.endswith("timeout"))

    def rest_after(self, outcome: Outcome, tried: int, *, until: float = math.inf) -> bool:
        """The wait between two tries is over. False where it would end after `until`, and there was
        none. A very long `Retry-After` stops the run instead."""
        if outcome.retry_after is not None and outcome.retry_after > LONGEST_RETRY_AFTER:
            self.stop(f"the service asks to wait {outcome.retry_after:.0f} s; resume after that.")
            return False
        delay = delay_after(str(outcome.kind), tried, outcome.retry_after, self._chance)
        if self.monotonic() + delay > until:
            return False
        words = _trying_again("does not answer" if is_down(outcome) else "is busy", delay)
        if delay >= _WORTH_TELLING and not self._waiting:
            self._say(words)
        self.rest(delay)
        if self._waiting == words:
            self._say("")
        return True

    def _say(self, words: str) -> None:
        if not self._stopping:
            self._waiting = words

    def _enter(self, *, read: bool) -> None:
        def given_up() -> bool:
            return self._stopping or (self._paused and not read)

        while not self._took_place(given_up, probe=read):
            self.rest(min(_SLICE, max(self._breaker.wait(self.monotonic()), 0.01)))
            self._give_up_if_hopeless()
        try:
            if not self._gate.enter(given_up) or given_up():
                raise self._halted()
        except BaseException:
            self._gate.left()
            self._leave()
            raise

    def _halted(self) -> Halted:
        return Halted(self.reason or "the run is stopping") if self._stopping else _paused()

    def _took_place(self, given_up: Callable[[], bool], *, probe: bool) -> bool:
        """One more is under way. False where the breaker is open and this may not try it."""
        with self._change:
            while self._under_way >= self._concurrency.limit and not given_up():
                self._freed.wait()
            if given_up():
                raise self._halted()
            if not self._breaker.may_send(self.monotonic(), probe=probe):
                self._freed.notify_all()  # who waits for this place would wait on
                return False
            self._under_way += 1
            return True

    def _leave(self) -> None:
        with self._change:
            self._under_way -= 1
            # as many as there are places: the limit may have grown since the last one left
            self._freed.notify(max(0, self._concurrency.limit - self._under_way))

    def _try_the_service(self) -> None:
        wait = self._breaker.wait(self.monotonic())
        if wait > 0:
            self.rest(min(wait, _SLICE))
        elif not self._stopping:
            self.probe()
        self._give_up_if_hopeless()  # after the probe: during a pause nobody has tried

    def _give_up_if_hopeless(self) -> None:
        if self._breaker.given_up(self.monotonic()):
            self.stop("the service has not answered for ten minutes; resume when it does.")


def _paused() -> Paused:
    return Paused("the run is paused")


def _trying_again(trouble: str, seconds: float) -> str:
    return f"the service {trouble}; trying again in {seconds:.0f} s"


def _stopping_with(sent: int) -> str:
    if not sent:
        return "stopping; no reply is under way"
    replies = "1 reply" if sent == 1 else f"{sent} replies"
    return f"stopping; waiting for {replies} under way"


def is_down(outcome: Outcome) -> bool:
    """The request failed on the way, or the service answered that it is broken."""
    return outcome.reason in _TRANSPORT or outcome.reason.startswith("status-5")
