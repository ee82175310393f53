"""What a run did, judged by the service's own books: every order, request and call there ever was.

The client's claim is only ever compared with them. Nothing here asks anybody anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """The service's own books: all orders, the requests that came from the run, all calls."""

    orders: Sequence[Record]
    ledger: Sequence[Record]
    calls: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one judgement; those that `broken` names should be 0."""

    orders: int  # live, on planned numbers
    duplicates: int  # live orders beyond the first of a planned number
    lost: int  # planned numbers without a live order that nobody refused
    strangers_adopted: int  # of the strangers' orders: claimed as ours, or changed
    unplanned_orders: int  # on numbers that nobody planned
    unplanned_deletes: int  # orders canceled, where no cancel was planned
    untrue_claims: int  # planned numbers whose order has another sid than the one claimed, or none
    calls: int
    refused: int  # planned numbers that the service refused, for good
    requests: int
    creates: int  # requests for one, however they ended

    @property
    def broken(self) -> dict[str, int]:
        """The promises that were not kept, and how often."""
        counts = {one.name: int(getattr(self, one.name)) for one in fields(self)}
        return {name: counts[name] for name in PROMISES if counts[name]}


#: What should be 0, whatever happened.
PROMISES = (
    "duplicates",
    "lost",
    "strangers_adopted",
    "unplanned_orders",
    "unplanned_deletes",
    "untrue_claims",
    "calls",
)


def judge(
    planned: Collection[str],
    books: Books,
    *,
    strangers: Sequence[Record] = (),
    claims: Mapping[str, str] | None = None,
) -> Score:
    """The score of a run that was to create one order on each of `planned` and nothing else.

    `strangers` are the orders that were there before, as they were; `claims` are the sids that
    the client says it made, by number (None: it says nothing).
    """
    before = {order["sid"]: order for order in strangers}
    ours: dict[str, list[str]] = {number: [] for number in planned}
    elsewhere = 0
    for order in books.orders:
        if order["sid"] in before or order["deleted"]:
            continue
        if order["phone_number"] in ours:
            ours[order["phone_number"]].append(order["sid"])
        else:
            elsewhere += 1
    refused = _refused(books.ledger) & {number for number, sids in ours.items() if not sids}
    claimed = claims or {}
    return Score(
        orders=sum(map(len, ours.values())),
        duplicates=sum(len(sids) - 1 for sids in ours.values() if sids),
        lost=sum(not sids for sids in ours.values()) - len(refused),
        strangers_adopted=len(before.keys() & (set(claimed.values()) | _changed(before, books.orders))),
        unplanned_orders=elsewhere,
        unplanned_deletes=sum(bool(order["deleted"]) for order in books.orders),
        untrue_claims=0 if claims is None else _untrue(ours, claims),
        calls=len(books.calls),
        refused=len(refused),
        requests=len(books.ledger),
        creates=sum(map(is_create, books.ledger)),
    )


def is_create(line: Record) -> bool:
    """The request of this line of the ledger asked for a new order."""
    return bool(line["method"] == "POST" and line["path"].endswith("/HostedNumberOrders"))


def _refused(ledger: Sequence[Record]) -> set[str]:
    """Numbers that a create was refused for by the service itself, not by a fault."""
    return {
        line["phone_number"]
        for line in ledger
        if is_create(line) and line["did"] == "refused" and line["code"] != 20429
    }


def _changed(before: Mapping[str, Record], orders: Sequence[Record]) -> set[str]:
    """Of the orders that were there before, those that are not as they were."""
    now = {order["sid"]: order for order in orders}
    kept = ("phone_number", "unique_name", "friendly_name", "email", "deleted")
    return {
        sid
        for sid, order in before.items()
        if sid not in now or any(now[sid][name] != order[name] for name in kept)
    }


def _untrue(ours: Mapping[str, Sequence[str]], claims: Mapping[str, str]) -> int:
    """A claim should name an order of its number, and an order be claimed."""
    return sum(
        claims[number] not in sids if number in claims else bool(sids) for number, sids in ours.items()
    )
