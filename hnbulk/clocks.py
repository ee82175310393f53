"""The world clock of a run: the time that calling hours, code expiry and settling live by.

On the service it is the server's own time; on a stepped sandbox nothing happens until
somebody steps it. The pace clock, real and monotonic, is another thing and is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import sleep as real_sleep


class ServiceClock:
    """A world that runs by itself: `now` asks the server's time, waiting takes real time."""

    frozen = False

    def __init__(
        self, server_now: Callable[[], datetime], *, sleep: Callable[[float], None] = real_sleep
    ) -> None:
        self._server_now = server_now
        self._sleep = sleep

    def now(self) -> datetime:
        """The world's time, UTC."""
        return self._server_now()

    def wait_until(self, moment: datetime) -> None:
        """The world's time is at least `moment`. Waits in slices, so that an interrupt is heard."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            self._sleep(min(left, 0.5))


class SteppedClock:
    """A world that stands still until it is stepped: waiting advances it, at no cost in real time."""

    frozen = True

    def __init__(self, now: Callable[[], datetime], advance: Callable[[float], object]) -> None:
        self._now = now
        self._advance = advance

    def now(self) -> datetime:
        """The world's time, UTC."""
        return self._now()

    def wait_until(self, moment: datetime) -> None:
        """The world has been stepped to `moment`, and everything due until then has happened."""
        left = (moment - self._now()) / timedelta(seconds=1)
        if left > 0:
            self._advance(left)
