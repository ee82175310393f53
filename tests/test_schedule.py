"""Plans of calls: who is due, who is left out and why, and when each phone may ring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hnbulk import lifecycle
from hnbulk.frames import empty_orders, orders_from
from hnbulk.models import Order
from hnbulk.planfile import PlanFile
from hnbulk.results import sort_rows
from hnbulk.schedule import build_calls
from hnbulk.settings import CallLimits
from hnbulk.steps import Action, Verdict

ACCOUNT = "AC" + "0" * 32
NOW = datetime(2026, 1, 5, 19, tzinfo=UTC)  # a Monday: 13:00 in Arkansas, 11:00 in California
LIMITS = CallLimits(max_calls=10, at_once=2)


def order(n: int, status: str = "received", **fields: Any) -> Order:
    """An order on an Arkansas number, older for a smaller n."""
    created = NOW - timedelta(days=30) + timedelta(hours=n)
    known = {"phone_number": f"+1501712{n:04d}", "status": status, "date_created": created}
    return Order.model_validate({"sid": f"HR{n:032x}", **known, **fields})


def calls_for(
    orders: list[Order], *, limits: CallLimits = LIMITS, now: datetime = NOW, **options: Any
) -> PlanFile:
    """The plan of calls for these orders."""
    return build_calls(
        orders_from(orders) if orders else empty_orders(),
        now=now,
        limits=limits,
        read_at=now,
        dialect="preview",
        base_url="http://127.0.0.1:1",
        account_sid=ACCOUNT,
        **options,
    )


def reason(plan: PlanFile) -> tuple[Verdict, str | None]:
    """Verdict and code of the one row of a plan without calls."""
    assert not plan.steps
    (row,) = plan.rows
    return row.verdict, row.code


def test_a_due_order_is_called_inside_its_window() -> None:
    """The step holds what must still be true and between which times the phone may ring."""
    (step,) = calls_for([order(1, verification_attempts=1, verification_call_sids=["CA1"])]).steps
    assert (step.action, step.row, step.sid) == (Action.VERIFY, 1, f"HR{1:032x}")
    assert step.before == {"status": "received", "verification_attempts": 1}
    assert step.after == {"status": "pending-verification"}
    assert step.precondition == {
        "wave": 1,
        "not_before": NOW.isoformat(),
        "not_after": datetime(2026, 1, 5, 23, tzinfo=UTC).isoformat(),
        "status": "received",
        "verification_attempts": 1,
        "call_count": 1,
    }


def test_outside_calling_hours_the_call_waits_for_the_next_morning() -> None:
    """At midnight the plan is for nine o'clock of the number's zone."""
    (step,) = calls_for([order(1)], now=datetime(2026, 1, 6, 6, tzinfo=UTC)).steps
    assert step.precondition["not_before"] == datetime(2026, 1, 6, 15, tzinfo=UTC).isoformat()


def test_the_oldest_orders_are_called_first_and_never_more_than_the_cap() -> None:
    """What the cap leaves out is set aside, not lost."""
    orders = [order(n) for n in (5, 3, 1, 4, 2)]
    plan = calls_for(orders, limits=CallLimits(max_calls=2, at_once=5))
    assert [step.phone_number[-1] for step in plan.steps] == ["1", "2"]
    assert [row.code for row in plan.rows] == [None, None, "over-cap", "over-cap", "over-cap"]


def test_a_wave_has_so_many_calls_at_once_and_no_more() -> None:
    """Five calls of two at once are three waves."""
    plan = calls_for([order(n) for n in range(1, 6)])
    assert [step.precondition["wave"] for step in plan.steps] == [1, 1, 2, 2, 3]


def test_waves_follow_the_opening_of_the_windows() -> None:
    """A number whose morning comes later is in a later wave, however old its order is."""
    west = order(1, phone_number="+14153608311")
    early = datetime(2026, 1, 5, 15, 30, tzinfo=UTC)  # 9:30 in Arkansas, 7:30 in California
    plan = calls_for([west, order(2)], now=early)
    assert [step.phone_number for step in plan.steps] == ["+15017120002", "+14153608311"]
    openings = [step.precondition["not_before"] for step in plan.steps]
    assert openings == [early.isoformat(), datetime(2026, 1, 5, 17, tzinfo=UTC).isoformat()]


@pytest.mark.parametrize("status", lifecycle.ORDER)
def test_only_statuses_that_take_a_call_are_called(status: str) -> None:
    """Received and pending-verification; any other is set aside."""
    plan = calls_for([order(1, status)])
    if lifecycle.may_call(status):
        assert len(plan.steps) == 1
    else:
        assert reason(plan) == (Verdict.SET_ASIDE, "not-due")


def test_the_third_attempt_needs_to_be_asked_for_and_there_is_no_fourth() -> None:
    """Two attempts: blocked, or called with its risk; three: blocked whatever is asked."""
    assert reason(calls_for([order(1, verification_attempts=2)])) == (Verdict.BLOCKED, "last-attempt")
    (step,) = calls_for([order(1, verification_attempts=2)], last_attempt=True).steps
    assert step.risk == "the last attempt"
    plan = calls_for([order(1, verification_attempts=3)], last_attempt=True)
    assert reason(plan) == (Verdict.BLOCKED, "attempts-used")


def test_a_number_called_less_than_ten_minutes_ago_is_not_called() -> None:
    """By us as far as we know, or by anybody where the order under verification just changed."""
    sid = order(1).sid
    recent = {sid: NOW - timedelta(minutes=9, seconds=59)}
    assert reason(calls_for([order(1)], last_calls=recent)) == (Verdict.SET_ASIDE, "called-recently")
    assert calls_for([order(1)], last_calls={sid: NOW - timedelta(minutes=10)}).steps
    changed = order(1, "pending-verification", date_updated=NOW - timedelta(minutes=1))
    assert reason(calls_for([changed])) == (Verdict.SET_ASIDE, "called-recently")


def test_an_order_verified_by_phone_bill_is_not_called() -> None:
    """There is nobody to call."""
    plan = calls_for([order(1, verification_type="phone-bill")])
    assert reason(plan) == (Verdict.SET_ASIDE, "phone-bill")


def test_a_toll_free_number_is_called_by_its_owners_zone_or_not_at_all() -> None:
    """The number says nothing of a place; the owner's address does."""
    toll_free = order(1, phone_number="+18005550100")
    assert reason(calls_for([toll_free])) == (Verdict.BLOCKED, "no-zone")
    limits = CallLimits(toll_free_zone="America/New_York")
    (step,) = calls_for([toll_free], limits=limits).steps
    assert step.precondition["not_after"] == datetime(2026, 1, 5, 22, tzinfo=UTC).isoformat()


def test_an_order_without_a_callable_number_is_blocked() -> None:
    """No zone, no call."""
    assert reason(calls_for([order(1, phone_number=None)])) == (Verdict.BLOCKED, "no-zone")


def test_two_live_orders_on_a_number_are_not_called() -> None:
    """One phone would ring twice; both are conflicts."""
    plan = calls_for([order(1), order(2, phone_number="+15017120001")])
    assert {row.verdict for row in plan.rows} == {Verdict.CONFLICT}
    assert not plan.steps


def test_every_order_is_in_the_results_once() -> None:
    """Called, capped and refused orders are all accounted for, with their numbers."""
    orders = [order(1), order(2), order(3, "completed"), order(4, verification_attempts=3)]
    results = sort_rows(calls_for(orders, limits=CallLimits(max_calls=1)), [])
    assert results.counts == {"success": 0, "error": 1, "unprocessed": 3}
    assert results.error[0]["phone_number"] == "+15017120004"


def test_no_orders_are_a_plan_without_calls() -> None:
    """An empty account has nothing to call and is no error."""
    assert calls_for([]).counts == {}
