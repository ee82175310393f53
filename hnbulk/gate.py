"""The one rate of an account, as the place through which every request to it starts.

A request is counted when its first byte has left, not when it was let through: then no second of
real sends holds more than the rate, however late a thread gets its turn. It sends nothing itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hnbulk.pacing import SlidingWindow, Window

#: No window of so many seconds holds more starts than the rate. The little over a second is for
#: requests that travel at different speeds; that one starts late needs none, as it counts when it did.
SPAN = 1.002
#: Until the first byte of a run's request has left, it counts as late as it may: connecting takes
#: no longer. Who dies meanwhile leaves a place that is free again after that.
_LATEST = 5.0
_SLICE = 0.5


class Gate:
    """The one rate of an account: every request to it starts through here, whoever sends it.

    `window` may be shared with other processes; without one the rate is this process's own.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        window: Window | None = None,
    ) -> None:
        self.monotonic = monotonic
        self.sleep = sleep
        self._window = window or SlidingWindow(rate, SPAN)
        self._books = threading.Lock()
        self._turn = threading.Lock()
        self._mine = threading.local()  # `counted`: this thread's start that may turn out later

    def __call__(self, stopped: Callable[[], bool] = lambda: False) -> bool:
        """One more request may start now, and is counted. False where `stopped` came first."""
        return self._pass(stopped, 0.0)

    def enter(self, stopped: Callable[[], bool]) -> bool:
        """As by a call, for a thread that calls `left` in any case: until then it counts as late
        as it may start, so that slow connecting cannot gather starts into one second."""
        return self._pass(stopped, _LATEST)

    def left(self) -> None:
        """This thread's request has begun to go out, or never will: it is counted here."""
        counted, self._mine.counted = getattr(self._mine, "counted", None), None
        if counted is not None:
            with self._books:
                self._window.settle(counted, self.monotonic())

    @contextmanager
    def at(self, rate: float | None) -> Iterator[None]:
        """Inside, the rate is this one, for everybody; afterwards it is what it was."""
        usual = self._change(rate)
        try:
            yield
        finally:
            self._change(usual)

    def close(self) -> None:
        """This process has no rate any more, and holds up no other."""
        self._change(None)

    def _pass(self, stopped: Callable[[], bool], late: float) -> bool:
        if self._window.rate is None:
            return True
        with self._turn:  # kept while waiting: who came first starts first
            while True:
                with self._books:
                    now = self.monotonic()
                    start = self._window.take(now, now + late)
                if start <= now:
                    self._mine.counted = now + late
                    return True
                if stopped():
                    return False
                self.sleep(min(start - now, _SLICE))

    def _change(self, rate: float | None) -> float | None:
        with self._books:
            before = self._window.rate
            self._window.change(rate)
        return before
