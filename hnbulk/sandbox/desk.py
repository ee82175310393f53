"""Where requests come in: credentials, host, the fault a request meets, and the ledger of all.

The desk knows headers but no connection: it takes what a listener has read and gives what a
listener should write. The ledger has a line for every request, written whatever becomes of it.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from hnbulk.messages import Reply, Request
from hnbulk.sandbox import chance
from hnbulk.sandbox.callbacks import Callbacks
from hnbulk.sandbox.clock import SandboxClock, moment_of, seconds_of, stamp
from hnbulk.sandbox.faults import Fault, Faults
from hnbulk.sandbox.paging import PAGING
from hnbulk.sandbox.records import Number, Order
from hnbulk.sandbox.refusals import Person, Refusal, error_reply, not_authenticated
from hnbulk.sandbox.service import Service

_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?\Z")
_OWN_HOST = re.compile(r"(preview|numbers|api)(\.[a-z0-9-]+){0,2}\.twilio\.com(:\d{1,5})?\Z")
#: The longest body the service takes.
LONGEST_BODY = 4 << 20
_FORM = "application/x-www-form-urlencoded"
#: Real seconds a request takes at least where a limit holds of how many may be under way.
_MOMENT = 0.02
# What a page of another origin may do with a reply: said of every 200 and 201 (OpenAPI description).
_CROSS_ORIGIN = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers": "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, "
    "If-None-Match, If-Unmodified-Since, Idempotency-Key",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "ETag",
}


@dataclass(slots=True)
class Visit:
    """One request on its way through the desk."""

    request: Request
    line: dict[str, Any]  # of the ledger
    person: Person | None = None
    refused: Reply | None = None  # answered already: it gets no further
    fault: Fault | None = None
    began: float = 0.0  # real seconds, monotonic


class Desk:
    """The desk of one sandbox. Any thread may use it."""

    def __init__(self, service: Service, clock: SandboxClock, faults: Faults) -> None:
        self.service = service
        self.clock = clock
        self.faults = faults
        self.ledger: list[dict[str, Any]] = []
        self.in_flight: Counter[str] = Counter()  # by account
        self.callbacks = Callbacks(service.world.seed)
        self.account_sid = ""  # of the sandbox's owner
        self.tokens: dict[str, str] = {}  # with which callbacks are signed, by account
        self._people: dict[str, Person] = {}
        self._last: dict[str, Reply] = {}  # the newest reply, by kind of request
        service.world.tell = self._tell

    def admit(self, user: str, password: str, person: Person) -> None:
        """These credentials are those of `person`."""
        self._people[b64encode(f"{user}:{password}".encode()).decode()] = person
        if user == person.account_sid:
            self.tokens[user] = password

    def enter(self, method: str, path: str, query: bytes, headers: Mapping[str, str], body: bytes) -> Visit:
        """A request has come in and stands in the ledger; refused, or ready to be answered."""
        request = Request(
            method, path, _pairs(query), _pairs(body) if _is_form(headers) else (), _origin(headers)
        )
        with self.service.world.lock:
            line = self._line(request)
            self.ledger.append(line)
            visit = Visit(request, line, self._person(headers.get("authorization", "")))
            visit.began = time.monotonic()
            self.in_flight[_account(visit)] += 1
            visit.refused = self._refuse(visit, headers, body)
            if visit.refused is None:
                visit.fault = self.faults.choose(request)
                line["fault"] = visit.fault.action if visit.fault else None
            return visit

    def leave(self, visit: Visit) -> None:
        """The request is gone, answered or not."""
        with self.service.world.lock:
            self.in_flight[_account(visit)] -= 1

    @property
    def latency(self) -> float:
        """Real seconds a request takes before it is answered.

        Where there is a limit of how many may be under way, each takes a moment: the sandbox
        answers so fast that none would ever meet another.
        """
        settings = self.service.world.settings
        return max(settings.latency, 0.0 if settings.concurrency_limit is None else _MOMENT)

    def answer(self, visit: Visit) -> Reply:
        """The reply of the service; the ledger says what was done."""
        if visit.refused is not None or visit.person is None:
            reply = visit.refused or not_authenticated()
            visit.line |= {"status": reply.status, "did": "refused"}
            return reply
        with self.service.world.lock:
            now = self.clock.now()
            request, person = _asked(visit.request, visit.person, visit.fault, seconds_of(now))
            done = self.service.answer(request, person, now)
            visit.line |= {"status": done.reply.status, "did": done.did, "code": done.code}
            visit.line["sid"] = done.sid or visit.line["sid"]
            if self.service.world.calls_back:
                self.callbacks.stirred.set()
            return self._mixed_up(visit, done.reply)

    def answer_later(self, visit: Visit, seconds: float) -> None:
        """The request will be answered when the sandbox's clock is `seconds` further."""
        if visit.person is not None:
            at = seconds_of(self.clock.now()) + round(seconds)
            self.service.answer_later(visit.request, visit.person, at, visit.line)

    def headers(self, visit: Visit, reply: Reply) -> list[tuple[bytes, bytes]]:
        """All headers of a reply, spelled as the service spells them; the date is the sandbox's own."""
        named = {
            "date": _http_date(seconds_of(self.clock.now())),
            "twilio-concurrent-requests": str(self.in_flight[_account(visit)]),
            "twilio-request-id": chance.sid("RQ", self.service.world.seed, visit.line["n"]),
            "twilio-request-duration": f"{max(time.monotonic() - visit.began, 0.001):.3f}",
            **(_CROSS_ORIGIN if reply.status in (200, 201) else {}),
            **reply.headers,
        }
        if reply.status not in (204, 304):
            named["content-length"] = str(len(reply.body))
        return [(name.title().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]

    def _mixed_up(self, visit: Visit, reply: Reply) -> Reply:
        """The reply, or with the fault `swap` the one before it to a request of the same kind."""
        kind = f"{visit.request.method} {visit.request.path.count('/')}"
        before, self._last[kind] = self._last.get(kind, reply), reply
        return before if visit.fault is not None and visit.fault.action == "swap" else reply

    def _tell(self, order: Order, number: Number | None) -> None:
        self.callbacks.note(order, number, self.service.world.settings, time.monotonic())

    def _refuse(self, visit: Visit, headers: Mapping[str, str], body: bytes) -> Reply | None:
        if not is_served(headers.get("host", "")):
            return error_reply(421, 421, "Misdirected request: this is not that host")
        if visit.person is None:
            visit.line["code"] = 20003
            return not_authenticated()
        limit = self.service.world.settings.concurrency_limit
        if limit is not None and self.in_flight[_account(visit)] > limit:
            visit.line["code"] = 20429
            return Refusal(20429).reply()
        if len(body) > LONGEST_BODY:
            return error_reply(413, 413, "Request entity too large")
        if body and not _is_form(headers):
            visit.line["code"] = 20422
            return Refusal(20422).reply()
        return None

    def _person(self, authorization: str) -> Person | None:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        found = self._people.get(credentials)
        if found is not None:
            return found
        try:
            again = b64encode(b64decode(credentials.strip(), validate=True)).decode()
        except ValueError:
            return None
        return self._people.get(again)

    def _line(self, request: Request) -> dict[str, Any]:
        form = dict(request.form)
        last = request.path.rpartition("/")[2].removesuffix(".json")
        return {
            "n": len(self.ledger) + 1,
            "at": stamp(seconds_of(self.clock.now())),
            "method": request.method,
            "path": request.path,
            "form": sorted({name for name, _ in request.form}),
            "query": sorted({name for name, _ in request.query}),
            "phone_number": form.get("PhoneNumber"),
            "unique_name": form.get("UniqueName"),
            "sid": last if last[:2] in ("HR", "PX", "PN") else None,
            "status": None,
            "code": None,
            "did": "nothing",
            "fault": None,
        }


def _account(visit: Visit) -> str:
    """Whose request it is, as far as limits go; empty for a stranger."""
    return visit.person.account_sid if visit.person else ""


def is_served(host: str) -> bool:
    """A `Host` of this machine's loopback, or the service's own; no page of elsewhere gets in by name."""
    return bool(_LOOPBACK.match(host.lower()) or _OWN_HOST.match(host.lower()))


def _asked(request: Request, person: Person, fault: Fault | None, now: int) -> tuple[Request, Person]:
    """What the service is asked, by whom: a fault may leave out filters, hide what is new, or let pass."""
    action = fault.action if fault else None
    if action == "ignore_filter":
        paging = tuple((name, value) for name, value in request.query if name in PAGING)
        return replace(request, query=paging), person
    if fault is not None and action == "list_lag":
        return request, replace(person, until=now - fault.seconds)
    if action == "double_name":
        return request, replace(person, may_double=True)
    return request, person


def _origin(headers: Mapping[str, str]) -> str:
    """The address a page of this reply leads on to: the one the request came to."""
    original = headers.get("x-twilio-original-host", headers.get("host", "")).lower()
    return f"https://{original}" if _OWN_HOST.match(original) else f"http://{headers.get('host', '')}"


def _is_form(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def _pairs(raw: bytes) -> tuple[tuple[str, str], ...]:
    if not raw:
        return ()
    try:
        return tuple(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, errors="replace"))
    except ValueError:
        return ()


@lru_cache(maxsize=64)
def _http_date(seconds: int) -> str:
    return format_datetime(moment_of(seconds), usegmt=True)
