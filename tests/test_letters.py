"""Letters of authorization: who shares one, who is left out, and that every order is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hnbulk import letters, lifecycle
from hnbulk.errors import UsageError
from hnbulk.frames import empty_orders, orders_from
from hnbulk.letters import build_letters
from hnbulk.models import Order
from hnbulk.planfile import PlanFile
from hnbulk.results import sort_rows
from hnbulk.steps import Action, Verdict

ACCOUNT = "AC" + "0" * 32
NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
HOME, SHOP = "AD" + "1" * 32, "AD" + "2" * 32


def order(n: int, status: str = "verified", **fields: Any) -> Order:
    """An order with an address and a signer."""
    known = {"phone_number": f"+1501712{n:04d}", "status": status, "address_sid": HOME, "email": "a@b.c"}
    return Order.model_validate({"sid": f"HR{n:032x}", **known, **fields})


def letters_for(orders: list[Order], **options: Any) -> PlanFile:
    """The plan of letters for these orders."""
    contact = {"contact_title": "Owner", "contact_phone_number": "+15017122661"}
    return build_letters(
        orders_from(orders) if orders else empty_orders(),
        **{**contact, **options},
        made_at=NOW,
        read_at=NOW,
        dialect="preview",
        base_url="http://127.0.0.1:1",
        account_sid=ACCOUNT,
    )


def test_orders_of_one_address_and_signer_share_a_letter() -> None:
    """Same content for all of a group; another address or signer is another letter."""
    plan = letters_for([order(1), order(2, address_sid=SHOP), order(3), order(4, email="x@b.c")])
    groups = {step.group: step.sid for step in plan.steps}
    assert sorted(groups) == ["letter-1", "letter-2", "letter-3"]
    first = [step for step in plan.steps if step.group == "letter-1"]
    assert [step.row for step in first] == [1, 3]
    assert first[0].after == first[1].after
    assert first[0].after == {
        "address_sid": HOME,
        "email": "a@b.c",
        "contact_title": "Owner",
        "contact_phone_number": "+15017122661",
        "cc_emails": [],
    }


def test_a_step_names_the_order_and_the_status_it_was_seen_in() -> None:
    """The run can prove that the order is still verified."""
    (step,) = letters_for([order(7)]).steps
    assert step.action is Action.AUTHORIZE
    assert step.sid == f"HR{7:032x}"
    assert step.precondition == {"status": "verified", "sid": step.sid}


def test_what_an_order_lacks_is_taken_from_the_call() -> None:
    """Defaults stand in for a missing address or signer, and never replace one."""
    plan = letters_for([order(1, address_sid=None, email=None), order(2)], address_sid=SHOP, email="d@b.c")
    assert {(step.after["address_sid"], step.after["email"]) for step in plan.steps} == {
        (SHOP, "d@b.c"),
        (HOME, "a@b.c"),
    }


@pytest.mark.parametrize(("lack", "code"), [("address_sid", "no-address"), ("email", "no-email")])
def test_an_order_without_address_or_signer_is_blocked(lack: str, code: str) -> None:
    """It has a row with the reason, and the others go on."""
    plan = letters_for([order(1, **{lack: None}), order(2)])
    assert [(row.verdict, row.code) for row in plan.rows] == [
        (Verdict.BLOCKED, code),
        (Verdict.PLANNED, None),
    ]


@pytest.mark.parametrize("status", [name for name in lifecycle.ORDER if name != "verified"])
def test_only_verified_orders_take_a_letter(status: str) -> None:
    """Any other status is set aside with its reason."""
    plan = letters_for([order(1, status)])
    assert not plan.steps
    assert (plan.rows[0].verdict, plan.rows[0].code) == (Verdict.SET_ASIDE, "not-verified")


def test_copies_go_to_everybody_an_order_of_the_letter_names() -> None:
    """The letter's copies are those of the call and of its orders, the signer not among them."""
    plan = letters_for([order(1, cc_emails=["x@b.c", "a@b.c"]), order(2)], cc_emails=["y@b.c"])
    assert plan.steps[0].after["cc_emails"] == ["x@b.c", "y@b.c"]
    assert plan.steps[0].after == plan.steps[1].after
    assert plan.steps[0].risk is not None


def test_two_live_orders_on_a_number_get_no_letter() -> None:
    """Both are conflicts."""
    plan = letters_for([order(1), order(2, phone_number="+15017120001")])
    assert {row.verdict for row in plan.rows} == {Verdict.CONFLICT}


def test_a_letter_holds_so_many_numbers_and_no_more() -> None:
    """One number above the size begins a second letter of the same content."""
    count = letters.LETTER_SIZE + 1
    frame = orders_from([order(1)])
    frame = frame.loc[frame.index.repeat(count)].reset_index(drop=True)
    frame["sid"] = [f"HR{n:032x}" for n in range(count)]
    frame["phone_number"] = [f"+1501{n:07d}" for n in range(count)]
    plan = build_letters(
        frame,
        contact_title="Owner",
        contact_phone_number="+15017122661",
        made_at=NOW,
        read_at=NOW,
        dialect="preview",
        base_url="http://127.0.0.1:1",
        account_sid=ACCOUNT,
    )
    sizes = [sum(step.group == group for step in plan.steps) for group in ("letter-1", "letter-2")]
    assert sizes == [letters.LETTER_SIZE, 1]


def test_a_letter_without_a_contact_is_refused_and_no_letter_needs_none() -> None:
    """The two options are named; a plan without letters does not ask for them."""
    with pytest.raises(UsageError, match="--contact-title"):
        letters_for([order(1)], contact_title=None)
    assert not letters_for([order(1, "received")], contact_title=None).steps
    assert not letters_for([], contact_title=None).rows


def test_every_order_is_in_the_results_once_with_its_number() -> None:
    """The rows of the plan are the orders; a plan that never ran leaves them unprocessed or in error."""
    results = sort_rows(letters_for([order(1), order(2, "received"), order(3, email=None)]), [])
    assert results.counts == {"success": 0, "error": 1, "unprocessed": 2}
    assert results.columns[:4] == ("phone_number", "friendly_name", "sid", "status")
    assert results.error[0]["phone_number"] == "+15017120003"


def test_the_input_of_the_plan_is_the_state_of_its_orders() -> None:
    """The checksum changes with a status, and not with the order of the rows or the time."""
    one, two = order(1), order(2, address_sid=SHOP)
    assert letters_for([one]).header.input_hash == letters_for([order(1)]).header.input_hash
    assert letters_for([one, two]).header.input_hash == letters_for([two, one]).header.input_hash
    assert letters_for([one]).header.input_hash != letters_for([order(1, "received")]).header.input_hash
