"""Which steps of a plan cannot be done any more as they were planned, because their orders moved on.

Each step is held against the orders that there are for it now. What is as planned, and what is
there already by our own doing, has not moved. This decides; it reads nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hnbulk import lifecycle
from hnbulk.models import Order, Sight
from hnbulk.planfile import PlanFile, PlanRow
from hnbulk.steps import Action, Step, Verdict

#: The code of a row whose steps were dropped from a plan.
MOVED = "moved"

#: Every order there is for a step: on its number, and the one it names; whole where it is to be updated.
Find = Callable[[Step], Sequence[Sight]]
Reason = tuple[str, str]  # code and words


@dataclass(frozen=True, slots=True)
class Moved:
    """A step that cannot be done as planned, and why; the words name no person's data."""

    row: int | None
    step: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Drift:
    """A row whose order is not as the plan saw it; `stands` where what is planned can be done all the same.

    The words name no person's data.
    """

    row: int | None
    sid: str | None
    code: str
    message: str
    stands: bool


def moved(plan: PlanFile, find: Find) -> list[Moved]:
    """The steps whose orders are no longer as the plan saw them, in plan order.

    A step that waits for another one of its row is not judged: it goes with that one.
    """
    found = []
    for number, step in enumerate(plan.steps):
        if step.sid is None and step.action is not Action.CREATE:
            continue
        reason = _RULES[step.action](step, find(step))
        if reason is not None:
            found.append(Moved(step.row, number, *reason))
    return found


def drift(plan: PlanFile, gone: Sequence[Moved], now: Callable[[PlanRow], Sight | None]) -> list[Drift]:
    """The steps that moved, and the rows whose orders have another status `now`, in row order.

    Rows without a step count too: what stood in their way may be gone.
    """
    found = [Drift(one.row, plan.steps[one.step].sid, one.code, one.message, stands=False) for one in gone]
    told = {one.row for one in gone}
    for row in plan.rows:
        if row.sid is None or row.status is None or row.row in told:
            continue
        order = now(row)
        if order is None:
            found.append(Drift(row.row, row.sid, "gone", "the order is not there any more", stands=True))
        elif order.status != row.status:
            message = f"the order was {row.status} and is {order.status} now"
            found.append(Drift(row.row, row.sid, "status", message, stands=True))
    return sorted(found, key=lambda one: (one.row is None, one.row or 0))


def rebase(plan: PlanFile, gone: Sequence[Moved], *, made_at: datetime, read_at: datetime) -> PlanFile:
    """The plan without what moved and without what depends on it, as of the reading at `read_at`.

    The rows that lost their steps are blocked with code `moved`; every other one stays.
    """
    why = {one.step: one for one in gone}
    rows = {one.row: one for one in gone if one.row is not None}
    kept = [step for n, step in enumerate(plan.steps) if n not in why and step.row not in rows]
    header = replace(plan.header, made_at=made_at.isoformat(), read_at=read_at.isoformat())
    told = tuple(_left_out(row, rows[row.row]) if row.row in rows else row for row in plan.rows)
    return PlanFile(header, tuple(kept), told)


def _left_out(row: PlanRow, one: Moved) -> PlanRow:
    return replace(row, verdict=Verdict.BLOCKED, code=MOVED, note=f"since it was planned, {one.message}")


def _create(step: Step, orders: Sequence[Sight]) -> Reason | None:
    name = step.after.get("unique_name")
    here = [order for order in orders if order.phone_number == step.phone_number]
    live = [order for order in here if order.live]
    others = [order for order in live if name is None or order.unique_name != name]
    if others:
        return "not-ours", f"order {others[0].sid} is live on the number and not of this plan"
    if len(live) > 1:
        return "two-orders", "two live orders are on the number"
    failed = len(here) - len(live)
    if not live and failed > int(step.precondition.get("generation") or 0):
        return "failed", "an order on the number failed"
    return None


def _update(step: Step, orders: Sequence[Sight]) -> Reason | None:
    order = next((one for one in orders if one.sid == step.sid and isinstance(one, Order)), None)
    if order is None:
        return "gone", "the order is not there any more"
    if order.phone_number != step.phone_number:
        return "not-ours", "the order is of another number"
    if order.shows(step.after):
        return None
    if not lifecycle.may_update(order.status):
        return "status", f"the order is {order.status} now"
    if not order.shows(step.before):
        names = [name for name in step.before if not order.shows({name: step.before[name]})]
        return "changed", f"somebody changed its {', '.join(names)}"
    return None


def _cancel(step: Step, orders: Sequence[Sight]) -> Reason | None:
    order = _own(step, orders)
    if order is None:
        return None  # what was wanted
    if order.phone_number != step.phone_number:
        return "not-ours", "the order is of another number"
    return _by_status(step, order, may=lifecycle.may_cancel)


def _verify(step: Step, orders: Sequence[Sight]) -> Reason | None:
    order = _own(step, orders)
    if order is None:
        return "gone", "the order is not there any more"
    if order.phone_number != step.phone_number:
        return "not-ours", "the order is of another number"
    planned = step.precondition
    before = (planned.get("verification_attempts"), planned.get("call_count"))
    now = (order.verification_attempts, len(order.verification_call_sids))
    if any(was is not None and was != is_now for was, is_now in zip(before, now, strict=True)):
        return "called-meanwhile", "somebody else had it called"
    return _by_status(step, order, may=lifecycle.may_call)


def _authorize(step: Step, orders: Sequence[Sight]) -> Reason | None:
    order = _own(step, orders)
    if order is None:
        return "gone", "the order is not there any more"
    return None if lifecycle.may_authorize(order.status) else ("status", f"the order is {order.status} now")


_RULES: Mapping[Action, Callable[[Step, Sequence[Sight]], Reason | None]] = {
    Action.CREATE: _create,
    Action.UPDATE: _update,
    Action.CANCEL: _cancel,
    Action.VERIFY: _verify,
    Action.AUTHORIZE: _authorize,
}


def _own(step: Step, orders: Sequence[Sight]) -> Sight | None:
    return next((order for order in orders if order.sid == step.sid), None)


def _by_status(step: Step, order: Sight, *, may: Callable[[str], bool]) -> Reason | None:
    planned = step.precondition.get("status")
    if not may(order.status) or planned not in (None, order.status):
        return "status", f"the order is {order.status} now"
    return None
