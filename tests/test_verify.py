"""No phone rings unasked: calls are at most once, inside their hours, and never on a resume."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, number, open_bench

from hnbulk import engine, wire
from hnbulk.clocks import ServiceClock, SteppedClock
from hnbulk.entries import Intent
from hnbulk.errors import LimitRefused, RunLocked
from hnbulk.planfile import PlanFile
from hnbulk.progress import Report
from hnbulk.runs import start_run
from hnbulk.steps import Action, Step
from hnbulk.verify import Calls


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Six orders that are received and may be called."""
    with open_bench(tmp_path) as opened:
        opened.apply(opened.creates(6))
        opened.advance(days=2)
        yield opened


def call(bench: Bench, n: int, *, wave: int = 0, opens: float = 0, closes: float = 3, **seen: Any) -> Step:
    (order,) = bench.truth()[number(n)]
    now = bench.clock.now()
    precondition = {
        "wave": wave,
        "not_before": (now + timedelta(hours=opens)).isoformat(),
        "not_after": (now + timedelta(hours=closes)).isoformat(),
        "status": order["status"],
        "verification_attempts": order["verification_attempts"],
        "call_count": len(order["verification_call_sids"] or ()),
        **seen,
    }
    after = {"status": "pending-verification"}
    return Step(n + 2, Action.VERIFY, number(n), order["sid"], {}, after, precondition)


def calls(bench: Bench, count: int = 1, **more: Any) -> PlanFile:
    return bench.plan([call(bench, n, **more) for n in range(count)])


def place(bench: Bench, plan: PlanFile) -> Report:
    return bench.apply(plan, work=Calls())


def only_code(bench: Bench, report: Report) -> tuple[str, str | None]:
    (ending,) = bench.journal.endings(report.run_id)
    return str(ending.state), ending.code


def test_no_call_without_the_exact_number(bench: Bench) -> None:
    """None, fewer and more are all refused, with the flag to say."""
    plan = calls(bench, 3)
    for allowed in (None, 2, 4):
        with pytest.raises(LimitRefused) as refused:
            start_run(bench.connection, plan, approve=plan.checksum, place_calls=allowed)
        assert refused.value.facts["flag"] == "--place-calls 3"
    assert bench.sandbox.calls() == []
    assert start_run(bench.connection, plan, approve=plan.checksum, place_calls=3).wait(20).ok
    assert len(bench.sandbox.calls()) == 3


def test_a_wave_waits_for_its_time_and_for_the_answers_of_the_one_before(bench: Bench) -> None:
    """Calls ring at the time of their wave, two and a half minutes apart at least."""
    began = bench.clock.now()
    plan = bench.plan([call(bench, 0, wave=0, opens=1), call(bench, 1, wave=1, opens=1)])
    assert place(bench, plan).ok
    one, two = (line["at"] for line in bench.posts()[-2:])
    assert one == (began + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert two >= (began + timedelta(hours=1, seconds=150)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_the_answers_led_to_is_in_the_ending_and_the_history(bench: Bench) -> None:
    """After the ring time the order was read again."""
    report = place(bench, calls(bench))
    assert bench.journal.endings(report.run_id)[0].status == "verified"
    seen = [event for event in bench.history.events() if event["phone_number"] == number(0)]
    assert [event["status"] for event in seen][-2:] == ["pending-verification", "verified"]
    assert seen[-2]["source"] == "own"
    assert list(bench.history.last_calls()) == [seen[0]["order_sid"]]


def test_a_wave_whose_hours_are_over_is_skipped(bench: Bench) -> None:
    """Nobody is called after the window."""
    report = place(bench, calls(bench, opens=-2, closes=-1))
    assert only_code(bench, report) == ("stale", "window-closed")
    assert bench.sandbox.calls() == []


def test_somebody_elses_call_is_seen_before_ours(bench: Bench) -> None:
    """The counters moved since the plan was made: no second call."""
    plan = calls(bench)
    bench.client.send(wire.ask_verification(wire.PREVIEW, plan.steps[0].sid or ""))
    assert only_code(bench, place(bench, plan)) == ("stale", "called-meanwhile")
    assert len(bench.sandbox.calls()) == 1


def test_a_status_that_may_not_be_called_is_skipped(bench: Bench) -> None:
    """A verified order is left alone."""
    assert place(bench, calls(bench)).ok
    report = place(bench, calls(bench, closes=2))
    assert only_code(bench, report) == ("stale", "status")
    assert len(bench.sandbox.calls()) == 1


@pytest.mark.parametrize(
    ("fault", "ended", "rang"),
    [
        ({"action": "reset_after"}, ("done", None), 1),
        ({"action": "reset_before"}, ("call-unknown", "call-unknown"), 0),
        ({"action": "status", "status": 503, "processed": True}, ("done", None), 1),
        ({"action": "status", "status": 503}, ("call-unknown", "call-unknown"), 0),
        ({"action": "status", "status": 429}, ("done", None), 1),
        ({"action": "garbage", "content": "text"}, ("done", None), 1),
    ],
    ids=str,
)
def test_a_call_in_doubt_is_looked_up_and_never_repeated(
    bench: Bench, fault: dict[str, Any], ended: tuple[str, str | None], rang: int
) -> None:
    """Found by its counters, or unknown for good."""
    bench.sandbox.set_faults({**fault, "method": "POST", "nth": 1})
    report = place(bench, calls(bench))
    assert (only_code(bench, report), len(bench.sandbox.calls())) == (ended, rang)


def test_a_busy_service_is_asked_three_times_at_most(bench: Bench) -> None:
    """Then the call is left pending, and no phone rang."""
    bench.sandbox.set_faults({"action": "status", "status": 429, "method": "POST", "probability": 1.0})
    report = place(bench, calls(bench))
    assert (report.exit_code, report.counts) == (6, {"pending": 1})
    assert len([line for line in bench.posts() if line["sent"] == 429]) == 3


def test_a_resume_places_no_call(bench: Bench) -> None:
    """What was never called stays uncalled, and the run is over."""
    bench.sandbox.set_faults({"action": "status", "status": 401, "method": "POST", "nth": 1})
    plan = bench.plan([call(bench, n, wave=n) for n in range(3)])
    report = place(bench, plan)
    assert (report.exit_code, bench.sandbox.calls()) == (7, [])
    bench.sandbox.set_faults()
    again = bench.resume(report.run_id, Calls())
    assert (again.state, again.exit_code, again.counts) == ("finished", 3, {"pending": 3})
    assert bench.sandbox.calls() == []


def test_what_an_early_end_says_of_calls_is_true(bench: Bench) -> None:
    """A resume places none; what was not placed is planned again, and the same file is not applied."""
    bench.sandbox.set_faults({"action": "status", "status": 401, "method": "POST", "nth": 1})
    plan = calls(bench, 2)
    report = place(bench, plan)
    assert "the others were not placed" in report.message
    assert "then plan again with `hnbulk verify`" in report.message
    assert "Go on" not in report.message
    with pytest.raises(RunLocked, match="hnbulk verify"):
        place(bench, plan)


def test_calls_left_without_a_doubt_may_be_planned_and_placed(bench: Bench) -> None:
    """A plan of the same calls made since is applied, with no resume before it."""
    bench.sandbox.set_faults({"action": "status", "status": 401, "method": "POST", "nth": 1})
    plan = calls(bench)
    place(bench, plan)
    bench.sandbox.set_faults()
    bench.advance(seconds=60)
    now = bench.clock.now().isoformat()
    again = replace(plan, header=replace(plan.header, made_at=now, read_at=now))
    assert again.checksum == plan.checksum
    assert place(bench, again).ok
    assert len(bench.sandbox.calls()) == 1


def test_a_wait_for_calling_hours_is_told_with_its_day(bench: Bench) -> None:
    """Nobody has to guess which day's hours are meant."""
    told: list[str] = []

    class Telling(SteppedClock):
        def wait_until(self, moment: datetime) -> None:
            told.append(run.progress.doing)
            super().wait_until(moment)

    plan = calls(bench, opens=1)
    clock = Telling(bench.sandbox.clock.now, bench.sandbox.clock.advance)
    run = engine.start(plan, Calls(), replace(bench.means, clock=clock), approve=plan.checksum)
    assert run.wait(20).ok
    opens = datetime.fromisoformat(plan.steps[0].precondition["not_before"])
    assert told[0] == f"next calls at {opens:%Y-%m-%d %H:%M} UTC"
    assert told[1].startswith("waiting for answers until ")


@pytest.mark.parametrize("rang", [True, False])
def test_a_resume_looks_up_a_call_whose_run_died(bench: Bench, rang: bool) -> None:
    """With an intent and no result: done where the counters moved, else unknown."""
    plan = calls(bench)
    fence = {"attempts": 0, "calls": 0, "status": "received"}
    bench.journal.begin("r0", plan, kind="calls", at=bench.clock.now(), options={})
    bench.journal.intend("r0", [Intent(0, 1, "call", "f", bench.clock.now(), 0.0, fence)])
    if rang:
        bench.client.send(wire.ask_verification(wire.PREVIEW, plan.steps[0].sid or ""))
    report = bench.resume("r0", Calls())
    assert report.counts == {"done" if rang else "call-unknown": 1}
    assert len(bench.sandbox.calls()) == int(rang)


def test_a_call_is_not_settled_by_an_order_of_another_number(bench: Bench) -> None:
    """Its counters moved, but that proves nothing about ours."""
    sid = call(bench, 1).sid or ""
    plan = bench.plan([replace(call(bench, 0), sid=sid)])
    fence = {"attempts": 0, "calls": 0, "status": "received"}
    bench.journal.begin("r0", plan, kind="calls", at=bench.clock.now(), options={})
    bench.journal.intend("r0", [Intent(0, 1, "call", "f", bench.clock.now(), 0.0, fence)])
    bench.client.send(wire.ask_verification(wire.PREVIEW, sid))
    assert bench.resume("r0", Calls()).counts == {"call-unknown": 1}


def test_a_large_wave_is_read_in_pages(tmp_path: Path) -> None:
    """Sixty calls cost a few reads, not sixty."""
    with open_bench(tmp_path) as bench:
        bench.apply(bench.creates(60))
        bench.advance(days=2)
        before = len(bench.reads())
        assert place(bench, calls(bench, 60)).ok
        assert len(bench.sandbox.calls()) == 60
        assert len(bench.reads()) - before <= 4


def test_a_wait_follows_a_clock_that_somebody_else_steps(bench: Bench) -> None:
    """The hours open in three; who steps the service's clock past them meanwhile need not wait for them."""
    plan = calls(bench, opens=3, closes=6)
    clock = ServiceClock(bench.client.server_now)
    run = engine.start(plan, Calls(), replace(bench.means, clock=clock), approve=plan.checksum)
    while not run.progress.doing:
        time.sleep(0.01)
    bench.advance(hours=4)
    while bench.sandbox.calls() == []:
        time.sleep(0.01)
        assert run.state == "running"
    bench.advance(hours=1)
    assert run.wait(30).exit_code in (0, 3)
    assert len(bench.sandbox.calls()) == 1
