"""Workers take rows in small batches, so that the intents of several creates share one commit.

The rule is kept that no byte leaves before its own intent is durable: a batch's intents are all on
disk before the first of it is sent (safety rules, 2.8). A batch is small enough to be sent within a
second: a crash leaves no more than that in doubt. This sends nothing itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from hnbulk.sending import Sender
from hnbulk.throttle import Throttle
from hnbulk.work import Chain

#: Creates whose intents share a commit, at most. More is hardly faster and leaves more in doubt.
MOST_TOGETHER = 16
#: A batch that took longer than this (seconds) is followed by half as many.
_SLOW = 1.0
#: One after which the next one's intents were still waited for, for this share of it, by twice.
_WAITED = 0.1


class _Batch:
    """Chains that one worker has taken, and their intents on the way to the disk."""

    def __init__(self, chains: Sequence[Chain] = (), intended: Callable[[], None] | None = None) -> None:
        self.chains = chains
        self._intended = intended

    def wait(self) -> None:
        """The intents are durable, or not there. Only the first call does anything."""
        intended, self._intended = self._intended, None
        if intended is not None:
            intended()


class Batches:
    """The chains of one round, handed to its workers. Threads share it."""

    def __init__(
        self, chains: Sequence[Chain], sender: Sender, throttle: Throttle, *, workers: int, most: int
    ) -> None:
        self._left = deque(chains)
        self._lock = threading.Lock()
        self._sender = sender
        self._throttle = throttle
        self._workers = workers
        self._most = most

    def work(self) -> None:
        """No chain is left, or the run stops or rests: what was not begun stays as it was.

        While a batch is sent, the intents of the next one are on their way to the disk. An unexpected
        error leaves them in doubt: nothing more is known then.
        """
        now, size = self._throttle.monotonic, 1
        try:
            batch = self._begin(size)
            while batch.chains:
                # a row by itself leaves the next one to whoever is free first
                following = self._begin(size, batch) if size > 1 else None
                began, doubts = now(), len(self._sender.doubts)
                if not self._send(batch, following):
                    return
                sent = now()
                batch = following or self._begin(size)
                batch.wait()
                calm = len(self._sender.doubts) <= doubts
                size = self._next_size(size, sent - began, now() - sent, calm=calm)
        except BaseException:
            self._left.clear()  # as no other job of a pool starts after an error
            raise

    def _next_size(self, size: int, sending: float, waiting: float, *, calm: bool) -> int:
        """As small as it can be without waiting for the disk: a crash leaves a batch in doubt."""
        if sending > _SLOW or not calm:
            return max(1, size // 2)
        if size == 1 or waiting > _WAITED * sending:
            return min(self._most, size * 2)
        return size

    def _begin(self, size: int, behind: _Batch | None = None) -> _Batch:
        """The next chains, behind a batch that is not sent yet; where they share a commit, it is on its
        way."""
        if not self._may_start(behind):
            return _Batch()
        chains = self._take(size)
        return _Batch(chains, self._sender.intend_together(chains) if len(chains) > 1 else None)

    def _send(self, batch: _Batch, following: _Batch | None) -> bool:
        """All of the batch was sent. False where the run stops or rests first: the rest is taken back."""
        for chain in batch.chains:
            performed = False
            while not performed:  # again after each pause that comes before a write of it
                if not self._may_start(batch, following):
                    self._take_back(batch, following)
                    return False
                performed = self._sender.perform(chain)
            self._sender.take_back([chain])
        return True

    def _may_start(self, *waiting: _Batch | None) -> bool:
        """A row may be begun. Waits while the run is paused, nobody knows for how long: what waits
        meanwhile is taken back, or it would be in doubt if the process died."""
        while self._throttle.paused:
            self._take_back(*waiting)
            self._throttle.wait_out_pause()
        return self._throttle.may_start()

    def _take_back(self, *batches: _Batch | None) -> None:
        """Intents that were not sent are recorded as that."""
        for batch in batches:
            if batch is not None:
                batch.wait()
                self._sender.take_back(batch.chains)

    def _take(self, size: int) -> list[Chain]:
        """The next chains: up to `size` that may share a commit, or else one."""
        with self._lock:
            fair = max(1, len(self._left) // self._workers)  # the last ones are shared out
            chains: list[Chain] = []
            while self._left and len(chains) < min(size, fair):
                shares = self._sender.may_share(self._left[0])
                if chains and not shares:
                    break
                chains.append(self._left.popleft())
                if not shares:
                    break
            return chains
