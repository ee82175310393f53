"""How fast, how long until the next try, and when to stop trying: rules, with time as an argument.

All times are monotonic seconds and all waits are seconds. Nothing here sleeps, asks a clock
or draws a number by itself, and nothing locks: who shares one of these among threads locks.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Protocol

from hnbulk.replies import read_retry_after as read_retry_after

#: Waits after a busy reply (429): full jitter up to this base doubled each time, at most the cap.
BUSY_BASE, BUSY_CAP = 1.0, 60.0
#: Waits after a failure that may be repeated.
RETRY_BASE, RETRY_CAP = 0.25, 20.0
#: How often a busy reply, a request not sent, and a read are tried in all.
BUSY_ATTEMPTS, SEND_ATTEMPTS, READ_ATTEMPTS = 10, 5, 5
#: Seconds after its first busy reply that a request is tried no more.
BUSY_PATIENCE = 600.0
#: Seconds: who is told to come back later than this does not wait, but stops.
LONGEST_RETRY_AFTER = 300.0


class Window(Protocol):
    """What keeps a rate: `SlidingWindow` in one process, `turnstile.SharedWindow` among several."""

    @property
    def rate(self) -> float | None:
        """Requests in any one second; None is no limit."""

    def change(self, rate: float | None) -> None:
        """The rate is another from now on; starts counted so far still count."""

    def take(self, now: float, counted: float | None = None) -> float:
        """The earliest time a request may start. Where that is `now` it has started, and is counted
        there, or at `counted`; otherwise nothing is counted."""

    def settle(self, counted: float, at: float) -> None:
        """The start counted at `counted` was really at `at`."""


class SlidingWindow:
    """An exact rate: no half-open stretch of `window` seconds holds more than floor(`rate`) starts.

    A rate below one is one start every 1/rate seconds.
    """

    def __init__(self, rate: float | None, window: float = 1.0) -> None:
        self._span = window
        self._starts: list[float] = []
        self.change(rate)

    @property
    def rate(self) -> float | None:
        """Requests in any `window`; None is no limit."""
        return self._rate

    def change(self, rate: float | None) -> None:
        """The rate is another from now on; starts counted so far still count."""
        self._rate = check_rate(rate)

    def take(self, now: float, counted: float | None = None) -> float:
        """The earliest time a request may start. Where that is `now` it has started, and is counted
        there, or at `counted`; otherwise nothing is counted."""
        if self._rate is None:
            return now
        return next_start(self._starts, now, counted, rate=self._rate, span=self._span)

    def settle(self, counted: float, at: float) -> None:
        """The start counted at `counted` was really at `at`."""
        settle(self._starts, counted, at)


def check_rate(rate: float | None) -> float | None:
    """`rate`. Raises `ValueError` unless it is a positive number or None."""
    if rate is not None and not (0 < rate < math.inf):
        raise ValueError("a rate is a positive number of requests a second, or None")
    return rate


def next_start(
    starts: list[float], now: float, counted: float | None, *, rate: float, span: float
) -> float:
    """What `Window.take` says, where `starts` are all that count. Those that count no more are gone
    afterwards: older than `span`, and not among the last floor(`rate`)."""
    most = max(1, math.floor(rate))
    starts.sort()
    start = now
    if len(starts) >= most:
        whole = span if rate >= 1 else span / rate
        # one step up in floats, so that the sum is never rounded to less than a whole window
        start = max(now, math.nextafter(starts[-most] + whole, math.inf))
    del starts[: max(0, min(len(starts) - most, bisect_left(starts, now - span)))]
    if start == now:
        starts.append(now if counted is None else counted)
    return start


def settle(starts: list[float], counted: float, at: float) -> None:
    """What `Window.settle` says, on the starts that count."""
    if counted in starts:
        starts[starts.index(counted)] = at


class Recent:
    """How many a second, over the last `span` seconds; sooner, since the first one."""

    def __init__(self, span: float = 10.0) -> None:
        self._span = span
        self._times: deque[tuple[float, int]] = deque()
        self._count = 0
        self._first = math.inf

    def add(self, now: float, count: int = 1) -> None:
        """So many more, now."""
        self._first = min(self._first, now)
        self._times.append((now, count))
        self._count += count
        self._forget(now)

    def rate(self, now: float) -> float:
        """Per second; 0.0 where there were none. The first second counts as a whole one."""
        self._forget(now)
        return self._count / max(1.0, min(self._span, now - self._first))

    def _forget(self, now: float) -> None:
        while self._times and self._times[0][0] <= now - self._span:
            self._count -= self._times.popleft()[1]


def full_jitter(attempt: int, *, base: float, cap: float, chance: Callable[[], float]) -> float:
    """A wait between 0 and min(cap, base * 2^attempt), evenly spread; the first attempt is 0."""
    return chance() * min(cap, base * 2.0 ** min(attempt, 64))


def delay_after(kind: str, attempt: int, retry_after: float | None, chance: Callable[[], float]) -> float:
    """The wait before the next try, by the outcome's kind; `attempt` counts from 0.

    A `Retry-After` is a floor: the wait is never below it, and spread above it by a quarter
    of it, at least a second.
    """
    base, cap = (BUSY_BASE, BUSY_CAP) if kind == "not-processed" else (RETRY_BASE, RETRY_CAP)
    wait = full_jitter(attempt, base=base, cap=cap, chance=chance)
    if retry_after is None:
        return wait
    return max(wait, retry_after + chance() * max(1.0, retry_after / 4))


class Concurrency:
    """How many requests may be under way: up by one after calm, halved when the service is busy.

    Up after 20 successes in a row and five seconds without change; down at most once in five
    seconds; never below one. Where the service tells how many it sees under way, there is no
    step up within a fifth of the number at which it was busy.
    """

    CALM = 20
    PAUSE = 5.0

    def __init__(self, start: int = 4, maximum: int = 10) -> None:
        self._maximum = max(1, maximum)
        self._limit = min(max(1, start), self._maximum)
        self._row = 0
        self._changed = -math.inf
        self._cut = -math.inf
        self._ceiling: int | None = None

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return self._limit

    def on_success(self, now: float, *, under_way: int | None = None) -> None:
        """A request was answered. `under_way` is the service's own count, where it tells it."""
        self._row += 1
        ceiling = self._ceiling
        near = under_way is not None and ceiling is not None and under_way >= 0.8 * ceiling
        if self._row >= self.CALM and now - self._changed >= self.PAUSE and not near:
            self._row = 0
            if self._limit < self._maximum:
                self._limit += 1
                self._changed = now

    def on_busy(self, now: float, *, under_way: int | None = None) -> None:
        """The service answered that it is busy (429)."""
        self._row = 0
        if under_way is not None:
            self._ceiling = under_way
        if now - self._cut >= self.PAUSE:
            self._limit = max(1, self._limit // 2)
            self._cut = self._changed = now


class RetryBudget:
    """A bucket that retries drain and successes fill: retries stay a small part of all requests.

    A retry costs five, one after a timeout ten; a success gives one back. Busy replies are
    not charged. Look-ups of requests in doubt have a bucket of their own, or they would starve.
    """

    FULL = 100
    RETRY = 5
    TIMEOUT = 10

    def __init__(self) -> None:
        self._left = self.FULL

    @property
    def left(self) -> int:
        """What is in the bucket, 0 to 100."""
        return self._left

    def spend(self, *, timeout: bool = False) -> bool:
        """One more retry is allowed, and paid for; False where the bucket does not hold it."""
        price = self.TIMEOUT if timeout else self.RETRY
        if price > self._left:
            return False
        self._left -= price
        return True

    def on_success(self) -> None:
        """A request was answered well."""
        self._left = min(self.FULL, self._left + 1)


class Breaker:
    """Closed while the service answers; open while it does not; a read tries it out in between.

    Opens at five transport failures in a row, or when half of the last twenty requests (of
    ten at least) failed. Stays open for 30 s, each time twice as long as before up to 300 s.
    After that one probe may go, and the probe is a read: a write never tries the ice.
    """

    IN_A_ROW = 5
    LAST, LEAST, SHARE = 20, 10, 0.5
    FIRST_WAIT, LONGEST_WAIT = 30.0, 300.0
    GIVE_UP = 600.0

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=self.LAST)
        self._row = 0
        self._wait = self.FIRST_WAIT
        self._until = -math.inf
        self._since: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Nothing but a probe may be sent."""
        return self._since is not None

    def wait(self, now: float) -> float:
        """Seconds until a probe may go; 0.0 where it may now, or where the breaker is closed."""
        return max(0.0, self._until - now) if self.is_open else 0.0

    def may_send(self, now: float, *, probe: bool = False) -> bool:
        """A request may go now; through an open breaker only a `probe`, and only in its turn.

        Granting a probe takes its turn: the next comes a full wait later.
        """
        if not self.is_open:
            return True
        if not probe or now < self._until:
            return False
        self._probing = True
        self._until = now + self._wait
        return True

    def on_success(self) -> None:
        """A request was answered: an open breaker closes and forgets."""
        self._row = 0
        if self.is_open:
            self._since = None
            self._probing = False
            self._last.clear()
            self._wait = self.FIRST_WAIT
        self._last.append(True)

    def on_failure(self, now: float) -> None:
        """A request was not answered. On a probe the wait doubles."""
        self._last.append(False)
        self._row += 1
        if self.is_open:
            if self._probing:
                self._probing = False
                self._wait = min(self.LONGEST_WAIT, self._wait * 2)
                self._until = now + self._wait
            return
        failed = self._last.count(False)
        if self._row >= self.IN_A_ROW or (
            len(self._last) >= self.LEAST and failed >= self.SHARE * len(self._last)
        ):
            self._since = now
            self._until = now + self._wait

    def given_up(self, now: float) -> bool:
        """The breaker has been open for ten minutes: the run ends, resumable."""
        return self._since is not None and now - self._since >= self.GIVE_UP
