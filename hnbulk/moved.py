"""Which steps of a plan cannot be done any more as they were planned, and which are done already.

Each step is held against the orders that there are for it now: they moved on, or they already are
as the step wants them, whoever did that. This decides; it reads nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hnbulk import lifecycle
from hnbulk.models import Order, Sight
from hnbulk.planfile import PlanFile, PlanRow
from hnbulk.steps import Action, Step, Verdict

#: The codes of rows that a rebase left without steps: dropped, or done already.
MOVED, DONE = "moved", "done"
#: The code of a row whose order was changed since it was compared, nobody knows in what.
CHANGED = "changed"
_DONE_ALREADY = "done already"

#: Every order there is for a step: on its number, and the one it names; whole where it is to be updated.
Find = Callable[[Step], Sequence[Sight]]
#: The order of a row as it is now; None where it is not there.
Now = Callable[[PlanRow], Sight | None]
Reason = tuple[str, str]  # code and words


@dataclass(frozen=True, slots=True)
class There:
    """What a step wants is so already; `order` is None where the step wants none."""

    order: Sight | None


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What a step makes is there, of its own name, but with other values in these fields.

    A run takes it over as it is; a person is told.
    """

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """A step that cannot be done as planned, and why; the words name no person's data."""

    row: int | None
    step: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """A step that nothing is left to do of, and the order that is as it wants it."""

    row: int | None
    step: int
    sid: str | None = None
    status: str | None = None
    updated: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """The steps that are not as planned any more, in plan order; every other one still is."""

    gone: tuple[Moved, ...]
    done: tuple[Done, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows of a plan: numbers with a request in doubt, and the steps that the service
    refused in a run of this very plan, with its codes."""

    doubtful: Container[str] = ()
    refused: Mapping[int, str] = field(default_factory=dict)


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


#: What a look at a step's orders says of it; None where it can be done as planned.
Found = Reason | There | Otherwise | None


def judge(plan: PlanFile, find: Find, known: Known | None = None) -> Judged:
    """Which steps cannot be done as planned any more, and which are done already.

    An update that waits for its row's create is not judged but with that one. A row is done as a
    whole or not at all, and never where something of its number is in doubt.
    """
    told = known or Known()
    gone: list[Moved] = []
    done: list[Done] = []
    left: set[int | None] = set()  # rows that something is to be done of
    made: tuple[int | None, Sight | None] = (None, None)  # the row judged last, and the order of its create
    for number, step in enumerate(plan.steps):
        found: Found
        if step.sid is None and step.action is not Action.CREATE:
            found = _as_wanted(made[1], step) if made[0] == step.row else None
        else:
            found = _RULES[step.action](step, find(step))
        if isinstance(found, Otherwise):
            found = _differs(found) if known is not None and _is_settled(step, known) else None
        elif found is None and number in told.refused:
            found = ("refused", f"the service refused it ({told.refused[number]})")
        if isinstance(found, There) and _can_be_told(found.order, step, plan, told):
            made = (step.row, found.order)
            done.append(_done(step.row, number, found.order))
            continue
        left.add(step.row)
        if isinstance(found, tuple):
            gone.append(Moved(step.row, number, *found))
    return Judged(tuple(gone), tuple(one for one in done if one.row is None or one.row not in left))


def drift(plan: PlanFile, judged: Judged, now: Now) -> list[Drift]:
    """The steps that moved or are done, and the rows whose orders have another status or date of change
    `now`, in row order.

    Rows without a step count too: what stood in their way may be gone.
    """
    steps = plan.steps
    found = [
        Drift(one.row, steps[one.step].sid, one.code, one.message, stands=False) for one in judged.gone
    ]
    done = {one.step if one.row is None else f"row {one.row}": one for one in judged.done}
    found += [Drift(one.row, one.sid, DONE, _DONE_ALREADY, stands=True) for one in done.values()]
    told = {one.row for one in found}
    for row in plan.rows:
        if row.sid is None or row.status is None or row.row in told:
            continue
        order = now(row)
        if order is None:
            found.append(Drift(row.row, row.sid, "gone", "the order is not there any more", stands=True))
        elif order.status != row.status:
            message = f"the order was {row.status} and is {order.status} now"
            found.append(Drift(row.row, row.sid, "status", message, stands=True))
        elif was_changed(row, order):
            found.append(Drift(row.row, row.sid, CHANGED, "the order was changed", stands=True))
    return sorted(found, key=lambda one: (one.row is None, one.row or 0))


def was_changed(row: PlanRow, order: Sight) -> bool:
    """The order is not as the row saw it: by its status, and by its date where the row has one.

    The service's dates are of whole seconds: a change in the second of the one before is not seen.
    """
    if row.status is not None and order.status != row.status:
        return True
    return row.updated is not None and _moment(order) not in (None, row.updated)


def rebase(plan: PlanFile, judged: Judged, now: Now, *, made_at: datetime, read_at: datetime) -> PlanFile:
    """The plan without what moved, what depends on it and what is done, as of the reading at `read_at`.

    The rows that lost their steps are blocked with code `moved`, or need nothing with code `done`. One
    that needed nothing, and whose order was changed since, says so with code `changed`. Every other
    one stays.
    """
    moved = {one.row: one for one in judged.gone if one.row is not None}
    done = {one.row: one for one in judged.done if one.row is not None}
    left_out = {one.step for one in judged.gone} | {one.step for one in judged.done}
    kept = [step for n, step in enumerate(plan.steps) if n not in left_out and step.row not in moved]
    header = replace(plan.header, made_at=made_at.isoformat(), read_at=read_at.isoformat())

    def told(row: PlanRow) -> PlanRow:
        if (one := moved.get(row.row)) is not None:
            note = f"since it was planned, {one.message}"
            return replace(row, verdict=Verdict.BLOCKED, code=MOVED, note=note)
        if (as_wanted := done.get(row.row)) is not None:
            seen = replace(row, sid=as_wanted.sid, status=as_wanted.status, updated=as_wanted.updated)
            return replace(seen, verdict=Verdict.NOTHING, code=DONE, note=_DONE_ALREADY)
        return _seen_again(row, now) if row.verdict is Verdict.NOTHING and row.sid is not None else row

    return PlanFile(header, tuple(kept), tuple(map(told, plan.rows)))


def _seen_again(row: PlanRow, now: Now) -> PlanRow:
    """The row that needed nothing, by its order as it is now."""
    order = now(row)
    if order is None:
        note = "since it was planned, the order is not there any more"
        return replace(row, verdict=Verdict.BLOCKED, code=MOVED, note=note)
    if not was_changed(row, order):
        return row
    note = "since it was compared, the order was changed; plan the list again to compare it"
    seen = replace(row, status=order.status, updated=_moment(order))
    return replace(seen, code=CHANGED, note=note) if row.code is None else seen


def _moment(order: Sight) -> str | None:
    date = order.date_updated
    return None if date is None else date.replace(microsecond=0).isoformat()


def _done(row: int | None, step: int, order: Sight | None) -> Done:
    if order is None:
        return Done(row, step)
    return Done(row, step, order.sid, order.status, _moment(order))


def _differs(found: Otherwise) -> Reason:
    named = ", ".join(found.fields)
    return "differs", f"its order was made, with another {named}; plan the list again to compare it"


def _is_settled(step: Step, known: Known) -> bool:
    return step.phone_number not in known.doubtful


def _can_be_told(order: Sight | None, step: Step, plan: PlanFile, known: Known) -> bool:
    """Nothing is in doubt on the number, and the order belongs to the account that the step is for."""
    named = step.after.get("account_sid") or step.precondition.get("account_sid")
    own = order is None or order.account_sid == (named or plan.header.account_sid)
    return own and _is_settled(step, known)


def _as_wanted(order: Sight | None, step: Step) -> There | None:
    """The order shows all that the step asks for. What is never echoed cannot be seen."""
    seen = isinstance(order, Order) and order.live and order.shows(step.after)
    return There(order) if seen and not step.after.keys().isdisjoint(Order.model_fields) else None


def _create(step: Step, orders: Sequence[Sight]) -> Found:
    name = step.after.get("unique_name")
    here = [order for order in orders if order.phone_number == step.phone_number]
    live = [order for order in here if order.live]
    others = [order for order in live if name is None or order.unique_name != name]
    if others:
        return "not-ours", f"order {others[0].sid} is live on the number and not of this plan"
    if len(live) > 1:
        return "two-orders", "two live orders are on the number"
    if live:
        order = live[0]
        if not isinstance(order, Order):
            return None
        differing = tuple(name for name in step.after if not order.shows({name: step.after[name]}))
        return Otherwise(differing) if differing else There(order)
    failed = len(here)
    if failed > int(step.precondition.get("generation") or 0):
        return "failed", "an order on the number failed"
    return None


def _update(step: Step, orders: Sequence[Sight]) -> Reason | There | None:
    order = next((one for one in orders if one.sid == step.sid and isinstance(one, Order)), None)
    if order is None:
        return "gone", "the order is not there any more"
    if order.phone_number != step.phone_number:
        return "not-ours", "the order is of another number"
    if order.live and order.shows(step.after):
        return _as_wanted(order, step)
    if not lifecycle.may_update(order.status):
        return "status", f"the order is {order.status} now"
    if not order.shows(step.before):
        names = [name for name in step.before if not order.shows({name: step.before[name]})]
        return "changed", f"somebody changed its {', '.join(names)}"
    return None


def _cancel(step: Step, orders: Sequence[Sight]) -> Reason | There | None:
    order = _own(step, orders)
    if order is None:  # what was wanted, unless another one came in its place
        back = any(one.live and one.phone_number == step.phone_number for one in orders)
        return None if back else There(None)
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
        return "called-meanwhile", "it was called since the plan was made"  # by whom, no order says
    return _by_status(step, order, may=lifecycle.may_call)


def _authorize(step: Step, orders: Sequence[Sight]) -> Reason | None:
    order = _own(step, orders)
    if order is None:
        return "gone", "the order is not there any more"
    return None if lifecycle.may_authorize(order.status) else ("status", f"the order is {order.status} now")


_RULES: Mapping[Action, Callable[[Step, Sequence[Sight]], Found]] = {
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
