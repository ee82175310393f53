"""What holds a run back: the account's rate, its own concurrency, the breaker, a pause, a stop.

Every request of a run passes through a `slot` here, reads and writes alike; what is read by hand
meanwhile passes through the same `Gate`, so that both together keep the rate. The rules are those
of `pacing`; this gives them one lock, a clock and a sleep. It sends nothing itself.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hnbulk.errors import RunStopped
from hnbulk.messages import FailureKind
from hnbulk.outcome import Operation, Outcome, OutcomeKind
from hnbulk.pacing import (
    LONGEST_RETRY_AFTER,
    Breaker,
    Concurrency,
    RetryBudget,
    SlidingWindow,
    delay_after,
)
from hnbulk.settings import Pace

#: A start is counted a little wider than a second, for what happens between start and arrival.
_WINDOW = 1.02
_SLICE = 0.5
#: A wait from so many seconds on is told.
_WORTH_TELLING = 5.0
_TRANSPORT = frozenset(str(kind) for kind in FailureKind)


class Halted(RunStopped):
    """The run was told to stop before this request could start; it was not sent."""

    code = "halted"


class Gate:
    """The one rate of an account: every request to it starts through here, whoever sends it."""

    def __init__(
        self,
        rate: float | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.monotonic = monotonic
        self.sleep = sleep
        self._window = SlidingWindow(rate, _WINDOW)
        self._turn = threading.Lock()

    def __call__(self, stopped: Callable[[], bool] = lambda: False) -> bool:
        """One more request may start now, and is counted. False where `stopped` came first."""
        with self._turn:  # kept while waiting: starts happen in the order they were counted
            start = self._window.reserve(now := self.monotonic())
            while start > now:
                if stopped():
                    return False
                self.sleep(min(start - now, _SLICE))
                now = self.monotonic()
        return True

    @contextmanager
    def at(self, rate: float | None) -> Iterator[None]:
        """Inside, the rate is this one, for everybody; afterwards it is what it was."""
        usual = self._change(rate)
        try:
            yield
        finally:
            self._change(usual)

    def _change(self, rate: float | None) -> float | None:
        with self._turn:
            before = self._window.rate
            self._window.change(rate)
        return before


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
        self._change = threading.Condition()
        self._under_way = 0
        self._sent = 0  # of those under way, how many have passed the gate
        self._waiting = ""
        self._concurrency = Concurrency(pace.connections, pace.connections)
        self._breaker = Breaker()
        self._budget = RetryBudget()
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
        """No further row is begun until `resume`."""
        return self._paused and not self._stopping

    @property
    def waiting(self) -> str:
        """What the requests wait for, in words; empty where they go out. Changes once a wait."""
        return self._waiting

    def stop(self, reason: str, *, exit_code: int = 6, interrupted: bool = False) -> None:
        """No further request starts; the first reason counts."""
        with self._change:
            if not self._stopping:
                self.reason, self.exit_code = reason, exit_code
                self._waiting = _stopping_with(self._sent)
            self.interrupted = self.interrupted or interrupted
            self._stopping = True
            self._change.notify_all()

    def pause(self) -> None:
        """Rows wait to be begun."""
        with self._change:
            self._paused = True

    def resume(self) -> None:
        """Rows are begun again."""
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
        """A row may be begun. Waits while paused; False once the run stops or holds."""
        with self._change:
            while self._paused and not self._stopping:
                self._change.wait()
        return not (self._stopping or self._holding)

    def may_go_on(self) -> bool:
        """A request may be prepared: not stopping, and the service answers. Waits while it does not."""
        while self._breaker.is_open and not self._stopping:
            self._try_the_service()
        return not self._stopping

    def rest(self, seconds: float) -> None:
        """Time has passed on the pace clock, less where the run stops meanwhile."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0 and not self._stopping:
            self._gate.sleep(min(left, _SLICE))

    # -- one request

    @contextmanager
    def slot(self, operation: Operation) -> Iterator[None]:
        """Inside, one request is under way and counted. Raises `Halted` where the run stops first."""
        self._enter(probe=operation is Operation.READ)
        with self._change:
            self._sent += 1
        try:
            yield
        finally:
            with self._change:
                self._sent -= 1
                self._under_way -= 1
                self._change.notify()

    def note(self, outcome: Outcome) -> None:
        """The rules know what came of a request."""
        now = self.monotonic()
        with self._change:
            if outcome.kind is OutcomeKind.NOT_PROCESSED:
                self._concurrency.on_busy(now)
            if is_down(outcome):
                before = self._breaker.wait(now)
                self._breaker.on_failure(now)
                if (wait := self._breaker.wait(now)) > before:
                    self._say(_trying_again("does not answer", wait))
                return
            self._breaker.on_success()
            self._say("")
            if outcome.kind in (OutcomeKind.DONE, OutcomeKind.REJECTED):
                self._concurrency.on_success(now)
                self._budget.on_success()

    def may_retry(self, outcome: Outcome) -> bool:
        """The budget allows one more try. A busy reply costs nothing: it was never acted on."""
        if outcome.kind is OutcomeKind.NOT_PROCESSED:
            return True
        with self._change:
            return self._budget.spend(timeout=outcome.reason.endswith("timeout"))

    def rest_after(self, outcome: Outcome, tried: int) -> None:
        """The wait between two tries is over. A very long `Retry-After` stops the run instead."""
        if outcome.retry_after is not None and outcome.retry_after > LONGEST_RETRY_AFTER:
            self.stop(f"the service asks to wait {outcome.retry_after:.0f} s; resume after that.")
            return
        delay = delay_after(str(outcome.kind), tried, outcome.retry_after, self._chance)
        words = _trying_again("does not answer" if is_down(outcome) else "is busy", delay)
        if delay >= _WORTH_TELLING and not self._waiting:
            self._say(words)
        self.rest(delay)
        if self._waiting == words:
            self._say("")

    def _say(self, words: str) -> None:
        if not self._stopping:
            self._waiting = words

    def _enter(self, *, probe: bool) -> None:
        while not self._took_place(probe=probe):
            self.rest(min(_SLICE, max(self._breaker.wait(self.monotonic()), 0.01)))
            self._give_up_if_hopeless()
        try:
            if not self._gate(lambda: self._stopping):
                raise Halted(self.reason or "the run is stopping")
        except BaseException:
            with self._change:
                self._under_way -= 1
                self._change.notify()
            raise

    def _took_place(self, *, probe: bool) -> bool:
        """One more is under way. False where the breaker is open and this may not try it."""
        with self._change:
            while self._under_way >= self._concurrency.limit and not self._stopping:
                self._change.wait()
            if self._stopping:
                raise Halted(self.reason or "the run is stopping")
            if not self._breaker.may_send(self.monotonic(), probe=probe):
                return False
            self._under_way += 1
            return True

    def _try_the_service(self) -> None:
        self._give_up_if_hopeless()
        wait = self._breaker.wait(self.monotonic())
        if wait > 0:
            self.rest(min(wait, _SLICE))
        elif not self._stopping:
            self.probe()

    def _give_up_if_hopeless(self) -> None:
        if self._breaker.given_up(self.monotonic()):
            self.stop("the service has not answered for ten minutes; resume when it does.")


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
