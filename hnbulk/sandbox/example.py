"""The order that every example of the reference page is about, so that the page's code runs as printed.

Its fields are those of the page's fetch example. The letter and the two calls that it names are
not there: the page shows nothing of them. What the page's create sample makes is an order of its
own, with a sid of its own, where the page prints the sid of this one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hnbulk.lifecycle import Mover
from hnbulk.sandbox.records import Event, Number, Order
from hnbulk.sandbox.world import World, give_fates

#: When the page's order was made; where a sandbox with it begins unless it is given a clock.
EXAMPLE_START = datetime(2017, 3, 28, 20, 6, 39, tzinfo=UTC)
EXAMPLE_ACCOUNT = "AC" + "a" * 32
EXAMPLE_ORDER = "HR" + "a" * 32
PHONE_NUMBER = "+14153608311"
#: The number that the page's create sample asks for.
CREATED_NUMBER = "+15017122661"


def put_example(world: World, account: str, now: int) -> Order:
    """The page's order is there, made at `now`, in `received`; all goes well with the page's numbers."""
    give_fates(world, {PHONE_NUMBER: "smooth", CREATED_NUMBER: "smooth"})
    order = Order(
        sid=EXAMPLE_ORDER,
        account_sid=account,
        incoming_phone_number_sid="PN" + "1" * 32,
        phone_number=PHONE_NUMBER,
        attempt=1,
        fate="smooth",
        created=now,
        updated=now,
        since=now,
        status="received",
        address_sid="AD" + "1" * 32,
        signing_document_sid="PX" + "1" * 32,
        friendly_name="friendly_name",
        unique_name="foobar",
        email="test@twilio.com",
        cc_emails=["aaa@twilio.com", "bbb@twilio.com"],
        extension="5105",
        call_delay=15,
        verification_code="8794",
        verification_call_sids=["CA" + "a" * 32, "CA" + "a" * 31 + "b"],
        code_at=now,
    )
    order.history += [
        Event.by(Mover.CLIENT, "twilio-processing", now),
        Event.by(Mover.TWILIO, "received", now),
    ]
    number = Number(order.incoming_phone_number_sid, account, PHONE_NUMBER, order.sid, now, now)
    world.books.add_order(order, number)
    world.touch(order, now)
    return order
