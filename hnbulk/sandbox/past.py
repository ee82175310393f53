"""The past of a sandbox that does not begin empty: weeks of an account that somebody worked with.

Orders are made over the last three weeks, called, and put into letters as a client would have
done it; the world does the rest at its own times. Some are left alone, as some always are.
"""

from __future__ import annotations

import heapq

from hnbulk.lifecycle import MAX_ATTEMPTS, may_authorize, may_call
from hnbulk.sandbox import chance
from hnbulk.sandbox.clock import DAY, HOUR
from hnbulk.sandbox.nanp import AREA_CODES, local_time
from hnbulk.sandbox.records import Order
from hnbulk.sandbox.world import World

WEEKS = 3
#: The most numbers of one letter.
LETTER_SIZE = 50
_PLACES = ("Denver", "Austin", "Toronto", "Albany", "Fresno", "Tulsa", "Halifax", "Boise", "Macon", "Reno")


def live_through(world: World, account: str, count: int, *, until: int) -> None:
    """`count` orders are there, made in the weeks before `until`, wherever they have come to."""
    if count:
        _Past(world, account, until).live(count)


def number_of(place: int) -> str:
    """The phone number of one order of the past: every place has its own, none is a test number."""
    area = AREA_CODES[place % len(AREA_CODES)]
    return f"+1{area}555{200 + (place // len(AREA_CODES)) % 9800:04d}"


class _Past:
    def __init__(self, world: World, account: str, until: int) -> None:
        self._world = world
        self._account = account
        self._until = until
        # (when, which order of the past, what)
        self._plans: list[tuple[int, int, str]] = []
        self._orders: dict[int, Order] = {}
        self._ready: dict[str, list[Order]] = {}

    def live(self, count: int) -> None:
        begin = self._until - WEEKS * 7 * DAY
        for place in range(count):
            at = begin + chance.between(0, WEEKS * 7 * DAY - 1, self._world.seed, "past", place)
            self._plans.append((at, place, "create"))
        self._plans += [(begin + (day * 24 + 12) * HOUR, -1, "letters") for day in range(1, WEEKS * 7)]
        heapq.heapify(self._plans)
        while self._plans:
            at, place, what = heapq.heappop(self._plans)
            self._world.run_until(at)
            getattr(self, f"_{what}")(place, at)
        self._world.run_until(self._until)

    def _create(self, place: int, at: int) -> None:
        case = self._world.case_for(self._account, number_of(place))
        name = _PLACES[place % len(_PLACES)]
        order = self._world.create(
            case,
            at,
            number_settings={},
            friendly_name=f"{name} {place:05d}",
            email=f"owner{place // 40}@example.com",
            address_sid=chance.sid("AD", self._world.seed, place // 40),
        )
        self._orders[place] = order
        if self._cared_for(place, "called", 0.8):
            self._plan(self._office_hour(order, at + 2 * DAY), place, "call")

    def _call(self, place: int, at: int) -> None:
        order = self._orders[place]
        if may_call(order.status) and order.verification_attempts < MAX_ATTEMPTS:
            self._world.call(order, at)
            self._plan(self._office_hour(order, at + DAY), place, "call")
        elif may_authorize(order.status) and self._cared_for(place, "letter", 0.85):
            self._ready.setdefault(order.email or "", []).append(order)

    def _letters(self, _: int, at: int) -> None:
        for email, waiting in sorted(self._ready.items()):
            orders = [order for order in waiting if may_authorize(order.status)]
            for start in range(0, len(orders), LETTER_SIZE):
                some = orders[start : start + LETTER_SIZE]
                address = some[0].address_sid or ""
                self._world.write_letter(self._account, some, at, address_sid=address, email=email)
        self._ready.clear()

    def _plan(self, at: int, place: int, what: str) -> None:
        if at < self._until:
            heapq.heappush(self._plans, (at, place, what))

    def _cared_for(self, place: int, what: str, rate: float) -> bool:
        return chance.draw(self._world.seed, "past", what, place) < rate

    def _office_hour(self, order: Order, at: int) -> int:
        """The first time from `at` on, in whole hours, at which people are in where the number is."""
        local = local_time(order.phone_number, at)
        if not 10 <= local.hour < 16:
            at += (10 - local.hour) % 24 * HOUR
        day = local_time(order.phone_number, at).weekday()
        return at + max(0, 7 - day) * DAY if day >= 5 else at
