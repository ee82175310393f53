"""What a run asks the service before, between and after its writes: orders and letters, as models.

Every read keeps the run's pace and is tried again where the service stumbles. A filter is never
believed: what comes back is compared with what was asked for. This changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from hnbulk import wire
from hnbulk.client import MOST_PAGES, Client
from hnbulk.errors import HnbulkError, ReplyUnreadable, RunStopped, ServiceUnreachable
from hnbulk.looks import PAGE
from hnbulk.messages import Failure, Reply, Request
from hnbulk.models import Order, Sight
from hnbulk.outcome import Expected, Operation, Outcome, OutcomeKind, classify, may_send_again
from hnbulk.pacing import BUSY_ATTEMPTS, BUSY_PATIENCE, READ_ATTEMPTS
from hnbulk.replies import unreadable
from hnbulk.throttle import Bucket, Halted, Throttle

T = TypeVar("T")
_ANY = Expected()
# Seconds between looks for an order that was confirmed and is not shown yet.
_SHOWN_AFTER = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True, repr=False)
class Listing:
    """All orders of the account at one time. A list is no proof that an order is not there."""

    read_at: datetime
    mono: float
    orders: dict[str, Sight] = field(default_factory=dict)  # by sid
    by_number: dict[str, tuple[Sight, ...]] = field(default_factory=dict)


class _Charged(threading.local):
    """The budget that a thread's retries are charged to."""

    to = Bucket.REQUESTS


class Lookups:
    """Reads of one account, by many threads."""

    def __init__(
        self,
        client: Client,
        dialect: wire.Dialect,
        throttle: Throttle,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self.dialect = dialect
        self._client = client
        self._throttle = throttle
        self._now = now
        self._charged = _Charged()
        throttle.probe = self._probe

    @contextmanager
    def for_doubts(self) -> Iterator[None]:
        """Inside, this thread's retries are charged to the budget kept for what is in doubt."""
        self._charged.to = Bucket.DOUBTS
        try:
            yield
        finally:
            self._charged.to = Bucket.REQUESTS

    def order(self, sid: str) -> Order | None:
        """The order of this sid as it is now; None where the service has none.

        A reply that shows another order is no answer: it is asked for again. Without access nothing is
        there either, in the same words: so what is missing counts once a list can be read. Raises
        `AccessRefused` where it cannot.
        """

        order = self._shown(sid)
        if order is None:
            self.greet()
        return order

    def new_order(self, sid: str) -> Order | None:
        """An order this run has just made. A service may show it late: it is waited for half a minute."""
        for delay in _SHOWN_AFTER:
            if (order := self._shown(sid)) is not None:
                return order
            self._throttle.rest(delay)
        return self.order(sid)

    def _shown(self, sid: str) -> Order | None:
        def take(reply: Reply) -> Order | None:
            return None if reply.status == 404 else wire.read_order(reply, lenient=True)

        request = wire.fetch_order(self.dialect, sid)
        return self.read(request, take, expected=Expected(sid=sid), missing_is_fine=True)

    def orders_on(self, phone_number: str) -> list[Order]:
        """Every order on this number, live or not."""
        found = self._orders(wire.list_orders(self.dialect, page_size=50, phone_number=phone_number))
        return [order for order in found if order.phone_number == phone_number]

    def orders_named(self, unique_name: str) -> list[Order]:
        """Every order of this unique name; none where the dialect has no such thing."""
        if not self.dialect.has_unique_name:
            return []
        found = self._orders(wire.list_orders(self.dialect, page_size=50, unique_name=unique_name))
        return [order for order in found if order.unique_name == unique_name]

    def listing(self, *, whole: Container[str] = ()) -> Listing:
        """All orders of the account, each once, page after page; those with a sid or unique name in
        `whole` are whole."""
        read_at, mono = self._now(), self._throttle.monotonic()
        request = wire.list_orders(self.dialect, page_size=PAGE)
        pages = self._pages(request, lambda reply: wire.read_sights(reply, whole=whole))
        orders = {order.sid: order for page in pages for order in page}
        by_number: dict[str, tuple[Sight, ...]] = {}
        for order in orders.values():
            number = order.phone_number or ""
            by_number[number] = (*by_number.get(number, ()), order)
        return Listing(read_at, mono, orders, by_number)

    def greet(self) -> None:
        """The service has answered one small read: its time is known and we have access.

        Raises `AccessRefused`, `ServiceRefused`, `ServiceUnreachable`.
        """
        self.read(wire.list_orders(self.dialect, page_size=1), wire.read_page)

    def is_recent(self, listing: Listing, most: timedelta) -> bool:
        """The listing is at most this old, by the world's clock and by our own."""
        own = self._throttle.monotonic() - listing.mono <= most.total_seconds()
        return own and self._now() - listing.read_at <= most

    def read(
        self,
        request: Request,
        take: Callable[[Reply], T],
        *,
        expected: Expected = _ANY,
        missing_is_fine: bool = False,
    ) -> T:
        """What `take` makes of the reply to a read. A reply it cannot read is asked for again.

        Tried five times, ten (and ten minutes) where the service is busy. While the breaker is open
        nothing is tried here: whether the service is back, the breaker's own reads find out. Raises
        `ServiceUnreachable`, `AccessRefused`, `ServiceRefused`, `ReplyUnreadable` or `RunStopped`
        where something else than the API answers, and `Halted` where the run stops first.
        """
        throttle, began = self._throttle, self._throttle.monotonic()
        busy = failed = 0
        while throttle.may_go_on():
            with throttle.slot(Operation.READ):
                result = self._client.send(request)
            outcome = classify(Operation.READ, result, expected)
            if isinstance(result, Reply) and _is_answer(outcome, result, missing_is_fine=missing_is_fine):
                try:
                    taken = take(result)
                except ReplyUnreadable:
                    outcome = replace(outcome, kind=OutcomeKind.AMBIGUOUS, reason="unreadable")
                else:
                    throttle.note(outcome)
                    return taken
            throttle.note(outcome)
            if not may_send_again(outcome, Operation.READ):
                raise _final(request, result, outcome)
            if outcome.kind is OutcomeKind.NOT_PROCESSED:
                busy += 1
                tries, spent = busy, busy >= BUSY_ATTEMPTS or throttle.monotonic() - began >= BUSY_PATIENCE
            else:
                failed += 1
                tries, spent = failed, failed >= READ_ATTEMPTS
            if spent or not throttle.may_retry(outcome, self._charged.to):
                raise _gave_up(request, outcome, busy + failed)
            throttle.rest_after(outcome, tries - 1)
        raise Halted(throttle.reason or "the run is stopping")

    def _probe(self) -> None:
        """One read, to see whether the service answers again; whether it does, the breaker notes."""
        request = wire.list_orders(self.dialect, page_size=1)
        with self._throttle.slot(Operation.READ):
            result = self._client.send(request)
        self._throttle.note(classify(Operation.READ, result, _ANY))

    def _orders(self, request: Request) -> list[Order]:
        pages = self._pages(request, lambda reply: wire.read_orders(reply, lenient=True))
        return [order for orders in pages for order in orders]

    def _pages(
        self, request: Request, take: Callable[[Reply], tuple[list[T], wire.Page]]
    ) -> Iterator[list[T]]:
        visited: set[str] = set()
        for _ in range(MOST_PAGES):
            orders, page = self.read(request, take)
            yield orders
            following = page.next_url
            if following is None:
                return
            if following in visited:
                raise ReplyUnreadable(
                    "the service's pages go in a circle; nothing was taken from them.", path=request.path
                )
            visited.add(following)
            request = wire.follow(self.dialect, following)
        raise ReplyUnreadable(
            f"the list has more than {MOST_PAGES} pages; it is not believed.", path=request.path
        )


def _is_answer(outcome: Outcome, reply: Reply, *, missing_is_fine: bool) -> bool:
    # a 404 counts as "not there" only in the API's own words: anybody can say 404
    missing = outcome.kind is OutcomeKind.REJECTED and reply.status == 404
    return outcome.kind is OutcomeKind.DONE or (missing_is_fine and missing)


def _final(request: Request, result: Reply | Failure, outcome: Outcome) -> HnbulkError:
    if isinstance(result, Failure):
        return RunStopped(
            f"the other side is not the service ({outcome.reason}); nothing was sent to it. "
            "Check the address.",
            kind=outcome.reason,
        )
    try:
        wire.raise_for_reply(result, request)
    except HnbulkError as error:
        return error
    return unreadable(result, "it is not the API that answers")


def _gave_up(request: Request, outcome: Outcome, tries: int) -> ServiceUnreachable:
    tried = "1 try" if tries == 1 else f"{tries} tries"
    return ServiceUnreachable(
        f"the service did not answer {request.method} {request.path} in {tried} ({outcome.reason}). "
        "Check the network, then try again.",
        kind=outcome.reason,
        method=request.method,
        path=request.path,
    )
