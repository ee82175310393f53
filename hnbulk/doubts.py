"""Requests whose outcome nobody knows are looked up until it is known, or until time has decided.

Nothing is taken as absent before the settle window has passed by the world's clock and by our
own, and before two looks saw nothing, the last of them after the window (safety rules, 2.1 step 8).
This sends no write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain as joined
from itertools import islice, repeat

from hnbulk.attempts import Doubt
from hnbulk.entries import ABSENT, Result
from hnbulk.errors import ReplyUnreadable, ServiceRefused, ServiceUnreachable
from hnbulk.failpoints import failpoint
from hnbulk.outcome import OutcomeKind
from hnbulk.pool import Pool
from hnbulk.sending import Sender
from hnbulk.steps import Ending, State
from hnbulk.throttle import Throttle
from hnbulk.work import WorldClock

#: Seconds between looks; the last one repeats.
_LOOKS = (0, 1, 2, 4, 8, 16, 30)
_LAST_LOOK = 60
#: Past the settle window, a service that cannot be asked is given up on after so many looks.
_MOST_LOOKS = 20


@dataclass(slots=True)
class Resolver:
    """Decides the doubts of one run, with its workers."""

    sender: Sender
    pool: Pool
    clock: WorldClock
    throttle: Throttle
    settle: float

    def look_first(self) -> None:
        """The doubts that nobody has tried to look up are looked up once; none is taken as absent."""
        self._look([doubt for doubt in self.sender.doubts if not doubt.looked_at])

    def settle_all(self, wait_until: Callable[[datetime], bool]) -> None:
        """Every doubt is decided, unless the run stops or the service cannot be asked. What is
        proved absent and may be sent again is pending.

        `wait_until` lets the world's time pass; False where the run stops meanwhile.
        """
        for delay in islice(joined(_LOOKS, repeat(_LAST_LOOK)), _MOST_LOOKS):
            doubts = self.sender.doubts
            if not doubts or (delay and not wait_until(self._next_look(doubts, delay))):
                break
            # what was looked at already may wait a second, unless time may decide it by now
            self._look([one for one in doubts if delay or not one.looked_at or self._is_settled(one)])
            self._take_absent()

    def longest(self) -> float:
        """Seconds of the world's time until the newest doubt is old enough to be decided."""
        left = self._settled(self.sender.doubts) - self.clock.now()
        return max(0.0, left.total_seconds())

    def _settled(self, doubts: Sequence[Doubt]) -> datetime:
        return max(doubt.since for doubt in doubts) + timedelta(seconds=self.settle)

    def _next_look(self, doubts: Sequence[Doubt], delay: float) -> datetime:
        now = self.clock.now()
        settled = self._settled(doubts)
        later = now + timedelta(seconds=delay)
        return min(later, settled) if now < settled else later

    def _look(self, doubts: Sequence[Doubt]) -> None:
        decided: set[Doubt] = set()

        def look(doubt: Doubt) -> None:
            failpoint("recovery")
            settled, doubt.looked_at = self._is_settled(doubt), True
            try:
                with self.sender.desk.lookups.for_doubts():
                    endings = self.sender.work.settle(doubt.act, doubt.fence, self.sender.desk)
            except (ServiceUnreachable, ServiceRefused, ReplyUnreadable):
                return  # the next look asks again
            if endings is None:
                # only a look begun after the window may be the last one
                doubt.empty_looks = doubt.empty_looks + 1 if settled else 1
                return
            decided.add(doubt)
            self._decide(doubt, endings)

        try:
            self.pool.run([partial(look, doubt) for doubt in list(doubts)])
        finally:
            self.sender.doubts = [doubt for doubt in self.sender.doubts if doubt not in decided]

    def _decide(self, doubt: Doubt, endings: list[Ending]) -> None:
        done = next((one for one in endings if one.state is State.DONE), None)
        result = Result(
            attempt=doubt.attempt,
            kind=str(OutcomeKind.DONE if done else OutcomeKind.AMBIGUOUS),
            reason="found" if done else "undecided",
            at=self.clock.now(),
            sid=done.sid if done else None,
            status=done.status if done else None,
        )
        self.sender.end(endings, results=[result])

    def _is_settled(self, doubt: Doubt) -> bool:
        world = (self.clock.now() - doubt.since).total_seconds() >= self.settle
        # a clock that stands still is waited on by stepping it: our own time says nothing then
        own = self.clock.frozen or self.throttle.monotonic() - doubt.since_mono >= self.settle
        return world and own

    def _take_absent(self) -> None:
        """Doubts that time has decided: their request was not processed."""
        absent = [doubt for doubt in self.sender.doubts if doubt.empty_looks >= 2]
        self.sender.doubts = [doubt for doubt in self.sender.doubts if doubt.empty_looks < 2]
        for doubt in absent:
            result = Result(doubt.attempt, ABSENT, "not-there", self.clock.now())
            act, desk, work = doubt.act, self.sender.desk, self.sender.work
            if self.sender.sent[act].possible < work.most_sends(act, desk):
                pending = [Ending(step, State.PENDING) for step in self.sender.open_steps(act)]
                self.sender.end(pending, results=[result])
            else:
                endings = [_with_its_no(one, doubt) for one in work.unknown(act, desk)]
                self.sender.end(endings, results=[result])
            failpoint("after_absent")


def _with_its_no(ending: Ending, doubt: Doubt) -> Ending:
    """The ending with what the service said, where its last reply was a refusal."""
    if (no := doubt.refused) is None:
        return ending
    said = f"{no.code}: {no.message}" if no.message else f"{no.code}"
    return replace(ending, message=f"refused ({said}) after a try of unknown outcome; {ending.message}")
