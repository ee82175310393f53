"""The API over real HTTP: credentials, hosts, headers, bodies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest
from sandbox_driver import ORDERS, PLAIN, Served, served

from hnbulk.sandbox import WorldSettings, build_sandbox
from hnbulk.sandbox.past import number_of

# Code, more keys, message, code and status of an error body.
ERROR = (
    '{"code": %d, %s"message": "%s", "more_info": "https://www.twilio.com/docs/errors/%d", "status": %d}'
)


@pytest.fixture(name="box")
def _box() -> Iterator[Served]:
    with served() as box:
        yield box


def test_an_order_is_created_listed_fetched_updated_and_canceled(box: Served) -> None:
    """The thin whole path over HTTP, with a stepped clock."""
    created = box.create(UniqueName="one")
    assert created.status_code == 201
    path = f"{ORDERS}/{created.json()['sid']}"
    assert box.api.get(ORDERS).json()["items"] == [created.json()]
    box.sandbox.clock.advance(36 * 3600)
    assert box.api.get(path).json()["status"] == "received"
    assert box.api.post(path, data={"FriendlyName": "é ü"}).json()["friendly_name"] == "é ü"
    gone = box.api.delete(path)
    assert (gone.status_code, gone.content, "content-length" in gone.headers) == (204, b"", False)
    assert box.api.get(path).status_code == 404


def test_repeated_and_empty_parameters_are_read(box: Served) -> None:
    """CcEmails comes several times; an empty value is a value."""
    order = box.api.post(
        ORDERS,
        content=b"PhoneNumber=%2B14155550123&SmsCapability=TRUE&CcEmails=a%40x.co&CcEmails=b%40x.co&Email=",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    ).json()
    assert (order["cc_emails"], order["email"]) == (["a@x.co", "b@x.co"], None)


def test_the_date_is_that_of_the_sandbox(box: Served) -> None:
    """One Date header, from its own clock, and the service's own headers."""
    box.sandbox.clock.advance(86400)
    reply = box.api.get(ORDERS)
    assert reply.headers.get_list("date") == ["Tue, 06 Jan 2026 15:00:00 GMT"]
    assert reply.headers["twilio-concurrent-requests"] == "1"
    assert len(reply.headers["twilio-request-id"]) == 34
    assert float(reply.headers["twilio-request-duration"]) >= 0
    assert "server" not in reply.headers


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic bm9ib2R5Om5vdGhpbmc="}, {"Authorization": "Bearer x"}],
    ids=["none", "wrong", "bearer"],
)
def test_wrong_credentials_are_401(box: Served, headers: dict[str, str]) -> None:
    """The exact body and the challenge of the service."""
    reply = httpx.get(box.url + ORDERS, headers=headers, trust_env=False)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Basic realm="Twilio API"'
    detail = '"detail": "Your AccountSid or AuthToken was incorrect.", '
    assert reply.text == ERROR % (20003, detail, "Authenticate", 20003, 401)


def test_api_keys_and_subaccounts_are_let_in(box: Served) -> None:
    """A key acts for the account; a subaccount for itself."""
    key, sub = box.sandbox.api_key, box.sandbox.subaccounts[0]
    made = box.create().json()
    seen = httpx.get(box.url + ORDERS, auth=(key.sid, key.secret), trust_env=False)
    assert [order["sid"] for order in seen.json()["items"]] == [made["sid"]]
    assert httpx.get(box.url + ORDERS, auth=(sub.sid, sub.secret), trust_env=False).json()["items"] == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:80", 200),
        ("preview.twilio.com", 200),
        ("numbers.dublin.ie1.twilio.com", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
def test_a_foreign_host_is_misdirected(box: Served, host: str, status: int) -> None:
    """Only loopback names and the service's own hosts are served."""
    assert box.api.get(ORDERS, headers={"Host": host}).status_code == status


def test_page_addresses_lead_to_where_the_request_came(box: Served) -> None:
    """The listener's own address, or the service's where a client says that it rewrote it."""
    meta = box.api.get(ORDERS).json()["meta"]
    assert meta["url"].startswith(box.url + ORDERS)
    headers = {"X-Twilio-Original-Host": "preview.twilio.com"}
    meta = box.api.get(ORDERS, headers=headers).json()["meta"]
    assert meta["url"].startswith("https://preview.twilio.com" + ORDERS)


def test_a_body_that_is_no_form_is_refused(box: Served) -> None:
    """JSON is 422, never processed."""
    reply = box.api.post(ORDERS, json={"PhoneNumber": PLAIN})
    assert (reply.status_code, reply.json()["code"]) == (422, 20422)
    assert box.sandbox.orders() == []


def test_requests_beyond_the_concurrency_limit_are_429() -> None:
    """With a limit of two and slow answers, eight at once are not all served; none of those acts."""
    settings = WorldSettings(concurrency_limit=2, latency=0.1, not_hostable_rate=0)
    with served(settings=settings) as box, ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(box.create, [number_of(place) for place in range(8)]))
        codes = sorted(reply.status_code for reply in replies)
        assert codes.count(429) >= 1
        assert len(box.sandbox.orders()) == codes.count(201) >= 2
        refused = next(reply for reply in replies if reply.status_code == 429)
        assert refused.json()["code"] == 20429


def test_the_ledger_has_every_request_and_what_it_did(box: Served) -> None:
    """Created, refused, read and not let in: one line each, in order."""
    sid = box.create(UniqueName="u").json()["sid"]
    box.create()
    box.api.get(f"{ORDERS}/{sid}")
    httpx.get(box.url + ORDERS, trust_env=False)
    lines = box.sandbox.ledger()
    assert [line["n"] for line in lines] == [1, 2, 3, 4]
    assert [line["did"] for line in lines] == [f"created {sid}", "refused", "read", "refused"]
    assert [line["code"] for line in lines] == [None, 22110, None, 20003]
    assert (lines[0]["phone_number"], lines[0]["unique_name"], lines[0]["sid"]) == (PLAIN, "u", sid)
    assert lines[0]["form"] == ["PhoneNumber", "SmsCapability", "UniqueName"]


def test_credentials_follow_from_the_seed_and_hide() -> None:
    """The same seed has the same account and token; no repr shows a secret."""
    one, same = build_sandbox(seed=3), build_sandbox(seed=3)
    assert (one.account_sid, one.auth_token) == (same.account_sid, same.auth_token)
    assert one.admin_token != same.admin_token
    for secret in (one.auth_token, one.admin_token, one.api_key.secret):
        assert secret not in repr(one)


def test_a_body_beyond_all_measure_is_refused(box: Served) -> None:
    """413; nothing was done."""
    reply = box.create(FriendlyName="x" * (5 << 20))
    assert reply.status_code == 413
    assert box.sandbox.orders() == []


def test_text_that_is_not_percent_encoded_is_read_as_utf_8(box: Served) -> None:
    """As curl sends it."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    form = "PhoneNumber=%2B14155550123&SmsCapability=true&FriendlyName=Zürich+é".encode()
    assert box.api.post(ORDERS, content=form, headers=kind).json()["friendly_name"] == "Zürich é"


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code", "message"),
    [
        ("GET", "/nowhere", {}, b"", 404, 20404, "The requested resource /nowhere was not found"),
        ("PATCH", ORDERS, {}, b"", 405, 20004, "Method not allowed"),
        ("POST", ORDERS, {}, b"{}", 422, 20422, "Invalid Parameter"),
        (
            "GET",
            ORDERS,
            {"Host": "evil.example"},
            b"",
            421,
            421,
            "Misdirected request: this is not that host",
        ),
        ("POST", ORDERS, {}, b"", 400, 20001, "Missing required parameter PhoneNumber in the post body"),
    ],
)
def test_an_error_is_what_the_service_writes_to_the_byte(
    box: Served,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: int,
    message: str,
) -> None:
    """Keys, their order, the spacing, the type and the length."""
    reply = box.api.request(method, path, headers=headers, content=body)
    text = ERROR % (code, "", message, code, status)
    assert (reply.status_code, reply.text) == (status, text)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"] == str(len(text))


def test_conflict_and_too_many_are_what_the_service_writes_to_the_byte() -> None:
    """409 for a DELETE too early, 429 beyond the limit."""
    with served(settings=WorldSettings(concurrency_limit=0)) as box:
        reply = box.api.get(ORDERS)
        assert (reply.status_code, reply.text) == (
            429,
            ERROR % (20429, "", "Too Many Requests", 20429, 429),
        )
    with served() as box:
        reply = box.api.delete(f"{ORDERS}/{box.create().json()['sid']}")
    message = "The order is not in a status that allows this modification"
    assert (reply.status_code, reply.text) == (409, ERROR % (20409, "", message, 20409, 409))


def test_threads_racing_over_real_connections_make_the_same_world() -> None:
    """Eight threads that create, call and write letters in any order leave what one leaves."""
    truths = []
    for threads, mixed in ((1, 0), (8, 1)):
        with served() as box, ThreadPoolExecutor(threads) as pool:
            numbers = [number_of(place) for place in range(60)]
            numbers = random.Random(3).sample(numbers, 60) if mixed else numbers
            list(pool.map(box.create, numbers))
            box.sandbox.clock.advance(3 * 86400)
            paths = [f"{ORDERS}/{order['sid']}" for order in box.api.get(ORDERS).json()["items"]]
            call = partial(box.api.post, data={"Status": "pending-verification"})
            list(pool.map(call, reversed(paths) if mixed else paths))
            box.sandbox.clock.advance(30 * 86400)
            truths.append((box.sandbox.orders(), box.sandbox.calls()))
    assert truths[0] == truths[1]


def test_a_limit_of_requests_at_once_binds_without_any_latency() -> None:
    """Thirty at once against a limit of two: some are answered, some told 429; nothing else happens."""
    with served(settings=WorldSettings(concurrency_limit=2)) as box, ThreadPoolExecutor(30) as threads:
        replies = list(threads.map(lambda _: box.api.get(ORDERS), range(60)))
        assert Counter(reply.status_code for reply in replies).keys() == {200, 429}
        assert max(int(reply.headers["Twilio-Concurrent-Requests"]) for reply in replies) > 2


def test_the_limit_is_each_accounts_own() -> None:
    """What the parent has under way is nothing to its subaccount."""
    with served(settings=WorldSettings(concurrency_limit=1)) as box, ThreadPoolExecutor(8) as threads:
        sub = box.sandbox.subaccounts[0]
        with httpx.Client(base_url=box.url, auth=(sub.sid, sub.secret), trust_env=False) as child:
            busy = [threads.submit(box.api.get, ORDERS) for _ in range(40)]
            seen = [child.get(ORDERS).status_code for _ in range(10)]
            assert 429 in {one.result().status_code for one in busy}
        assert seen == [200] * 10


def test_replies_say_how_long_they_took_and_who_may_read_them() -> None:
    """The duration is real, in seconds; 200 and 201 carry what a browser asks for, errors do not."""
    with served(settings=WorldSettings(latency=0.05)) as box:
        made = box.create()
        assert float(made.headers["Twilio-Request-Duration"]) >= 0.05
        assert made.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Origin" in box.api.get(ORDERS).headers
        assert "Access-Control-Allow-Origin" not in box.api.get(f"{ORDERS}/HR{'0' * 32}").headers


@pytest.mark.parametrize("host", ["preview.twilio.com", "preview.dublin.ie1.twilio.com"])
def test_pages_lead_on_to_the_host_that_was_asked(host: str) -> None:
    """Of the service's own hosts, the region too."""
    with served(orders=3) as box:
        page = box.api.get(f"{ORDERS}?PageSize=1", headers={"X-Twilio-Original-Host": host}).json()
    assert page["meta"]["next_page_url"].startswith(f"https://{host}{ORDERS}?")


@pytest.mark.parametrize("path", ["/%E2%82%AC", "/%0d%0aX", "/a%20b"])
def test_a_redirect_of_any_path_is_a_redirect(path: str) -> None:
    """Signs that no header can hold are sent on encoded."""
    with served() as box:
        for url in (None, "https://{host}{path}"):
            box.sandbox.set_faults({"action": "redirect", "url": url})
            reply = box.api.get(path)
            assert reply.status_code == 302
            assert reply.headers["Location"].isascii()
