"""Every promise that can be broken is counted from the books, and the client's claim never believed."""

from __future__ import annotations

from typing import Any

import pytest

from hnbulk.scoreboard import Books, Score, judge

ONE, TWO, THREE, ANOTHER = "+14155550101", "+14155550102", "+14155550103", "+14155550199"


def order(number: str, sid: str, **more: Any) -> dict[str, Any]:
    plain = {"unique_name": f"n-{sid}", "friendly_name": None, "email": None, "deleted": False}
    return {"phone_number": number, "sid": sid, **plain, **more}


def create(number: str, did: str = "created", code: int | None = None, **more: Any) -> dict[str, Any]:
    path = "/HostedNumbers/HostedNumberOrders"
    return {"method": "POST", "path": path, "phone_number": number, "did": did, "code": code, **more}


STRANGER = order(ANOTHER, "HR9")
GOOD = [STRANGER, order(ONE, "HR1"), order(TWO, "HR2")]
CLAIMS = {ONE: "HR1", TWO: "HR2"}


def score(
    orders: list[dict[str, Any]],
    claims: dict[str, str] | None = CLAIMS,
    ledger: list[dict[str, Any]] | None = None,
    calls: list[dict[str, Any]] | None = None,
) -> Score:
    books = Books(orders, ledger or [], calls or [])
    return judge([ONE, TWO], books, strangers=[STRANGER], claims=claims)


def test_one_order_a_number_breaks_nothing() -> None:
    """All promises are kept, and requests are counted by what they asked for."""
    lines = [create(ONE), create(TWO), {"method": "GET", "path": "/HostedNumbers/HostedNumberOrders"}]
    kept = score(GOOD, ledger=[{"phone_number": None, "did": "read", **line} for line in lines])
    assert kept.broken == {}
    assert (kept.orders, kept.creates, kept.requests) == (2, 2, 3)


@pytest.mark.parametrize(
    ("orders", "claims", "broken"),
    [
        ([*GOOD, order(ONE, "HR3"), order(ONE, "HR4")], CLAIMS, {"duplicates": 2}),
        (GOOD[:-1], {ONE: "HR1"}, {"lost": 1}),
        (GOOD[:-1], CLAIMS, {"lost": 1, "untrue_claims": 1}),
        (GOOD, {ONE: "HR1", TWO: "HR9"}, {"strangers_adopted": 1, "untrue_claims": 1}),
        (GOOD, {ONE: "HR1"}, {"untrue_claims": 1}),
        (GOOD, None, {}),
        ([*GOOD[1:], order(ANOTHER, "HR9", email="x@example.com")], CLAIMS, {"strangers_adopted": 1}),
        ([*GOOD[1:]], CLAIMS, {"strangers_adopted": 1}),
        (
            [*GOOD[1:], order(ANOTHER, "HR9", deleted=True)],
            CLAIMS,
            {"strangers_adopted": 1, "unplanned_deletes": 1},
        ),
        ([*GOOD, order(THREE, "HR5")], CLAIMS, {"unplanned_orders": 1}),
        ([*GOOD, order(ONE, "HR5", deleted=True)], CLAIMS, {"unplanned_deletes": 1}),
    ],
)
def test_what_is_broken_is_named(
    orders: list[dict[str, Any]], claims: dict[str, str] | None, broken: dict[str, int]
) -> None:
    """Duplicates, losses, strangers, deletes and claims, each by its own count."""
    assert score(orders, claims).broken == broken


def test_a_call_nobody_asked_for_breaks_a_promise() -> None:
    """One is one too many."""
    assert score(GOOD, calls=[{"sid": "CA1"}]).broken == {"calls": 1}


def test_what_the_service_refuses_is_not_lost() -> None:
    """A number with a refusal of its own and no order is refused; a fault's reply is no refusal."""
    refused = score(GOOD[:-1], {ONE: "HR1"}, [create(TWO, "refused", 22110)])
    assert (refused.broken, refused.refused) == ({}, 1)
    busy = score(GOOD[:-1], {ONE: "HR1"}, [create(TWO, "refused", 20429), create(TWO, "nothing")])
    assert (busy.broken, busy.refused) == ({"lost": 1}, 0)
