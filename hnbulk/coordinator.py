"""One run's coordinator: waves in order, canary first, doubts last, and the only one who waits.

Workers are idle whenever it lets the world's time pass. What may be sent and how often is not
decided here but in `sending`, what is absent in `doubts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

from hnbulk.attempts import Doubt, is_doubtful, maybe_sent, sent_before
from hnbulk.batches import MOST_TOGETHER, Batches
from hnbulk.doubts import Resolver
from hnbulk.entries import Attempt
from hnbulk.errors import ReplyUnreadable, ServiceRefused, ServiceUnreachable
from hnbulk.pool import Pool
from hnbulk.sending import Sender
from hnbulk.settings import Pace, is_loopback
from hnbulk.steps import Ending, State
from hnbulk.throttle import Halted, Throttle
from hnbulk.work import NAME_NOT_KEPT, Chain

#: Seconds between two questions for the time of a service, and of one on this machine.
_ASK_EVERY = {False: 60.0, True: 5.0}
#: How a row ends of which a person has to find out what there is.
_UNCLEAR = (State.CONFLICT, State.REVIEW)


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
        host = urlsplit(sender.desk.plan.header.base_url).hostname or ""
        self._ask_every = _ASK_EVERY[is_loopback(host)]
        self.taken_up = not resumed  # what the journal knows of the run is known here
        self.found: list[Ending] = []  # what was done and, looked at again, is not as it should be
        # whether all orders were looked at once more when they were made; others than orders are not
        self.audited = self.work.kind != "orders"
        self.resolver = Resolver(sender, pool, self.clock, throttle, pace.settle)

    def run(self) -> None:
        """Every step has ended, or the run was told to stop."""
        waves = self.work.waves(self.desk.plan)
        may_send = self.work.sends_on_resume or not self.resumed
        if self.resumed:
            self._take_up([chain for wave in waves for chain in wave])
            self.taken_up = True
            if may_send:
                self.resolver.look_first()
                lost = self._lost(chain for wave in waves for chain in wave)
                self._stop_if_lost([one for one in lost if one.code == NAME_NOT_KEPT])
            else:
                self._settle()
        if may_send:
            for wave in waves:
                if self.throttle.stopping:
                    return
                self._wave(wave)

    def wait_until(self, moment: datetime) -> bool:
        """The world's time is `moment`. False where the run stops meanwhile.

        The service's time is asked for now and then: it may be stepped, or run faster than ours.
        """
        if self.clock.frozen:
            self.clock.wait_until(moment)
            return not self.throttle.stopping
        ask = self.throttle.monotonic() + self._ask_every
        while (left := (moment - self.clock.now()).total_seconds()) > 0 and not self.throttle.stopping:
            self.throttle.rest(min(left, 0.5))
            if self.throttle.monotonic() >= ask:
                with suppress(ServiceUnreachable):  # the next one may say it
                    self.desk.lookups.greet()
                ask = self.throttle.monotonic() + self._ask_every
        return not self.throttle.stopping

    def _wave(self, wave: Sequence[Chain]) -> None:
        opens = self.work.open_wave(wave, self.desk)
        if opens and not self._wait_for(f"next {self.work.kind} at {opens:%Y-%m-%d %H:%M} UTC", opens):
            return
        todo = self._pending(wave)
        done = self.sender.tally.counts.get(str(State.DONE), 0)
        # a run that was resumed has shown already that its rows come out well
        wary = self.work.has_canary and not (self.resumed and done >= self.pace.canary)
        first = todo[: self.pace.canary] if wary else []
        if first and not self._canary_lives(first):
            return
        self._drain(todo[len(first) :])
        if not self.throttle.stopping:
            self._look_back(wave)

    def _drain(self, chains: Sequence[Chain], *, most: int = MOST_TOGETHER) -> None:
        """The chains' steps have ended, or the run stops. What is in doubt is decided last."""
        todo = list(chains)
        while (todo or self.sender.doubts) and not self.throttle.stopping:
            self._pass(todo, most=most)
            held = self.throttle.release_hold()
            doubted = self._doubted()
            if held:
                self.resolver.look_first()
            if not held or self.sender.too_many_doubts:
                self._settle()
            # a hold has kept rows from being begun
            todo = self._pending([*todo, *doubted] if held else doubted)

    def _pass(self, chains: Sequence[Chain], *, most: int) -> None:
        """The chains were performed, and those that the service could not be asked about once more,
        as long as each pass leaves fewer of them."""
        while chains and not self.throttle.stopping:
            self._perform(chains, most=most)
            left = self._pending(self.sender.take_left())
            if len(left) >= len(chains):
                return
            chains = left

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

    def _perform(self, chains: Sequence[Chain], *, most: int) -> None:
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
        try:
            self._drain(first, most=1)
        finally:
            self.sender.doubts += older
        if self.throttle.stopping:
            return False
        if self._pending(first):
            self.throttle.stop("the first rows could not be sent; the rest was not tried.")
            return False
        return not self._stop_if_lost(self._lost(first))

    def _lost(self, chains: Iterable[Chain]) -> list[Ending]:
        """Of the acts that may have been carried out, those that cannot be told from a stranger's."""
        endings = self.sender.journal.endings(self.sender.run_id)
        ended = {one.step: one for one in endings if one.state in _UNCLEAR}
        acts = (act for chain in chains for act in chain if act.first in ended)
        return [ended[act.first] for act in acts if self.sender.known(act).possible]

    def _stop_if_lost(self, lost: Sequence[Ending]) -> bool:
        if any(one.code == NAME_NOT_KEPT for one in lost):
            self.throttle.stop(
                "the service does not keep what was sent: the orders of the first rows do not have their "
                "unique names, by which ours are told from others. The rest was not sent; look at them."
            )
        elif lost:
            self.throttle.stop(
                f"what came of {len(lost)} of the first rows cannot be told ({lost[0].code}); the rest was "
                "not sent. Look at the orders on their numbers before going on."
            )
        return bool(lost)

    def _look_back(self, wave: Sequence[Chain]) -> None:
        steps = {step for chain in wave for act in chain for step in act.steps}
        ended = [one for one in self.sender.journal.endings(self.sender.run_id) if one.step in steps]
        try:
            endings = self.work.look_back(ended, self.desk, self._wait_for)
        except (ServiceUnreachable, ServiceRefused, ReplyUnreadable, Halted):
            if self.audited:
                raise
            return  # the orders are made, and can be looked at later
        self.audited = self.audited or not self.throttle.stopping
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
        """What the journal knows is known again: what ended, what is in doubt, how often it was sent.

        A process tries to look up all doubts that nobody has tried yet before it sends anything: those
        older than the last one that sent something wait for the end of the queue.
        """
        journal, run_id, tally = self.sender.journal, self.sender.run_id, self.sender.tally
        endings = journal.endings(run_id)
        tally.take_up((one.step, one.state) for one in endings)
        followed = {step for chain in chains if len(chain) > 1 for act in chain for step in act.steps}
        for one in endings:
            if one.state is State.DONE and one.step in followed:
                self.desk.keep_sid(one.step, one.sid)
        unclear = {one.step for one in endings if one.state in _UNCLEAR}
        acts = ((chain, act) for chain in chains for act in chain)
        asked = [one for one in acts if self.sender.open_steps(one[1]) or one[1].first in unclear]
        self.sender.sent_earlier = journal.count_sent(run_id)
        attempts: dict[int, list[Attempt]] = {}
        for attempt in journal.attempts(run_id, steps={act.first for _, act in asked}):
            attempts.setdefault(attempt.step, []).append(attempt)
            if maybe_sent(attempt):
                self.desk.note_sent(attempt.step, attempt.wall)
        now, mono = self.clock.now(), self.throttle.monotonic()
        newest = max((each.wall for own in attempts.values() for each in own), default=now)
        last = max((began for began in journal.taken_up(run_id) if began <= newest), default=newest)
        for chain, act in asked:
            if own := attempts.get(act.first):
                self.sender.sent[act] = sent_before(own)
                if self.sender.open_steps(act) and is_doubtful(own[-1]):
                    doubt = Doubt(chain, act, own[-1].attempt, dict(own[-1].fence), now, mono)
                    doubt.looked_at = own[-1].wall < last
                    self.sender.doubts.append(doubt)
                    tally.put((step, State.IN_DOUBT) for step in self.sender.open_steps(act))
