"""The order of the reference page: there when asked for, as printed, and then an order like any other."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox_driver import DAY, ORDERS, Driver

from hnbulk.messages import Request
from hnbulk.sandbox import SandboxClock, build_sandbox
from hnbulk.sandbox.example import EXAMPLE_ACCOUNT, EXAMPLE_ORDER, EXAMPLE_START, PHONE_NUMBER
from hnbulk.sandbox.state import put_state, take_state

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("reference_examples.json").read_text(encoding="utf-8")
)
PATH = f"{ORDERS}/{EXAMPLE_ORDER}"


@pytest.fixture(name="box")
def _box() -> Driver:
    return Driver(example_order=True)


def shape(value: Any) -> Any:
    """A document with every value replaced by its type; lists by the types in them."""
    if isinstance(value, dict):
        return [(name, shape(one)) for name, one in value.items()]
    if isinstance(value, list):
        return [list, *sorted({type(one).__name__ for one in value})]
    return type(value)


def test_the_order_is_the_pages_to_the_byte(box: Driver) -> None:
    """The fetch example, as the page prints it but for its line breaks."""
    request = Request("GET", PATH, origin="https://preview.twilio.com")
    reply = box.service.answer(request, box.person, box.sandbox.clock.now()).reply
    assert (reply.status, reply.body) == (200, json.dumps(EXAMPLES["fetch"]).encode())


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("update_friendly_name", {"FriendlyName": "My important hosted number order"}),
        ("update_status", {"Status": "pending-verification", "VerificationType": "phone-call"}),
    ],
)
def test_the_updates_have_the_shape_of_the_pages(box: Driver, name: str, given: dict[str, str]) -> None:
    """The same keys in the same order, the same types, null where the page has null."""
    status, order = box.update(EXAMPLE_ORDER, **given)
    assert (status, shape(order)) == (200, shape(EXAMPLES[name]))


def test_the_sandbox_begins_on_the_pages_day_in_the_pages_account(box: Driver) -> None:
    """So that the dates and the account are the page's too."""
    assert box.sandbox.clock.now() == EXAMPLE_START
    assert box.sandbox.account_sid == EXAMPLE_ACCOUNT == EXAMPLES["fetch"]["account_sid"]


def test_a_clock_and_an_account_that_are_given_count() -> None:
    """The order is then made now, in that account."""
    start = datetime(2026, 3, 2, 15, tzinfo=UTC)
    box = Driver(example_order=True, clock=SandboxClock(start=start), account_sid="AC" + "b" * 32)
    order = box.order(EXAMPLE_ORDER)
    assert (order["date_created"], order["account_sid"]) == ("2026-03-02T15:00:00Z", "AC" + "b" * 32)


def test_the_order_goes_its_way_like_any_other(box: Driver) -> None:
    """A call verifies it; left alone for a week it would require action."""
    box.call(EXAMPLE_ORDER)
    box.wait(600)
    assert box.status(EXAMPLE_ORDER) == "verified"
    alone = Driver(example_order=True)
    alone.wait(7 * DAY)
    assert alone.status(EXAMPLE_ORDER) == "action-required"


def test_the_number_is_taken_until_the_order_is_canceled(box: Driver) -> None:
    """A second order for it is refused, and made once the first is gone."""
    assert box.refused_create(PHONE_NUMBER) == 22110
    assert box.send("DELETE", PATH)[0] == 204
    assert box.create(PHONE_NUMBER)["sid"] != EXAMPLE_ORDER


@pytest.mark.parametrize("seed", range(20))
def test_the_pages_create_is_never_refused(seed: int) -> None:
    """Whatever the seed, the number that the page's sample asks for can be hosted."""
    box = Driver(seed=seed, example_order=True)
    assert box.create("+15017122661")["status"] == "twilio-processing"


def test_the_order_survives_saving_and_restoring(box: Driver) -> None:
    """A state holds it whole."""
    state = json.loads(json.dumps(take_state(box.sandbox.desk)))
    other = build_sandbox(account_sid=EXAMPLE_ACCOUNT)
    put_state(other.desk, state)
    assert other.orders() == box.sandbox.orders()


def test_it_stands_beside_a_past() -> None:
    """With other orders, it is the newest."""
    box = Driver(orders=30, example_order=True)
    items = box.send("GET", ORDERS)[1]["items"]
    assert (len(items), items[0]["sid"]) == (31, EXAMPLE_ORDER)
