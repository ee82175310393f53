"""The one door to the network: a request goes out once, and a reply or a failure comes back.

It refuses every address but its own, follows no redirect, repeats no write, and knows of each
failure whether a byte may have left. It decides nothing about what a reply means.
"""

from __future__ import annotations

import base64
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from hnbulk.closing import Closing
from hnbulk.deadline import Call, DeadlineNetwork
from hnbulk.errors import ReplyUnreadable, ServiceUnreachable
from hnbulk.messages import Failure, FailureKind, Phase, Reply, Request, read_http_date
from hnbulk.outcome import Expected, Operation, OutcomeKind, classify, may_send_again
from hnbulk.pacing import BUSY_ATTEMPTS, LONGEST_RETRY_AFTER, READ_ATTEMPTS, delay_after
from hnbulk.replies import unreadable
from hnbulk.settings import Credentials, check_base_url, is_loopback
from hnbulk.sockets import Sockets
from hnbulk.wire import Dialect, follow, is_list, raise_for_reply, read_page

# At INFO these two write whole addresses, query values included, to any log.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

#: The largest body that is read: of one object, of a list page.
OBJECT_CAP, PAGE_CAP = 8 * 1024**2, 64 * 1024**2
#: A connection unused for longer is not used again: the other side may just be closing it.
KEEPALIVE = 5.0
#: A list longer than this many pages is not believed.
MOST_PAGES = 10_000

Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that one step of a request may take; the deadline of the whole stands above them."""

    connect: float = 5.0
    write: float = 10.0
    read: float = 30.0
    pool: float = 30.0


class Client(Closing):
    """A connection to the service, for many threads. Close it, or use it as a context manager.

    `transport` replaces the network (tests); `sleep` and `chance` time the repeats of reads;
    `monotonic` counts seconds. `left` is called whenever bytes of a request have left.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        connections: int = 4,
        timeouts: Timeouts = Timeouts(),
        transport: Any = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
        left: Callable[[], object] = lambda: None,
    ) -> None:
        self.base_url = check_base_url(base_url)
        self.account_sid = credentials.account_sid
        self._origin = _origin(httpx.URL(self.base_url))
        self._timeouts = timeouts
        self._sleep, self._chance, self._monotonic = sleep, chance, monotonic
        self._call = Call(left)
        self._headers = _headers_for(credentials)
        self._transport: httpx.BaseTransport = transport or _Line(
            connections, self._call, monotonic, secure=self._origin[0] == "https"
        )
        self._process = os.getpid()
        self._closed = False
        self._seen: tuple[str, float] | None = None
        self._clock = _ServerClock()

    def send(self, request: Request, *, deadline: float = 60.0) -> Reply | Failure:
        """The whole reply to one request sent once, or why there is none; at most `deadline` seconds.

        Never raises for trouble with the network, the address or the reply. An interrupt
        passes through; the request is then in doubt.
        """
        began = self._monotonic()
        refused = self._refusal(request)
        if refused is not None:
            return refused
        try:
            outgoing = self._build(request, deadline)
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            return Failure(FailureKind.LOCAL, Phase.BEFORE_SEND, type(error).__name__)
        if _origin(outgoing.url) != self._origin:
            return Failure(FailureKind.ORIGIN, Phase.BEFORE_SEND, "not the address of the service")
        self._call.ends, self._call.wrote = began + deadline, False
        try:
            response = self._transport.handle_request(outgoing)
            try:
                return self._receive(request, response, began)
            finally:
                cast(httpx.SyncByteStream, response.stream).close()
        except Exception as error:
            return _failure(error, self._call, self._monotonic())

    def read(self, request: Request, *, admit: Callable[[], object] = lambda: None) -> Reply:
        """The reply (2xx) to a GET, tried up to five times, ten where the service is busy.

        `admit` is called before each try and returns when it may start. Raises
        `ServiceUnreachable`, `AccessRefused`, `ServiceRefused` or `ReplyUnreadable`.
        """
        busy = failed = 0
        while True:
            admit()
            result = self.send(request)
            outcome = classify(Operation.READ, result, Expected())
            if outcome.kind is OutcomeKind.DONE and isinstance(result, Reply):
                return result
            if outcome.kind is OutcomeKind.NOT_PROCESSED:
                busy += 1
            else:
                failed += 1
            spent = busy >= BUSY_ATTEMPTS or failed >= READ_ATTEMPTS
            patient = (outcome.retry_after or 0.0) <= LONGEST_RETRY_AFTER
            if spent or not patient or not may_send_again(outcome, Operation.READ):
                _give_up(result, request, self.base_url)
            tries = busy if outcome.kind is OutcomeKind.NOT_PROCESSED else failed
            self._sleep(delay_after(outcome.kind, tries - 1, outcome.retry_after, self._chance))

    def pages(
        self, request: Request, dialect: Dialect, *, admit: Callable[[], object] = lambda: None
    ) -> Iterator[Reply]:
        """Every page of a list, in order, from `request` on; `admit` as in `read`.

        Raises as `read` does, and `ReplyUnreadable` where the service sends its reader in a
        circle, elsewhere, on without end, or more than was asked for. A page once yielded stands.
        """
        asked = int(dict(request.query).get("PageSize", 0)) or None
        visited: set[str] = set()
        while len(visited) < MOST_PAGES:
            visited.add(request.target())
            reply = self.read(request, admit=admit)
            page = read_page(reply)
            if asked is not None and page.size > asked:
                raise unreadable(reply, f"a page of {page.size} items where {asked} were asked for")
            yield reply
            if page.next_url is None:
                return
            request = follow(dialect, page.next_url)
            if self._is_foreign(request.origin):
                raise unreadable(reply, "the next page is at a foreign address; nothing was sent there")
            if request.target() in visited:
                raise unreadable(reply, "the next page was read before: the list goes in a circle")
        raise ReplyUnreadable(f"the list has more than {MOST_PAGES} pages.", reason="no end")

    def server_now(self) -> datetime:
        """The service's time, UTC: its last `Date` plus the seconds since; the machine's until
        there is one. Between two calls that know a `Date` it never goes backwards."""
        return self._clock.at(self._seen, self._monotonic())

    def close(self) -> None:
        """No connection is open, and no request goes out any more."""
        self._closed = True
        self._transport.close()

    def __repr__(self) -> str:
        return f"Client({self.base_url}, {self.account_sid})"

    def _refusal(self, request: Request) -> Failure | None:
        if self._closed:
            return Failure(FailureKind.CANCELED, Phase.BEFORE_SEND, "the client is closed")
        if self._process != os.getpid():
            return Failure(FailureKind.LOCAL, Phase.BEFORE_SEND, "opened by another process")
        if not request.path.startswith("/"):
            return Failure(FailureKind.LOCAL, Phase.BEFORE_SEND, "the path does not begin with /")
        return None

    def _is_foreign(self, origin: str | None) -> bool:
        try:
            return origin is not None and _origin(httpx.URL(origin)) != self._origin
        except httpx.InvalidURL:
            return True

    def _build(self, request: Request, deadline: float) -> httpx.Request:
        limits = self._timeouts
        return httpx.Request(
            request.method,
            _url(request.origin or self.base_url, request.target()),
            headers=self._headers(bool(request.form)),
            content=request.body() if request.method == "POST" else None,
            extensions={
                "timeout": {
                    "connect": min(limits.connect, deadline),
                    "write": min(limits.write, deadline),
                    "read": min(limits.read, deadline),
                    "pool": min(limits.pool, deadline),
                }
            },
        )

    def _receive(self, request: Request, response: httpx.Response, began: float) -> Reply | Failure:
        headers = _read_headers(response.headers.raw)
        if "date" in headers:
            self._seen = (headers["date"], self._monotonic())
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            return Failure(FailureKind.ENCODED, Phase.SENT)
        cap = PAGE_CAP if request.method == "GET" and is_list(request.path) else OBJECT_CAP
        parts: list[bytes] = []
        size = 0
        for part in cast(Iterable[bytes], response.stream):
            parts.append(part)
            size += len(part)
            if size > cap:
                return Failure(FailureKind.OVERSIZED, Phase.SENT, f"more than {cap} bytes")
            if self._monotonic() >= self._call.ends:
                return Failure(FailureKind.DEADLINE, Phase.SENT)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return Reply(response.status_code, headers, body, self._monotonic() - began)


class _Line(httpx.HTTPTransport):
    """The network of httpx, with our deadline down to each read of the socket."""

    def __init__(
        self, connections: int, call: Call, monotonic: Callable[[], float], *, secure: bool
    ) -> None:
        self._pool = Sockets(  # type: ignore[assignment]
            DeadlineNetwork(call, monotonic),
            most=connections,
            keepalive=KEEPALIVE,
            ssl_context=httpx.create_ssl_context(trust_env=False) if secure else None,
        )


class _ServerClock:
    """The service's time between its `Date` headers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._anchor: tuple[datetime, float] | None = None
        self._read: tuple[str, float] | None = None
        self._shown = datetime.min.replace(tzinfo=UTC)

    def at(self, seen: tuple[str, float] | None, now: float) -> datetime:
        with self._lock:
            if seen is not None and seen is not self._read:
                self._read = seen
                date = read_http_date(seen[0])
                self._anchor = (date, seen[1]) if date else self._anchor
            if self._anchor is None:
                return datetime.now(UTC)
            date, mono = self._anchor
            self._shown = max(self._shown, date + timedelta(seconds=max(0.0, now - mono)))
            return self._shown


#: Failures of which the library knows that the request had not begun to go out.
_BEFORE: dict[type[Exception], FailureKind] = {
    httpx.ConnectTimeout: FailureKind.CONNECT_TIMEOUT,
    httpx.PoolTimeout: FailureKind.POOL_TIMEOUT,
    httpx.ConnectError: FailureKind.CONNECT,
    httpx.UnsupportedProtocol: FailureKind.LOCAL,
    httpx.LocalProtocolError: FailureKind.LOCAL,
    httpx.InvalidURL: FailureKind.LOCAL,
}
_AFTER: dict[type[Exception], FailureKind] = {
    httpx.WriteTimeout: FailureKind.WRITE_TIMEOUT,
    httpx.ReadTimeout: FailureKind.READ_TIMEOUT,
    httpx.WriteError: FailureKind.WRITE,
    httpx.NetworkError: FailureKind.READ,
}


def _failure(error: Exception, call: Call, now: float) -> Failure:
    name = type(error).__name__
    before = next((kind for known, kind in _BEFORE.items() if isinstance(error, known)), None)
    if before is not None and not call.wrote:
        certificate = before is FailureKind.CONNECT and _is_certificate(error)
        return Failure(FailureKind.CERTIFICATE if certificate else before, Phase.BEFORE_SEND, name)
    if isinstance(error, httpx.TimeoutException) and now >= call.ends:
        return Failure(FailureKind.DEADLINE, Phase.SENT, name)
    kinds = (kind for known, kind in _AFTER.items() if isinstance(error, known))
    return Failure(next(kinds, FailureKind.PROTOCOL), Phase.SENT, name)


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _give_up(result: Reply | Failure, request: Request, base_url: str) -> None:
    """Raises the error for a read that stays without a usable reply."""
    if isinstance(result, Reply):
        raise_for_reply(result, request)
        raise unreadable(result, "the body is not one whole JSON document")
    hint = {
        FailureKind.CERTIFICATE: "its certificate is not that of the service",
        FailureKind.ORIGIN: "the address is not the service's own",
    }.get(result.kind, "check the network, then try again")
    if result.kind is FailureKind.CONNECT and is_loopback(urlsplit(base_url).hostname or ""):
        hint = f"is `hnbulk sandbox` running at {base_url}? Without --port it has another one each time"
    raise ServiceUnreachable(
        f"no reply to {request.method} {request.path} ({result.kind}): {hint}.",
        kind=str(result.kind),
        phase=str(result.phase),
        method=request.method,
        path=request.path,
    )


def _headers_for(credentials: Credentials) -> Callable[[bool], httpx.Headers]:
    """Gives the headers of a request; the secret lives in the function alone, in no attribute."""
    pair = f"{credentials.username}:{credentials.secret.get_secret_value()}".encode()
    plain = httpx.Headers(
        {
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "hnbulk",
            "authorization": "Basic " + base64.b64encode(pair).decode("ascii"),
        }
    )
    form = httpx.Headers([*plain.raw, (b"content-type", b"application/x-www-form-urlencoded")])
    return lambda has_form: form if has_form else plain


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


@lru_cache(maxsize=256)
def _url(base: str, target: str) -> httpx.URL:
    return httpx.URL(base + target)


def _origin(url: httpx.URL) -> Origin:
    if url.userinfo:
        return ("", "", 0)
    return (url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80))
