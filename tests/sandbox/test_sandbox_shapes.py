"""The bodies of the sandbox beside those printed on the API's reference page.

`reference_examples.json` holds the page's five example outputs as they stand there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_driver import ADDRESS, DAY, DOCUMENT, LETTERS, ORDERS, Driver

from hnbulk.messages import Request
from hnbulk.sandbox import FIXED_NUMBERS, WorldSettings
from hnbulk.sandbox.records import ORDER_KEYS, Order, encode

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("reference_examples.json").read_text(encoding="utf-8")
)
ORDER_EXAMPLES = [body for name, body in EXAMPLES.items() if name != "list"]
# What the page says in words, and none of its examples shows.
ALSO = {"address_sid": None, "email": None, "verification_document_sid": DOCUMENT}


def kinds(name: str) -> set[type]:
    """The JSON types a key may have."""
    shown = {type(body[name]) for body in ORDER_EXAMPLES}
    return shown | {type(ALSO[name])} if name in ALSO else shown


@pytest.mark.parametrize("body", ORDER_EXAMPLES, ids=[name for name in EXAMPLES if name != "list"])
def test_every_example_has_our_keys_in_our_order(body: dict[str, Any]) -> None:
    """The 23 keys, alphabetically."""
    assert tuple(body) == ORDER_KEYS


def test_a_create_of_the_pages_number_is_the_pages_example() -> None:
    """Where the check takes no time, all but sids and dates is what the page prints."""
    box = Driver(settings=WorldSettings(check_hours=(0, 0), min_stage_hours=0))
    example = EXAMPLES["create"]
    order = box.create(example["phone_number"], AddressSid=ADDRESS, Email=example["email"])
    own = {"sid", "account_sid", "incoming_phone_number_sid", "date_created", "date_updated", "url"}
    assert {k: v for k, v in order.items() if k not in own} == {
        k: v for k, v in example.items() if k not in own
    }
    for name in own - {"url"}:
        assert len(order[name]) == len(example[name])
        assert order[name][:2] == example[name][:2]
    assert order["url"].replace(order["sid"], example["sid"]) == example["url"]


def test_an_empty_list_is_the_pages_example_to_the_byte() -> None:
    """Meta, filters, their order and spacing."""
    box = Driver()
    query = (
        ("PageSize", "50"),
        ("IncomingPhoneNumberSid", "PN" + "z" * 32),
        ("UniqueName", "something123"),
        ("PhoneNumber", "+19193608000"),
        ("FriendlyName", "example"),
        ("Status", "completed"),
    )
    request = Request("GET", ORDERS, query, origin="https://preview.twilio.com")
    reply = box.service.answer(request, box.person, box.sandbox.clock.now()).reply
    assert reply.body == json.dumps(EXAMPLES["list"]).encode()


def test_no_order_ever_has_a_value_of_another_type() -> None:
    """Through every fate and stage, each key has one of the types that the page shows for it."""
    box = Driver(settings=WorldSettings(operator_fix_rate=0.5))
    bill = {"VerificationType": "phone-bill", "VerificationDocumentSid": DOCUMENT}
    for number in FIXED_NUMBERS:
        given = bill if number.endswith("187") else {"Email": "a@b.co", "UniqueName": number}
        box.send("POST", ORDERS, PhoneNumber=number, SmsCapability="true", **given)
    allowed = {name: kinds(name) for name in ORDER_KEYS}
    for _ in range(20):
        for order in box.send("GET", ORDERS)[1]["items"]:
            assert {name for name in ORDER_KEYS if type(order[name]) not in allowed[name]} == set()
            assert order["verification_attempts"] == len(order["verification_call_sids"] or ())
            if order["status"] in ("received", "pending-verification"):
                box.update(order["sid"], Status="pending-verification", Extension="5105")
            elif order["status"] == "verified":
                box.letter(order["sid"])
        box.wait(DAY)


def test_a_letter_has_its_nine_keys() -> None:
    """Alphabetically; neither its orders nor its contact are echoed, and its link leads to the orders."""
    box = Driver()
    _, letter = box.letter(box.verified(), CcEmails=["a@b.co"])
    keys = "address_sid cc_emails date_created date_updated email links sid status url"
    assert list(letter) == keys.split()
    assert letter["url"] == f"https://preview.twilio.com{LETTERS}/{letter['sid']}"
    assert letter["links"] == {
        "dependent_hosted_number_orders": f"{letter['url']}/DependentHostedNumberOrders"
    }


@given(st.text(), st.lists(st.text(), max_size=3), st.none() | st.lists(st.text(), max_size=2))
def test_an_orders_json_is_that_of_its_document(
    text: str, emails: list[str], calls: list[str] | None
) -> None:
    """Whatever the text, the template writes what the encoder would."""
    order = Order("HR1", "AC1", "PN1", "+14155550100", 1, text, 1, 2, 3)
    order.friendly_name = order.failure_reason = order.verification_type = text
    order.cc_emails, order.verification_call_sids = emails, calls
    assert order.json() == encode(order.shown())
    assert tuple(json.loads(order.json())) == ORDER_KEYS
