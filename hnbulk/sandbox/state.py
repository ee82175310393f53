"""The whole state of a sandbox as one JSON document, and back.

What can be made anew from the rest is left out: indexes, the list of what is due.
A document that is refused has changed nothing.
Callbacks are left out too: what has gone out cannot be called back, and what waits is dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hnbulk.lifecycle import LETTER_ORDER, known
from hnbulk.messages import Request
from hnbulk.sandbox.choices import plain_settings, settings_of
from hnbulk.sandbox.clock import moment_of, seconds_of
from hnbulk.sandbox.desk import Desk
from hnbulk.sandbox.fates import FATES
from hnbulk.sandbox.faults import Fault
from hnbulk.sandbox.records import Books, Call, Event, Letter, Number, Order, as_plain, from_plain
from hnbulk.sandbox.refusals import Person
from hnbulk.sandbox.service import Late

FORMAT = 1
# The year 9000: what the world adds to a time stays within a calendar.
_LAST = 221_845_392_000


def take_state(desk: Desk) -> dict[str, Any]:
    """The state as it is now."""
    with desk.service.world.lock:
        world = desk.service.world
        now = seconds_of(desk.clock.now())
        desk.service.settle(now)
        books = world.books
        return {
            "format": FORMAT,
            "seed": world.seed,
            "account_sid": desk.account_sid,
            "now": now,
            "settings": plain_settings(world.settings),
            "fates": dict(sorted(world.fates.items())),
            "orders": [as_plain(order) for order in books.orders.values()],
            "letters": [as_plain(letter) for letter in books.letters.values()],
            "numbers": [as_plain(number) for number in books.numbers.values()],
            "calls": [as_plain(call) for call in books.calls.values()],
            "ledger": [dict(line) for line in desk.ledger],
            "late": [_late_out(late) for late in sorted(desk.service.late)],
            "faults": {
                "rules": [rule.as_rule() for rule in desk.faults.rules],
                "matched": {str(place): count for place, count in desk.faults.matched.items()},
                "struck": {str(place): count for place, count in desk.faults.struck.items()},
                "seen": dict(desk.faults.seen),
            },
        }


def put_state(desk: Desk, state: dict[str, Any]) -> None:
    """The state is that of the document. Raises `ValueError` where it is none of this seed and account."""
    world = desk.service.world
    if not isinstance(state, dict) or state.get("format") != FORMAT or state.get("seed") != world.seed:
        raise ValueError(f"not a state of format {FORMAT} and seed {world.seed}")
    if state.get("account_sid", desk.account_sid) != desk.account_sid:  # older ones do not name it
        raise ValueError("the state is that of another account")
    try:
        settings = settings_of(state["settings"])
        fates = {str(number): FATES[name].name for number, name in state["fates"].items()}
        books = _books_in(state)
        ledger = [dict(line) for line in state["ledger"]]
        lines = {line["n"]: line for line in ledger}
        late = [_late_in(plain, lines) for plain in state["late"]]
        rules = [Fault.read(rule) for rule in state["faults"]["rules"]]
        counts = [
            Counter({int(place): int(count) for place, count in state["faults"][name].items()})
            for name in ("matched", "struck")
        ]
        seen = Counter({str(about): int(count) for about, count in state["faults"]["seen"].items()})
        late = sorted(late)
        now = moment_of(int(state["now"]))
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(f"the state is not whole: {type(error).__name__} {error}") from None
    if settings.subaccounts != world.settings.subaccounts:  # credentials are those it began with
        raise ValueError(f"the state is that of a sandbox with {settings.subaccounts} subaccounts")
    with world.lock:
        desk.clock.set(now)
        world.settings, world.fates, world.books = settings, fates, books
        world.reschedule_all()
        desk.ledger[:] = ledger
        desk.service.late[:] = late
        desk.service.parked = max((one.nth for one in late), default=0)
        desk.callbacks.drop_waiting()
        desk.faults.set(rules)
        desk.faults.matched.update(counts[0])
        desk.faults.struck.update(counts[1])
        desk.faults.seen.update(seen)


def _books_in(state: dict[str, Any]) -> Books:
    books = Books()
    numbers = {plain["sid"]: from_plain(Number, plain) for plain in state["numbers"]}
    for plain in state["orders"]:
        books.add_order(from_plain(Order, plain), numbers.get(plain["incoming_phone_number_sid"]))
    for plain in state["letters"]:
        books.add_letter(from_plain(Letter, plain))
    for plain in state["calls"]:
        books.add_call(from_plain(Call, plain))
    named = {sid for letter in books.letters.values() for sid in letter.order_sids}
    named |= {call.order_sid for call in books.calls.values()}
    named |= {number.order_sid for number in numbers.values()}
    if not named <= set(books.orders):
        raise ValueError("the state names an order that it does not hold")
    if any(known(order.status) is None or order.fate not in FATES for order in books.orders.values()):
        raise ValueError("the state has an order of an unknown status or fate")
    if any(letter.status not in LETTER_ORDER for letter in books.letters.values()):
        raise ValueError("the state has a letter of an unknown status")
    for order in books.orders.values():
        if not all(map(_is_event, order.history)):
            raise ValueError("the state has an order of a history that is none")
        if not all(map(_is_moment, (order.created, order.updated, order.since))):
            raise ValueError("the state has an order of a time that is none")
    return books


def _is_event(event: Event) -> bool:
    """A status, or the end that a history notes for a canceled order, and when."""
    known_status = event.status == "deleted" or known(event.status) is not None
    return type(event.at) is int and _is_moment(event.at) and known_status


def _is_moment(seconds: int) -> bool:
    """A time of this era, in seconds since 1970."""
    return 0 <= seconds < _LAST


def _late_out(late: Late) -> dict[str, Any]:
    request = late.request
    return {
        "at": late.at,
        "nth": late.nth,
        "n": late.line["n"],
        "account_sid": late.person.account_sid,
        "sees": sorted(late.person.sees),
        "request": {
            "method": request.method,
            "path": request.path,
            "query": [list(pair) for pair in request.query],
            "form": [list(pair) for pair in request.form],
            "origin": request.origin,
        },
    }


def _late_in(plain: dict[str, Any], lines: dict[int, dict[str, Any]]) -> Late:
    sent = plain["request"]
    query = tuple((str(name), str(value)) for name, value in sent["query"])
    form = tuple((str(name), str(value)) for name, value in sent["form"])
    origin = None if sent["origin"] is None else str(sent["origin"])
    request = Request(str(sent["method"]), str(sent["path"]), query, form, origin)
    if type(plain["at"]) is not int or type(plain["nth"]) is not int or not _is_moment(plain["at"]):
        raise ValueError("the state has a late request whose time is none")
    person = Person(str(plain["account_sid"]), frozenset(map(str, plain["sees"])))
    return Late(plain["at"], plain["nth"], request, person, lines[plain["n"]])
