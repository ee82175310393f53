"""Exactly once, in real processes over real HTTP: faults in everything, the worker killed again and again.

The truth is the sandbox's: its orders and its ledger. It takes a second order for a number and for
a name, so that only the client stands between a lost reply and a duplicate.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from numbers_list import listed

from hnbulk.drill import Drill, drill
from hnbulk.entries import Attempt
from hnbulk.journal import Journal
from hnbulk.planfile import PlanFile, load_plan
from hnbulk.scoreboard import is_create
from hnbulk.steps import Action, State


def books(done: Drill, name: str) -> list[dict[str, str]]:
    """The sandbox's books as the drill left them."""
    return [orjson.loads(line) for line in (done.folder / f"{name}.jsonl").read_bytes().splitlines()]


def journal_of(done: Drill) -> Journal:
    header = load_plan(done.folder / "drill.plan").header
    return Journal.open(done.home, account_sid=header.account_sid, base_url=header.base_url)


def assert_exactly_once(done: Drill, *, rows: int, kills: int) -> None:
    """Every number has one order, the one the journal names; nothing else was touched."""
    assert done.stopped == ""
    assert (done.planned, done.kills) == (rows, kills)
    assert (done.score.broken, done.audit_findings) == ({}, 0)
    assert done.score.orders == rows
    truth = {
        order["phone_number"]: order["sid"]
        for order in books(done, "orders")
        if not str(order["unique_name"]).startswith("stranger-")
    }
    posts = Counter(line["unique_name"] for line in books(done, "requests") if is_create(line))
    claims: dict[str, str | None] = {}
    attempted: Counter[str] = Counter()
    with journal_of(done) as journal:
        for record in reversed(journal.runs()):
            plan = journal.plan_of(record.run_id)
            endings = journal.endings(record.run_id)
            claims |= {
                plan.steps[one.step].phone_number: one.sid
                for one in endings
                if one.state is State.DONE and plan.steps[one.step].action is Action.CREATE
            }
            assert {one.code for one in endings} & {"two-live-orders", "vanished"} == set()
            attempted += _attempted(plan, journal.attempts(record.run_id))
    assert claims == truth
    assert set(posts) == set(attempted)
    assert [name for name, count in posts.items() if count > attempted[name]] == []


def _attempted(plan: PlanFile, attempts: list[Attempt]) -> Counter[str]:
    """How often the journal intended to create each name."""
    return Counter(
        str(plan.steps[one.step].after["unique_name"])
        for one in attempts
        if plan.steps[one.step].action is Action.CREATE
    )


def test_ten_thousand_orders_and_a_hundred_kills_make_every_order_once(memory: Path) -> None:
    """All faults and a hundred kills, 10,000 orders: no duplicate, none lost, no stranger's touched.

    Of two accounts at once, each with half of them: a run waits for most of its time.
    """

    def one(seed: int) -> Drill:
        folder = memory / str(seed)
        folder.mkdir()
        return drill(listed(5_000), folder=folder, kills=50, life=1.5, seed=seed)

    with ThreadPoolExecutor(2) as two:
        for done in two.map(one, (12, 13)):
            assert_exactly_once(done, rows=5_000, kills=50)
            faults = Counter(line["fault"] for line in books(done, "requests"))
            assert set(faults) >= {"reset_before", "reset_after", "status", "late", "garbage"}


@pytest.mark.nightly
def test_twenty_thousand_orders_and_two_hundred_kills(memory: Path) -> None:
    """The same with twice as many, by a worker that lives longer before it is killed."""
    done = drill(listed(20_000), folder=memory, kills=200, seed=11)
    assert_exactly_once(done, rows=20_000, kills=200)


def test_without_faults_every_order_is_one_request(memory: Path) -> None:
    """In peace one create an order is sent, and nothing has to be planned again."""
    done = drill(listed(300), folder=memory, kills=0, faults=[])
    assert_exactly_once(done, rows=300, kills=0)
    assert (done.score.creates, done.again, done.runs) == (300, 0, 1)
