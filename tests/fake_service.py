"""The service in memory and in virtual time: it may lose, delay, double-talk, enforce or not.

It keeps the truth (`orders`, `writes`, `starts`) that a simulation is judged by, and knows nothing of
the client but the requests it sends.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

from hnbulk.messages import Failure, FailureKind, Phase, Reply, Request

ACCOUNT = "AC" + "a" * 32
ORDERS = "/HostedNumbers/HostedNumberOrders"
EPOCH = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
JSON = {"content-type": "application/json"}


class Time:
    """One clock for the pace and for the world: only sleeping moves it."""

    frozen = False

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    def wait_until(self, moment: datetime) -> None:
        self.seconds = max(self.seconds, (moment - EPOCH).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How often, of 1, a request meets each kind of trouble; the first four and `broken` meet reads too."""

    refused: float = 0.0  # no connection: not one byte left
    lost: float = 0.0  # sent, never carried out, no reply
    busy: float = 0.0  # 429
    malformed: float = 0.0  # carried out; the reply is somebody else's or nobody's
    broken: float = 0.0  # 5xx; carried out now, later or never
    unanswered: float = 0.0  # carried out, no reply
    late: float = 0.0  # carried out up to `longest` seconds later, no reply
    turned_away: float = 0.0  # 401, a filter's 403, a redirect: the run has to stop
    longest: float = 0.0
    lag: float = 0.0  # seconds until what was made is to be seen, at most


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the service enforces."""

    numbers: bool = False
    names: bool = False


@dataclass
class Record:
    """One order as it truly is."""

    sid: str
    phone_number: str
    unique_name: str
    by: str  # us, rival, or before
    made: float
    visible: float
    friendly_name: str = ""
    status: str = "twilio-processing"
    account_sid: str = ACCOUNT
    fields: dict[str, Any] = field(default_factory=dict)  # whatever else it shows
    deleted_by: str | None = None
    names_by: list[tuple[str, str]] = field(default_factory=list)  # who set which friendly name
    calls_by: list[str] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.deleted_by is None and self.status != "failed"

    def body(self) -> dict[str, Any]:
        made = (EPOCH + timedelta(seconds=self.made)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "phone_number": self.phone_number,
            "unique_name": self.unique_name,
            "friendly_name": self.friendly_name,
            "status": self.status,
            "date_created": made,
            "date_updated": made,
            "verification_attempts": len(self.calls_by),
            "verification_call_sids": [f"CA{n:032x}" for n, _ in enumerate(self.calls_by)] or None,
            **self.fields,
        }


@dataclass(frozen=True)
class Write:
    """A write that arrived: when, what, and what became of it."""

    at: float
    request: Request
    fault: str
    proved: bool  # the reply said that it was not carried out


class FakeService:
    """`send` is all a client needs. `in_flight` is called with each write before and after it is
    carried out, and may raise; `look` with every reply that is about to be given."""

    base_url = "http://127.0.0.1:1"
    account_sid = ACCOUNT

    def __init__(self, time: Time, dice: random.Random, faults: Faults, rules: Rules) -> None:
        self.time, self.dice, self.faults, self.rules = time, dice, faults, rules
        self.orders: dict[str, Record] = {}
        self.writes: list[Write] = []
        self.starts: list[float] = []
        self.reads = 0
        self.look_ups = 0
        self.unheard = 0  # requests while it was down
        self.takes = (0.01, 0.2)  # seconds for one request, at least and at most
        self.down_until = 0.0
        self.down_from = 0.0
        self.in_flight: Callable[[str, Request], None] = lambda _place, _request: None
        self.look: Callable[[Request, Reply], None] = lambda _request, _reply: None
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count(1)

    # -- the client's side

    def send(self, request: Request, **_: Any) -> Reply | Failure:
        """One request and what comes of it; takes a little of the virtual time."""
        self.starts.append(self.time.seconds)
        self.time.sleep(self.dice.uniform(*self.takes))
        self.catch_up()
        if self.down_from <= self.time.seconds < self.down_until:
            self.unheard += 1
            return Failure(FailureKind.CONNECT, Phase.BEFORE_SEND)
        result = self._read(request) if request.method == "GET" else self._write(request)
        if isinstance(result, Reply):
            self.look(request, result)
        return result

    def heal(self) -> None:
        """From now on nothing goes wrong; what is late still arrives."""
        self.faults, self.down_until = Faults(), 0.0

    # -- the world's side

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """`act` happens when the clock has passed `seconds`."""
        heapq.heappush(self._due, (seconds, next(self._numbers), act))

    def catch_up(self) -> None:
        """Everything due has happened."""
        now = self.time.seconds
        while self._due and self._due[0][0] <= now:
            due, _, act = heapq.heappop(self._due)
            self.time.seconds = due  # it happens in its own moment, not when somebody next looks
            act()
        self.time.seconds = now

    def run_out(self) -> None:
        """Everything that is on its way has arrived, and everything made is to be seen."""
        if self._due:
            self.time.seconds = max(self.time.seconds, *(due for due, _, _ in self._due))
            self.catch_up()
        self.time.sleep(self.faults.lag)

    def make(self, phone_number: str, unique_name: str, *, by: str, **fields: Any) -> Record:
        """An order is there, whatever the rules say."""
        lag = self.dice.uniform(0, self.faults.lag) if by != "before" else 0.0
        now = self.time.seconds
        sid = f"HR{next(self._numbers):032x}"
        record = Record(sid, phone_number, unique_name, by, now, now + lag, **fields)
        record.names_by.append((by, record.friendly_name))
        self.orders[sid] = record
        return record

    def on(self, phone_number: str) -> list[Record]:
        """Every order there ever was on a number."""
        return [record for record in self.orders.values() if record.phone_number == phone_number]

    # -- reads

    def _read(self, request: Request) -> Reply | Failure:
        self.reads += 1
        query = dict(request.query)
        self.look_ups += request.path != ORDERS or len(query) > 1
        faults, roll = self.faults, self.dice.random()
        for name in ("refused", "lost", "busy", "broken", "malformed"):
            roll -= getattr(faults, name)
            if roll < 0:
                return self._bad_read(name, request)
        return self._good_read(request, query)

    def _bad_read(self, fault: str, request: Request) -> Reply | Failure:
        if fault == "refused":
            return Failure(FailureKind.CONNECT, Phase.BEFORE_SEND)
        if fault == "lost":
            return Failure(FailureKind.READ, Phase.SENT)
        if fault == "busy":
            return self._busy()
        if fault == "broken":
            return self._reply(503, {"message": "broken"})
        visible = [record for record in self.orders.values() if self._is_visible(record)]
        if request.path == ORDERS and self.dice.random() < 0.5:
            return self._page(visible)  # takes no notice of the filter
        if request.path != ORDERS and visible and self.dice.random() < 0.5:
            return self._reply(200, self.dice.choice(visible).body())  # somebody else's reply
        return Reply(200, {**JSON, "date": self._date()}, b'{"items": [')

    def _good_read(self, request: Request, query: dict[str, str]) -> Reply:
        if request.path == ORDERS:
            return self._page(
                [
                    record
                    for record in self.orders.values()
                    if self._is_visible(record)
                    and query.get("PhoneNumber") in (None, record.phone_number)
                    and query.get("UniqueName") in (None, record.unique_name)
                ]
            )
        record = self.orders.get(request.path.rpartition("/")[2])
        if record is None or not self._is_visible(record):
            return self._missing()
        return self._reply(200, record.body())

    def _is_visible(self, record: Record) -> bool:
        return record.deleted_by is None and record.visible <= self.time.seconds

    def _page(self, records: list[Record]) -> Reply:
        items = [record.body() for record in records]
        return self._reply(200, {"meta": {"key": "items", "next_page_url": None}, "items": items})

    # -- writes

    def _write(self, request: Request) -> Reply | Failure:
        fault = self._draw()
        if fault == "refused":
            return Failure(FailureKind.CONNECT, Phase.BEFORE_SEND)
        self.in_flight("arrived", request)
        reply = self._carry_out_or_not(fault, request)
        proved = isinstance(reply, Reply) and reply.status in (400, 401, 404, 409, 429)
        self.writes.append(Write(self.time.seconds, request, fault, proved))
        self.in_flight("answered", request)
        return reply

    def _draw(self) -> str:
        roll = self.dice.random()
        for name in ("refused", "lost", "busy", "malformed", "broken", "unanswered", "late", "turned_away"):
            roll -= getattr(self.faults, name)
            if roll < 0:
                return name
        return ""

    def _carry_out_or_not(self, fault: str, request: Request) -> Reply | Failure:
        if fault == "busy":
            return self._busy()
        if fault == "turned_away":
            if self.dice.random() < 0.5:
                return self._reply(401, {"code": 20003, "message": "no"})
            if self.dice.random() < 0.5:
                self._carry_out(request)
            if self.dice.random() < 0.5:
                return self._reply(403, {"message": "the filter says no"})  # in nobody's words
            return Reply(307, {"location": "http://elsewhere.example/", "date": self._date()})
        now_or_later = {"lost": "never", "late": "later"}.get(fault, "now")
        if fault == "broken":
            now_or_later = self.dice.choice(["now", "later", "never"])
        reply = None
        if now_or_later == "now":
            reply = self._carry_out(request)
        elif now_or_later == "later":
            arrives = self.time.seconds + self.dice.uniform(0, self.faults.longest)
            self.at(arrives, lambda: self._carry_out(request))
        if fault == "broken":
            return self._reply(self.dice.choice([500, 502, 503]), {"message": "broken"})
        if fault in ("lost", "unanswered", "late"):
            self.time.sleep(self.dice.uniform(0, 3))
            return Failure(FailureKind.READ, Phase.SENT)
        if fault == "malformed":
            return self._nonsense()
        return reply or self._missing()

    def _carry_out(self, request: Request) -> Reply:
        form = dict(request.form)
        if request.method == "POST" and request.path == ORDERS:
            return self._create(form)
        record = self.orders.get(request.path.rpartition("/")[2])
        if record is None or record.deleted_by is not None:
            return self._missing()
        if request.method == "DELETE":
            record.deleted_by = "us"
            return Reply(204, {"date": self._date()})
        if form.get("Status") == "pending-verification":
            record.calls_by.append("us")
            record.status = "pending-verification"
        if "FriendlyName" in form:
            record.friendly_name = form["FriendlyName"]
            record.names_by.append(("us", record.friendly_name))
        return self._reply(200, record.body())

    def _create(self, form: dict[str, str]) -> Reply:
        live = [record for record in self.orders.values() if record.live]
        if self.rules.numbers and any(record.phone_number == form["PhoneNumber"] for record in live):
            return self._reply(400, {"code": 22110, "message": "not hostable"})
        if self.rules.names and any(record.unique_name == form["UniqueName"] for record in live):
            return self._reply(409, {"code": 20409, "message": "name taken"})
        name = form.get("FriendlyName", "")
        record = self.make(form["PhoneNumber"], form["UniqueName"], by="us", friendly_name=name)
        return self._reply(201, record.body())

    # -- replies

    def _nonsense(self) -> Reply:
        bodies = [b"<html>portal</html>", b'{"sid": "HR', b"null", b"", b'{"sid": "HR1"}']
        stranger = self.dice.choice([*self.orders.values(), None])
        if stranger is not None and self.dice.random() < 0.3:
            return self._reply(201, {**stranger.body(), "phone_number": "+15005550000"})
        return Reply(
            self.dice.choice([200, 201, 202]), {**JSON, "date": self._date()}, self.dice.choice(bodies)
        )

    def _busy(self) -> Reply:
        after = self.dice.choice([{}, {"retry-after": "2"}, {"retry-after": "soon"}])
        headers = {**JSON, "date": self._date(), **after}
        return Reply(429, headers, b'{"code": 20429, "message": "busy"}')

    def _missing(self) -> Reply:
        return self._reply(404, {"code": 20404, "message": "not found"})

    def _reply(self, status: int, body: dict[str, Any]) -> Reply:
        return Reply(status, {**JSON, "date": self._date()}, json.dumps(body).encode())

    def _date(self) -> str:
        return format_datetime(self.time.now(), usegmt=True)


class ToldService(FakeService):
    """Its next writes and reads meet what they are told to, in turn: a kind of trouble by its name, a
    reply that is given in place of carrying anything out, or "" for none. After that all goes well."""

    def __init__(self, *writes: str | Reply | Failure, rules: Rules | None = None, **faults: float) -> None:
        super().__init__(Time(), random.Random(1), Faults(**faults), rules or Rules())
        self.next_writes: deque[str | Reply | Failure] = deque(writes)
        self.next_reads: deque[str | Reply | Failure] = deque()

    def _write(self, request: Request) -> Reply | Failure:
        told = self.next_writes[0] if self.next_writes else ""
        if isinstance(told, str):
            return super()._write(request)
        self.next_writes.popleft()
        self.in_flight("arrived", request)
        self.writes.append(Write(self.time.seconds, request, "told", proved=True))
        return told

    def _draw(self) -> str:
        return str(self.next_writes.popleft()) if self.next_writes else ""

    def _read(self, request: Request) -> Reply | Failure:
        told = self.next_reads.popleft() if self.next_reads else ""
        if told == "":
            return super()._read(request)
        self.reads += 1
        return told if not isinstance(told, str) else self._bad_read(told, request)
