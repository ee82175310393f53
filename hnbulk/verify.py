"""A run of verification calls: each at most once, inside its hours, and never on a resume.

A second call disturbs a person and burns one of three attempts, a missing one is only made up by
hand. So each order is read first, its counters are the fence, and a call nobody knows of is
looked up and reported, never repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from hnbulk import lifecycle, wire
from hnbulk.errors import LimitRefused, ReplyUnreadable
from hnbulk.looks import LARGE
from hnbulk.messages import Reply
from hnbulk.models import Sight
from hnbulk.outcome import Expected, Operation, Outcome
from hnbulk.planfile import PlanFile
from hnbulk.steps import Ending, State, Step
from hnbulk.work import Act, Chain, Desk, Ready, Wait, done_sids, refusal

#: World seconds after a wave until whoever answered has keyed in the code.
RING_TIME = timedelta(seconds=150)
_PLAN_AGAIN = "plan the calls again"


def check_calls(plan: PlanFile, place_calls: int | None) -> None:
    """`place_calls` is exactly how many phones the plan rings, or this raises `LimitRefused`."""
    planned = len(plan.steps)
    if place_calls != planned:
        raise LimitRefused(
            f"this plan rings {planned} phones, {place_calls or 0} were allowed. Say --place-calls "
            f"{planned} to place them all, or plan fewer.",
            limit="place-calls",
            arithmetic=f"{planned} planned, {place_calls or 0} allowed",
            flag=f"--place-calls {planned}",
        )


class Calls:
    """What verification calls mean to the engine."""

    kind = "calls"
    has_canary = False
    sends_on_resume = False

    def __init__(self) -> None:
        self._large: set[int] = set()  # steps whose wave is read in pages

    def waves(self, plan: PlanFile) -> list[list[Chain]]:
        """The plan's waves, in order."""
        waves: dict[int, list[Chain]] = {}
        for number, step in enumerate(plan.steps):
            waves.setdefault(int(step.precondition.get("wave", 0)), []).append((Act((number,)),))
        large = [chain for wave in waves.values() if len(wave) >= LARGE for chain in wave]
        self._large = {act.first for chain in large for act in chain}
        return [waves[wave] for wave in sorted(waves)]

    def operation(self, _act: Act, _desk: Desk) -> Operation:
        """A call."""
        return Operation.CALL

    def most_sends(self, _act: Act, _desk: Desk) -> int:
        """One."""
        return 1

    def open_wave(self, wave: Sequence[Chain], desk: Desk) -> datetime | None:
        """The latest `not_before` of its calls."""
        times = [_time(desk.step(act), "not_before") for chain in wave for act in chain]
        return max((moment for moment in times if moment is not None), default=None)

    def prepare(self, act: Act, desk: Desk, *, again: bool) -> Ready | list[Ending]:
        """The request, where it is still time and the order is as the plan saw it."""
        step = desk.step(act)
        closes = _time(step, "not_after")
        if closes is not None and desk.clock.now() >= closes:
            return [_stale(act.first, step.sid, "window-closed", "its calling hours are over")]
        live = _read(step, desk, in_pages=act.first in self._large and not again)
        if live is None:
            return [_stale(act.first, step.sid, "gone", "the order is not there any more")]
        if (reason := _why_not(live, step)) is not None:
            return [_stale(act.first, live.sid, *reason, live.status)]
        return Ready(
            wire.ask_verification(desk.lookups.dialect, step.sid or ""),
            Expected(phone_number=step.phone_number, sid=step.sid),
            _fence(live),
        )

    def done(self, act: Act, outcome: Outcome, reply: Reply, desk: Desk) -> list[Ending]:
        """Placed."""
        sid = desk.step(act).sid or ""
        desk.note_call(sid, outcome.server_date or desk.clock.now())
        with suppress(ReplyUnreadable):  # what the outcome rests on was there
            desk.saw_own(wire.read_order(reply, lenient=True), reply)
        return [Ending(act.first, State.DONE, sid, outcome.status)]

    def refused(self, act: Act, outcome: Outcome, desk: Desk) -> list[Ending]:
        """Refused by the service; no phone rang."""
        return [refusal(act.first, desk.step(act).sid, outcome, "look at the order")]

    def settle(self, act: Act, fence: Mapping[str, Any], desk: Desk) -> list[Ending] | None:
        """Placed, where a counter or the status moved since the fence was read."""
        step = desk.step(act)
        live = desk.lookups.order(step.sid) if step.sid else None
        if live is None or live.phone_number != step.phone_number:
            return self.unknown(act, desk)
        if _fence(live) == dict(fence):
            return None
        desk.saw([live], at=desk.clock.now(), source="poll")
        desk.note_call(live.sid, desk.clock.now())
        return [Ending(act.first, State.DONE, live.sid, live.status, code="found")]

    def unknown(self, act: Act, desk: Desk) -> list[Ending]:
        """Nobody knows whether the phone rang; it is not rung again."""
        note = "the call may or may not have been placed; it is not repeated"
        sid = desk.step(act).sid
        return [
            Ending(act.first, State.CALL_UNKNOWN, sid, None, "call-unknown", note, "ask, then plan again")
        ]

    def look_back(self, endings: Sequence[Ending], desk: Desk, wait: Wait) -> list[Ending]:
        """The same calls with the status that the answers led to, when the phones have rung out."""
        done = done_sids(endings)
        rung_out = desk.clock.now() + RING_TIME
        if not done or not wait(f"waiting for answers until {rung_out:%H:%M:%S} UTC", rung_out):
            return []
        desk.forget_listing()
        many = len(done) >= LARGE
        now = desk.clock.now()
        newer = []
        for number, sid in done.items():
            live = desk.listing().orders.get(sid) if many else desk.lookups.order(sid)
            if live is not None:
                if not many:
                    desk.saw([live], at=now, source="poll")
                newer.append(Ending(number, State.DONE, sid, live.status))
        return newer


def _read(step: Step, desk: Desk, *, in_pages: bool) -> Sight | None:
    """The order as it is: by itself, or in a large wave from a reading of all."""
    if step.sid is None:
        return None
    if in_pages and (found := desk.listing().orders.get(step.sid)) is not None:
        return found
    live = desk.lookups.order(step.sid)
    if live is not None:
        desk.saw([live], at=desk.clock.now(), source="poll")
    return live


def _why_not(live: Sight, step: Step) -> tuple[str, str] | None:
    """Code and words for why this order is not called; None where it may be."""
    planned = step.precondition
    if live.phone_number != step.phone_number:
        return "not-ours", "the order is of another number"
    if not lifecycle.may_call(live.status):
        return "status", f"the order is {live.status} now"
    if live.verification_attempts >= lifecycle.MAX_ATTEMPTS:
        return "attempts-used", "its attempts are used up"
    before = (planned.get("verification_attempts"), planned.get("call_count"))
    after = (live.verification_attempts, len(live.verification_call_sids))
    if any(was is not None and was != now for was, now in zip(before, after, strict=True)):
        return "called-meanwhile", "somebody else had it called since the plan was made"
    if planned.get("status") not in (None, live.status):
        return "changed", f"the order is {live.status} now"
    return None


def _fence(live: Sight) -> dict[str, Any]:
    """What a call moves: two counters that only grow, and the status."""
    return {
        "attempts": live.verification_attempts,
        "calls": len(live.verification_call_sids),
        "status": live.status,
    }


def _time(step: Step, name: str) -> datetime | None:
    text = step.precondition.get(name)
    return datetime.fromisoformat(text) if text else None


def _stale(number: int, sid: str | None, code: str, message: str, status: str | None = None) -> Ending:
    return Ending(number, State.STALE, sid, status, code, message, _PLAN_AGAIN, retryable=True)
