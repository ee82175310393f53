"""A run of letters of authorization: one request a letter, for all its orders together.

An order that is no longer ready is left out of its letter and reported. A letter in doubt shows
in its orders: they name the document that holds them. It is repeated once at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hnbulk import lifecycle, wire
from hnbulk.history import OWN
from hnbulk.looks import LARGE
from hnbulk.messages import Reply
from hnbulk.models import Sight
from hnbulk.outcome import Expected, Operation, Outcome
from hnbulk.planfile import PlanFile
from hnbulk.steps import Ending, State
from hnbulk.work import Act, Chain, Desk, Ready, Wait, done_sids, refusal


class Letters:
    """What letters mean to the engine."""

    kind = "letters"
    has_canary = False
    sends_on_resume = True

    def __init__(self) -> None:
        self._taken: dict[Act, tuple[int, ...]] = {}  # the steps that a letter's request takes
        self._sent: dict[int, tuple[str | None, datetime]] = {}  # step -> its letter, when it went out

    def waves(self, plan: PlanFile) -> list[list[Chain]]:
        """One wave of letters; the steps of a group are one letter."""
        groups: dict[str, list[int]] = {}
        for number, step in enumerate(plan.steps):
            groups.setdefault(step.group or f"step {number}", []).append(number)
        return [[(Act(tuple(steps)),) for steps in groups.values()]]

    def operation(self, _act: Act, _desk: Desk) -> Operation:
        """A letter."""
        return Operation.LETTER

    def most_sends(self, _act: Act, _desk: Desk) -> int:
        """Two."""
        return 2

    def open_wave(self, _wave: Sequence[Chain], _desk: Desk) -> datetime | None:
        """At once."""
        return None

    def prepare(self, act: Act, desk: Desk, *, again: bool) -> Ready | list[Ending]:
        """The letter for those of its orders that may be authorized now."""
        live = _read(act, desk, again=again)
        taken = tuple(n for n in act.steps if n in live and lifecycle.may_authorize(live[n].status))
        left_out = [_stale(n, desk.plan.steps[n].sid, live.get(n)) for n in act.steps if n not in taken]
        if not taken:
            return left_out
        self._taken[act] = taken
        ready = [live[number].sid for number in taken]
        params = {**desk.step(act).after, "hosted_number_order_sids": ready}
        return Ready(
            wire.create_letter(desk.lookups.dialect, params),
            Expected(),
            {"orders": ready},
            tuple(left_out),
        )

    def done(self, act: Act, outcome: Outcome, _reply: Reply, desk: Desk) -> list[Ending]:
        """Sent: its orders wait for a signature."""
        at = outcome.server_date or desk.clock.now()
        taken = self._taken[act]
        self._sent.update((number, (outcome.sid, at)) for number in taken)
        return [_sent(number, desk.plan.steps[number].sid, None, outcome.sid) for number in taken]

    def refused(self, act: Act, outcome: Outcome, desk: Desk) -> list[Ending]:
        """Refused: none of its orders is in a letter."""
        way_out = "correct the letter's fields and plan it again"
        return [refusal(number, desk.plan.steps[number].sid, outcome, way_out) for number in act.steps]

    def settle(self, act: Act, fence: Mapping[str, Any], desk: Desk) -> list[Ending] | None:
        """Sent, where all its orders name one document; none, where none of them names any."""
        sent = set(fence.get("orders", ()))
        live = _read(act, desk, again=True)
        letters = {order.signing_document_sid for order in live.values() if order.sid in sent}
        if letters <= {None}:
            return None
        endings = []
        for number in act.steps:
            sid, order = desk.plan.steps[number].sid, live.get(number)
            if order is None or sid not in sent:
                endings.append(_stale(number, sid, order))
            elif len(letters) == 1:
                endings.append(_sent(number, order.sid, order.status, order.signing_document_sid))
            else:
                endings.append(_review(number, order.sid, order.status))
        return endings

    def unknown(self, act: Act, desk: Desk) -> list[Ending]:
        """For a person to look at."""
        return [_review(number, desk.plan.steps[number].sid, None) for number in act.steps]

    def look_back(self, endings: Sequence[Ending], desk: Desk, _wait: Wait) -> list[Ending]:
        """The same letters with the status their orders show; the history has it as our own write.

        The orders name their letter as soon as it is there.
        """
        live = _read(Act(tuple(done_sids(endings))), desk, again=True)
        newer = []
        for number, order in live.items():
            letter, at = self._sent.get(number, (None, None))
            if at is not None and order.signing_document_sid == letter:
                desk.saw([order], at=at, source=OWN)
            newer.append(_sent(number, order.sid, order.status, order.signing_document_sid))
        return newer


def _read(act: Act, desk: Desk, *, again: bool) -> Mapping[int, Sight]:
    """The letter's orders as they are, by step; those that are gone, or of another number, are left out."""
    if again:
        desk.forget_listing()
    steps = desk.plan.steps
    sids = {number: steps[number].sid or "" for number in act.steps}
    in_pages = len(steps) >= LARGE and (not again or len(sids) >= LARGE)
    ask = desk.listing().orders.get if in_pages else desk.lookups.order
    found = {number: ask(sid) for number, sid in sids.items()}
    live = {
        number: order
        for number, order in found.items()
        if order is not None and order.phone_number == steps[number].phone_number
    }
    if not again and not in_pages:
        desk.saw(live.values(), at=desk.clock.now(), source="poll")
    return live


def _sent(number: int, sid: str | None, status: str | None, letter: str | None) -> Ending:
    return Ending(number, State.DONE, sid, status, message=f"letter {letter}")


def _stale(number: int, sid: str | None, order: Sight | None) -> Ending:
    status = order.status if order else None
    message = f"the order is {status} now" if order else "the order is not there any more"
    code = "status" if order else "gone"
    return Ending(number, State.STALE, sid, status, code, message, "plan the letters again", retryable=True)


def _review(number: int, sid: str | None, status: str | None) -> Ending:
    note = "it cannot be told whether the letter went out"
    return Ending(number, State.REVIEW, sid, status, "letter-unknown", note, "look at the documents")
