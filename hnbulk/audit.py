"""After a run of creates: does the service really have exactly one live order, ours, on each number?

One more reading is compared with what the journal was told. This reports and never repairs: to
delete a duplicate is to delete its incoming phone number, which the other order may need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hnbulk.models import Sight
from hnbulk.steps import Action, Ending, State
from hnbulk.work import Desk, Wait

#: Up to so many creates are looked at one by one; more by one reading of all orders.
_FEW = 10


def audit_creates(made: Mapping[int, str], desk: Desk, wait: Wait) -> list[Ending]:
    """An ending for each create (step to sid, done by the journal) that the service shows otherwise.

    An order that is not to be seen yet is looked for once more, by its sid, after the settle
    window: a service may show late what it has made.
    """
    creates = {n: sid for n, sid in made.items() if desk.plan.steps[n].action is Action.CREATE}
    found = _read([desk.plan.steps[n].phone_number for n in creates], desk) if creates else {}
    endings: list[Ending] = []
    unseen: dict[int, str] = {}
    for number, sid in creates.items():
        orders = found.get(desk.plan.steps[number].phone_number, [])
        others = sorted(order.sid for order in orders if order.live and order.sid != sid)
        if others:
            endings.append(_doubled(number, sid, others))
        elif not any(order.sid == sid for order in orders):
            unseen[number] = sid
    if unseen and wait("waiting for orders that are not to be seen yet", desk.clock.now() + desk.settle):
        endings += [_vanished(n, sid) for n, sid in unseen.items() if desk.lookups.order(sid) is None]
    return endings


def _read(numbers: Sequence[str], desk: Desk) -> Mapping[str, Sequence[Sight]]:
    if len(numbers) <= _FEW:
        return {number: desk.lookups.orders_on(number) for number in numbers}
    desk.forget_listing()
    return desk.listing().by_number


def _doubled(number: int, sid: str, others: Sequence[str]) -> Ending:
    return Ending(
        number,
        State.CONFLICT,
        sid,
        code="two-live-orders",
        message=f"audit: beside this order {', '.join(others)} is live on the number",
        next_step="find out which order is right; nothing was deleted",
    )


def _vanished(number: int, sid: str) -> Ending:
    return Ending(
        number,
        State.REVIEW,
        sid,
        code="vanished",
        message="audit: the service made this order and does not have it any more",
        next_step="ask who deleted it, then plan again; it was not made anew",
    )
