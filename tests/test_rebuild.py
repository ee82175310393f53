"""A lost journal is begun anew from the plan, and the resume finds out what the lost run had sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, create, number, open_bench
from test_database import Hasty

from hnbulk.errors import JournalError, PlanRefused, RunLocked, UsageError
from hnbulk.journal import Journal
from hnbulk.planfile import PlanFile
from hnbulk.rebuild import Rebuilt, rebuild
from hnbulk.runlock import RunLock
from hnbulk.steps import Action, Step

COUNT = 24


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def where(bench: Bench) -> dict[str, Any]:
    return {"account_sid": bench.client.account_sid, "base_url": bench.client.base_url}


def rebuilt(bench: Bench, plan: PlanFile, **more: Any) -> Rebuilt:
    return rebuild(bench.home, plan, approve=plan.checksum[:8], **where(bench), **more)


def half_applied(bench: Bench) -> PlanFile:
    """A plan of creates of which about half were sent, and whose journal is closed."""
    plan = bench.creates(COUNT)
    bench.sandbox.set_faults({"action": "reset_after", "method": "POST", "nth": 9})
    bench.sandbox.set_faults({"action": "status", "status": 401, "method": "POST", "nth": 12})
    bench.start(plan).wait(30)
    bench.journal.close()
    assert 0 < len(bench.truth()) < COUNT
    return plan


def one_live_order_each(bench: Bench, count: int = COUNT) -> bool:
    truth = bench.truth()
    return [len(truth.get(number(n), [])) for n in range(count)] == [1] * count


def resume(bench: Bench, run_id: str) -> int:
    bench.sandbox.set_faults()
    with Journal.open(bench.home, **where(bench)) as bench.journal:
        return bench.resume(run_id).exit_code


@pytest.mark.parametrize("how", ["missing", "empty", "text", "cut"])
def test_rebuild_and_resume_leave_one_order_a_number(bench: Bench, how: str) -> None:
    """Whatever became of the journal of a half applied plan; what was there is taken over."""
    plan = half_applied(bench)
    path = bench.home / "journal.db"
    there = {order["sid"] for orders in bench.truth().values() for order in orders}
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        broken = {"empty": b"", "text": b"my notes " * 99, "cut": whole[: len(whole) // 2]}[how]
        path.write_bytes(broken)
    with pytest.raises(JournalError, match="hnbulk rebuild"):
        Journal.open(bench.home, **where(bench))
    made = rebuilt(bench, plan)
    assert (made.moved is None) == (how == "missing")
    assert resume(bench, made.run_id) == 0
    assert one_live_order_each(bench)
    assert there <= {order["sid"] for orders in bench.truth().values() for order in orders}
    if made.moved is not None:
        assert made.moved.read_bytes() == broken


def test_rebuild_sends_nothing(bench: Bench) -> None:
    """Not even a read."""
    plan = half_applied(bench)
    (bench.home / "journal.db").unlink()
    before = len(bench.sandbox.ledger())
    rebuilt(bench, plan)
    assert len(bench.sandbox.ledger()) == before


def test_a_request_of_the_lost_run_that_comes_late_is_not_doubled(bench: Bench) -> None:
    """Nothing is taken as absent before the settle window of the resume has passed."""
    bench.sandbox.set_faults({"action": "late", "seconds": 60, "method": "POST", "nth": 3})
    plan = bench.creates(6)
    run = bench.start(plan)
    run.stop()
    run.wait(30)
    bench.journal.close()
    (bench.home / "journal.db").unlink()
    assert resume(bench, rebuilt(bench, plan).run_id) == 0
    assert one_live_order_each(bench, 6)


def test_updates_and_cancels_are_looked_up_too(bench: Bench) -> None:
    """Half of each is done when the journal is lost; in the end each order is as planned."""
    first = bench.creates(8)
    bench.apply(first)
    bench.advance(hours=36)  # received: what may be changed and canceled
    sids = [bench.truth()[number(n)][0]["sid"] for n in range(8)]
    steps = [
        Step(
            n + 2,
            Action.UPDATE,
            number(n),
            sids[n],
            before={"friendly_name": f"Branch {n}"},
            after={"friendly_name": f"New {n}"},
        )
        for n in range(4)
    ]
    steps += [Step(n + 2, Action.CANCEL, number(n), sids[n]) for n in range(4, 8)]
    plan = bench.plan(steps)
    bench.sandbox.set_faults({"action": "status", "status": 401, "method": "DELETE", "nth": 3})
    bench.apply(plan)
    bench.journal.close()
    (bench.home / "journal.db").unlink()
    resume(bench, rebuilt(bench, plan).run_id)
    truth = bench.truth()
    assert [truth[number(n)][0]["friendly_name"] for n in range(4)] == [f"New {n}" for n in range(4)]
    assert [truth[number(n)][0]["deleted"] for n in range(8)] == [False] * 4 + [True] * 4


def test_a_whole_journal_is_not_rebuilt(bench: Bench) -> None:
    """One that has a run of the plan is refused and stays; one that does not know it takes it in."""
    plan = bench.creates(4)
    bench.apply(plan)
    with pytest.raises(PlanRefused, match="whole"):
        rebuilt(bench, plan)
    other = bench.plan([create(10)])
    made = rebuilt(bench, other)
    assert made.moved is None
    assert len(bench.journal.runs()) == 2
    assert resume(bench, made.run_id) == 0
    assert len(bench.truth()[number(10)]) == 1


def test_a_journal_that_another_process_uses_is_not_moved_aside(bench: Bench) -> None:
    """It is whole, for all one knows; the message says to wait."""
    plan = bench.creates(2)
    bench.journal.close()
    with sqlite3.connect(bench.home / "journal.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match="another process is using it"):
            rebuilt(bench, plan, connect=Hasty)
    other.close()
    assert list(bench.home.glob("*.damaged")) == []


def test_rebuild_waits_for_nobody_and_needs_the_approval(bench: Bench) -> None:
    """Refused while a run is under way, without the plan's own approval, and for calls."""
    plan = bench.creates(2)
    lock = RunLock.take(bench.home, "r1")
    with pytest.raises(RunLocked, match="r1"):
        rebuilt(bench, plan)
    lock.release()
    with pytest.raises(PlanRefused):
        rebuild(bench.home, plan, approve="0" * 8, **where(bench))
    calls = bench.plan([Step(2, Action.VERIFY, number(0), "HR" + "0" * 32)])
    with pytest.raises(UsageError, match="hnbulk verify"):
        rebuilt(bench, calls)
