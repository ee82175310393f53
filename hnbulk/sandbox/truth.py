"""The truth of a sandbox: every order, call, callback and request there ever was, as the world knows them.

What is given are copies; nothing here changes anything but that the world catches up with the clock.
"""

from __future__ import annotations

from typing import Any

from hnbulk.sandbox.clock import seconds_of
from hnbulk.sandbox.desk import Desk


def orders_of(desk: Desk) -> list[dict[str, Any]]:
    """Every order there ever was, canceled ones too, oldest first: the 23 keys, `deleted`,
    `attempt`, `fate` and `history`."""
    with desk.service.world.lock:
        desk.service.settle(seconds_of(desk.clock.now()))
        orders = sorted(desk.service.world.books.orders.values(), key=lambda order: order.key)
        return [order.truth() for order in orders]


def calls_of(desk: Desk) -> list[dict[str, Any]]:
    """Every verification call there ever was, oldest first."""
    with desk.service.world.lock:
        desk.service.settle(seconds_of(desk.clock.now()))
        calls = sorted(desk.service.world.books.calls.values(), key=lambda call: (call.at, call.sid))
        return [call.truth() for call in calls]


def callbacks_of(desk: Desk) -> list[dict[str, Any]]:
    """Every status callback there ever was, in the order of the changes, and what became of it."""
    with desk.service.world.lock:
        desk.service.settle(seconds_of(desk.clock.now()))
    return desk.callbacks.lines()


def ledger_of(desk: Desk, *, after: int = 0) -> list[dict[str, Any]]:
    """Every request there ever was, in the order in which they came in, and what it did.

    With `after`, those that came after the nth only: for whoever looks again and again.
    """
    with desk.service.world.lock:
        desk.service.settle(seconds_of(desk.clock.now()))
        return [dict(line) for line in desk.ledger[after:]]
