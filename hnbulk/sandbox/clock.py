"""The sandbox's clock: the only place where its time comes from.

The clock stands still until it is stepped, runs with the real one, or runs some times as fast;
it can be stepped in every mode. It carries nothing out: what is due at a time is the world's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

Mode = Literal["stepped", "real", "fast"]

#: Where every sandbox begins: a Monday, ten in the morning in New York.
EPOCH = datetime(2026, 1, 5, 15, 0, 0, tzinfo=UTC)
HOUR = 3600
DAY = 24 * HOUR
#: The most one step may be; more is a slip of the keyboard.
LONGEST_STEP = 3650 * DAY


class SandboxClock:
    """A clock that starts at `start`. May be read and stepped by any thread; never goes backwards."""

    def __init__(
        self,
        mode: Mode = "stepped",
        *,
        speed: float | None = None,
        start: datetime = EPOCH,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if mode not in ("stepped", "real", "fast"):
            raise ValueError(f"a clock is stepped, real or fast, not {mode!r}")
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"speed must be a positive number, not {speed!r}")
        self.mode: Mode = mode
        self.speed = {"stepped": 0.0, "real": 1.0}.get(mode, speed or 60.0)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self._base = start.astimezone(UTC)
        self._since = monotonic()

    def now(self) -> datetime:
        """The time of the sandbox's world, UTC."""
        with self._lock:
            return self._read()

    def advance(self, seconds: float) -> datetime:
        """The time is `seconds` later than it was; returned is the new time.

        Raises `ValueError` where `seconds` is negative, not finite, or beyond ten years.
        """
        if not 0 <= seconds <= LONGEST_STEP:
            raise ValueError("advance takes between 0 and 315360000 seconds")
        with self._lock:
            now = self._step(timedelta(seconds=seconds))
        self._notify()
        return now

    def advance_to(self, moment: datetime) -> datetime:
        """The time is at least `moment`; a moment that has passed changes nothing."""
        with self._lock:
            now = self._step(max(moment - self._read(), timedelta()))
        self._notify()
        return now

    def set(self, moment: datetime) -> None:
        """The time is `moment`, earlier or later: for restoring a saved state only."""
        with self._lock:
            self._base = moment.astimezone(UTC)
            self._since = self._monotonic()
        self._notify()

    def watch(self, watcher: Callable[[], None]) -> None:
        """`watcher` is called after every step, by whoever steps; it must return at once."""
        with self._lock:
            self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """`watcher` is called no more."""
        with self._lock:
            self._watchers.remove(watcher)

    def _notify(self) -> None:
        for watcher in list(self._watchers):
            watcher()

    def _step(self, by: timedelta) -> datetime:
        try:
            self._read() + by
        except OverflowError:
            raise ValueError("the clock goes no further than the year 9999") from None
        self._base += by
        return self._read()

    def _read(self) -> datetime:
        if not self.speed:
            return self._base
        try:
            return self._base + timedelta(seconds=(self._monotonic() - self._since) * self.speed)
        except OverflowError:  # where the calendar ends, so does time
            return datetime.max.replace(microsecond=0, tzinfo=UTC)


def seconds_of(moment: datetime) -> int:
    """Whole seconds since 1970, rounded down: the unit in which the world thinks."""
    return int(moment.timestamp() // 1)


@lru_cache(maxsize=4096)
def stamp(seconds: int) -> str:
    """A date as orders carry it: `2026-01-05T15:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "Z"


def moment_of(seconds: int) -> datetime:
    """The moment, UTC, of whole seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
