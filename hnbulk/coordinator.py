"""One run's coordinator: waves in order, canary first, doubts last, and the only one who waits.

Workers are idle whenever it lets the world's time pass. What may be sent and how often is not
decided here but in `sending`, what is absent in `doubts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hnbulk.batches import MOST_TOGETHER, Batches
from hnbulk.doubts import Resolver
from hnbulk.entries import Attempt
from hnbulk.pool import Pool
from hnbulk.sending import Doubt, Sender, is_doubtful, sent_before
from hnbulk.settings import Pace
from hnbulk.steps import Ending, State
from hnbulk.throttle import Throttle
from hnbulk.work import Chain


class Coordinator:
    """Hands out the work of one run, and alone waits for the world."""

    def __init__(
        self, sender: Sender, pool: Pool, throttle: Throttle, pace: Pace, *, resumed: bool
    ) -> None:
        self.sender = sender
        self.desk = sender.desk
        self.work = sender.work
        self.clock = sender.desk.clock
        self.pool = pool
        self.throttle = throttle
        self.pace = pace
        self.resumed = resumed
        self.found: list[Ending] = []  # what was done and, looked at again, is not as it should be
        self.resolver = Resolver(sender, pool, self.clock, throttle, pace.settle)

    def run(self) -> None:
        """Every step has ended, or the run was told to stop."""
        waves = self.work.waves(self.desk.plan)
        may_send = self.work.sends_on_resume or not self.resumed
        if self.resumed:
            self._take_up([chain for wave in waves for chain in wave])
            if may_send:
                self.resolver.look_once()
            else:
                self._settle()
        if may_send:
            for wave in waves:
                if self.throttle.stopping:
                    return
                self._wave(wave)

    def wait_until(self, moment: datetime) -> bool:
        """The world's time is `moment`. False where the run stops meanwhile."""
        if self.clock.frozen:
            self.clock.wait_until(moment)
            return not self.throttle.stopping
        while (left := (moment - self.clock.now()).total_seconds()) > 0 and not self.throttle.stopping:
            self.throttle.rest(min(left, 0.5))
        return not self.throttle.stopping

    def _wave(self, wave: Sequence[Chain]) -> None:
        opens = self.work.open_wave(wave, self.desk)
        words = f"next {self.work.kind} at {opens:%Y-%m-%d %H:%M} UTC" if opens else ""
        if opens is not None and not self._wait_for(words, opens):
            return
        before = self.sender.tally.sent
        todo = self._pending(wave)
        first = todo[: self.pace.canary] if self.work.has_canary else []
        if first and not self._canary_lives(first):
            return
        self._drain(todo[len(first) :])
        if self.sender.tally.sent > before and not self.throttle.stopping:
            self._look_back(wave)

    def _drain(self, chains: Sequence[Chain], *, most: int = MOST_TOGETHER) -> None:
        """The chains' steps have ended, or the run stops. What is in doubt is decided last."""
        todo = list(chains)
        while todo:
            self._perform(todo, most=most)
            if not self.throttle.release_hold():
                break
            doubted = self._doubted()
            self.resolver.look_once()
            if self.sender.too_many_doubts:
                self._settle()
            todo = self._pending([*todo, *doubted])
        while self.sender.doubts and not self.throttle.stopping:
            doubted = self._doubted()
            self._settle()
            self._perform(self._pending(doubted))
            self.throttle.release_hold()

    def _doubted(self) -> list[Chain]:
        return [doubt.chain for doubt in self.sender.doubts]

    def _pending(self, chains: Iterable[Chain]) -> list[Chain]:
        """Those of the chains, each once, that have something to be sent and nothing in doubt."""
        doubted = {doubt.act for doubt in self.sender.doubts}
        return [
            chain
            for chain in dict.fromkeys(chains)
            if not doubted.intersection(chain) and any(self.sender.open_steps(act) for act in chain)
        ]

    def _perform(self, chains: Sequence[Chain], *, most: int = MOST_TOGETHER) -> None:
        batches = Batches(chains, self.sender, self.throttle, workers=self.pool.size, most=most)
        self.pool.run([batches.work] * self.pool.size, meanwhile=self.desk.remember)
        self.desk.remember()

    def _settle(self) -> None:
        if doubts := len(self.sender.doubts):
            longest = self.resolver.longest()
            self.sender.tally.doing = f"{doubts} in doubt; looking it up for up to {longest:.0f} s"
        self.resolver.settle_all(self.wait_until)
        self.sender.tally.doing = ""
        if self.sender.doubts and not self.throttle.stopping:
            self.throttle.stop(
                f"{len(self.sender.doubts)} requests are in doubt and could not be looked up; resume later."
            )
        self.desk.remember()

    def _canary_lives(self, first: Sequence[Chain]) -> bool:
        """The first rows went alone and came out one way or another; else the rest does not follow."""
        # doubts taken up from before wait until the end of the queue
        older, self.sender.doubts = self.sender.doubts, []
        self._drain(first, most=1)
        self.sender.doubts += older
        if self.throttle.stopping:
            return False
        if self._pending(first):
            self.throttle.stop("the first rows could not be sent; the rest was not tried.")
            return False
        return True

    def _look_back(self, wave: Sequence[Chain]) -> None:
        steps = [step for chain in wave for act in chain for step in act.steps]
        sids = {one.step: one.sid or "" for one in self.sender.journal.endings(self.sender.run_id)}
        done = {step: sids[step] for step in steps if self.sender.tally.state(step) is State.DONE}
        endings = self.work.look_back(done, self.desk, self._wait_for)
        self.found += [one for one in endings if one.state is not State.DONE]
        self.sender.end(endings)
        self.desk.remember()

    def _wait_for(self, doing: str, moment: datetime) -> bool:
        if moment > self.clock.now():
            self.sender.tally.doing = doing
        waited = self.wait_until(moment)
        self.sender.tally.doing = ""
        return waited

    def _take_up(self, chains: Sequence[Chain]) -> None:
        """What the journal knows is known again: what ended, what is in doubt, how often it was sent."""
        journal, run_id, tally = self.sender.journal, self.sender.run_id, self.sender.tally
        endings = journal.endings(run_id)
        tally.put((one.step, one.state) for one in endings)
        followed = {step for chain in chains if len(chain) > 1 for act in chain for step in act.steps}
        for one in endings:
            if one.state is State.DONE and one.step in followed:
                self.desk.keep_sid(one.step, one.sid)
        left = [(chain, act) for chain in chains for act in chain if self.sender.open_steps(act)]
        attempts: dict[int, list[Attempt]] = {}
        for attempt in journal.attempts(run_id, steps={act.first for _, act in left}):
            attempts.setdefault(attempt.step, []).append(attempt)
        now, mono = self.clock.now(), self.throttle.monotonic()
        for chain, act in left:
            if own := attempts.get(act.first):
                self.sender.sent[act] = sent_before(own)
                if is_doubtful(own[-1]):
                    doubt = Doubt(chain, act, own[-1].attempt, dict(own[-1].fence), now, mono)
                    self.sender.doubts.append(doubt)
                    tally.put((step, State.IN_DOUBT) for step in self.sender.open_steps(act))
