"""Status callbacks: what is signed, queued and told; then the courier, against a receiver of its own."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from sandbox_driver import DAY, FIXED, HOUR, ORDERS, PLAIN, Driver, served

from hnbulk.sandbox import Sandbox, SandboxClock, WorldSettings, build_sandbox
from hnbulk.sandbox.callbacks import Callback, address_of, outgoing, sign, why_not_sent

TOKEN = "12345"
PARAMS = (
    ("Status", "received"),
    ("HostedNumberOrderSid", "HR" + "a" * 32),
    ("PhoneNumber", "+15017122661"),
)
SMOOTH = FIXED + "170"


@pytest.mark.parametrize(
    ("method", "url", "signature"),
    [
        ("POST", "https://example.com/cb?x=1", "eNa4MsVB1XY46EU66G+KeZWiwxc="),
        ("POST", "http://example.com:8080/cb", "8bxg76FWCdbO5idNvOYeI8YfvTc="),
        ("GET", "https://example.com/cb", "MEg3XSXR1J99kYaljoBfZqQTiEE="),
    ],
)
def test_signatures_are_those_of_the_official_validators(method: str, url: str, signature: str) -> None:
    """Three vectors that the official helper libraries agree on."""
    callback = Callback(
        1, "AC1", PARAMS[1][1], PARAMS[2][1], PARAMS[0][1], at=0, nth=1, method=method, url=url
    )
    assert callback.params == PARAMS
    assert outgoing(callback, TOKEN).headers["X-Twilio-Signature"] == signature


def test_a_repeated_value_is_signed_once_and_names_are_sorted() -> None:
    """As the validators do it."""
    assert sign(TOKEN, "u", (("b", "2"), ("a", "1"), ("a", "1"))) == sign(
        TOKEN, "u", (("a", "1"), ("b", "2"))
    )


def test_neither_login_nor_fragment_is_in_the_address() -> None:
    """The login goes into its header, the fragment nowhere, and text that is no ASCII is encoded."""
    url = "http://me:s%40cret@localhost:8080/ä?x=1#rc=2"
    assert address_of(url, (("y", "+1"),)) == "http://localhost:8080/%C3%A4?x=1&y=%2B1"
    assert address_of("http://localhost") == "http://localhost/"
    callback = Callback(1, "AC1", "HR1", PLAIN, "verified", at=0, nth=1, method="POST", url=url)
    assert outgoing(callback, TOKEN).headers["Authorization"] == "Basic " + b64encode(b"me:s@cret").decode()
    assert "cret" not in json.dumps(callback.line())


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://127.0.0.1:5000/cb", True),
        ("http://localhost/cb", True),
        ("http://[::1]:1/cb", True),
        ("https://hooks.example.com/cb", True),
        ("https://me@hooks.example.com/cb", True),
        ("http://hooks.example.com/cb", False),
        ("https://hooks.example.com:444/cb", False),
        ("https://hooks.example.com.evil.example/cb", False),
        ("https://hooks.example.com@evil.example/cb", False),
        ("http://127.0.0.1.evil.example/cb", False),
        ("http://169.254.169.254/latest", False),
        ("http://0.0.0.0/cb", False),
        ("http://127.0.0.1:99999/cb", False),
        ("ftp://127.0.0.1/cb", False),
    ],
)
def test_only_this_machine_and_named_https_hosts_are_called(url: str, sent: bool) -> None:
    """Everything else stands in the ledger as not sent."""
    assert (why_not_sent(url, ("hooks.example.com",)) == "") is sent


# The queue and the ledger, without a courier.


def told(box: Driver) -> list[tuple[str, str]]:
    """Status and result of every callback."""
    return [(line["params"]["Status"], line["result"]) for line in box.sandbox.callbacks()]


def test_without_an_address_nobody_is_told() -> None:
    """No StatusCallbackUrl, no callback."""
    box = Driver()
    box.verified()
    assert box.sandbox.callbacks() == []


def test_every_change_of_status_is_told_once_and_nothing_else() -> None:
    """Not creation, not a second call, not a change of fields, not cancellation."""
    box = Driver()
    sid = box.received("174", StatusCallbackUrl="http://localhost:1/cb")
    box.update(sid, FriendlyName="x")
    box.call(sid)
    box.wait(11 * 60)
    box.call(sid)
    box.wait(11 * 60)
    box.send("DELETE", f"{ORDERS}/{sid}")
    assert told(box) == [(status, "waiting") for status in ("received", "pending-verification", "verified")]
    line = box.sandbox.callbacks()[0]
    assert line["params"] == {
        "Status": "received",
        "HostedNumberOrderSid": sid,
        "PhoneNumber": FIXED + "174",
    }
    assert (line["method"], line["attempts"]) == ("POST", [])
    assert line["at"] == box.truth(sid)["history"][1]["at"]


def test_a_foreign_address_is_noted_and_not_called() -> None:
    """By default nothing leaves this machine."""
    box = Driver()
    box.received(StatusCallbackUrl="https://example.com/cb")
    assert told(box) == [("received", "not-sent")]
    assert "callback_hosts" in box.sandbox.callbacks()[0]["why"]


def test_an_address_set_on_the_number_later_is_told_from_then_on() -> None:
    """The incoming phone number holds it, under its own name for it."""
    box = Driver()
    order = box.create(SMOOTH)
    path = f"/2010-04-01/Accounts/{order['account_sid']}/IncomingPhoneNumbers/"
    path += f"{order['incoming_phone_number_sid']}.json"
    url = "http://localhost:1/cb"
    _, number = box.send("POST", path, StatusCallback=url, StatusCallbackMethod="GET")
    assert (number["status_callback"], number["status_callback_method"]) == (url, "GET")
    box.wait(2 * DAY)
    assert told(box) == [("received", "waiting")]
    assert box.sandbox.callbacks()[0]["method"] == "GET"


def test_loss_and_doubling_follow_from_the_order_and_the_change() -> None:
    """The same changes are lost or doubled whatever the seed's threads do; about as many as asked for."""
    settings = WorldSettings(callback_loss_rate=0.3, callback_duplicate_rate=0.3)
    one, other = (Driver(settings=settings) for _ in range(2))
    for box in (one, other):
        for place in range(100) if box is one else reversed(range(100)):
            box.sandbox.set_fate(f"+1415555{2000 + place}", "smooth")
            box.create(f"+1415555{2000 + place}", StatusCallbackUrl="http://localhost:1/cb")
        box.wait(2 * DAY)
    lines = one.sandbox.callbacks()
    assert lines == other.sandbox.callbacks()
    assert 15 <= sum(line["result"] == "lost" for line in lines) <= 45
    assert 10 <= sum(line["duplicate"] for line in lines) <= 40


def test_one_that_is_held_back_is_overtaken() -> None:
    """It can be taken only when its moment has come, and after what waits then."""
    box = Driver(settings=WorldSettings(callback_reorder_rate=0.5, callback_hold_seconds=100))
    for place in range(20):
        box.sandbox.set_fate(f"+1415555{2000 + place}", "smooth")
        box.create(f"+1415555{2000 + place}", StatusCallbackUrl="http://localhost:1/cb")
    box.wait(2 * DAY)
    lines, now = box.sandbox.callbacks(), time.monotonic()
    queue = box.sandbox.desk.callbacks
    at_once = [callback.n for callback in iter(lambda: queue.take(now), None)]
    assert at_once == [line["n"] for line in lines if not line["held"]]
    late = [callback.n for callback in iter(lambda: queue.take(now + 200), None)]
    assert late == [line["n"] for line in lines if line["held"]]


def test_a_state_put_back_tells_nothing_twice() -> None:
    """What was waiting is dropped, what is told from then on is of the world that was put back."""
    with served() as box:
        box.sandbox.set_fate(PLAIN, "smooth")
        box.create(StatusCallbackUrl="http://localhost:1/cb")
        state = box.admin.get("/state").json()
        box.sandbox.clock.advance(2 * DAY)
        assert [line["result"] for line in box.sandbox.callbacks()] == ["waiting"]
        box.admin.put("/state", json=state)
        assert box.admin.get("/state").json() == state
        box.sandbox.clock.advance(2 * DAY)
        lines = [json.loads(line) for line in box.admin.get("/callbacks").text.splitlines()]
        assert [line["result"] for line in lines] == ["dropped", "waiting"]


# The courier.


@dataclass
class Receiver:
    """Somebody who is called: what came, and what is answered (a status; None for no answer at all)."""

    url: str = ""
    answers: list[int | None] = field(default_factory=list)
    came: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def statuses(self) -> list[str]:
        return [dict(self.form(n))["Status"] for n in range(len(self.came))]

    def form(self, n: int) -> list[tuple[str, str]]:
        method, target, _, body = self.came[n]
        return parse_qsl(body.decode() if method == "POST" else urlsplit(target).query)


@contextmanager
def receiving(*answers: int | None) -> Iterator[Receiver]:
    """A receiver on loopback; its thread and sockets end with it."""
    receiver = Receiver(answers=list(answers))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.came.append((self.command, self.path, dict(self.headers), body))
            answer = receiver.answers.pop(0) if receiver.answers else 204
            if answer is not None:
                self.send_response(answer)
                self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/cb"
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def ordered(sandbox: Sandbox, url: str, **form: str) -> str:
    """An order of the smooth number with this address, made at the desk."""
    login = b64encode(f"{sandbox.account_sid}:{sandbox.auth_token}".encode()).decode()
    kind = "application/x-www-form-urlencoded"
    headers = {"host": "localhost", "authorization": f"Basic {login}", "content-type": kind}
    given = {"PhoneNumber": SMOOTH, "SmsCapability": "true", "StatusCallbackUrl": url, **form}
    visit = sandbox.desk.enter("POST", ORDERS, b"", headers, urlencode(given).encode())
    return str(json.loads(sandbox.desk.answer(visit).body)["sid"])


def results(sandbox: Sandbox) -> list[tuple[str, list[tuple[int | None, str | None]]]]:
    """Result and attempts of every callback."""
    return [
        (line["result"], [(one["status"], one["error"]) for one in line["attempts"]])
        for line in sandbox.callbacks()
    ]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_callback_comes_signed_and_with_three_parameters(method: str) -> None:
    """By stepping the clock alone; the signature is that of the account's token over what came."""
    sandbox = build_sandbox()
    with receiving() as receiver, sandbox.start_callbacks() as courier:
        sid = ordered(sandbox, receiver.url + "?x=1", StatusCallbackMethod=method)
        sandbox.clock.advance(2 * DAY)
        assert courier.drain()
    came, target, headers, _ = receiver.came[0]
    pairs = [("Status", "received"), ("HostedNumberOrderSid", sid), ("PhoneNumber", SMOOTH)]
    assert (came, len(receiver.came)) == (method, 1)
    assert receiver.form(0) == pairs if method == "POST" else [("x", "1"), *pairs]
    text = f"http://{headers['Host']}{target}"
    if method == "POST":
        assert target == "/cb?x=1"
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        text += "".join(name + value for name, value in sorted(pairs))
    digest = hmac.new(sandbox.auth_token.encode(), text.encode(), hashlib.sha1).digest()
    assert headers["X-Twilio-Signature"] == b64encode(digest).decode()
    assert results(sandbox) == [("delivered", [(204, None)])]


def test_callbacks_of_a_subaccount_are_signed_with_its_own_token() -> None:
    """Never with that of the parent, nor with a key's secret."""
    sandbox = build_sandbox()
    sub = sandbox.subaccounts[0]
    with receiving() as receiver, sandbox.start_callbacks() as courier:
        ordered(sandbox, receiver.url, AccountSid=sub.sid)
        sandbox.clock.advance(2 * DAY)
        assert courier.drain()
    expected = sign(sub.secret, receiver.url, tuple(receiver.form(0)))
    assert receiver.came[0][2]["X-Twilio-Signature"] == expected


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ((500, 200), ("delivered", [(500, None), (200, None)])),
        ((None, 200), ("delivered", [(None, "no-reply"), (200, None)])),
        ((503, 503, 200), ("failed", [(503, None), (503, None)])),
        ((404, 200), ("failed", [(404, None)])),
        ((302, 200), ("failed", [(302, None)])),
    ],
)
def test_one_retry_after_no_reply_or_a_5xx(answers: tuple[int | None, ...], result: Any) -> None:
    """Not after an answer of any other kind; a retry is the same request, to the letter."""
    sandbox = build_sandbox()
    with receiving(*answers) as receiver, sandbox.start_callbacks() as courier:
        ordered(sandbox, receiver.url)
        sandbox.clock.advance(2 * DAY)
        assert courier.drain()
    assert results(sandbox) == [result]
    assert all(one == receiver.came[0] for one in receiver.came)


def test_nobody_there_is_tried_twice() -> None:
    """A port where nobody listens: refused, and refused."""
    sandbox = build_sandbox()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with sandbox.start_callbacks() as courier:
            ordered(sandbox, f"http://localhost:{sock.getsockname()[1]}/cb")
            sandbox.clock.advance(2 * DAY)
            assert courier.drain()
    assert results(sandbox) == [("failed", [(None, "connect"), (None, "connect")])]


def test_a_receiver_without_a_certificate_is_told_nothing() -> None:
    """Over https nothing is said before the other side has proved who it is."""
    sandbox = build_sandbox(settings=WorldSettings(callback_retries=0))
    with receiving() as receiver, sandbox.start_callbacks() as courier:
        ordered(sandbox, receiver.url.replace("http:", "https:"))
        sandbox.clock.advance(2 * DAY)
        assert courier.drain()
    assert receiver.came == []
    assert results(sandbox) == [("failed", [(None, "connect")])]


@contextmanager
def dripping(seconds: float) -> Iterator[str]:
    """A receiver that answers one byte at a time, and never gets to an end."""
    over = threading.Event()

    def drip(sock: socket.socket) -> None:
        while not over.is_set():
            with sock.accept()[0] as peer:
                try:
                    while not over.wait(seconds):
                        peer.send(b"H")
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as sock:
        thread = threading.Thread(target=drip, args=(sock,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}/cb"
        finally:
            over.set()
            socket.create_connection(sock.getsockname()).close()
            thread.join()


def test_the_total_time_ends_a_reply_that_drips() -> None:
    """However often a byte comes."""
    sandbox = build_sandbox(settings=WorldSettings(callback_total_seconds=0.1, callback_retries=0))
    with dripping(0.01) as url, sandbox.start_callbacks() as courier:
        ordered(sandbox, url)
        sandbox.clock.advance(2 * DAY)
        assert courier.drain()
    assert results(sandbox) == [("failed", [(None, "time-out")])]


def test_closing_breaks_off_what_is_under_way_and_leaves_nothing() -> None:
    """At once, whatever the receiver does; no thread stays, what waits stays in the queue."""
    sandbox = build_sandbox()
    with dripping(0.05) as url:
        courier = sandbox.start_callbacks()
        ordered(sandbox, url)
        sandbox.clock.advance(2 * DAY)
        assert not courier.drain(timeout=0.1)
        began = time.monotonic()
        courier.close()
        courier.close()
        assert time.monotonic() - began < 1
    assert not [thread for thread in threading.enumerate() if thread.name == "hnbulk-callbacks"]
    assert [line["result"] for line in sandbox.callbacks()] == ["failed"]


def test_a_request_never_waits_for_a_receiver() -> None:
    """While one callback hangs, orders are created and listed as ever."""
    with dripping(0.05) as url, served() as box, box.sandbox.start_callbacks():
        box.sandbox.set_fate(PLAIN, "smooth")
        box.create(StatusCallbackUrl=url)
        box.sandbox.clock.advance(2 * DAY)
        began = time.monotonic()
        for _ in range(20):
            assert box.api.get(ORDERS).status_code == 200
        assert time.monotonic() - began < 2


def test_a_clock_that_runs_tells_by_itself() -> None:
    """No request and no step: the world goes on, and its callbacks come."""
    sandbox = build_sandbox(clock=SandboxClock("fast", speed=24 * HOUR * 20))
    with receiving() as receiver, sandbox.start_callbacks():
        ordered(sandbox, receiver.url)
        until = time.monotonic() + 5
        while not receiver.came and time.monotonic() < until:
            time.sleep(0.01)
    assert receiver.statuses()[:1] == ["received"]


def test_many_changes_come_in_their_order() -> None:
    """One courier, one after the other: what comes is the ledger, line by line."""
    with receiving() as receiver, served() as box, box.sandbox.start_callbacks() as courier:
        for place in range(60):
            number = f"+1415555{2000 + place}"
            box.sandbox.set_fate(number, "smooth")
            box.create(number, StatusCallbackUrl=receiver.url)
        box.sandbox.clock.advance(9 * DAY)
        assert courier.drain()
    came = [dict(receiver.form(n)) for n in range(len(receiver.came))]
    assert came == [line["params"] for line in box.sandbox.callbacks()]
    assert len(came) == 120


def test_callbacks_are_told_of_over_administration() -> None:
    """JSON Lines: what was sent, when, and what came of it; for who has the token."""
    with receiving(500) as receiver, served() as box, box.sandbox.start_callbacks() as courier:
        box.sandbox.set_fate(PLAIN, "smooth")
        box.create(StatusCallbackUrl=receiver.url)
        box.sandbox.clock.advance(2 * DAY)
        assert courier.drain()
        (line,) = [json.loads(line) for line in box.admin.get("/callbacks").text.splitlines()]
        assert httpx.get(box.admin_url + "/callbacks", trust_env=False).status_code == 401
    at = "2026-01-07T15:00:00Z"
    assert line["attempts"] == [
        {"at": at, "status": 500, "error": None},
        {"at": at, "status": 204, "error": None},
    ]
    assert (line["result"], line["url"]) == ("delivered", receiver.url)
    assert line["params"]["Status"] == "received"
