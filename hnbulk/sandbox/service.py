"""The service behind the API, without HTTP: a request of a person at a time gives a reply.

It finds the noun a path names and hands the request to it; before that, the world has caught up
with the clock. It reads no clock, opens no socket and knows no header.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass, field
from datetime import datetime

from hnbulk.messages import Request
from hnbulk.sandbox import letters, numbers, orders
from hnbulk.sandbox.clock import seconds_of
from hnbulk.sandbox.forms import Form
from hnbulk.sandbox.records import LETTERS, ORDERS
from hnbulk.sandbox.refusals import Done, Person, Refusal, not_found
from hnbulk.sandbox.world import World

_NUMBER_PATH = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/IncomingPhoneNumbers/(PN\w+)\.json\Z")
_DEPENDENTS = "/DependentHostedNumberOrders"


@dataclass(order=True)
class Late:
    """A request that is to be answered at `at` of the sandbox's time, with nobody listening."""

    at: int
    nth: int
    request: Request = field(compare=False)
    person: Person = field(compare=False)
    line: dict[str, object] = field(compare=False)  # its line of the ledger


class Service:
    """One service over one world. Safe to use from several threads."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.late: list[Late] = []
        self.parked = 0

    def answer(self, request: Request, person: Person, now: datetime) -> Done:
        """The reply to a request at a time, and what it did."""
        with self.world.lock:
            seconds = seconds_of(now)
            self.settle(seconds)
            return self._answer(request, person, seconds)

    def settle(self, now: int) -> None:
        """Everything due until `now` has happened: late requests and the world's own moments."""
        with self.world.lock:
            while self.late and self.late[0].at <= now:
                late = heapq.heappop(self.late)
                self.world.run_until(late.at)
                done = self._answer(late.request, late.person, late.at)
                late.line |= {"did": done.did, "sid": done.sid, "status": done.reply.status}
                late.line |= {"code": done.code}
            self.world.run_until(now)

    def answer_later(self, request: Request, person: Person, at: int, line: dict[str, object]) -> None:
        """The request is answered when the sandbox's time is `at`; `line` then tells what it did."""
        with self.world.lock:
            self.parked += 1
            heapq.heappush(self.late, Late(at, self.parked, request, person, line))

    def _answer(self, request: Request, person: Person, now: int) -> Done:
        try:
            return self._route(request, person, now)
        except Refusal as refusal:
            return Done(refusal.reply(), "refused", code=refusal.code)

    def _route(self, request: Request, person: Person, now: int) -> Done:
        path = request.path
        if not self.world.settings.preview_access and path.startswith("/HostedNumbers/"):
            raise not_found(path)
        if path == ORDERS:
            return self._orders(request, person, now)
        if path.startswith(ORDERS + "/"):
            return self._order(request, person, now, path[len(ORDERS) + 1 :])
        if path == LETTERS:
            return self._letters(request, person, now)
        if path.startswith(LETTERS + "/"):
            return self._letter(request, person, now, path[len(LETTERS) + 1 :])
        if found := _NUMBER_PATH.match(path):
            return self._number(request, person, now, found[1], found[2])
        raise not_found(path)

    def _orders(self, request: Request, person: Person, now: int) -> Done:
        match request.method:
            case "POST":
                return orders.create(self.world, person, Form(request.form), now)
            case "GET":
                return orders.list_orders(self.world, person, request)
        raise Refusal(20004)

    def _order(self, request: Request, person: Person, now: int, sid: str) -> Done:
        order = orders.find(self.world, person, sid, request.path)
        match request.method:
            case "GET":
                return orders.fetch(order)
            case "POST":
                return orders.update(self.world, order, Form(request.form), now)
            case "DELETE":
                return orders.cancel(self.world, order, now)
        raise Refusal(20004)

    def _letters(self, request: Request, person: Person, now: int) -> Done:
        match request.method:
            case "POST":
                return letters.create(self.world, person, Form(request.form), now)
            case "GET":
                return letters.list_letters(self.world, person, request)
        raise Refusal(20004)

    def _letter(self, request: Request, person: Person, now: int, rest: str) -> Done:
        dependents = rest.endswith(_DEPENDENTS)
        letter = letters.find(self.world, person, rest.removesuffix(_DEPENDENTS), request.path)
        match request.method:
            case "GET" if dependents:
                return letters.list_dependents(self.world, letter, request)
            case "GET":
                return letters.fetch(letter)
            case "POST" if not dependents:
                return letters.update(self.world, person, letter, Form(request.form), now)
        raise Refusal(20004)

    def _number(self, request: Request, person: Person, now: int, account: str, sid: str) -> Done:
        number = numbers.find(self.world, person, account, sid, request.path, now)
        match request.method:
            case "GET":
                return numbers.fetch(self.world, number)
            case "POST":
                return numbers.update(self.world, number, Form(request.form), now)
            case "DELETE":
                return numbers.remove(self.world, number, now)
        raise Refusal(20004)
