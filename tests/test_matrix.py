"""Each status and each action: the plan has a legal step, or none and a reason, as the sandbox decides.

An order is put into the status; the plan is made from what the service shows of it, and the very
request is sent as well, whatever the plan says. Where the two are not of one mind, it stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import pandas as pd
import pytest
from sandbox.sandbox_driver import ADDRESS, DOCUMENT, FIXED, Driver

from hnbulk import wire
from hnbulk.cancels import build_cancels
from hnbulk.differences import UPDATABLE
from hnbulk.errors import HnbulkError
from hnbulk.frames import orders_from, targets_frame
from hnbulk.letters import build_letters
from hnbulk.lifecycle import ORDER
from hnbulk.messages import Request
from hnbulk.models import Order
from hnbulk.plan import build_plan
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.results import next_step
from hnbulk.sandbox.state import put_state, take_state
from hnbulk.schedule import build_calls
from hnbulk.settings import CallLimits
from hnbulk.steps import Action, Step, Verdict

NUMBER = FIXED + "170"
CONTACT = {"contact_title": "Owner", "contact_phone_number": "+14155550100"}
#: A value for each field that an order may be given later; none of them is an order's own from the start.
CHANGES: dict[str, dict[str, Any]] = {
    "friendly_name": {"friendly_name": "North"},
    "email": {"email": "owner@example.com"},
    "cc_emails": {"cc_emails": ["copy@example.com"]},
    "verification_type": {"verification_type": "phone-bill", "verification_document_sid": DOCUMENT},
    "verification_document_sid": {"verification_document_sid": DOCUMENT},
    "extension": {"extension": "12"},
    "call_delay": {"call_delay": 5},
}
#: Here the plan is stricter than the service: its staff works on the order.
OURS_ALONE = {("action-required", field) for field in CHANGES}


class Case:
    """One order in a status, in a sandbox of its own."""

    def __init__(self, status: str) -> None:
        self.driver = Driver(seed=7)
        self.sid = self.driver.create(NUMBER, UniqueName="ours")["sid"]
        state = take_state(self.driver.sandbox.desk)
        (order,) = state["orders"]
        order["status"] = status
        order["history"].append({**order["history"][-1], "status": status})
        put_state(self.driver.sandbox.desk, state)
        assert self.driver.status(self.sid) == status
        self.now = self.driver.sandbox.clock.now().replace(tzinfo=UTC)

    @property
    def orders(self) -> pd.DataFrame:
        """What the service shows."""
        return orders_from([Order.model_validate(self.driver.order(self.sid))])

    def made_of(self, **target: Any) -> dict[str, Any]:
        """The arguments of a plan of one row."""
        return {
            "targets": targets_frame([{"row": 2, "phone_number": NUMBER, **target}]),
            "orders": self.orders,
            "header": PlanHeader(
                **self.where,
                input_hash="0" * 64,
                input_name="list.csv",
                columns=("Phone",),
                made_at=self.now.isoformat(),
                read_at=self.now.isoformat(),
            ),
            "rows": [(2, {"Phone": NUMBER})],
            "set_aside": {},
        }

    @property
    def where(self) -> dict[str, str]:
        """Whose plan it is."""
        account = self.driver.sandbox.account_sid
        return {"dialect": "preview", "base_url": "http://127.0.0.1:1", "account_sid": account}

    def accepts(self, request: Request) -> bool:
        """The service does what is asked. A refusal has changed nothing."""
        before = self.driver.sandbox.orders()
        answer = self.driver.service.answer(request, self.driver.person, self.driver.sandbox.clock.now())
        accepted = answer.reply.status < 300
        assert accepted or self.driver.sandbox.orders() == before
        return accepted


def verdict_of(plan: PlanFile) -> PlanRow:
    """The one row; where it has no step, it says why, and what can be done."""
    (row,) = plan.rows
    planned = row.verdict is Verdict.PLANNED
    assert planned == bool(plan.steps)
    if not planned and row.verdict is not Verdict.NOTHING:
        assert row.code
        assert row.note
        assert next_step(row.code, row.verdict)
    return row


def sole(plan: PlanFile, action: Action) -> Step | None:
    """The one step of the plan, which is of this action; None where it has none."""
    if not plan.steps:
        return None
    (step,) = plan.steps
    assert step.action is action
    return step


@pytest.fixture(params=ORDER)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """An order in each of the ten statuses."""
    assert len(ORDER) == 10
    return Case(request.param)


@pytest.fixture
def status(case: Case) -> str:
    """The status of its order."""
    return case.driver.status(case.sid)


def test_a_create_is_planned_where_the_service_takes_a_new_order(case: Case, status: str) -> None:
    """Where an order is live there is nothing to do; a failed one is followed by another."""
    plan = build_plan(**case.made_of())
    row, step = verdict_of(plan), sole(plan, Action.CREATE)
    assert row.verdict is (Verdict.PLANNED if status == "failed" else Verdict.NOTHING)
    params = dict(step.after) if step else {"unique_name": "another"}
    asked = wire.create_order(wire.PREVIEW, {"phone_number": NUMBER, **params})
    assert case.accepts(asked) == (step is not None)


@pytest.mark.parametrize("field", CHANGES)
def test_an_update_is_planned_where_the_service_takes_it(case: Case, status: str, field: str) -> None:
    """Blocked with the way out elsewhere; what a failed order lacks, the next one gets."""
    plan = build_plan(**case.made_of(**CHANGES[field]))
    row = verdict_of(plan)
    accepted = case.accepts(wire.update_order(wire.PREVIEW, case.sid, CHANGES[field]))
    if status == "failed":
        assert plan.steps[0].action is Action.CREATE
        assert not accepted
        return
    step = sole(plan, Action.UPDATE)
    assert row.verdict is (Verdict.PLANNED if step else Verdict.BLOCKED)
    if step is not None:
        assert dict(step.after) == CHANGES[field]
        assert step.sid == case.sid
    assert (step is not None) == (accepted and (status, field) not in OURS_ALONE)


@pytest.mark.parametrize("target", [{"address_sid": ADDRESS}, {"account_sid": "AC" + "9" * 32}])
def test_what_no_order_can_be_given_later_is_blocked(
    case: Case, status: str, target: dict[str, str]
) -> None:
    """Where an order is live; the interface has no parameter for it at all."""
    plan = build_plan(**case.made_of(**target))
    assert verdict_of(plan).verdict is (Verdict.PLANNED if status == "failed" else Verdict.BLOCKED)
    with pytest.raises(HnbulkError):
        wire.update_order(wire.PREVIEW, case.sid, target)


def test_a_cancel_is_planned_where_the_service_lets_go(case: Case, status: str) -> None:
    """Blocked elsewhere; a failed order is none that could be canceled."""
    plan = build_cancels(**case.made_of())
    row, step = verdict_of(plan), sole(plan, Action.CANCEL)
    assert case.accepts(wire.delete_order(wire.PREVIEW, case.sid)) == (step is not None)
    if step is None:
        assert row.verdict is (Verdict.NOTHING if status == "failed" else Verdict.BLOCKED)


def test_a_prune_cancels_the_same_orders(case: Case) -> None:
    """What the list does not name, by the same rule."""
    given = case.made_of()
    given["targets"] = targets_frame([{"row": 2, "phone_number": "+19075550171"}])
    plan = build_plan(**given, prune=True)
    cancels = [step for step in plan.steps if step.action is Action.CANCEL]
    assert case.accepts(wire.delete_order(wire.PREVIEW, case.sid)) == bool(cancels)


def test_a_call_is_planned_where_the_service_places_one(case: Case) -> None:
    """Left out with the reason elsewhere: no call, no attempt used up."""
    later = case.now + timedelta(hours=1)
    plan = build_calls(case.orders, now=later, limits=CallLimits(), read_at=later, **case.where)
    row, step = verdict_of(plan), sole(plan, Action.VERIFY)
    assert case.accepts(wire.ask_verification(wire.PREVIEW, case.sid)) == (step is not None)
    assert step is not None or row.verdict in (Verdict.BLOCKED, Verdict.SET_ASIDE)


def test_a_letter_is_planned_where_the_service_takes_the_order(case: Case) -> None:
    """Left out with the reason elsewhere."""
    given = {**CONTACT, "address_sid": ADDRESS, "email": "owner@example.com"}
    plan = build_letters(case.orders, made_at=case.now, read_at=case.now, **given, **case.where)
    row, step = verdict_of(plan), sole(plan, Action.AUTHORIZE)
    asked = {**given, "hosted_number_order_sids": [case.sid]}
    assert case.accepts(wire.create_letter(wire.PREVIEW, asked)) == (step is not None)
    assert step is not None or row.verdict in (Verdict.BLOCKED, Verdict.SET_ASIDE)


def test_every_field_that_can_be_updated_is_in_the_matrix() -> None:
    """A new one would be missed otherwise."""
    assert set(CHANGES) == set(UPDATABLE)
