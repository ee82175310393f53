"""A run of creates, updates and cancels: exactly one live order a number, whatever dies in between.

A create has a name that is its own on every machine and is sent at most twice; an update is
compared before and after; a cancel is read again first. Nothing found is taken over unless
number, name and account are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hnbulk import audit, lifecycle, wire
from hnbulk.errors import ReplyUnreadable
from hnbulk.looks import FEW_NUMBERS, MANY
from hnbulk.messages import Reply
from hnbulk.models import Order, Sight
from hnbulk.outcome import Expected, Operation, Outcome, says_taken
from hnbulk.planfile import PlanFile
from hnbulk.steps import Action, Ending, State, Step
from hnbulk.work import NAME_NOT_KEPT, Act, Chain, Desk, Ready, Wait, refusal

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

    def look_back(self, endings: Sequence[Ending], desk: Desk, wait: Wait) -> list[Ending]:
        """What the audit found: creates whose number is not as their ending says, and cancels whose
        number has a live order again."""
        done = {one.step: one.sid or "" for one in endings if one.state is State.DONE}
        return [*audit.look_back(endings, desk, wait), *_look_for_returned(done, desk)]

    def prepare(self, act: Act, desk: Desk, *, again: bool) -> Ready | list[Ending]:
        """The request; a create where nothing of the number is there, a change where the order is
        still as the plan saw it."""
        step = desk.step(act)
        if step.action is Action.CREATE:
            return _prepare_create(act.first, step, desk, again=again)
        return _prepare_change(act.first, step, desk)

    def done(self, act: Act, outcome: Outcome, reply: Reply, desk: Desk) -> list[Ending]:
        """Done, where an update's reply (or else one more look) shows what was asked for, and where what
        is said to be gone is."""
        step = desk.step(act)
        if step.action is Action.CANCEL:
            if outcome.reason == "gone" and desk.lookups.order(step.sid or "") is not None:
                return []
            return [Ending(act.first, State.DONE, step.sid, "deleted")]
        order = _read(reply)
        if order is not None:
            desk.saw_own(order, reply)
        if step.action is Action.UPDATE and (order is None or not order.shows(step.after)):
            seen = desk.lookups.order(_sid(step, desk) or "")
            if seen is None or not seen.shows(step.after):
                return [_review(act.first, outcome, "the order does not show what was asked for")]
        return [Ending(act.first, State.DONE, outcome.sid, outcome.status)]

    def refused(self, act: Act, outcome: Outcome, desk: Desk) -> list[Ending]:
        """Refused, unless it was refused because our own order of an earlier attempt is there."""
        step = desk.step(act)
        if step.action is Action.CREATE and says_taken(outcome):
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
        return [Ending(act.first, State.REVIEW, code="not-there", message=note)]


# -- creates


def _prepare_create(number: int, step: Step, desk: Desk, *, again: bool) -> Ready | list[Ending]:
    found = _judge_create(number, step, desk) if again else _pre_check(number, step, desk)
    if found is not None:
        return found
    dialect = desk.lookups.dialect
    params = {"phone_number": step.phone_number, **step.after}
    if not dialect.has_unique_name:
        params.pop("unique_name", None)
    return Ready(
        wire.create_order(dialect, params),
        Expected(
            phone_number=step.phone_number,
            unique_name=params.get("unique_name"),
            account_sid=desk.account_of(step),
        ),
    )


def _pre_check(number: int, step: Step, desk: Desk) -> list[Ending] | None:
    """What is on the number before anything of the step was sent, unless the plan has just looked."""
    if desk.plan_is_fresh:
        return None
    if len(desk.plan.steps) >= MANY or desk.clock.frozen:
        listed = desk.listing().by_number.get(step.phone_number, ())
        found = _judge(number, step, desk, listed)
        # a list shows what is there, and is no proof of what is not: but in a world that stands still
        if found is not None or desk.clock.frozen:
            return found
    return _judge(number, step, desk, desk.lookups.orders_on(step.phone_number))


def _judge_create(number: int, step: Step, desk: Desk) -> list[Ending] | None:
    """What the service has by this name and on this number; None where it has neither."""
    named = desk.lookups.orders_named(step.after["unique_name"]) if "unique_name" in step.after else []
    on_number = desk.lookups.orders_on(step.phone_number)
    both = {order.sid: order for order in [*named, *on_number]}
    return _judge(number, step, desk, list(both.values()))


def _judge(number: int, step: Step, desk: Desk, orders: Sequence[Sight]) -> list[Ending] | None:
    ours = [order for order in orders if _is_ours(number, order, step, desk)]
    live = [order for order in orders if order.live and order.phone_number == step.phone_number]
    strangers = [order for order in live if order not in ours]
    if len(ours) > 1 or (ours and strangers):
        return [_conflict(number, "two-orders", "there are two live orders on the number")]
    if ours:
        desk.saw(ours, at=desk.clock.now(), source="poll")
        return [Ending(number, State.DONE, ours[0].sid, ours[0].status, code="adopted")]
    if any(_lost_its_name(order, step, desk) for order in strangers):
        return [_conflict(number, NAME_NOT_KEPT, "the order on the number has not the unique name we gave")]
    if strangers:
        return [_conflict(number, "not-ours", "an order that is not of this plan is on the number")]
    return None


def _is_ours(number: int, order: Sight, step: Step, desk: Desk) -> bool:
    if order.phone_number != step.phone_number or order.account_sid != desk.account_of(step):
        return False
    since = desk.began_at
    if not desk.lookups.dialect.has_unique_name:
        # without a name only our own journal can tell: we asked for it, and it was made after that
        sent = desk.first_sent(number)
        return sent is not None and order.date_created is not None and _since(order, sent)
    if order.unique_name is None or order.unique_name != step.after.get("unique_name"):
        return False
    # one that failed already counts only if it was made by this run: an older one is why there is a plan
    return order.live or order.date_created is None or _since(order, since)


def _since(order: Sight, moment: datetime) -> bool:
    """The order was made then or later; the service's times have no parts of a second."""
    return order.date_created is not None and order.date_created >= moment.replace(microsecond=0)


def _lost_its_name(order: Sight, step: Step, desk: Desk) -> bool:
    """The order could be ours but for its name, of which the service kept a part at most."""
    given = str(step.after.get("unique_name") or "")
    if not given or not desk.lookups.dialect.has_unique_name or not _since(order, desk.began_at):
        return False
    return order.account_sid == desk.account_of(step) and given.startswith(order.unique_name or "")


# -- updates and cancels


def _sid(step: Step, desk: Desk) -> str | None:
    """The order that the step changes: the plan's, or the one its row has made in this run."""
    return step.sid or desk.sid_of(step.row)


def _is_another(live: Sight, step: Step, desk: Desk) -> bool:
    return live.phone_number != step.phone_number or live.account_sid != desk.account_of(step)


def _prepare_change(number: int, step: Step, desk: Desk) -> Ready | list[Ending]:
    sid = _sid(step, desk)
    if sid is None:
        return [_stale(number, None, "no-order", "the order it belongs to was not made")]
    live = desk.lookups.order(sid) if step.sid else desk.lookups.new_order(sid)
    if live is None:
        if step.action is Action.CANCEL:
            return [Ending(number, State.DONE, sid, "deleted", code="gone")]
        return [_stale(number, sid, "gone", "the order is not there any more")]
    if _is_another(live, step, desk):
        return [_conflict(number, "not-ours", "the order is of another number or account", sid)]
    desk.saw([live], at=desk.clock.now(), source="poll")
    # what is sent names the sid of the plan, never one that came back
    if step.action is Action.CANCEL:
        return _prepare_cancel(number, step, sid, live, desk)
    return _prepare_update(number, step, sid, live, desk)


def _prepare_update(number: int, step: Step, sid: str, live: Order, desk: Desk) -> Ready | list[Ending]:
    if live.shows(step.after):
        return [Ending(number, State.DONE, sid, live.status, code="already")]
    if not _takes_updates(live.status, step.precondition.get("status")):
        return [_stale(number, sid, "status", f"the order is {live.status} now", live.status)]
    if step.sid is not None and not live.shows(step.before):
        return [_stale(number, sid, "changed", "somebody changed the order since", live.status)]
    expected = Expected(phone_number=step.phone_number, account_sid=desk.account_of(step), sid=sid)
    request = wire.update_order(desk.lookups.dialect, sid, step.after)
    return Ready(request, expected, {"status": live.status})


def _takes_updates(status: str, planned: str | None) -> bool:
    """The order may be changed as it was planned: it moved on, perhaps, but did not leave its path."""
    known = lifecycle.known(status)
    strayed = planned not in (None, status) and known is not None and not known.on_path
    return lifecycle.may_update(status) and not strayed


def _prepare_cancel(number: int, step: Step, sid: str, live: Order, desk: Desk) -> Ready | list[Ending]:
    if not lifecycle.may_cancel(live.status):
        return [_stale(number, sid, "status", f"the order is {live.status} now", live.status)]
    planned = step.precondition.get("status")
    if planned is not None and planned != live.status:
        return [_stale(number, sid, "changed", f"the order is {live.status} now", live.status)]
    return Ready(wire.delete_order(desk.lookups.dialect, sid), Expected(), {"status": live.status})


def _settle_change(number: int, step: Step, desk: Desk) -> list[Ending] | None:
    sid = _sid(step, desk)
    live = desk.lookups.order(sid) if sid else None
    if live is None:
        if step.action is Action.CANCEL:
            return [Ending(number, State.DONE, sid, "deleted")]
        return [_stale(number, sid, "gone", "the order is not there any more")]
    if _is_another(live, step, desk):
        return [_conflict(number, "not-ours", "the order is of another number or account", sid)]
    if step.action is Action.CANCEL:
        return None
    if live.shows(step.after):
        return [Ending(number, State.DONE, sid, live.status)]
    if step.sid is None or live.shows(step.before):
        return None
    return [_conflict(number, "changed", "somebody else changed the order meanwhile", sid)]


def _look_for_returned(done: Mapping[int, str], desk: Desk) -> list[Ending]:
    """An ending for each done cancel whose number has a live order again: a create that came late.

    Orders that this run made are no surprise.
    """
    steps, lookups = desk.plan.steps, desk.lookups
    canceled = {n: sid for n, sid in done.items() if steps[n].action is Action.CANCEL}
    made = set(done.values()) - set(canceled.values())
    many = len(canceled) > FEW_NUMBERS
    endings = []
    for n, sid in canceled.items():
        number = steps[n].phone_number
        orders = desk.listing().by_number.get(number, ()) if many else lookups.orders_on(number)
        back = {o.sid for o in orders if o.live and not _is_another(o, steps[n], desk)} - made
        if sid in back and lookups.order(sid) is None:  # a list may show what was deleted
            back.discard(sid)
        if back:
            endings.append(_came_back(n, sid, sorted(back)))
    return endings


def _read(reply: Reply) -> Order | None:
    """The order that a reply shows; None where it shows too little."""
    try:
        return wire.read_order(reply, lenient=True)
    except ReplyUnreadable:
        return None


# -- endings


def _stale(number: int, sid: str | None, code: str, message: str, status: str | None = None) -> Ending:
    return Ending(
        number, State.STALE, sid, status, code, message, next_step="make the plan again", retryable=True
    )


def _came_back(number: int, sid: str, orders: Sequence[str]) -> Ending:
    return Ending(
        number,
        State.REVIEW,
        sid,
        code="came-back",
        message=f"after the cancel {', '.join(orders)} is live on the number",
        next_step="find out who made it, then plan its cancel",
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


def _review(number: int, outcome: Outcome, message: str) -> Ending:
    return Ending(
        number,
        State.REVIEW,
        outcome.sid,
        outcome.status,
        "not-taken",
        message,
        next_step="look at the order",
    )
