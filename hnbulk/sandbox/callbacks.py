"""Status callbacks: one for every change of an order's status, signed, queued, and told of in a ledger.

A change only queues here, so that no request waits for a receiver. This module is what is sent and
in which order; it opens no socket and reads no clock. A `courier` takes from the queue and says
what came of it. Overrides in a URL's fragment are not read, and a fragment is never sent.
"""

from __future__ import annotations

import heapq
import hmac
import threading
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from hnbulk.messages import Pairs
from hnbulk.sandbox import chance
from hnbulk.sandbox.clock import stamp
from hnbulk.sandbox.fates import WorldSettings
from hnbulk.sandbox.records import Number, Order

_FOREIGN = "neither on this machine nor an https host of callback_hosts"
_RESERVED = "%/:?#[]@!$&'()*+,;=~"


@dataclass(slots=True)
class Callback:
    """One callback, and what has become of it."""

    n: int
    account_sid: str
    order_sid: str
    phone_number: str
    status: str
    at: int  # when the status changed
    nth: int  # the order's nth change
    method: str
    url: str  # as it was given
    duplicate: bool = False
    held: bool = False  # kept back for a moment, for later ones to overtake
    result: str = "waiting"  # delivered failed lost not-sent dropped
    why: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def params(self) -> Pairs:
        """Exactly the three parameters of the reference page, in its order."""
        return (
            ("Status", self.status),
            ("HostedNumberOrderSid", self.order_sid),
            ("PhoneNumber", self.phone_number),
        )

    def line(self) -> dict[str, Any]:
        """The callback in the ledger; of the address, neither a password nor a fragment."""
        return {
            "n": self.n,
            "order_sid": self.order_sid,
            "at": stamp(self.at),
            "method": self.method,
            "url": address_of(self.url),
            "params": dict(self.params),
            "duplicate": self.duplicate,
            "held": self.held,
            "result": self.result,
            "why": self.why,
            "attempts": [dict(attempt) for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """One request to a receiver, signed: all that has to be written to its socket."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def sign(token: str, url: str, params: Pairs = ()) -> str:
    """The `X-Twilio-Signature`: base64 of HMAC-SHA1 over the URL and the sorted form parameters.

    The parameters of a GET are part of its URL, and then `params` is empty.
    """
    values: dict[str, set[str]] = {}
    for name, value in params:
        values.setdefault(name, set()).add(value)
    text = url + "".join(name + value for name in sorted(values) for value in sorted(values[name]))
    return b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def outgoing(callback: Callback, token: str) -> Outgoing:
    """The request that carries a callback, signed with the auth token of its account."""
    get = callback.method == "GET"
    url = address_of(callback.url, callback.params if get else ())
    headers = {
        "Accept": "*/*",
        "Connection": "close",
        "I-Twilio-Idempotency-Token": chance.sid("", callback.order_sid, callback.nth),
        "User-Agent": "TwilioProxy/1.1",
        "X-Twilio-Signature": sign(token, url, () if get else callback.params),
    }
    login = urlsplit(callback.url).netloc.rpartition("@")[0]
    if login:
        headers["Authorization"] = "Basic " + b64encode(unquote(login).encode()).decode()
    if get:
        return Outgoing("GET", url, headers, b"")
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return Outgoing("POST", url, headers, urlencode(callback.params).encode("ascii"))


def address_of(url: str, query: Pairs = ()) -> str:
    """The URL as it is requested and signed: with a path and `query`, without login and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    asked = "&".join(part for part in (quote(parts.query, _RESERVED), urlencode(query)) if part)
    return urlunsplit((parts.scheme, host, quote(parts.path, _RESERVED) or "/", asked, ""))


def why_not_sent(url: str, hosts: Collection[str]) -> str:
    """Why nothing is sent to `url`, which is neither loopback nor https to one of `hosts`; or empty."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "not an address"
    if is_loopback(host) and parts.scheme in ("http", "https"):
        return ""
    named = parts.netloc.rpartition("@")[2].lower() in hosts
    return "" if parts.scheme == "https" and named else _FOREIGN


def is_loopback(host: str) -> bool:
    """`localhost`, or an address of 127.0.0.0/8 or ::1 written as such."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Callbacks:
    """The queue and the ledger of one sandbox. Any thread may use it; no call waits for a receiver."""

    def __init__(self, seed: int) -> None:
        #: Set whenever there may be something new to do; a courier clears it.
        self.stirred = threading.Event()
        self._seed = seed
        self._quiet = threading.Condition()
        self._all: list[Callback] = []
        self._waiting: list[tuple[float, int]] = []  # (not before, n)
        self._under_way = 0

    def note(self, order: Order, number: Number | None, settings: WorldSettings, now: float) -> None:
        """The order has changed status; `now` is the courier's time (seconds, monotonic).

        Without a StatusCallbackUrl nothing happens. Loss, doubling and holding back follow from
        the seed, the order and the change.
        """
        url = number.settings.get("StatusCallbackUrl") if number else None
        if not url or number is None:
            return
        method = number.settings.get("StatusCallbackMethod", "").upper() or settings.callback_method
        about = (self._seed, order.sid, order.changes)
        with self._quiet:
            first = self._add(order, method, url)
            first.why = why_not_sent(url, settings.callback_hosts)
            if first.why:
                first.result = "not-sent"
            elif chance.draw("callback-lost", *about) < settings.callback_loss_rate:
                first.result = "lost"
            else:
                first.held = chance.draw("callback-held", *about) < settings.callback_reorder_rate
                heapq.heappush(
                    self._waiting, (now + settings.callback_hold_seconds if first.held else 0, first.n)
                )
                if chance.draw("callback-twice", *about) < settings.callback_duplicate_rate:
                    second = self._add(order, method, url)
                    second.duplicate = True
                    heapq.heappush(self._waiting, (0, second.n))
        self.stirred.set()

    def take(self, now: float) -> Callback | None:
        """The next callback to send, None where none is ready; `record` must follow."""
        with self._quiet:
            if not self._waiting or self._waiting[0][0] > now:
                return None
            self._under_way += 1
            return self._all[heapq.heappop(self._waiting)[1] - 1]

    def record(self, callback: Callback, result: str, attempts: list[dict[str, Any]]) -> None:
        """What came of a callback that was taken."""
        with self._quiet:
            callback.result, callback.attempts = result, attempts
            self._under_way -= 1
            self._quiet.notify_all()

    def next_ready(self) -> float | None:
        """From when on there is something to take, None where nothing waits."""
        with self._quiet:
            return self._waiting[0][0] if self._waiting else None

    def drop_waiting(self) -> None:
        """What waits will not be sent: the world it tells of is no more."""
        with self._quiet:
            for _, n in self._waiting:
                self._all[n - 1].result = "dropped"
            self._waiting.clear()
            self._quiet.notify_all()

    def wait_until_quiet(self, timeout: float) -> bool:
        """Whether, within `timeout` seconds, nothing waits and nothing is under way any more."""
        with self._quiet:
            return self._quiet.wait_for(lambda: not self._waiting and not self._under_way, timeout)

    def lines(self) -> list[dict[str, Any]]:
        """The ledger: every callback there ever was, in the order of the changes."""
        with self._quiet:
            return [callback.line() for callback in self._all]

    def _add(self, order: Order, method: str, url: str) -> Callback:
        callback = Callback(
            n=len(self._all) + 1,
            account_sid=order.account_sid,
            order_sid=order.sid,
            phone_number=order.phone_number,
            status=order.status,
            at=order.updated,
            nth=order.changes,
            method=method,
            url=url,
        )
        self._all.append(callback)
        return callback
