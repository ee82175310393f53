"""When the next thing happens to an order by itself, and what it is.

A pure function of the order's record, its calls and its fate: no list, no clock, no drawing. What
it leads to is carried out by the world.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hnbulk.lifecycle import Mover, is_terminal
from hnbulk.sandbox import fates
from hnbulk.sandbox.fates import Case, WorldSettings, days
from hnbulk.sandbox.records import Call, Order

# Why an order is stuck or has failed, as `failure_reason` tells it.
SMS_ENABLED = "The number is currently SMS enabled."
NOT_ELIGIBLE = "A problem occurred while processing the order."
NO_CARRIER = "The carrier did not accept the request to enable the number."
TEST_FAILED = "The capability test did not pass."
ATTEMPTS_USED = "Reached maximum verification attempts."
BILL_REFUSED = "The phone bill does not prove ownership of the number."
IDLE_VERIFICATION = "The order has been idle in verification for seven days."
IDLE_LETTER = "The letter of authorization was not signed within seven days."
IDLE_ACTION = "No answer within seven days of the order requiring action."
IDLE_LONG = "The order has been idle for more than thirty days."


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """What happens at `at`: mostly a move to `target`; the end of a call, or an operator's help."""

    at: int
    what: str  # "move", "call" or "fixed"
    target: str = ""
    mover: Mover = Mover.TWILIO
    reason: str = ""
    call_sid: str = ""


def next_moment(order: Order, case: Case, calls: Sequence[Call], world: WorldSettings) -> Moment | None:
    """The earliest of all that may happen to the order by itself; None where nothing will."""
    if order.deleted or is_terminal(order.status):
        return None
    idle = Moment(order.updated + days(world.idle_days), "move", "failed", Mover.TIMER, IDLE_LONG)
    return min((idle, *_stage_moments(order, case, calls, world)))


def _stage_moments(
    order: Order, case: Case, calls: Sequence[Call], world: WorldSettings
) -> Iterator[Moment]:
    """What may end the present stage."""
    match order.status:
        case "twilio-processing":
            yield from _check(order, case, world)
        case "received":
            yield _stuck(order.updated + days(world.verification_idle_days), IDLE_VERIFICATION)
        case "pending-verification":
            yield _stuck(order.updated + days(world.verification_idle_days), IDLE_VERIFICATION)
            yield from _verification(order, case, calls, world)
        case "pending-loa":
            yield _stuck(order.since + days(world.letter_idle_days), IDLE_LETTER)
        case "carrier-processing":
            ends, after = fates.carrier_ends(case, world)
            yield _or_stuck(
                ends == "enabled" or _was_helped(order),
                order.since + after,
                "testing",
                Mover.CARRIER,
                NO_CARRIER,
            )
        case "testing":
            ends, after = fates.capability_ends(case, world)
            yield _or_stuck(
                ends == "passed" or _was_helped(order),
                order.since + after,
                "completed",
                Mover.TWILIO,
                TEST_FAILED,
            )
        case "action-required":
            reason = order.failure_reason or IDLE_ACTION
            yield Moment(order.since + days(world.action_days), "move", "failed", Mover.TIMER, reason)
            helped = fates.operator_ends(case, world, order.changes)
            if helped is not None:
                yield Moment(order.since + helped, "fixed")


def _check(order: Order, case: Case, world: WorldSettings) -> Iterator[Moment]:
    ends, after = fates.check_ends(case, world)
    if ends != "never":
        reason = {"failed": SMS_ENABLED, "action-required": NOT_ELIGIBLE}.get(ends, "")
        yield Moment(order.since + after, "move", ends, Mover.TWILIO, reason)


def _verification(
    order: Order, case: Case, calls: Sequence[Call], world: WorldSettings
) -> Iterator[Moment]:
    for call in calls:
        if call.outcome == "ringing":
            yield Moment(call.ends_at, "call", call_sid=call.sid)
    if order.review_at is not None:
        ends, after = fates.bill_ends(case, world, order.reviews)
        at = order.review_at + after
        yield _or_stuck(ends == "accepted", at, "verified", Mover.OPERATOR, BILL_REFUSED)


def _was_helped(order: Order) -> bool:
    """An operator has sent the order back to its carrier: what was in the way there is gone."""
    return any(
        event.status == "carrier-processing" and event.mover == Mover.OPERATOR for event in order.history
    )


def _or_stuck(good: bool, at: int, target: str, mover: Mover, reason: str) -> Moment:
    if good:
        return Moment(at, "move", target, mover)
    return Moment(at, "move", "action-required", Mover.TWILIO, reason)


def _stuck(at: int, reason: str) -> Moment:
    return Moment(at, "move", "action-required", Mover.TIMER, reason)
