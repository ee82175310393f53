"""A request goes out once, to one address, and what is known of its end is exact."""

from __future__ import annotations

import gzip
import json
import logging
import os
import pickle
import shutil
import socket
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hnbulk import wire
from hnbulk.client import KEEPALIVE, Client, Timeouts
from hnbulk.errors import (
    AccessRefused,
    ReplyUnreadable,
    ServiceRefused,
    ServiceUnreachable,
    UsageError,
)
from hnbulk.messages import Failure, FailureKind, Phase, Reply, Request
from hnbulk.settings import Credentials
from hnbulk.wire import PREVIEW

SECRET = "hnCANARY0123456789abcdef"
ACCOUNT = "AC" + "a" * 32
HR = "HR" + "a" * 32
WHO = Credentials(ACCOUNT, ACCOUNT, SecretStr(SECRET))
BASE = "http://127.0.0.1:1"
GET = wire.list_orders(PREVIEW, page_size=2)
POST = wire.create_order(PREVIEW, {"phone_number": "+15017122661"})
ORDERS = PREVIEW.orders
QUICK = Timeouts(connect=0.5, write=0.2, read=0.2, pool=0.1)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
Handler = Callable[[httpx.Request], httpx.Response]


@contextmanager
def answering(handler: Handler, **options: Any) -> Iterator[Client]:
    """A client whose network is a function."""
    with Client(BASE, WHO, transport=httpx.MockTransport(handler), **options) as client:
        yield client


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that has `talk` with every connection, then closes it."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    talk(connection)
                except OSError:
                    continue

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)
        assert not thread.is_alive()


def hear(connection: socket.socket) -> bytes:
    """One whole request as it came."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += connection.recv(65536)
    head, _, body = content.partition(b"\r\n\r\n")
    length = next(
        (int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def sending(content: bytes, heard: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """A talk that hears one request and answers with these bytes."""

    def talk(connection: socket.socket) -> None:
        request = hear(connection)
        if heard is not None:
            heard.append(request)
        connection.sendall(content)

    return talk


def result_of(
    talk: Callable[[socket.socket], None], request: Request = POST, **options: Any
) -> Reply | Failure:
    """What one request to such a server comes to."""
    deadline = options.pop("deadline", 2.0)
    with listening(talk) as url, Client(url, WHO, timeouts=QUICK, **options) as client:
        return client.send(request, deadline=deadline)


# what goes out


def test_a_request_goes_out_as_it_is() -> None:
    """Method, target, form, credentials, and no encoding asked for."""
    heard: list[bytes] = []
    reply = result_of(sending(OK, heard))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.header("Content-Type")) == (200, b"{}", "application/json")
    head, _, body = heard[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == f"POST {ORDERS} HTTP/1.1".encode()
    pair = b64encode(f"{ACCOUNT}:{SECRET}".encode())
    assert {line.lower() for line in lines} >= {
        b"authorization: basic " + pair.lower(),
        b"accept-encoding: identity",
        b"content-type: application/x-www-form-urlencoded",
        b"accept: application/json",
    }
    assert body == b"PhoneNumber=%2B15017122661&SmsCapability=true"


def test_a_read_has_no_body_and_an_escaped_query() -> None:
    """The plus of a filter arrives as a plus."""
    heard: list[bytes] = []
    result_of(sending(OK, heard), wire.list_orders(PREVIEW, page_size=50, phone_number="+15017122661"))
    assert heard[0].startswith(f"GET {ORDERS}?PhoneNumber=%2B15017122661&PageSize=50 HTTP/1.1".encode())
    assert b"content-type" not in heard[0].lower()


def test_an_empty_change_is_still_a_whole_request() -> None:
    """A POST without fields says that it has no body."""
    heard: list[bytes] = []
    result_of(sending(OK, heard), wire.update_order(PREVIEW, HR, {}))
    assert b"content-length: 0" in heard[0].lower()


def test_a_connection_is_used_again_and_not_for_long() -> None:
    """Two requests, one connection; unused for five seconds it is dropped."""
    connections: list[int] = []

    def talk(connection: socket.socket) -> None:
        connections.append(1)
        for _ in range(2):
            hear(connection)
            connection.sendall(OK)

    with listening(talk) as url, Client(url, WHO, timeouts=QUICK) as client:
        assert [type(client.send(GET)) for _ in range(2)] == [Reply, Reply]
    assert len(connections) == 1
    assert KEEPALIVE <= 5


def test_a_request_leaves_in_one_piece() -> None:
    """Head and form of a create arrive together, again on a connection used before."""
    pieces: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        for _ in range(2):
            pieces.append(connection.recv(65536))
            connection.sendall(OK)

    with listening(talk) as url, Client(url, WHO) as client:
        assert isinstance(client.send(POST), Reply)
        assert isinstance(client.send(POST), Reply)
    assert [piece.endswith(POST.body()) for piece in pieces] == [True, True]


def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """The next request goes out on a new one, instead of into doubt."""
    heard: list[bytes] = []
    with listening(sending(OK, heard)) as url, Client(url, WHO) as client:
        for _ in range(3):
            assert isinstance(client.send(POST), Reply)
            time.sleep(0.05)
    assert len(heard) == 3


def test_closing_ends_what_is_under_way() -> None:
    """A thread that waits for a reply does not wait on."""
    got: list[Reply | Failure] = []

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.recv(1)

    with listening(talk) as url:
        client = Client(url, WHO)
        thread = threading.Thread(target=lambda: got.append(client.send(POST, deadline=1.5)))
        thread.start()
        time.sleep(0.2)
        client.close()
        thread.join(5)
    assert not thread.is_alive()
    assert isinstance(got[0], Failure)
    assert got[0].phase is Phase.SENT


def test_nothing_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment hears nothing."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert isinstance(result_of(sending(OK)), Reply)


# addresses


@pytest.mark.parametrize(
    "url", ["http://preview.twilio.com", "https://evil.example", f"http://a:{SECRET}@127.0.0.1"]
)
def test_only_the_service_and_this_machine_can_be_connected(url: str) -> None:
    """The refusal does not repeat what was given."""
    with pytest.raises(UsageError) as caught:
        Client(url, WHO)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:2",
        "https://127.0.0.1:1",
        "http://localhost:1",
        "http://evil.example:1",
        "http://u:p@127.0.0.1:1",
        "https://preview.twilio.com",
    ],
)
def test_no_request_leaves_for_another_address(origin: str) -> None:
    """Whoever asks, and wherever the address comes from."""
    sent: list[httpx.Request] = []
    with answering(lambda request: sent.append(request) or httpx.Response(200)) as client:  # type: ignore[func-returns-value]
        failure = client.send(Request("GET", ORDERS, origin=origin))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase, sent) == (FailureKind.ORIGIN, Phase.BEFORE_SEND, [])


@pytest.mark.parametrize("path", ["@evil.example/x", ":2/x", "evil", "", ".evil.example/"])
def test_a_path_cannot_change_the_address(path: str) -> None:
    """It begins with a slash or the request stays here."""
    sent: list[httpx.Request] = []
    with answering(lambda request: sent.append(request) or httpx.Response(200)) as client:  # type: ignore[func-returns-value]
        failure = client.send(Request("GET", path))
    assert isinstance(failure, Failure)
    assert (failure.phase, sent) == (Phase.BEFORE_SEND, [])


@pytest.mark.parametrize("origin", ["http://127.0.0.1:80", "http://127.0.0.1"])
def test_the_standard_port_is_the_same_address_with_and_without(origin: str) -> None:
    """80 is http."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with Client("http://127.0.0.1", WHO, transport=transport) as client:
        assert isinstance(client.send(Request("GET", ORDERS, origin=origin)), Reply)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_reply_and_not_followed(status: int) -> None:
    """One request, no other."""
    heard: list[bytes] = []
    content = f"HTTP/1.1 {status} X\r\nLocation: /landed\r\nContent-Length: 0\r\n\r\n".encode()
    reply = result_of(sending(content, heard))
    assert isinstance(reply, Reply)
    assert (reply.status, len(heard)) == (status, 1)


def test_a_request_that_cannot_be_written_stays_here() -> None:
    """Text that no form can carry, or an address no line can."""
    bad = [
        Request("POST", ORDERS, form=(("FriendlyName", "\ud800"),)),
        Request("GET", ORDERS + "\x00"),
        Request("GET", "/" + "x" * 70_000),
    ]
    with answering(lambda _: httpx.Response(200)) as client:
        for request in bad:
            failure = client.send(request)
            assert isinstance(failure, Failure)
            assert (failure.kind, failure.phase) == (FailureKind.LOCAL, Phase.BEFORE_SEND)


# how far it came


def raising(error: Exception) -> Handler:
    """A network that does this."""

    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("error", "kind", "phase"),
    [
        (httpx.ConnectError("x"), FailureKind.CONNECT, Phase.BEFORE_SEND),
        (httpx.ConnectTimeout("x"), FailureKind.CONNECT_TIMEOUT, Phase.BEFORE_SEND),
        (httpx.PoolTimeout("x"), FailureKind.POOL_TIMEOUT, Phase.BEFORE_SEND),
        (httpx.UnsupportedProtocol("x"), FailureKind.LOCAL, Phase.BEFORE_SEND),
        (httpx.LocalProtocolError("x"), FailureKind.LOCAL, Phase.BEFORE_SEND),
        (httpx.InvalidURL("x"), FailureKind.LOCAL, Phase.BEFORE_SEND),
        (httpx.WriteError("x"), FailureKind.WRITE, Phase.SENT),
        (httpx.WriteTimeout("x"), FailureKind.WRITE_TIMEOUT, Phase.SENT),
        (httpx.ReadError("x"), FailureKind.READ, Phase.SENT),
        (httpx.ReadTimeout("x"), FailureKind.READ_TIMEOUT, Phase.SENT),
        (httpx.CloseError("x"), FailureKind.READ, Phase.SENT),
        (httpx.RemoteProtocolError("Server disconnected"), FailureKind.PROTOCOL, Phase.SENT),
        (httpx.DecodingError("x"), FailureKind.PROTOCOL, Phase.SENT),
        (RuntimeError("a fault of the library"), FailureKind.PROTOCOL, Phase.SENT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_failure_says_how_far_the_request_came(
    error: Exception, kind: FailureKind, phase: Phase
) -> None:
    """What is not known to have stayed here may have left."""
    with answering(raising(error)) as client:
        assert client.send(POST) == Failure(kind, phase, type(error).__name__)


def test_a_certificate_is_told_from_other_trouble() -> None:
    """Wherever it stands in the chain of causes."""
    error = httpx.ConnectError("x")
    error.__cause__ = OSError()
    error.__cause__.__context__ = ssl.SSLCertVerificationError("expired")
    with answering(raising(error)) as client:
        assert client.send(POST) == Failure(FailureKind.CERTIFICATE, Phase.BEFORE_SEND, "ConnectError")


def test_an_interrupt_passes_through() -> None:
    """It is the person's, not the network's."""

    def handler(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    with answering(handler) as client, pytest.raises(KeyboardInterrupt):
        client.send(POST)


def test_a_closed_port_was_never_reached() -> None:
    """Nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", WHO) as client:
        assert client.send(POST) == Failure(FailureKind.CONNECT, Phase.BEFORE_SEND, "ConnectError")


def test_no_free_connection_is_not_sent() -> None:
    """Whoever waits in line has sent nothing."""
    held = threading.Event()

    def talk(connection: socket.socket) -> None:
        hear(connection)
        held.wait(2)
        connection.sendall(OK)

    with listening(talk) as url, Client(url, WHO, connections=1, timeouts=Timeouts(pool=0.05)) as client:
        first = threading.Thread(target=client.send, args=(POST,))
        first.start()
        time.sleep(0.05)
        failure = client.send(POST)
        held.set()
        first.join()
    assert failure == Failure(FailureKind.POOL_TIMEOUT, Phase.BEFORE_SEND, "PoolTimeout")


def test_a_handshake_that_fails_was_not_sent() -> None:
    """Bytes of a handshake are no bytes of the request."""
    with listening(lambda connection: connection.sendall(b"no tls here\r\n")) as url:
        client = Client(url.replace("http:", "https:"), WHO, timeouts=QUICK)
        with client:
            failure = client.send(POST)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == (FailureKind.CONNECT, Phase.BEFORE_SEND)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_server_that_cannot_prove_itself_gets_nothing(tmp_path: Path) -> None:
    """A certificate nobody vouches for: not one byte of the request leaves."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    places = ["-keyout", str(key), "-out", str(certificate), "-days", "1", "-subj", "/CN=127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *curve, *places], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    with listening(talk) as url, Client(url.replace("http:", "https:"), WHO, timeouts=QUICK) as client:
        failure = client.send(POST)
    assert failure == Failure(FailureKind.CERTIFICATE, Phase.BEFORE_SEND, "ConnectError")


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        (b"", {FailureKind.PROTOCOL}),
        (b"HTTP/1.1 20", {FailureKind.PROTOCOL}),
        (b"HTTP/1.1 201 Created\r\nContent-Len", {FailureKind.PROTOCOL}),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{", {FailureKind.PROTOCOL}),
        (b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", {FailureKind.PROTOCOL}),
        (b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{", {FailureKind.PROTOCOL}),
        (b"HTTP/1.1 201 X\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", {FailureKind.PROTOCOL}),
        (b"SSH-2.0-OpenSSH\r\n\r\n", {FailureKind.PROTOCOL}),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000, {FailureKind.PROTOCOL, FailureKind.READ}),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else "",
)
def test_a_reply_that_breaks_off_or_is_none_is_in_doubt(content: bytes, kinds: set[FailureKind]) -> None:
    """At whatever byte."""
    failure = result_of(sending(content))
    assert isinstance(failure, Failure)
    assert failure.phase is Phase.SENT
    assert failure.kind in kinds


def test_a_reset_is_in_doubt() -> None:
    """The request had been heard in full."""

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    failure = result_of(talk)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == (FailureKind.READ, Phase.SENT)


def test_a_server_that_does_not_answer_is_in_doubt() -> None:
    """After the read time-out."""
    failure = result_of(lambda connection: bool(hear(connection)) and time.sleep(0.3))  # type: ignore[arg-type, return-value, func-returns-value]
    assert failure == Failure(FailureKind.READ_TIMEOUT, Phase.SENT, "ReadTimeout")


def test_a_server_that_does_not_read_is_in_doubt() -> None:
    """A body larger than what the network takes in stays unread."""
    sids = [f"HR{number:032x}" for number in range(150_000)]
    request = wire.create_letter(PREVIEW, {"hosted_number_order_sids": sids})
    failure = result_of(lambda _: time.sleep(0.4), request)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == (FailureKind.WRITE_TIMEOUT, Phase.SENT)


@pytest.mark.parametrize("head", [b"", OK[:-2].replace(b": 2", b": 9999") + b"{"], ids=["head", "body"])
def test_a_drip_of_bytes_ends_with_the_deadline(head: bytes) -> None:
    """Each byte within the read time-out, the whole beyond the deadline: in doubt, and on time."""

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(head)
        for _ in range(40):
            connection.sendall(b"H" if not head else b" ")
            time.sleep(0.02)

    began = time.monotonic()
    failure = result_of(talk, deadline=0.25)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == (FailureKind.DEADLINE, Phase.SENT)
    assert time.monotonic() - began < 1.5


def test_the_deadline_counts_without_a_socket() -> None:
    """A body that comes in pieces is left where the time is over."""
    seconds = iter(range(0, 1000, 10))

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([b"{", b"}"] * 10))

    with answering(handler, monotonic=lambda: float(next(seconds))) as client:
        assert client.send(GET, deadline=25.0) == Failure(FailureKind.DEADLINE, Phase.SENT)


# what comes back


def test_an_encoding_nobody_asked_for_is_refused_unread() -> None:
    """A small body cannot become a large one."""
    body = gzip.compress(b"0" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert result_of(sending(head + body)) == Failure(FailureKind.ENCODED, Phase.SENT)


@pytest.mark.parametrize(
    ("request_", "size", "fits"),
    [
        (POST, 8 * 1024**2, True),
        (POST, 8 * 1024**2 + 1, False),
        (wire.fetch_order(PREVIEW, HR), 8 * 1024**2 + 1, False),
        (GET, 8 * 1024**2 + 1, True),
        (GET, 64 * 1024**2 + 1, False),
    ],
    ids=str,
)
def test_a_body_beyond_the_cap_is_refused(request_: Request, size: int, fits: bool) -> None:
    """Eight MiB for one object, sixty-four for a page."""

    def pieces() -> Iterator[bytes]:
        for start in range(0, size, 1024**2):
            yield b" " * min(1024**2, size - start)

    with answering(lambda _: httpx.Response(200, content=pieces())) as client:
        result = client.send(request_)
    assert isinstance(result, Reply) is fits
    if isinstance(result, Failure):
        assert (result.kind, result.phase) == (FailureKind.OVERSIZED, Phase.SENT)


def test_a_refused_body_leaves_the_client_in_order() -> None:
    """The next request goes out on a connection of its own."""
    content = iter([b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\nxxxxx", OK])

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(next(content))

    with (
        listening(talk) as url,
        Client(url, WHO, connections=1, timeouts=QUICK) as client,
    ):
        assert isinstance(client.send(GET), Failure)
        assert isinstance(client.send(GET), Reply)


def test_repeated_headers_are_joined() -> None:
    """As HTTP says, with a comma."""
    headers = [("Retry-After", "5"), ("retry-after", "10")]
    with answering(lambda _: httpx.Response(429, headers=headers)) as client:
        reply = client.send(GET)
    assert isinstance(reply, Reply)
    assert reply.header("RETRY-AFTER") == "5, 10"


# reads


def answers(*statuses: int | Exception) -> tuple[Handler, list[int]]:
    """A network that gives these answers in turn, the last for ever, and a count of requests."""
    count: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        answer = statuses[min(len(count), len(statuses) - 1)]
        count.append(1)
        if isinstance(answer, Exception):
            raise answer
        body = {"code": 20000 + answer} if answer >= 400 else {}
        return httpx.Response(answer, json=body, headers={"Retry-After": "2"} if answer == 429 else {})

    return handler, count


def test_a_read_is_repeated_until_it_is_answered() -> None:
    """Five hundreds, resets and refused connections alike; each wait within its bound."""
    handler, count = answers(503, httpx.ReadError("x"), httpx.ConnectError("x"), 500, 200)
    waits: list[float] = []
    with answering(handler, sleep=waits.append, chance=lambda: 1.0) as client:
        assert client.read(GET).status == 200
    assert (len(count), waits) == (5, [0.25, 0.5, 1.0, 2.0])


def test_a_read_gives_up_after_five() -> None:
    """With the last answer as the error."""
    for answer, error in ((503, ServiceRefused), (httpx.ReadTimeout("x"), ServiceUnreachable)):
        handler, count = answers(answer)
        with answering(handler, sleep=lambda _: None) as client, pytest.raises(error):
            client.read(GET)
        assert len(count) == 5


def test_who_finds_no_sandbox_is_asked_whether_it_runs() -> None:
    """On this machine the network is seldom what is wrong."""
    handler, _ = answers(httpx.ConnectError("x"))
    with (
        answering(handler, sleep=lambda _: None) as client,
        pytest.raises(ServiceUnreachable, match="is `hnbulk sandbox` running at http://127"),
    ):
        client.read(GET)


def test_a_busy_service_is_waited_for_as_it_asks() -> None:
    """Ten times, never shorter than Retry-After."""
    handler, count = answers(429)
    waits: list[float] = []
    with (
        answering(handler, sleep=waits.append, chance=lambda: 0.0) as client,
        pytest.raises(ServiceRefused),
    ):
        client.read(GET)
    assert (len(count), set(waits)) == (10, {2.0})


def test_nobody_waits_longer_than_five_minutes() -> None:
    """A Retry-After beyond that ends the read."""
    with (
        answering(
            lambda _: httpx.Response(429, headers={"Retry-After": "301"}), sleep=pytest.fail
        ) as client,
        pytest.raises(ServiceRefused),
    ):
        client.read(GET)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccessRefused), (403, AccessRefused), (404, ServiceRefused), (302, ServiceRefused)],
)
def test_a_final_answer_is_not_asked_again(status: int, error: type[Exception]) -> None:
    """One request."""
    handler, count = answers(status)
    with answering(handler, sleep=pytest.fail) as client, pytest.raises(error):
        client.read(wire.fetch_order(PREVIEW, HR))
    assert len(count) == 1


def test_a_portal_is_no_service() -> None:
    """HTML with 200 ends the read at once; half a document after five tries."""
    with (
        answering(lambda _: httpx.Response(200, html="<html>"), sleep=pytest.fail) as client,
        pytest.raises(ReplyUnreadable),
    ):
        client.read(GET)
    with (
        answering(lambda _: httpx.Response(200, content=b"{"), sleep=lambda _: None) as client,
        pytest.raises(ReplyUnreadable),
    ):
        client.read(GET)


def test_an_unreachable_service_shows_no_query() -> None:
    """The error has method, path, kind and phase, no cause and no secret."""
    request = wire.list_orders(PREVIEW, phone_number="+15017122661")
    with (
        answering(raising(httpx.ConnectError("x")), sleep=lambda _: None) as client,
        pytest.raises(ServiceUnreachable) as caught,
    ):
        client.read(request)
    error = caught.value
    assert error.facts == {"kind": "connect", "phase": "before-send", "method": "GET", "path": ORDERS}
    assert "5017122661" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


# pages


def page(count: int, following: str | None) -> dict[str, Any]:
    """A list page of so many items."""
    items = [{"sid": f"HR{number:032x}", "status": "received"} for number in range(count)]
    return {"meta": {"key": "items", "next_page_url": following}, "items": items}


def paged(*pages: dict[str, Any]) -> tuple[Handler, list[str]]:
    """A network that gives these pages in turn, and the targets asked for."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(200, json=pages[len(asked) - 1])

    return handler, asked


def test_pages_are_followed_to_the_end() -> None:
    """Each address as the service wrote it; an empty page in between is no end."""
    second, third = f"{BASE}{ORDERS}?PageSize=2&Page=1&PageToken=PA1", f"{BASE}{ORDERS}?PageToken=PA2"
    handler, asked = paged(page(2, second), page(0, third), page(1, None))
    with answering(handler) as client:
        sizes = [wire.read_page(reply).size for reply in client.pages(GET, PREVIEW)]
    assert sizes == [2, 0, 1]
    assert asked == [f"{ORDERS}?PageSize=2", second.removeprefix(BASE), third.removeprefix(BASE)]


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example" + ORDERS,
        "http://127.0.0.1:2" + ORDERS,
        "http://xn--a" + ORDERS,
        "//evil.example" + ORDERS,
        BASE + "/elsewhere",
        BASE + ORDERS + "?PageSize=2",
    ],
)
def test_a_list_that_leads_elsewhere_or_in_a_circle_ends_in_an_error(following: str) -> None:
    """No request goes there, and the end is not taken for the end of the list."""
    handler, asked = paged(page(2, following), page(0, None))
    with answering(handler) as client, pytest.raises(ReplyUnreadable):
        list(client.pages(GET, PREVIEW))
    assert len(asked) == 1


def test_a_longer_circle_is_found() -> None:
    """Tokens that come back."""
    one, two = (f"{BASE}{ORDERS}?PageToken=PA{n}" for n in (1, 2))
    handler, asked = paged(page(1, one), page(1, two), page(1, one))
    with answering(handler) as client, pytest.raises(ReplyUnreadable, match="circle"):
        list(client.pages(GET, PREVIEW))
    assert len(asked) == 3


def test_a_page_larger_than_asked_for_is_refused() -> None:
    """The service did not understand the request."""
    handler, _ = paged(page(3, None))
    with answering(handler) as client, pytest.raises(ReplyUnreadable, match="3 items where 2"):
        list(client.pages(GET, PREVIEW))


# time


def dated(*dates: str | None) -> Handler:
    """A network whose replies carry these dates in turn."""
    following = iter(dates)

    def handler(_: httpx.Request) -> httpx.Response:
        date = next(following)
        return httpx.Response(200, headers={"Date": date} if date else {}, json={})

    return handler


def test_the_services_time_is_its_date_and_the_seconds_since() -> None:
    """And never goes backwards, whatever a later reply says."""
    now = [100.0]
    dates = ["Mon, 05 Jan 2026 15:00:00 GMT", None, "garbage", "Mon, 05 Jan 2026 14:00:00 GMT"]
    with answering(dated(*dates, "Mon, 05 Jan 2026 16:00:00 GMT"), monotonic=lambda: now[0]) as client:
        seen = []
        for step in (0.0, 2.5, 2.5, 0.0, 0.0):
            client.send(GET)
            now[0] += step
            seen.append(f"{client.server_now():%H:%M:%S.%f}"[:10])
    assert seen == ["15:00:00.0", "15:00:02.5", "15:00:05.0", "15:00:05.0", "16:00:00.0"]


def test_before_the_first_reply_the_machines_time_stands_in() -> None:
    """And does not hold the service's back."""
    with answering(dated("Mon, 05 Jan 2015 15:00:00 GMT")) as client:
        assert client.server_now().year > 2020
        client.send(GET)
        assert client.server_now().year == 2015
        assert client.server_now().utcoffset() is not None


# secrets, threads, ends


def test_the_secret_is_nowhere_to_be_seen() -> None:
    """Not in the repr, nor in any attribute, nor in the logs of the libraries, nor pickled."""
    with answering(lambda _: httpx.Response(200)) as client:
        client.send(GET)
        assert repr(client) == f"Client({BASE}, {ACCOUNT})"
        shown = repr(vars(client)) + repr(client._headers)
        with pytest.raises((TypeError, AttributeError)):
            pickle.dumps(client)
    pair = b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
    assert SECRET not in shown
    assert pair not in shown


def test_the_libraries_log_no_addresses() -> None:
    """At INFO they would write filters with numbers in them."""
    assert logging.getLogger("httpx").getEffectiveLevel() >= logging.WARNING
    assert logging.getLogger("httpcore").getEffectiveLevel() >= logging.WARNING


def test_threads_share_one_client() -> None:
    """Every reply belongs to the request of its own thread."""

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"path": request.url.path})

    wrong: list[str] = []

    def work(number: int) -> None:
        for step in range(50):
            path = f"/{number}/{step}"
            reply = client.send(Request("GET", path))
            if not isinstance(reply, Reply) or json.loads(reply.body)["path"] != path:
                wrong.append(path)

    with answering(handler) as client:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_closed_client_sends_nothing() -> None:
    """It says so instead of opening again."""
    with answering(lambda _: httpx.Response(200)) as client:
        pass
    failure = client.send(POST)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == (FailureKind.CANCELED, Phase.BEFORE_SEND)


def test_a_client_is_not_used_in_another_process() -> None:
    """Its connections belong to the one that opened it."""
    with answering(lambda _: httpx.Response(200)) as client:
        child = os.fork()
        if child == 0:
            failure = client.send(POST)
            os._exit(0 if isinstance(failure, Failure) and failure.phase is Phase.BEFORE_SEND else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
