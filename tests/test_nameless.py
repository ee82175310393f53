"""Where the API has no unique names, number and journal tell our orders from others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, create, number, open_bench

from hnbulk import wire
from hnbulk.entries import Intent
from hnbulk.planfile import PlanFile
from hnbulk.progress import Report
from hnbulk.sandbox import WorldSettings

NAMELESS = replace(wire.PREVIEW, name="nameless", has_unique_name=False)


@pytest.fixture(autouse=True)
def dialect() -> Iterator[None]:
    """This version speaks the dialect for a while."""
    wire.DIALECTS[NAMELESS.name] = NAMELESS
    yield
    del wire.DIALECTS[NAMELESS.name]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The service lets a number have any number of orders."""
    with open_bench(tmp_path, settings=WorldSettings(enforce_numbers=False)) as opened:
        yield opened


def plan(bench: Bench, count: int = 1) -> PlanFile:
    named = bench.plan([create(n) for n in range(count)])
    return replace(named, header=replace(named.header, dialect=NAMELESS.name))


def ended(bench: Bench, report: Report) -> list[tuple[str, str | None]]:
    return [(str(one.state), one.code) for one in bench.journal.endings(report.run_id)]


def made_by_hand(bench: Bench, n: int = 0) -> None:
    bench.client.send(wire.create_order(NAMELESS, {"phone_number": number(n)}))


def test_no_name_is_sent(bench: Bench) -> None:
    """And the orders are done all the same."""
    assert bench.apply(plan(bench, 12)).ok
    assert {order["unique_name"] for order in bench.sandbox.orders()} <= {None, ""}
    assert all("UniqueName" not in line["query"] for line in bench.reads())


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ({"action": "reset_before"}, 2),
        ({"action": "reset_after"}, 1),
        ({"action": "truncated"}, 1),
        ({"action": "status", "status": 503, "processed": True}, 1),
        ({"action": "late", "seconds": 100.0}, 1),
    ],
    ids=str,
)
def test_a_request_in_doubt_leaves_one_order(bench: Bench, fault: dict[str, Any], posts: int) -> None:
    """Found by its number, for we asked for it and it was made after that."""
    bench.sandbox.set_faults({**fault, "method": "POST", "nth": 1})
    report = bench.apply(plan(bench))
    assert (report.exit_code, len(bench.truth()[number(0)]), len(bench.posts())) == (0, 1, posts)


def test_a_request_whose_run_died_is_found_by_the_resume(bench: Bench) -> None:
    """The journal knows when it was sent."""
    bench.journal.begin("r0", plan(bench), kind="orders", at=bench.clock.now(), options={})
    bench.journal.intend("r0", [Intent(0, 1, "create", "f", bench.clock.now(), 0.0)])
    made_by_hand(bench)
    sent = len(bench.posts())
    assert bench.resume("r0").ok
    assert len(bench.posts()) == sent


def test_an_order_that_we_did_not_ask_for_is_a_stranger(bench: Bench) -> None:
    """Of the same number and account, but nothing of ours went out before."""
    made_by_hand(bench)
    report = bench.apply(plan(bench))
    assert (ended(bench, report), len(bench.posts())) == ([("conflict", "not-ours")], 1)


def test_an_order_that_is_older_than_our_request_is_a_stranger(bench: Bench) -> None:
    """It did not show when we looked; ours was lost."""
    made_by_hand(bench)
    bench.advance(seconds=5)
    bench.sandbox.set_faults(
        {"action": "reset_before", "method": "POST", "nth": 1},
        {"action": "list_lag", "seconds": 60, "probability": 1.0},
    )
    report = bench.apply(plan(bench))
    assert ended(bench, report) == [("conflict", "not-ours")]
    assert len(bench.truth()[number(0)]) == 1


def test_two_orders_since_our_request_are_a_conflict(bench: Bench) -> None:
    """Which one is ours cannot be told: neither is touched."""
    bench.sandbox.set_faults({"action": "late", "seconds": 1, "method": "POST", "nth": [1, 2]})
    made_by_hand(bench)
    report = bench.apply(plan(bench))
    assert ended(bench, report) == [("conflict", "two-orders")]
