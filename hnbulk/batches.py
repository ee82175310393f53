"""Workers take rows in small batches, so that the intents of several creates share one commit.

The rule is kept that no byte leaves before its own intent is durable: a batch's intents are all on
disk before the first of it is sent (safety rules, 2.8). A batch is small enough to be sent within a
second: a crash leaves no more than that in doubt. This sends nothing itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hnbulk.sending import Sender
from hnbulk.throttle import Throttle
from hnbulk.work import Chain

#: Creates whose intents share a commit, at most. More is hardly faster and leaves more in doubt.
MOST_TOGETHER = 8
#: A batch that took longer than this (seconds) is followed by half as many, a quicker one by twice.
_SLOW, _QUICK = 1.0, 0.5


def _nothing() -> None:
    """There was nothing to be done ahead."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Chains that one worker has taken; `intended` waits until their intents are durable."""

    chains: Sequence[Chain]
    intended: Callable[[], None]


_NOTHING = _Batch((), _nothing)


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

        While a batch is sent, the intents of the next one are on their way to the disk.
        """
        size = 1
        batch, following = self._begin(size), _NOTHING
        try:
            while batch.chains:
                batch.intended()
                following = self._begin(size)
                began, doubts = self._throttle.monotonic(), len(self._sender.doubts)
                if not self._send(batch.chains):
                    return
                taken = self._throttle.monotonic() - began
                if taken > _SLOW or len(self._sender.doubts) > doubts:
                    size = max(1, size // 2)
                elif taken < _QUICK:
                    size = min(self._most, size * 2)
                batch, following = following, _NOTHING
        except BaseException:
            self._left.clear()  # as no other job of a pool starts after an error
            raise
        finally:
            self._give_back(batch, following)

    def _begin(self, size: int) -> _Batch:
        """The next chains; where they share a commit, it is on its way."""
        if not self._throttle.may_start():
            return _NOTHING
        chains = self._take(size)
        return _Batch(chains, self._sender.intend_together(chains) if len(chains) > 1 else _nothing)

    def _send(self, chains: Sequence[Chain]) -> bool:
        """All were sent. False where the run stops or rests first."""
        for place, chain in enumerate(chains):
            if self._throttle.paused:  # nobody knows for how long: what waits is not left in doubt
                self._sender.take_back(chains[place:])
            if not self._throttle.may_start():
                return False
            self._sender.perform(chain)
        return True

    def _give_back(self, *batches: _Batch) -> None:
        for batch in batches:
            batch.intended()
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
