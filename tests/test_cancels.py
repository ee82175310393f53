"""Cancels of the orders a list names: by number alone, and only where the service lets an order go."""

from __future__ import annotations

import pytest
from test_plan import header, order, phone, target

import hnbulk as hn
from hnbulk import lifecycle
from hnbulk.cancels import build_cancels
from hnbulk.errors import InputError, LimitRefused
from hnbulk.frames import orders_from, targets_frame
from hnbulk.intake import read_bytes
from hnbulk.models import Order
from hnbulk.planfile import Goal, PlanFile, loads_plan
from hnbulk.steps import Action, Verdict

LIST = b"Branch,Phone\nHarbour,(415) 555-0100\nMill,415-555-0101\nQuay,415 555 0102\n"


def cancels(orders: list[Order], *numbers: int, allow_cancels: int | None = None) -> PlanFile:
    """The plan that cancels what is live on these numbers."""
    targets = [target(row, n, friendly_name=f"row {row}") for row, n in enumerate(numbers, 2)]
    return build_cancels(
        targets_frame(targets),
        orders_from(orders),
        header=header(input_name="closed.csv"),
        rows=[(one["row"], {"Phone": one["phone_number"]}) for one in targets],
        set_aside={},
        allow_cancels=allow_cancels,
    )


@pytest.mark.parametrize("status", lifecycle.ORDER)
def test_an_order_is_canceled_where_its_status_allows(status: str) -> None:
    """Else its row is blocked and says why; a failed order is none."""
    plan = cancels([order(1, status)], 1)
    (row,) = plan.rows
    if lifecycle.may_cancel(status):
        (step,) = plan.steps
        assert (step.action, step.phone_number, step.row) == (Action.CANCEL, phone(1), 2)
        assert step.precondition == {"status": status, "sid": step.sid}
        assert row.verdict is Verdict.PLANNED
    else:
        code = "not-cancelable" if lifecycle.is_live(status) else "no-live-order"
        verdict = Verdict.BLOCKED if lifecycle.is_live(status) else Verdict.NOTHING
        assert (plan.steps, row.verdict, row.code) == ((), verdict, code)
        assert row.note


def test_nobody_elses_order_is_touched() -> None:
    """Orders on other numbers stay; a number given twice is canceled once, two orders on one never."""
    plan = cancels([order(1), order(2), order(3, sid=31), order(3, sid=32)], 1, 1, 3, 4)
    assert [step.phone_number for step in plan.steps] == [phone(1)]
    assert [row.code for row in plan.rows] == [None, "duplicate-row", "two-live-orders", "no-live-order"]


def test_the_order_of_a_subaccount_is_canceled_there() -> None:
    """The step names the account that the order is of."""
    other = "AC" + "9" * 32
    (step,) = cancels([order(1, account_sid=other)], 1).steps
    assert step.precondition["account_sid"] == other


def test_too_many_cancels_are_refused_but_for_their_exact_number() -> None:
    """More than 5 % of ten orders or more; the message has the arithmetic and the flag."""
    orders = [order(n) for n in range(20)]
    with pytest.raises(LimitRefused, match=r"2 of 20 live orders = 10\.0 %.*--allow-cancels 2"):
        cancels(orders, 1, 2)
    assert len(cancels(orders, 1, 2, allow_cancels=2).steps) == 2
    assert len(cancels(orders, 1).steps) == 1


def test_a_saved_plan_knows_what_it_is_for() -> None:
    """One saved before there was a choice is of the rows as listed."""
    content = cancels([order(1)], 1).dumps()
    assert loads_plan(content, name="p").header.goal is Goal.CANCELED
    older = content.replace(b'"goal":"canceled",', b"")
    assert loads_plan(older, name="p").header.goal is Goal.LISTED


def test_a_plan_of_cancels_is_applied_once_and_retried_as_such(account: hn.Account) -> None:
    """The orders are gone; planning again has nothing to do; a stale row comes back as a cancel."""
    sandbox = account.sandbox
    assert sandbox is not None
    intake = read_bytes(LIST, name="list.csv")
    for number in intake.targets["phone_number"]:
        sandbox.set_fate(number, "smooth")
    made = account.plan(intake)
    account.apply(made, approve=made.checksum[:8]).wait(timeout=60)
    sandbox.clock.advance(48 * 3600)
    with pytest.raises(InputError):
        account.cancel(read_bytes(LIST + b"Bad,12\n", name="list.csv"))
    plan = account.cancel(intake)
    assert plan.file.counts == {"cancel": 3}
    busy = {
        "action": "status",
        "status": 400,
        "code": 20001,
        "method": "DELETE",
        "path": "Orders/",
        "nth": 1,
    }
    sandbox.set_faults(busy)
    run = account.apply(plan, approve=plan.checksum[:8])
    run.wait(timeout=60)
    sandbox.set_faults()
    assert (len(run.results.success), len(run.results.error)) == (2, 1)
    (refused,) = set(account.error_classes(run.run_id)["class"])
    again = account.retry(run.run_id, [refused])
    assert again.file.counts == {"cancel": 1}
    account.apply(again, approve=again.checksum[:8]).wait(timeout=60)
    assert account.cancel(intake).file.counts == {"nothing": 3}
    assert not len(account.orders())
