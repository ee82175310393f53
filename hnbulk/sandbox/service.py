"""The service behind the API, without HTTP: a request of a person at a time gives a reply.

It finds the operation in the table of `routes` and hands the request to its noun; before that, the
world has caught up with the clock. It reads no clock, opens no socket and knows no header.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hnbulk.messages import Request
from hnbulk.sandbox import letters, numbers, orders
from hnbulk.sandbox.clock import seconds_of
from hnbulk.sandbox.forms import Form
from hnbulk.sandbox.records import Letter, Number, Order
from hnbulk.sandbox.refusals import Done, Person, Refusal, not_allowed, not_found, status_of
from hnbulk.sandbox.routes import find_route
from hnbulk.sandbox.world import World


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
                late.line |= {"did": done.did, "status": done.reply.status, "code": done.code}
                late.line["sid"] = done.sid or late.line["sid"]
            self.world.run_until(now)

    def next_due(self) -> int | None:
        """When the next thing happens by itself, None where nothing will."""
        with self.world.lock:
            dues = (self.world.next_due(), self.late[0].at if self.late else None)
            return min((due for due in dues if due is not None), default=None)

    def answer_later(self, request: Request, person: Person, at: int, line: dict[str, object]) -> None:
        """The request is answered when the sandbox's time is `at`; `line` then tells what it did."""
        with self.world.lock:
            self.parked += 1
            heapq.heappush(self.late, Late(at, self.parked, request, person, line))

    def _answer(self, request: Request, person: Person, now: int) -> Done:
        try:
            return self._route(request, person, now)
        except Refusal as refusal:
            refusal.status = status_of(refusal.code, self.world.settings.rule_status)
            return Done(refusal.reply(), "refused", code=refusal.code)

    def _route(self, request: Request, person: Person, now: int) -> Done:
        path = request.path
        found = find_route(path)
        hidden = not self.world.settings.preview_access and path.startswith("/HostedNumbers/")
        if found is None or hidden:
            raise not_found(path)
        route = found.routes.get(request.method)
        if route is None:
            raise not_allowed(found.routes)
        return CARRIERS[route.operation](_Asked(self.world, request, person, now, found.segments))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose operation is known, and what its path and form name."""

    world: World
    request: Request
    person: Person
    now: int
    segments: Mapping[str, str]

    @property
    def form(self) -> Form:
        return Form(self.request.form)

    @property
    def order(self) -> Order:
        return orders.find(self.world, self.person, self.segments["Sid"], self.request.path)

    @property
    def letter(self) -> Letter:
        return letters.find(self.world, self.person, self.segments["Sid"], self.request.path)

    @property
    def number(self) -> Number:
        account, sid = self.segments["AccountSid"], self.segments["Sid"]
        return numbers.find(self.world, self.person, account, sid, self.request.path, self.now)


#: Who carries out each operation of `routes`.
CARRIERS: dict[str, Callable[[_Asked], Done]] = {
    "create_order": lambda a: orders.create(a.world, a.person, a.form, a.now),
    "list_orders": lambda a: orders.list_orders(a.world, a.person, a.request),
    "fetch_order": lambda a: orders.fetch(a.order),
    "update_order": lambda a: orders.update(a.world, a.person, a.order, a.form, a.now),
    "delete_order": lambda a: orders.cancel(a.world, a.order, a.now),
    "create_letter": lambda a: letters.create(a.world, a.person, a.form, a.now),
    "list_letters": lambda a: letters.list_letters(a.world, a.person, a.request),
    "fetch_letter": lambda a: letters.fetch(a.letter),
    "update_letter": lambda a: letters.update(a.world, a.person, a.letter, a.form, a.now),
    "list_dependents": lambda a: letters.list_dependents(a.world, a.person, a.letter, a.request),
    "fetch_number": lambda a: numbers.fetch(a.world, a.number),
    "update_number": lambda a: numbers.update(a.world, a.number, a.form, a.now),
    "delete_number": lambda a: numbers.remove(a.world, a.number, a.now),
}
