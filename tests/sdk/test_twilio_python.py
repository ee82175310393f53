"""The official Python library, unmodified, cannot tell the sandbox from the service.

Every call that it has for hosted numbers is made over HTTP, and what comes back is what the
library's own documentation says: its own objects, types and exceptions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sandbox_client import Box, boxed
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from hnbulk.sandbox import WorldSettings
from hnbulk.serving import serve

NUMBER = "+14155550123"
ADDRESS = "AD" + "1" * 32
NOBODY = "HR" + "0" * 32
DAY = 86400


@pytest.fixture(scope="module", name="listening")
def _listening() -> Iterator[Box]:
    with boxed() as box:
        yield box


@pytest.fixture(name="box")
def _box(listening: Box) -> Box:
    """An empty sandbox of the test's own."""
    listening.start_anew()
    return listening


@pytest.fixture(scope="module", name="full")
def _full() -> Iterator[Box]:
    """A sandbox with more orders than one page can hold."""
    with boxed(orders=1005) as box:
        yield box


def orders_of(box: Box) -> Any:
    """The list resource of a fresh client."""
    return box.client().preview.hosted_numbers.hosted_number_orders


def made(box: Box, number: str = NUMBER, **given: Any) -> Any:
    """A new order, past its check."""
    order = orders_of(box).create(number, True, **given)
    box.sandbox.clock.advance(36 * 3600)
    return order


def verified(box: Box, number: str = "+19075550170") -> Any:
    """A new order whose number is verified by its first call."""
    order = made(box, number)
    order.update(status="pending-verification")
    box.sandbox.clock.advance(600)
    return order


def letter_for(box: Box, *orders: Any, **given: Any) -> Any:
    """A new letter for orders."""
    fields = {
        "hosted_number_order_sids": [order.sid for order in orders],
        "address_sid": ADDRESS,
        "email": "owner@example.com",
        "contact_title": "Owner",
        "contact_phone_number": "+14155550100",
        **given,
    }
    return box.client().preview.hosted_numbers.authorization_documents.create(**fields)


def test_an_order_is_created_with_everything_it_can_have(box: Box) -> None:
    """Lists repeat their name, booleans are words, dates become datetimes."""
    order = orders_of(box).create(
        phone_number=NUMBER,
        sms_capability=True,
        account_sid=box.sandbox.account_sid,
        friendly_name="Main street é",
        unique_name="main",
        cc_emails=["a@example.com", "b@example.com"],
        sms_url="https://example.com/sms",
        sms_method="GET",
        sms_fallback_url="https://example.com/else",
        sms_fallback_method="POST",
        status_callback_url="",
        status_callback_method="POST",
        sms_application_sid="AP" + "1" * 32,
        address_sid=ADDRESS,
        email="owner@example.com",
        verification_type="phone-call",
        verification_document_sid="RI" + "1" * 32,
    )
    assert (order.status, order.phone_number, order.friendly_name) == (
        "twilio-processing",
        NUMBER,
        "Main street é",
    )
    assert (order.cc_emails, order.capabilities) == (
        ["a@example.com", "b@example.com"],
        {"sms": True, "voice": False},
    )
    assert order.date_created == datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert (order.verification_attempts, order.call_delay, order.verification_call_sids) == (0, 0, None)
    assert order.url == f"https://preview.twilio.com/HostedNumbers/HostedNumberOrders/{order.sid}"


def test_an_order_is_fetched_by_sid(box: Box) -> None:
    """What was created is what is fetched, field by field."""
    order = orders_of(box).create(NUMBER, True, email="owner@example.com")
    again = orders_of(box)(order.sid).fetch()
    fields = [name for name in vars(order) if not name.startswith("_")]
    assert len(fields) == 23
    assert [getattr(again, name) for name in fields] == [getattr(order, name) for name in fields]


def test_an_order_is_updated_in_everything_that_may_change(box: Box) -> None:
    """The answer to an update is the updated order."""
    order = made(box).update(
        friendly_name="New",
        unique_name="new",
        email="new@example.com",
        cc_emails=["q@example.com"],
        verification_type="phone-bill",
        verification_document_sid="RI" + "2" * 32,
        extension="ww1*#",
        call_delay=15,
    )
    assert (order.friendly_name, order.unique_name, order.email) == ("New", "new", "new@example.com")
    assert (order.cc_emails, order.extension, order.call_delay) == (["q@example.com"], "ww1*#", 15)
    assert (order.verification_type, order.verification_document_sid) == ("phone-bill", "RI" + "2" * 32)


def test_an_empty_update_and_an_empty_list_change_nothing(box: Box) -> None:
    """The library sends no body at all for either; the service answers with the order."""
    order = made(box, cc_emails=["a@example.com"])
    assert order.update().cc_emails == ["a@example.com"]
    assert order.update(cc_emails=[]).cc_emails == ["a@example.com"]


def test_a_number_is_verified_by_call(box: Box) -> None:
    """One POST places the call and shows the code; the person keys it in."""
    order = made(box, "+19075550170").update(status="pending-verification", verification_type="phone-call")
    assert (order.status, order.verification_attempts, len(order.verification_call_sids)) == (
        "pending-verification",
        1,
        1,
    )
    assert order.verification_code.isdigit()
    box.sandbox.clock.advance(600)
    assert order.fetch().status == "verified"


def test_a_number_is_verified_by_code(box: Box) -> None:
    """The code that the order shows is accepted with a POST."""
    order = made(box, "+19075550171").update(status="pending-verification")
    assert order.update(verification_code=order.verification_code).status == "verified"


def test_a_canceled_order_is_gone(box: Box) -> None:
    """`delete` is True, as for an empty 204, and the sid is found no more."""
    order = made(box)
    assert order.delete() is True
    with pytest.raises(TwilioRestException) as refused:
        order.fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)


def test_a_list_is_read_to_its_end(full: Box) -> None:
    """Without a limit the library follows every page: each order once, newest first."""
    listed = orders_of(full).list()
    assert len({order.sid for order in listed}) == len(listed) == 1005
    dates = [order.date_created for order in listed]
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize(
    ("asked", "count", "requests", "size"),
    [
        ({"limit": 20}, 20, 1, 20),
        ({"limit": 70, "page_size": 30}, 70, 3, 30),
        ({"limit": 2000}, 1005, 2, 2000),
        ({"page_size": 1000}, 1005, 2, 1000),
    ],
    ids=["limit", "limit-and-size", "limit-over-1000", "size"],
)
def test_limits_and_page_sizes(
    full: Box, asked: dict[str, int], count: int, requests: int, size: int
) -> None:
    """The library sends a limit as the page size, unclamped; the service gives at most 1000 a page."""
    client = full.client()
    assert len(client.preview.hosted_numbers.hosted_number_orders.list(**asked)) == count
    sent = client.http_client.sent
    assert len(sent) == requests
    assert sent[0][2]["PageSize"] == size
    assert all(url.startswith("https://preview.twilio.com/") for _, url, _ in sent)


def test_a_stream_reads_no_further_than_asked(full: Box) -> None:
    """Pages are read when they are needed."""
    client = full.client()
    stream = client.preview.hosted_numbers.hosted_number_orders.stream(page_size=10)
    assert len(list(islice(stream, 11))) == 11
    assert len(client.http_client.sent) == 2


def test_pages_lead_on_and_back(full: Box) -> None:
    """`page`, `get_page`, `next_page`, `previous_page` and the addresses in between."""
    orders = orders_of(full)
    first = orders.page(page_size=3)
    sids = [order.sid for order in first]
    assert first.previous_page_url is None
    second = first.next_page()
    assert second.next_page_url.startswith("https://preview.twilio.com/HostedNumbers/HostedNumberOrders?")
    assert not set(sids) & {order.sid for order in second}
    assert [order.sid for order in second.previous_page()] == sids
    third = orders.get_page(second.next_page_url)
    assert [order.sid for order in third.previous_page().previous_page()] == sids


@pytest.mark.parametrize(
    "name", ["phone_number", "unique_name", "friendly_name", "incoming_phone_number_sid", "status"]
)
def test_a_list_is_filtered(box: Box, name: str) -> None:
    """Every filter of the list finds the one order that fits, page after page."""
    orders_of(box).create("+14155550124", True)
    box.sandbox.clock.advance(1)
    order = made(box, friendly_name="a b", unique_name="é&=").update(status="pending-verification")
    listed = orders_of(box).list(**{name: getattr(order, name)}, page_size=1)
    assert [one.sid for one in listed] == [order.sid]


def test_a_letter_is_written_fetched_listed_and_has_its_orders(box: Box) -> None:
    """One letter for two orders, out for signing at once."""
    orders = [verified(box), verified(box, "+19075550174")]
    orders[1].update(status="pending-verification")
    box.sandbox.clock.advance(600)
    letter = letter_for(box, *orders, cc_emails=["a@example.com", "b@example.com"])
    assert (letter.status, letter.cc_emails) == ("signing", ["a@example.com", "b@example.com"])
    assert letter.links == {"dependent_hosted_number_orders": f"{letter.url}/DependentHostedNumberOrders"}
    assert letter.fetch().date_created == letter.date_created
    documents = box.client().preview.hosted_numbers.authorization_documents
    assert [one.sid for one in documents.list(email="owner@example.com", status="signing")] == [letter.sid]
    assert documents.list(status="opened") == []
    waiting = letter.dependent_hosted_number_orders.list(status="pending-loa", page_size=1)
    assert {order.sid for order in waiting} == {order.sid for order in orders}
    assert {order.signing_document_sid for order in waiting} == {letter.sid}


def test_a_letter_is_opened_changed_and_sent_again(box: Box) -> None:
    """Its content may change while it is opened."""
    letter = letter_for(box, verified(box))
    assert letter.update(status="opened").status == "opened"
    changed = letter.update(email="new@example.com", contact_title="CEO", cc_emails=["c@example.com"])
    assert (changed.email, changed.cc_emails) == ("new@example.com", ["c@example.com"])
    assert letter.update(status="signing").status == "signing"


def test_the_incoming_number_is_fetched_set_and_released(box: Box) -> None:
    """The number of a completed order is off-boarded with a DELETE, as the page says."""
    order = verified(box)
    number = box.client().incoming_phone_numbers(order.incoming_phone_number_sid).fetch()
    assert (number.phone_number, number.origin, number.beta) == ("+19075550170", "hosted", False)
    assert number.update(sms_url="https://example.com/in").sms_url == "https://example.com/in"
    letter_for(box, order)
    box.sandbox.clock.advance(20 * DAY)
    assert order.fetch().status == "completed"
    assert number.delete() is True


def test_a_subaccount_has_its_own_orders(box: Box) -> None:
    """The parent may make an order for it and sees it; it does not see the parent's."""
    sub = box.sandbox.subaccounts[0]
    order = orders_of(box).create("+14155550124", True, account_sid=sub.sid)
    orders_of(box).create(NUMBER, True)
    mine = box.client(sub.sid, sub.secret).preview.hosted_numbers.hosted_number_orders
    assert [one.sid for one in mine.list()] == [order.sid]
    assert len(orders_of(box).list()) == 2


def test_an_api_key_is_as_good_as_the_token(box: Box) -> None:
    """A key's sid and secret log in."""
    key = box.sandbox.api_key
    assert box.client(key.sid, key.secret).preview.hosted_numbers.hosted_number_orders.list() == []


def test_a_base_url_of_the_client_is_enough(full: Box) -> None:
    """Without any HTTP client of one's own: pages lead on to where the request came in."""
    http = TwilioHttpClient()
    http.session.trust_env = False
    full.opened.append(http)
    client = Client(full.sandbox.account_sid, full.sandbox.auth_token, http_client=http)
    client.preview.base_url = full.url
    orders = client.preview.hosted_numbers.hosted_number_orders
    assert orders.page(page_size=2).next_page_url.startswith(full.url)
    assert len(orders.list(limit=7, page_size=3)) == 7


# What the library itself does with its HTTP library.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
def test_the_asynchronous_client_reads_and_writes(box: Box) -> None:
    """The same calls by the library's other client; page after page goes to the same host."""

    async def run() -> tuple[list[str], str, bool]:
        async with AsyncTwilioHttpClient() as http:
            client = Client(box.sandbox.account_sid, box.sandbox.auth_token, http_client=http)
            client.preview.base_url = box.url
            orders = client.preview.hosted_numbers.hosted_number_orders
            order = await orders.create_async(NUMBER, True, cc_emails=["a@example.com", "b@example.com"])
            box.sandbox.clock.advance(36 * 3600)
            await orders.create_async("+14155550124", True)
            listed = await orders.list_async(page_size=1)
            named = await order.update_async(friendly_name="N")
            return listed[1].cc_emails, named.friendly_name, await order.delete_async()

    assert asyncio.run(run()) == (["a@example.com", "b@example.com"], "N", True)


# Every documented error that a request can cause: code -> the request.
def _create(*number: str, **given: Any) -> Callable[[Box], object]:
    return lambda box: orders_of(box).create(*(number or (NUMBER,)), given.pop("sms", True), **given)


def _update(number: str = NUMBER, **given: Any) -> Callable[[Box], object]:
    return lambda box: made(box, number).update(**given)


def _letter(**given: Any) -> Callable[[Box], object]:
    return lambda box: letter_for(box, verified(box), **given)


def _ask_too_often(box: Box) -> None:
    order = made(box, "+19075550171")
    for _ in range(4):
        order.update(status="pending-verification")


def _wrong_code(box: Box) -> None:
    order = made(box, "+19075550171").update(status="pending-verification")
    order.update(verification_code="no" + order.verification_code)


def _change_signed(box: Box) -> None:
    letter = letter_for(box, verified(box))
    box.sandbox.clock.advance(6 * DAY)
    letter.update(email="late@example.com")


def _twice(box: Box) -> None:
    orders_of(box).create(NUMBER, True)
    orders_of(box).create(NUMBER, True)


def _same_name(box: Box) -> None:
    orders_of(box).create(NUMBER, True, unique_name="one")
    orders_of(box).create("+14155550124", True, unique_name="one")


def _letter_status(box: Box) -> None:
    letter_for(box, verified(box)).update(status="signed")


REFUSED: list[tuple[int, int, Callable[[Box], object]]] = [
    (400, 20001, _create("")),
    (400, 20001, _update(call_delay=61)),
    (401, 20003, lambda box: box.client(token="wrong").incoming_phone_numbers("PN" + "0" * 32).fetch()),
    (401, 20003, lambda box: _preview(box.client(token="wrong")).hosted_number_orders.create(NUMBER, True)),
    (404, 20404, lambda box: orders_of(box)(NOBODY).fetch()),
    (404, 20404, lambda box: orders_of(box)(NOBODY).update(email="a@example.com")),
    (404, 20404, lambda box: orders_of(box)(NOBODY).delete()),
    (404, 20404, lambda box: _preview(box.client()).authorization_documents("PX" + "0" * 32).fetch()),
    (409, 20409, lambda box: orders_of(box).create(NUMBER, True).delete()),
    (409, 20409, _same_name),
    (400, 21470, _create(account_sid="AC1")),
    (400, 21471, _create(account_sid="AC" + "0" * 32)),
    (400, 22100, _ask_too_often),
    (400, 22101, lambda box: letter_for(box, made(box))),
    (400, 22101, _letter(hosted_number_order_sids=["HR1"])),
    (400, 22102, _create("4155550123")),
    (400, 22102, _letter(contact_phone_number="12")),
    (400, 22103, _create("+442071838750")),
    (400, 22104, _create(email="owner")),
    (400, 22104, _create(cc_emails=["a@example.com", "b"])),
    (400, 22105, _create(sms_url="example.com/sms")),
    (400, 22106, _create(sms_method="PUT")),
    (400, 22107, _change_signed),
    (400, 22108, _create(sms_application_sid="AP1")),
    (400, 22109, _create(address_sid="AD1")),
    (400, 22110, _create("+19075550177")),
    (400, 22110, _twice),
    (400, 22111, _update(status="nonsense")),
    (400, 22112, _update(status="verified")),
    (400, 22113, _wrong_code),
    (400, 22114, _update(verification_code="123456")),
    (400, 22115, _create(unique_name="x" * 129)),
    (400, 22116, _create(friendly_name="x" * 129)),
    (400, 22117, _update(extension="1a")),
    (400, 22118, _create(verification_type="phone-bill")),
    (400, 22118, _create(verification_document_sid="RI1")),
    (400, 22119, _create(sms=False)),
    (400, 22120, _create(verification_type="fax")),
    (400, 22122, _letter_status),
    (400, 22123, _update("+19075550178", status="pending-verification")),
]


def _preview(client: Client) -> Any:
    return client.preview.hosted_numbers


@pytest.mark.parametrize(("status", "code", "ask"), REFUSED, ids=[str(row[1]) for row in REFUSED])
def test_a_refused_request_raises_the_librarys_own_exception(
    box: Box, status: int, code: int, ask: Callable[[Box], object]
) -> None:
    """`TwilioRestException` with the HTTP status, the code and the service's message."""
    with pytest.raises(TwilioRestException) as refused:
        ask(box)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert ": " in refused.value.msg


@pytest.mark.parametrize(
    ("status", "code", "ask"),
    [
        (401, 20003, lambda box: _preview(box.client(token="wrong")).hosted_number_orders.list()),
        (400, 21481, lambda box: orders_of(box).page(page_token="PAnothing", page_number=1)),
        (400, 70002, lambda box: orders_of(box).page(page_number=1)),
        (400, 22111, lambda box: orders_of(box).list(status="nonsense")),
        (400, 22122, lambda box: _preview(box.client()).authorization_documents.list(status="nonsense")),
    ],
    ids=["20003", "21481", "70002", "22111", "22122"],
)
def test_a_refused_page_raises_the_plain_exception(
    box: Box, status: int, code: int, ask: Callable[[Box], object]
) -> None:
    """Of a list the library keeps only the reply: no status, no code of its own."""
    with pytest.raises(TwilioException) as refused:
        ask(box)
    assert not isinstance(refused.value, TwilioRestException)
    text, reply = refused.value.args
    assert (text, reply.status_code, json.loads(reply.text)["code"]) == (
        "Unable to fetch page",
        status,
        code,
    )


@pytest.mark.parametrize(
    ("status", "code"), [(500, 20500), (503, 20503), (429, 20429), (502, 502)], ids=str
)
@pytest.mark.parametrize("content", ["json", "html", "empty"])
def test_a_fault_is_an_exception_too(box: Box, status: int, code: int, content: str) -> None:
    """With its code; where the body is none of the API's, the library takes the status for it."""
    box.sandbox.set_faults({"action": "status", "status": status, "content": content})
    with pytest.raises(TwilioRestException) as refused:
        orders_of(box).create(NUMBER, True)
    assert (refused.value.status, refused.value.code) == (status, code if content == "json" else status)


def test_too_many_requests_at_once_are_refused() -> None:
    """20429 comes of the limit on concurrency, and nothing was done."""
    with boxed(settings=WorldSettings(concurrency_limit=0)) as box:
        with pytest.raises(TwilioRestException) as refused:
            orders_of(box).create(NUMBER, True)
        assert (refused.value.status, refused.value.code) == (429, 20429)
        assert box.sandbox.orders() == []


def test_an_account_without_access_is_told_that_nothing_is_there() -> None:
    """The gate of the developer preview: 20404 even for a create."""
    with boxed(settings=WorldSettings(preview_access=False)) as box:
        with pytest.raises(TwilioRestException) as refused:
            orders_of(box).create(NUMBER, True)
        assert (refused.value.status, refused.value.code) == (404, 20404)


def test_the_replies_status_and_headers_are_the_services(box: Box) -> None:
    """201 for what is new, 200 for what is there, 204 for what is gone; and the service's own headers."""
    made_now = orders_of(box).create_with_http_info(NUMBER, True)
    box.sandbox.clock.advance(36 * 3600)
    order = orders_of(box)(made_now.data.sid)
    replies = [
        made_now,
        order.fetch_with_http_info(),
        order.update_with_http_info(friendly_name="N"),
        order.delete_with_http_info(),
    ]
    assert [reply.status_code for reply in replies] == [201, 200, 200, 204]
    for reply in replies:
        assert reply.headers["Twilio-Request-Id"].startswith("RQ")
        assert reply.headers["Twilio-Concurrent-Requests"] == "1"


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_status_callback_passes_the_librarys_validator(box: Box, method: str) -> None:
    """A receiver that checks signatures with the library accepts what the sandbox sends, and only that."""
    came: list[tuple[str, bytes, bytes]] = []

    async def receiver(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        signature = dict(scope["headers"])[b"x-twilio-signature"].decode()
        came.append((signature, scope["query_string"], body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with serve(receiver) as listener, box.sandbox.start_callbacks() as courier:
        address = f"{listener.url}/status?x=1"
        made(box, "+19075550170", status_callback_url=address, status_callback_method=method)
        assert courier.drain()
    [(signature, query, body)] = came
    params = dict(parse_qsl(body.decode()))
    validator = RequestValidator(box.sandbox.auth_token)
    asked = f"{listener.url}/status?{query.decode()}"
    assert validator.validate(asked, params, signature)
    assert not RequestValidator("another").validate(asked, params, signature)
    assert {**params, **dict(parse_qsl(query.decode()))}["Status"] == "received"
