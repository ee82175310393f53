"""What goes out is what the reference page says, and what comes back is not believed lightly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnbulk import wire
from hnbulk.errors import (
    AccessRefused,
    DialectCannot,
    ReplyUnreadable,
    ServiceRefused,
    UsageError,
)
from hnbulk.messages import Reply, Request
from hnbulk.wire import PREVIEW

SAMPLES = Path(__file__).parent / "samples"
HR = "HR" + "a" * 32
PX = "PX" + "1" * 32
ORDERS = "/HostedNumbers/HostedNumberOrders"
LETTERS = "/HostedNumbers/AuthorizationDocuments"


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A reply of this JSON value, or of these bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {"content-type": "application/json", **headers}, content)


def sample(name: str) -> dict[str, Any]:
    """A body of the reference page."""
    content: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_bytes())
    return content


def test_a_create_is_the_form_of_the_reference_page() -> None:
    """Names and order are the API's, lists repeat, None is left out, SmsCapability always goes along."""
    request = wire.create_order(
        PREVIEW,
        {
            "cc_emails": ["a@x.com", "b@x.com"],
            "phone_number": "+15017122661",
            "email": None,
            "sms_method": "GET",
            "friendly_name": "a b",
        },
    )
    assert (request.method, request.path, request.query) == ("POST", ORDERS, ())
    assert request.body() == (
        b"PhoneNumber=%2B15017122661&SmsCapability=true&FriendlyName=a+b"
        b"&CcEmails=a%40x.com&CcEmails=b%40x.com&SmsMethod=GET"
    )


def test_every_parameter_of_the_reference_page_can_be_sent() -> None:
    """The dialect has the parameters of create, update and list, and no others."""
    assert list(PREVIEW.create_params.values()) == [
        "PhoneNumber", "SmsCapability", "AccountSid", "FriendlyName", "UniqueName", "CcEmails", "SmsUrl",
        "SmsMethod", "SmsFallbackUrl", "SmsFallbackMethod", "StatusCallbackUrl", "StatusCallbackMethod",
        "SmsApplicationSid", "AddressSid", "Email", "VerificationType", "VerificationDocumentSid",
    ]  # fmt: skip
    assert list(PREVIEW.update_params.values()) == [
        "FriendlyName", "UniqueName", "Email", "CcEmails", "Status", "VerificationCode",
        "VerificationType", "VerificationDocumentSid", "Extension", "CallDelay",
    ]  # fmt: skip
    assert list(PREVIEW.order_filters.values()) == [
        "Status", "PhoneNumber", "IncomingPhoneNumberSid", "FriendlyName", "UniqueName",
    ]  # fmt: skip
    assert list(PREVIEW.letter_params.values()) == [
        "HostedNumberOrderSids", "AddressSid", "Email", "ContactTitle", "ContactPhoneNumber", "CcEmails",
    ]  # fmt: skip


def test_the_capability_cannot_be_switched_off() -> None:
    """SmsCapability is true whatever is given."""
    request = wire.create_order(PREVIEW, {"phone_number": "+1", "sms_capability": False})
    assert dict(request.form)["SmsCapability"] == "true"


def test_an_update_sends_what_is_given_and_nothing_else() -> None:
    """Whole numbers are decimal, empty text is sent, an empty list and None are not."""
    request = wire.update_order(
        PREVIEW, HR, {"call_delay": 15, "friendly_name": "", "cc_emails": [], "email": None}
    )
    assert (request.method, request.path) == ("POST", f"{ORDERS}/{HR}")
    assert request.form == (("FriendlyName", ""), ("CallDelay", "15"))


def test_a_verification_asks_for_the_one_status_a_client_may_ask_for() -> None:
    """The call goes out as Status=pending-verification with its options."""
    request = wire.ask_verification(
        PREVIEW, HR, verification_type="phone-call", extension="01", call_delay=5
    )
    assert request.form == (
        ("Status", "pending-verification"),
        ("VerificationType", "phone-call"),
        ("Extension", "01"),
        ("CallDelay", "5"),
    )
    assert wire.ask_verification(PREVIEW, HR).form == (("Status", "pending-verification"),)


def test_reading_and_deleting_name_one_resource() -> None:
    """The path is the collection's and the sid."""
    assert wire.fetch_order(PREVIEW, HR) == Request("GET", f"{ORDERS}/{HR}")
    assert wire.delete_order(PREVIEW, HR) == Request("DELETE", f"{ORDERS}/{HR}")
    assert wire.fetch_letter(PREVIEW, PX) == Request("GET", f"{LETTERS}/{PX}")


def test_a_list_percent_encodes_its_filters() -> None:
    """The plus of a number is never a space."""
    request = wire.list_orders(PREVIEW, page_size=50, phone_number="+15017122661", status="received")
    assert request.target() == f"{ORDERS}?Status=received&PhoneNumber=%2B15017122661&PageSize=50"


def test_lists_ask_for_the_largest_page() -> None:
    """Without a size a page holds a thousand."""
    assert wire.list_letters(PREVIEW, email="a@x.com").query == (("Email", "a@x.com"), ("PageSize", "1000"))
    request = wire.list_dependents(PREVIEW, PX, status="verified")
    assert request.target() == f"{LETTERS}/{PX}/DependentHostedNumberOrders?Status=verified&PageSize=1000"


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_size_the_api_does_not_have_is_refused(size: int) -> None:
    """One to a thousand."""
    with pytest.raises(UsageError, match="1 to 1000"):
        wire.list_orders(PREVIEW, page_size=size)


def test_a_letter_repeats_its_orders() -> None:
    """Every order sid is a parameter of its own; a change may also name a status."""
    sids = [HR, "HR" + "b" * 32]
    request = wire.create_letter(PREVIEW, {"email": "s@x.com", "hosted_number_order_sids": sids})
    assert request.form == (
        ("HostedNumberOrderSids", sids[0]),
        ("HostedNumberOrderSids", sids[1]),
        ("Email", "s@x.com"),
    )
    assert wire.update_letter(PREVIEW, PX, {"status": "opened"}).form == (("Status", "opened"),)
    with pytest.raises(DialectCannot):
        wire.create_letter(PREVIEW, {"status": "opened"})


def test_a_field_the_dialect_lacks_is_refused_by_name() -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(DialectCannot, match="contact_title, next_step") as caught:
        wire.create_order(PREVIEW, {"next_step": "x", "contact_title": "x", "phone_number": "+1"})
    assert caught.value.facts["fields"] == ["contact_title", "next_step"]
    with pytest.raises(DialectCannot):
        wire.list_orders(PREVIEW, date_created="2026")


@pytest.mark.parametrize("value", [15.0, {"a": 1}, ["a", None], object(), b"x"])
def test_a_value_that_is_not_text_is_refused(value: object) -> None:
    """A float is never guessed into a number."""
    with pytest.raises(UsageError, match="call_delay must be"):
        wire.update_order(PREVIEW, HR, {"call_delay": value})


@pytest.mark.parametrize(
    "sid", ["", "HR", HR + "\n", HR + "/..", "PX" + "1" * 32, "hn1-name", "HR" + "g" * 32, "HR" + "１" * 32]
)
def test_a_path_is_made_from_a_sid_and_nothing_else(sid: str) -> None:
    """What is not a sid cannot lead to another resource."""
    for verb in (wire.fetch_order, wire.delete_order):
        with pytest.raises(UsageError):
            verb(PREVIEW, sid)


@given(st.dictionaries(st.sampled_from(sorted(PREVIEW.update_params)), st.text(max_size=30)))
def test_what_is_sent_is_what_was_given(params: dict[str, str]) -> None:
    """Any text survives the form encoding."""
    params = {name: text for name, text in params.items() if text.isprintable()}
    request = wire.update_order(PREVIEW, HR, params)
    sent = dict(parse_qsl(request.body().decode(), keep_blank_values=True))
    assert sent == {PREVIEW.update_params[name]: text for name, text in params.items()}


@pytest.mark.parametrize("name", ["create", "fetch", "update", "verify"])
def test_the_orders_of_the_reference_page_are_read(name: str) -> None:
    """Every key arrives; empty text is None, null lists are empty, dates are UTC."""
    body = sample(name)
    order = wire.read_order(reply(body))
    assert (order.sid, order.phone_number, order.status) == (
        body["sid"], body["phone_number"], body["status"],
    )  # fmt: skip
    assert order.failure_reason is None
    assert order.verification_call_sids == tuple(body["verification_call_sids"] or ())
    assert str(order.date_created) == "2017-03-28 20:06:39+00:00"


def test_the_empty_list_of_the_reference_page_is_read() -> None:
    """No items, no next page."""
    orders, page = wire.read_orders(reply(sample("list")))
    assert (orders, page) == ([], wire.Page(None, "items", 0))
    assert wire.read_page(reply(sample("list"))) == page


def test_a_page_tells_where_the_next_is() -> None:
    """Size and address of the next page, for bulk and for look-ups alike."""
    body = sample("list")
    body["items"] = [sample("create"), sample("fetch")]
    body["meta"]["next_page_url"] = "https://preview.twilio.com" + ORDERS + "?PageToken=PA"
    orders, page = wire.read_orders(reply(body))
    assert [order.phone_number for order in orders] == ["+15017122661", "+14153608311"]
    assert page == wire.read_page(reply(body))
    assert (page.size, page.next_url) == (2, body["meta"]["next_page_url"])


def test_a_letter_is_read() -> None:
    """One, or a page of them."""
    body = {"sid": PX, "status": "signing", "email": "s@x.com", "cc_emails": None, "links": {}}
    assert wire.read_letter(reply(body)).status == "signing"
    letters, page = wire.read_letters(reply({"meta": {"key": "items"}, "items": [body]}))
    assert ([letter.sid for letter in letters], page.size) == ([PX], 1)


GARBAGE = {
    "empty": b"",
    "truncated": b'{"sid": "HR',
    "invalid utf-8": b'{"sid": "\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "nan": b'{"call_delay": NaN}',
    "infinity": b'{"call_delay": Infinity}',
    "lone surrogate": b'{"sid": "\\ud800"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    "endless number": b'{"call_delay": ' + b"9" * 5_000 + b"}",
    "list": b"[]",
    "null": b"null",
    "text": b'"ok"',
    "html": b"<html>welcome</html>",
    "repeated name": b'{"sid": "HR", "sid": "HS"}',
    "repeated inside": b'{"capabilities": {"sms": true, "sms": false}}',
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_one_kind_of_error(content: bytes) -> None:
    """Whatever a body is, there is an order or `ReplyUnreadable`, and the body is not shown."""
    for read in (wire.read_order, wire.read_letter, wire.read_orders, wire.read_page):
        with pytest.raises(ReplyUnreadable) as caught:
            read(reply(content))
        assert caught.value.facts["status"] == 200
        assert caught.value.__cause__ is None


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(content: bytes) -> None:
    """Nothing but `ReplyUnreadable` comes out of garbage."""
    for read in (wire.read_order, wire.read_page):
        with pytest.raises(ReplyUnreadable):
            read(reply(content))
    assert wire.read_error(reply(content, 500)).code is None


def test_a_body_declared_as_something_else_is_refused() -> None:
    """A captive portal's page is no order, even where it happens to be JSON."""
    with pytest.raises(ReplyUnreadable, match="not declared"):
        wire.read_order(Reply(200, {"content-type": "text/html"}, json.dumps(sample("create")).encode()))
    typed = {"content-type": "application/problem+json; charset=utf-8"}
    assert wire.read_order(Reply(200, typed, json.dumps(sample("create")).encode())).sid == HR


@pytest.mark.parametrize(
    "change",
    [
        {"sid": None},
        {"sid": "PX" + "a" * 32},
        {"sid": HR + "\n"},
        {"status": None},
        {"cc_emails": "a@x.com"},
        {"call_delay": "soon"},
        {"capabilities": [1]},
    ],
    ids=str,
)
def test_a_field_of_the_wrong_kind_is_named_and_not_shown(change: dict[str, Any]) -> None:
    """The message names the field and none of its data."""
    with pytest.raises(ReplyUnreadable) as caught:
        wire.read_order(reply({**sample("fetch"), **change}))
    assert next(iter(change)) in caught.value.message
    assert "@" not in caught.value.message
    assert "415" not in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"meta": {}, "items": []},
        {"meta": {"key": "orders"}, "orders": []},
        {"meta": {"key": "items"}, "items": None},
        {"meta": {"key": "items", "next_page_url": 5}, "items": []},
        {"meta": None, "items": []},
    ],
    ids=str,
)
def test_a_page_of_another_shape_is_refused(body: dict[str, Any]) -> None:
    """An envelope that is not the API's is an error, not an empty list."""
    for read in (wire.read_page, wire.read_orders):
        with pytest.raises(ReplyUnreadable):
            read(reply(body))


def test_an_item_that_is_no_order_spoils_the_page() -> None:
    """A look-up never works on half a page."""
    with pytest.raises(ReplyUnreadable):
        wire.read_orders(reply({"meta": {"key": "items"}, "items": [sample("fetch"), 7]}))


def test_the_next_page_is_followed_with_all_it_says() -> None:
    """Path, query and origin are those of the address; blank values stay."""
    request = wire.follow(
        PREVIEW, f"https://Preview.twilio.com:443{ORDERS}?Status=&PhoneNumber=%2B1919&Page=1&PageToken=PAHR"
    )
    assert request.origin == "https://preview.twilio.com"
    assert request.target() == f"{ORDERS}?Status=&PhoneNumber=%2B1919&Page=1&PageToken=PAHR"
    assert wire.follow(PREVIEW, f"http://127.0.0.1:80{LETTERS}").origin == "http://127.0.0.1"
    assert wire.follow(PREVIEW, f"http://[::1]:8080{LETTERS}").origin == "http://[::1]:8080"
    dependents = f"{LETTERS}/{PX}/DependentHostedNumberOrders"
    assert wire.follow(PREVIEW, f"https://preview.twilio.com{dependents}?Page=1").path == dependents


@pytest.mark.parametrize(
    "url",
    [
        "",
        ORDERS,
        f"//evil.example{ORDERS}",
        f"ftp://preview.twilio.com{ORDERS}",
        f"javascript:{ORDERS}",
        f"https://a:b@preview.twilio.com{ORDERS}",
        f"https://preview.twilio.com@evil.example{ORDERS}",
        f"https:\\\\evil.example{ORDERS}",
        f"https://preview.twilio.com\\.evil.example{ORDERS}",
        f"https://preview．twilio.com{ORDERS}",
        f"https://preview.twilio.com{ORDERS}\r\nX: y",
        f"https://preview.twilio.com\t{ORDERS}",
        f"https://preview.twilio.com:99999{ORDERS}",
        f"https://preview.twilio.com:port{ORDERS}",
        f"https://[::1{ORDERS}",
        f"https://preview.twilio.com{ORDERS}#x",
        f"https://preview.twilio.com{ORDERS}/{HR}",
        f"https://preview.twilio.com{ORDERS}/../Secret",
        f"https://preview.twilio.com{LETTERS}/{HR}/DependentHostedNumberOrders",
        "https://preview.twilio.com/2010-04-01/Accounts",
        f"https://preview.twilio.com{ORDERS}?broken",
        f"https:///{ORDERS}",
    ],
)
def test_an_address_that_is_no_list_of_ours_is_not_followed(url: str) -> None:
    """A next page may not lead anywhere else."""
    with pytest.raises(ReplyUnreadable) as caught:
        wire.follow(PREVIEW, url)
    assert caught.value.facts["reason"]


LIST = Request("GET", ORDERS)
ITEM = Request("GET", f"{ORDERS}/{HR}")


def error(code: object, message: object = "no") -> dict[str, object]:
    """An error body of the API."""
    return {"code": code, "message": message, "more_info": "https://", "status": 400}


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_success_passes(status: int) -> None:
    """Nothing is raised for 2xx."""
    wire.raise_for_reply(Reply(status), LIST)


@pytest.mark.parametrize(
    ("request_", "status", "code", "kind"),
    [
        (ITEM, 401, 20003, AccessRefused),
        (ITEM, 403, None, AccessRefused),
        (LIST, 404, 20404, AccessRefused),
        (Request("GET", LETTERS), 404, 20404, AccessRefused),
        (LIST, 404, None, ServiceRefused),
        (ITEM, 404, 20404, ServiceRefused),
        (Request("GET", f"{LETTERS}/{PX}/DependentHostedNumberOrders"), 404, 20404, ServiceRefused),
        (LIST, 400, 21481, ServiceRefused),
        (LIST, 302, None, ServiceRefused),
        (LIST, 503, None, ServiceRefused),
    ],
)
def test_a_refusal_is_named_by_what_to_do_next(
    request_: Request, status: int, code: int | None, kind: type[Exception]
) -> None:
    """Credentials and access apart from everything else, with the facts beside it."""
    with pytest.raises(kind) as caught:
        wire.raise_for_reply(reply(error(code), status), request_)
    assert caught.value.facts == {  # type: ignore[attr-defined]
        "status": status, "api_code": code, "method": "GET", "path": request_.path,
    }  # fmt: skip


def test_a_refusal_shows_no_query_and_nobody() -> None:
    """The message of the service is scrubbed and the filters stay out."""
    request = wire.list_orders(PREVIEW, phone_number="+15017122661")
    with pytest.raises(ServiceRefused) as caught:
        wire.raise_for_reply(reply(error(21481, "bad +15017122661 for t@x.com"), 400), request)
    assert "7122661" not in str(caught.value) + repr(caught.value.facts)
    assert "t@x.com" not in str(caught.value)
    assert "21481" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (error(22110, "not hostable"), 22110, "not hostable"),
        (error("22110"), None, "no"),
        (error(True), None, "no"),
        (error(22110, ["x"]), 22110, ""),
        ({}, None, ""),
        ([], None, ""),
        (b"<html>busy</html>", None, ""),
        (b"", None, ""),
    ],
    ids=str,
)
def test_an_error_is_read_whatever_the_body(body: Any, code: int | None, message: str) -> None:
    """A code is the API's own whole number or None; reading an error never raises."""
    assert wire.read_error(reply(body, 503)) == wire.ApiError(code, message, 503)


@pytest.mark.parametrize(
    ("path", "is_list"),
    [
        (ORDERS, True), (LETTERS, True), (f"{LETTERS}/{PX}/DependentHostedNumberOrders", True),
        (f"{ORDERS}/{HR}", False), (f"{LETTERS}/{PX}", False),
    ],
)  # fmt: skip
def test_a_list_is_told_from_one_resource(path: str, is_list: bool) -> None:
    """By its path alone."""
    assert wire.is_list(path) is is_list
