"""What a run asks the service before, between and after its writes: orders and letters, as models.

Every read keeps the run's pace and is tried again where the service stumbles. A filter is never
believed: what comes back is compared with what was asked for. This changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hnbulk import wire
from hnbulk.client import MOST_PAGES, Client
from hnbulk.errors import ReplyUnreadable, ServiceUnreachable
from hnbulk.messages import Reply, Request
from hnbulk.models import Glimpse, Order
from hnbulk.outcome import Expected, Operation, OutcomeKind, classify, may_send_again
from hnbulk.pacing import READ_ATTEMPTS
from hnbulk.replies import unreadable
from hnbulk.throttle import Throttle


@dataclass(frozen=True, slots=True, repr=False)
class Listing:
    """All orders of the account at one time. A list is no proof that an order is not there."""

    read_at: datetime
    mono: float
    orders: dict[str, Glimpse] = field(default_factory=dict)  # by sid
    by_number: dict[str, list[Glimpse]] = field(default_factory=dict)


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
        throttle.probe = self._probe

    def order(self, sid: str) -> Order | None:
        """The order as it is now; None where the service has none of this sid."""
        reply = self.read(wire.fetch_order(self.dialect, sid), missing_is_fine=True)
        return None if reply.status == 404 else wire.read_order(reply)

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

    def listing(self) -> Listing:
        """All orders of the account, each once, page after page."""
        read_at, mono = self._now(), self._throttle.monotonic()
        pages = self._pages(wire.list_orders(self.dialect, page_size=1000))
        orders = {order.sid: order for page in pages for order in wire.read_glimpses(page)[0]}
        by_number: dict[str, list[Glimpse]] = {}
        for order in orders.values():
            by_number.setdefault(order.phone_number or "", []).append(order)
        return Listing(read_at, mono, orders, by_number)

    def greet(self) -> None:
        """The service has answered one small read: its time is known and we have access.

        Raises `AccessRefused`, `ServiceRefused`, `ServiceUnreachable`.
        """
        self.read(wire.list_orders(self.dialect, page_size=1))

    def is_recent(self, listing: Listing, most: timedelta) -> bool:
        """The listing is at most this old, by the world's clock and by our own."""
        own = self._throttle.monotonic() - listing.mono <= most.total_seconds()
        return own and self._now() - listing.read_at <= most

    def read(self, request: Request, *, missing_is_fine: bool = False) -> Reply:
        """The reply to a read. Raises `AccessRefused`, `ServiceRefused`, `ServiceUnreachable`."""
        outcome = None
        for attempt in range(READ_ATTEMPTS):
            if outcome is not None:
                self._throttle.rest_after(outcome, attempt - 1)
            with self._throttle.slot(Operation.READ):
                result = self._client.send(request)
            outcome = classify(Operation.READ, result, Expected())
            self._throttle.note(outcome)
            if isinstance(result, Reply):
                # a 404 counts as "not there" only in the API's own words: anybody can say 404
                missing = outcome.kind is OutcomeKind.REJECTED and result.status == 404
                if outcome.kind is OutcomeKind.DONE or (missing_is_fine and missing):
                    return result
                if not may_send_again(outcome, Operation.READ):
                    wire.raise_for_reply(result, request)
                    raise unreadable(result, "it is not the API that answers")
        reason = outcome.reason if outcome else "no reply"
        raise ServiceUnreachable(
            f"the service did not answer {request.method} {request.path} in {READ_ATTEMPTS} tries "
            f"({reason}). Check the network, then try again.",
            kind=reason,
            method=request.method,
            path=request.path,
        )

    def _probe(self) -> None:
        """One read, to see whether the service answers again; whether it does, the breaker notes."""
        request = wire.list_orders(self.dialect, page_size=1)
        with self._throttle.slot(Operation.READ):
            result = self._client.send(request)
        self._throttle.note(classify(Operation.READ, result, Expected()))

    def _orders(self, request: Request) -> list[Order]:
        return [order for reply in self._pages(request) for order in wire.read_orders(reply)[0]]

    def _pages(self, request: Request) -> Iterator[Reply]:
        visited: set[str] = set()
        for _ in range(MOST_PAGES):
            reply = self.read(request)
            yield reply
            following = wire.read_page(reply).next_url
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
