"""A run of creates, updates and cancels: exactly one live order a number, whatever dies in between.

A create has a name that is its own on every machine and is sent at most twice; an update is
compared before and after; a cancel is read again first. Nothing found is taken over unless
number, name and account are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hnbulk import lifecycle, wire
from hnbulk.audit import audit_creates
from hnbulk.messages import Reply
from hnbulk.models import Order, Sight
from hnbulk.outcome import Expected, Operation, Outcome
from hnbulk.steps import Action, Ending, PlanFile, State, Step
from hnbulk.work import MANY, Act, Chain, Desk, Ready, Wait, refusal

#: "Phone Number Not Hostable": also what the service says to a number that has a live order.
_NOT_HOSTABLE = 22110
_OPERATIONS = {
    Action.CREATE: Operation.CREATE,
    Action.UPDATE: Operation.UPDATE,
    Action.CANCEL: Operation.DELETE,
}
#: How many requests of a step the service may ever have processed (safety rules, 2.1, 2.6, 2.7).
_MOST_SENDS = {Action.CREATE: 2, Action.UPDATE: 2, Action.CANCEL: 3}


class Changes:
    """What creates, updates and cancels mean to the engine."""

    kind = "orders"
    has_canary = True
    sends_on_resume = True

    def waves(self, plan: PlanFile) -> list[list[Chain]]:
        """One wave; the steps of an input row follow each other."""
        rows: dict[object, list[Act]] = {}
        for number, row in enumerate(plan.rows_of_steps()):
            rows.setdefault(row if row is not None else f"step {number}", []).append(Act((number,)))
        return [[tuple(acts) for acts in rows.values()]]

    def operation(self, act: Act, desk: Desk) -> Operation:
        """By the step's action."""
        return _OPERATIONS[desk.step(act).action]

    def most_sends(self, act: Act, desk: Desk) -> int:
        """Two creates, two updates, three cancels."""
        return _MOST_SENDS[desk.step(act).action]

    def open_wave(self, _wave: Sequence[Chain], _desk: Desk) -> datetime | None:
        """At once."""
        return None

    def look_back(self, done: Mapping[int, str], desk: Desk, wait: Wait) -> list[Ending]:
        """What the audit found: creates whose number does not have exactly one live order, ours."""
        return audit_creates(done, desk, wait)

    def prepare(self, act: Act, desk: Desk, *, again: bool) -> Ready | list[Ending]:
        """The request; a create where nothing of the number is there, a change where the order is
        still as the plan saw it."""
        step = desk.step(act)
        if step.action is Action.CREATE:
            return _prepare_create(act.first, step, desk, again=again)
        return _prepare_change(act.first, step, desk)

    def done(self, act: Act, _outcome: Outcome, reply: Reply, desk: Desk) -> list[Ending]:
        """Done, where an update's reply (or else one more look) shows what was asked for."""
        step = desk.step(act)
        if step.action is Action.CANCEL:
            return [Ending(act.first, State.DONE, step.sid, "deleted")]
        order = wire.read_order(reply)
        desk.saw_own(order, reply)
        if step.action is Action.UPDATE and not _has(order, step.after):
            seen = desk.lookups.order(order.sid)
            if seen is None or not _has(seen, step.after):
                return [_review(act.first, order, "the order does not show what was asked for")]
        return [Ending(act.first, State.DONE, order.sid, order.status)]

    def refused(self, act: Act, outcome: Outcome, desk: Desk) -> list[Ending]:
        """Refused, unless it was refused because our own order of an earlier attempt is there."""
        step = desk.step(act)
        taken = outcome.code == _NOT_HOSTABLE or outcome.reason == "status-409"
        if step.action is Action.CREATE and taken:
            found = _judge_create(act.first, step, desk)
            if found is not None:
                return found
        if outcome.reason == "status-404":
            return [_stale(act.first, step.sid, "gone", "the order is not there any more")]
        return [refusal(act.first, step.sid, outcome, "change the row")]

    def settle(self, act: Act, _fence: Mapping[str, Any], desk: Desk) -> list[Ending] | None:
        """Our order, our change, or nothing of it."""
        step = desk.step(act)
        if step.action is Action.CREATE:
            return _judge_create(act.first, step, desk)
        return _settle_change(act.first, step, desk)

    def unknown(self, act: Act, _desk: Desk) -> list[Ending]:
        """For a person to look at: it was sent as often as it may be, and nothing is there."""
        note = "sent as often as it may be, and nothing of it is to be seen"
        return [
            Ending(act.first, State.REVIEW, code="not-there", message=note, next_step="look at the order")
        ]


# -- creates


def _prepare_create(number: int, step: Step, desk: Desk, *, again: bool) -> Ready | list[Ending]:
    if again or not desk.plan_is_fresh:
        if again:
            found = _judge_create(number, step, desk)
        elif len(desk.plan.steps) >= MANY or desk.clock.frozen:
            found = _judge(number, step, desk, desk.listing().by_number.get(step.phone_number, []))
        else:
            found = _judge(number, step, desk, desk.lookups.orders_on(step.phone_number))
        if found is not None:
            return found
    request = wire.create_order(desk.lookups.dialect, {"phone_number": step.phone_number, **step.after})
    return Ready(
        request,
        Expected(
            phone_number=step.phone_number,
            unique_name=step.after.get("unique_name") if desk.lookups.dialect.has_unique_name else None,
            account_sid=_account(step, desk),
        ),
    )


def _judge_create(number: int, step: Step, desk: Desk) -> list[Ending] | None:
    """What the service has by this name and on this number; None where it has neither."""
    named = desk.lookups.orders_named(step.after["unique_name"]) if "unique_name" in step.after else []
    on_number = desk.lookups.orders_on(step.phone_number)
    both = {order.sid: order for order in [*named, *on_number]}
    return _judge(number, step, desk, list(both.values()))


def _judge(number: int, step: Step, desk: Desk, orders: Sequence[Sight]) -> list[Ending] | None:
    ours = [order for order in orders if _is_ours(order, step, desk)]
    live = [order for order in orders if order.live and order.phone_number == step.phone_number]
    strangers = [order for order in live if order not in ours]
    if len(ours) > 1 or (ours and strangers):
        return [_conflict(number, "two-orders", "there are two live orders on the number")]
    if ours:
        desk.saw(ours, at=desk.clock.now(), source="poll")
        return [Ending(number, State.DONE, ours[0].sid, ours[0].status, code="adopted")]
    if strangers:
        return [_conflict(number, "not-ours", "an order that is not of this plan is on the number")]
    return None


def _is_ours(order: Sight, step: Step, desk: Desk) -> bool:
    same = (
        order.phone_number == step.phone_number
        and order.unique_name is not None
        and order.unique_name == step.after.get("unique_name")
        and order.account_sid == _account(step, desk)
    )
    # one that failed already counts only if it was made by this run: an older one is why there is a plan
    return same and (
        order.live or (order.date_created or desk.began_at) >= desk.began_at.replace(microsecond=0)
    )


def _account(step: Step, desk: Desk) -> str:
    return str(step.after.get("account_sid") or desk.plan.header.account_sid)


# -- updates and cancels


def _prepare_change(number: int, step: Step, desk: Desk) -> Ready | list[Ending]:
    sid = step.sid or desk.sid_of(step.row)
    if sid is None:
        return [_stale(number, None, "no-order", "the order it belongs to was not made")]
    live = desk.lookups.order(sid)
    if live is None:
        if step.action is Action.CANCEL:
            return [Ending(number, State.DONE, sid, "deleted", code="gone")]
        return [_stale(number, sid, "gone", "the order is not there any more")]
    desk.saw([live], at=desk.clock.now(), source="poll")
    if live.phone_number != step.phone_number or live.account_sid != _account_of(live, step, desk):
        return [_conflict(number, "not-ours", "the order is of another number or account")]
    if step.action is Action.CANCEL:
        return _prepare_cancel(number, step, live, desk)
    return _prepare_update(number, step, live, desk)


def _account_of(live: Order, step: Step, desk: Desk) -> str | None:
    # an order of a subaccount shows that account; the plan knows it only where the row named it
    named = step.after.get("account_sid") or step.precondition.get("account_sid")
    return str(named) if named else live.account_sid or desk.plan.header.account_sid


def _prepare_update(number: int, step: Step, live: Order, desk: Desk) -> Ready | list[Ending]:
    if _has(live, step.after):
        return [Ending(number, State.DONE, live.sid, live.status, code="already")]
    if not lifecycle.may_update(live.status):
        return [_stale(number, live.sid, "status", f"the order is {live.status} now", live.status)]
    if step.sid is not None and not _has(live, step.before):
        return [_stale(number, live.sid, "changed", "somebody changed the order since", live.status)]
    request = wire.update_order(desk.lookups.dialect, live.sid, step.after)
    return Ready(request, Expected(phone_number=step.phone_number, sid=live.sid), {"status": live.status})


def _prepare_cancel(number: int, step: Step, live: Order, desk: Desk) -> Ready | list[Ending]:
    if not lifecycle.may_cancel(live.status):
        return [_stale(number, live.sid, "status", f"the order is {live.status} now", live.status)]
    planned = step.precondition.get("status")
    if planned is not None and planned != live.status:
        return [_stale(number, live.sid, "changed", f"the order is {live.status} now", live.status)]
    return Ready(wire.delete_order(desk.lookups.dialect, live.sid), Expected(), {"status": live.status})


def _settle_change(number: int, step: Step, desk: Desk) -> list[Ending] | None:
    sid = step.sid or desk.sid_of(step.row)
    live = desk.lookups.order(sid) if sid else None
    if live is None:
        if step.action is Action.CANCEL:
            return [Ending(number, State.DONE, sid, "deleted")]
        return [_stale(number, sid, "gone", "the order is not there any more")]
    if step.action is Action.CANCEL:
        return None
    if _has(live, step.after):
        return [Ending(number, State.DONE, live.sid, live.status)]
    if step.sid is None or _has(live, step.before):
        return None
    return [_conflict(number, "changed", "somebody else changed the order meanwhile", live.sid)]


def _has(order: Order, fields: Mapping[str, Any]) -> bool:
    """The order shows these values. What the service never echoes cannot be compared."""
    return all(
        _plain(getattr(order, name)) == _plain(value)
        for name, value in fields.items()
        if hasattr(order, name)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return list(value)
    return None if value == "" else value


# -- endings


def _stale(number: int, sid: str | None, code: str, message: str, status: str | None = None) -> Ending:
    return Ending(
        number, State.STALE, sid, status, code, message, next_step="make the plan again", retryable=True
    )


def _conflict(number: int, code: str, message: str, sid: str | None = None) -> Ending:
    return Ending(
        number,
        State.CONFLICT,
        sid,
        code=code,
        message=message,
        next_step="look at the number's orders",
    )


def _review(number: int, order: Order, message: str) -> Ending:
    return Ending(
        number, State.REVIEW, order.sid, order.status, "not-taken", message, next_step="look at the order"
    )
