"""What one kind of run has to say to the engine, and what the engine offers it.

A kind of run knows orders, calls or letters; the engine knows journal, pace and doubt. They meet
in these values and this protocol. Nothing here sends.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from hnbulk.errors import JournalError
from hnbulk.history import OWN, History, Seen
from hnbulk.looks import BELIEVED
from hnbulk.lookups import Listing, Lookups
from hnbulk.messages import Reply, Request
from hnbulk.models import Order, Sight
from hnbulk.outcome import Expected, Operation, Outcome
from hnbulk.planfile import PlanFile
from hnbulk.steps import Ending, State, Step

#: The code of rows of another account that refused us.
NO_ACCESS = "no-access"
#: The code of a row whose order seems to be ours, but for its name.
NAME_NOT_KEPT = "name-not-kept"


#: Orders seen at one time, by whom.
_Look = tuple[datetime, str, Collection[Sight]]


class WorldClock(Protocol):
    """The time calling hours, settling and plan age live by. A frozen one moves only when waited on."""

    @property
    def frozen(self) -> bool: ...

    def now(self) -> datetime: ...

    def wait_until(self, moment: datetime) -> None: ...


class Wait(Protocol):
    """Lets the world's time pass until a moment, saying what for; False where the run stops."""

    def __call__(self, doing: str, moment: datetime, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Act:
    """One request to be made, for one step or for several that share it; `steps` are plan indices."""

    steps: tuple[int, ...]

    @property
    def first(self) -> int:
        """The step its attempts are journalled under."""
        return self.steps[0]


#: Acts of one row, one after the other: a later one only when the earlier ones are done.
Chain = tuple[Act, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Ready:
    """A request that may be sent, what its reply must show, and what was seen just before."""

    request: Request
    expected: Expected
    fence: Mapping[str, Any] = field(default_factory=dict)
    set_apart: tuple[Ending, ...] = ()  # steps of the act that this request leaves out


def refusal(step: int, sid: str | None, outcome: Outcome, next_step: str) -> Ending:
    """The service's no, in its own code and words."""
    code = str(outcome.code) if outcome.code is not None else outcome.reason
    return Ending(step, State.REFUSED, sid, code=code, message=outcome.message, next_step=next_step)


def no_access(step: int) -> Ending:
    """The step's account, another one than the plan's, refused us."""
    note, way_out = "no access to this account", "get access to the account, then plan the row again"
    return Ending(step, State.REFUSED, None, None, NO_ACCESS, note, way_out, retryable=True)


def another_request(step: int) -> Ending:
    """The step was sent before, and what it would send now is something else."""
    note = "not sent again: it would be another request than the first time"
    return Ending(step, State.REVIEW, None, None, "changed", note, "look at it, then plan again")


def done_sids(endings: Iterable[Ending]) -> dict[int, str]:
    """Step to sid of those that are done."""
    return {one.step: one.sid or "" for one in endings if one.state is State.DONE}


class Desk:
    """What a kind of run works with: the plan, the service's readings, the world's time."""

    def __init__(
        self,
        plan: PlanFile,
        *,
        run_id: str,
        lookups: Lookups,
        history: History,
        clock: WorldClock,
        began_at: datetime,
        settle: timedelta,
        resumed: bool,
        listing: Listing | None = None,
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.lookups = lookups
        self.clock = clock
        self.began_at = began_at
        self.settle = settle
        self.resumed = resumed
        self._history = history
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._sids: dict[int, str] = {}
        self._first_sent: dict[int, datetime] = {}
        self._seen: list[_Look] = []
        self._called: list[tuple[datetime, str]] = []
        self._listing = listing
        if listing is not None:
            self.saw(listing.orders.values(), at=listing.read_at, source="poll")

    def step(self, act: Act) -> Step:
        """The act's (first) step."""
        return self.plan.steps[act.first]

    def sid_of(self, row: int | None) -> str | None:
        """The order that this run made or found for an input row."""
        with self._lock:
            return None if row is None else self._sids.get(row)

    def keep_sid(self, step: int, sid: str | None) -> None:
        """Later steps of the same row know the order."""
        row = self.plan.steps[step].row
        if row is not None and sid is not None:
            with self._lock:
                self._sids[row] = sid

    def note_sent(self, step: int, at: datetime) -> None:
        """An attempt of the step that may have been carried out went out at `at`, a world time."""
        with self._lock:
            self._first_sent[step] = min(at, self._first_sent.get(step, at))

    def first_sent(self, step: int) -> datetime | None:
        """When the first attempt went out that may have been carried out; None where there is none."""
        with self._lock:
            return self._first_sent.get(step)

    def account_of(self, step: Step) -> str:
        """The account that the step's order belongs to: as the plan says, or the plan's own."""
        named = step.after.get("account_sid") or step.precondition.get("account_sid")
        return str(named or self.plan.header.account_sid)

    @property
    def plan_is_fresh(self) -> bool:
        """What the plan saw may still be believed. On a clock that stands still nobody can know."""
        if self.resumed or self.clock.frozen:
            return False
        return self.clock.now() - datetime.fromisoformat(self.plan.header.read_at) <= BELIEVED

    def listing(self) -> Listing:
        """All orders, read at most a minute ago by both clocks; one thread reads, the others wait."""
        with self._reading:
            known = self._listing
            if known is None or not self.lookups.is_recent(known, BELIEVED):
                known = self._listing = self.lookups.listing()
                self.saw(known.orders.values(), at=known.read_at, source="poll")
            return known

    def forget_listing(self) -> None:
        """The next `listing` reads anew."""
        with self._reading:
            self._listing = None

    def saw(self, orders: Collection[Sight], *, at: datetime, source: str) -> None:
        """These statuses go to the history with the next `remember`."""
        with self._lock:
            self._seen.append((at, source, orders))

    def saw_own(self, order: Order, reply: Reply) -> None:
        """This status is the effect of our own write, at the reply's `Date`."""
        self.saw([order], at=reply.date or self.clock.now(), source=OWN)

    def note_call(self, sid: str, at: datetime) -> None:
        """We had this order called at `at`; it goes to the history with the next `remember`."""
        with self._lock:
            self._called.append((at, sid))

    def remember(self) -> None:
        """What was seen so far is in the history. Raises `JournalError`, and then it waits for the next."""
        with self._lock:
            seen, self._seen = self._seen, []
            called, self._called = self._called, []
        try:
            self._write(seen, called)
        except JournalError:
            with self._lock:
                self._seen, self._called = seen + self._seen, called + self._called
            raise

    def _write(self, looks: Sequence[_Look], called: Sequence[tuple[datetime, str]]) -> None:
        if called:
            self._history.note_calls(called, run_id=self.run_id)
        # in the order of the looks: an order seen twice keeps its two sights, whatever their times
        for (at, source), together in groupby(looks, key=itemgetter(0, 1)):
            run_id = self.run_id if source == OWN else None
            seen = (
                Seen(order.sid, order.phone_number, order.status, order.date_created)
                for _, _, orders in together
                for order in orders
                if order.phone_number is not None and order.date_created is not None
            )
            self._history.observe(seen, seen_at=at, source=source, run_id=run_id)


class Work(Protocol):
    """One kind of run."""

    @property
    def kind(self) -> str:
        """`orders`, `calls` or `letters`."""
        ...

    @property
    def has_canary(self) -> bool:
        """The first few chains go alone, and all must come out well before the rest follows."""
        ...

    @property
    def sends_on_resume(self) -> bool:
        """What was never sent may be sent by a resume."""
        ...

    def waves(self, plan: PlanFile, /) -> list[list[Chain]]:
        """The work in order: chains of one wave may go side by side, waves follow each other."""
        ...

    def operation(self, act: Act, desk: Desk, /) -> Operation:
        """What the act is, for classifying its outcome."""
        ...

    def most_sends(self, act: Act, desk: Desk, /) -> int:
        """How many requests of the act the service may ever have processed."""
        ...

    def open_wave(self, wave: Sequence[Chain], desk: Desk, /) -> datetime | None:
        """The world time from which the wave may go; None for now."""
        ...

    def prepare(self, act: Act, desk: Desk, /, *, again: bool) -> Ready | list[Ending]:
        """The request, or why there is none. `again`: it was sent before; believe no old reading."""
        ...

    def done(self, act: Act, outcome: Outcome, reply: Reply, desk: Desk, /) -> list[Ending]:
        """What a successful reply amounts to."""
        ...

    def refused(self, act: Act, outcome: Outcome, desk: Desk, /) -> list[Ending]:
        """What the service's no amounts to."""
        ...

    def settle(self, act: Act, fence: Mapping[str, Any], desk: Desk, /) -> list[Ending] | None:
        """What looking up a doubtful act shows; None where nothing of it is to be seen."""
        ...

    def unknown(self, act: Act, desk: Desk, /) -> list[Ending]:
        """How an act ends that is not there and may not be sent again."""
        ...

    def look_back(self, endings: Sequence[Ending], desk: Desk, wait: Wait, /) -> list[Ending]:
        """Newer endings of a wave's steps, where looking again shows other ones.

        `wait` lets the world's time pass first, where that is needed.
        """
        ...
