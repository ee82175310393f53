"""The engine applies a plan once: approved, alone, durable, stoppable, and never twice."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from run_bench import PACE, Bench, create, number, open_bench

from hnbulk import wire
from hnbulk.apply import Changes
from hnbulk.clocks import SteppedClock
from hnbulk.engine import resume, start
from hnbulk.entries import Ended, Intent
from hnbulk.errors import (
    AccessRefused,
    JournalError,
    PlanRefused,
    PlanStale,
    RunInterrupted,
    RunLocked,
    RunStopped,
    UsageError,
)
from hnbulk.journal import Journal
from hnbulk.messages import Failure, Reply, Request
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.planfile import PlanFile
from hnbulk.progress import Tally
from hnbulk.runlock import holder_of
from hnbulk.running import Run
from hnbulk.settings import Pace
from hnbulk.steps import Ending, State
from hnbulk.throttle import Throttle
from hnbulk.work import Chain


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


class Held(Changes):
    """Creates whose coordinator waits at its first step until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def waves(self, plan: PlanFile) -> list[list[Chain]]:
        self.reached.set()
        self.let_go.wait(10)
        return super().waves(plan)


def interrupted_in_the_start_of_the_thread(
    act: Callable[[], object], *, when: Callable[[], object]
) -> None:
    """`act` is called, and Ctrl-C falls where it waits for the run's own thread, after `when`."""

    def trace(frame: FrameType, event: str, _arg: object) -> None:
        caller = frame.f_back
        if event == "call" and frame.f_code.co_name == "wait" and caller is not None:
            thread = caller.f_locals.get("self")
            if caller.f_code.co_name == "start" and getattr(thread, "name", "").startswith("hnbulk-r"):
                sys.settrace(None)
                when()
                raise KeyboardInterrupt

    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            act()
    finally:
        sys.settrace(None)


def one_live_order_each(bench: Bench, count: int) -> bool:
    truth = bench.truth()
    return [len(truth.get(number(n), [])) for n in range(count)] == [1] * count


class Noting:
    """The bench's client, noting when on the pace clock each request starts."""

    def __init__(self, bench: Bench, starts: list[float]) -> None:
        self.base_url, self.account_sid = bench.client.base_url, bench.client.account_sid
        self._bench, self._starts = bench, starts

    def send(self, request: Request, **more: Any) -> Reply | Failure:
        self._starts.append(self._bench.ticks.monotonic())
        return self._bench.client.send(request, **more)

    def read(self, request: Request, *, admit: Callable[[], object]) -> Reply | Failure:
        admit()
        return self.send(request)


# -- what may be applied


def test_nothing_goes_out_without_the_plans_own_approval(bench: Bench) -> None:
    """Too short, or of another plan: refused, and not one request was sent."""
    plan = bench.creates(1)
    for approve in ("", plan.checksum[:7], "0" * 8):
        with pytest.raises(PlanRefused):
            start(plan, Changes(), bench.means, approve=approve)
    assert bench.sandbox.ledger() == []


def test_a_plan_of_another_account_address_or_day_is_refused(bench: Bench) -> None:
    """Each has its own error and none sends a request."""
    plan = bench.creates(1)
    old = (bench.clock.now() - timedelta(hours=25)).isoformat()
    for change, error in (
        ({"account_sid": "AC" + "0" * 32}, AccessRefused),
        ({"base_url": "http://127.0.0.1:1"}, PlanStale),
        ({"read_at": old}, PlanStale),
        ({"dialect": "v9"}, UsageError),
    ):
        with pytest.raises(error):
            bench.apply(replace(plan, header=replace(plan.header, **change)))
    assert bench.sandbox.ledger() == []


def test_a_plan_is_applied_once(bench: Bench) -> None:
    """The second apply hands back the first run and sends nothing."""
    plan = bench.creates(3)
    first = bench.apply(plan)
    sent = len(bench.sandbox.ledger())
    again = bench.apply(plan)
    assert (again.run_id, again.state, again.exit_code) == (first.run_id, "already applied", 0)
    assert len(bench.sandbox.ledger()) == sent


def test_an_unfinished_plan_is_resumed_not_applied_again(bench: Bench) -> None:
    """The message names the run to resume."""
    plan = bench.creates(3)
    run = bench.start(plan)
    run.stop()
    report = run.wait(10)
    if report.exit_code == 6:
        with pytest.raises(RunLocked, match=run.run_id):
            bench.apply(plan)
        assert bench.resume(run.run_id).exit_code == 0
    assert one_live_order_each(bench, 3)


def test_another_plan_waits_while_a_run_has_requests_in_doubt(bench: Bench) -> None:
    """It could not know of an order that is still on its way."""
    bench.journal.begin("r0", bench.creates(1), kind="orders", at=bench.clock.now(), options={})
    from hnbulk.entries import Intent

    bench.journal.intend("r0", [Intent(0, 1, "create", "f", bench.clock.now(), 0.0)])
    with pytest.raises(RunLocked, match="in doubt"):
        bench.apply(bench.creates(1, first=5))


def test_only_one_run_at_a_time(bench: Bench) -> None:
    """While one holds the lock, another is refused; it is free again afterwards."""
    lock = bench.journal.lock("r0")
    with pytest.raises(RunLocked, match="r0"):
        bench.apply(bench.creates(1))
    lock.release()
    assert bench.apply(bench.creates(1)).ok


# -- how it goes


def test_the_canary_goes_alone(bench: Bench) -> None:
    """A sheet that stops the run in its first five rows sends no sixth."""
    bench.sandbox.set_faults({"action": "status", "status": 401, "method": "POST", "nth": 1})
    report = bench.apply(bench.creates(30))
    assert (report.state, report.exit_code) == ("stopped", 7)
    assert len(bench.posts()) <= 5
    assert set(report.counts) <= {"pending", "done"}


def test_half_of_the_first_twenty_refused_stops_the_run(bench: Bench) -> None:
    """The rest of a wrong sheet is not tried."""
    rule = {"action": "status", "status": 400, "code": 22110, "method": "POST", "probability": 1.0}
    bench.sandbox.set_faults(rule)
    report = bench.apply(bench.creates(60))
    assert (report.state, report.exit_code) == ("stopped", 6)
    assert 20 <= report.counts["refused"] < 30
    assert len(bench.posts()) < 30


def test_no_access_stops_at_the_first_reply(tmp_path: Path) -> None:
    """404 with 20404 on the list is "no access": exit 7, nothing was created."""
    from hnbulk.sandbox import WorldSettings

    with open_bench(tmp_path, settings=WorldSettings(preview_access=False)) as bench:
        report = bench.apply(bench.creates(10))
    assert (report.exit_code, report.counts) == (7, {"pending": 10})


def test_a_pause_holds_rows_and_resume_lets_them_go(bench: Bench) -> None:
    """The state says so meanwhile."""
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.02, "method": "POST", "probability": 1.0})
    run = bench.start(bench.creates(40))
    run.pause()
    assert run.state == "paused"
    time.sleep(0.1)
    before = run.progress.sent
    time.sleep(0.1)
    assert run.progress.sent == before < 40
    run.resume()
    assert run.wait(20).ok


def test_a_stopped_run_ends_with_six_and_is_resumed_to_the_end(bench: Bench) -> None:
    """What was never sent is pending, and goes out with the resume alone."""
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.02, "method": "POST", "probability": 1.0})
    run = bench.start(bench.creates(60))
    time.sleep(0.15)
    run.stop()
    report = run.wait(10)
    assert (report.state, report.exit_code) == ("stopped", 6)
    assert report.counts["pending"] > 0
    assert bench.resume(run.run_id).ok
    assert one_live_order_each(bench, 60)
    assert len(bench.posts()) == 60


def test_ctrl_c_interrupts_and_nothing_is_lost(bench: Bench) -> None:
    """`wait` raises RunInterrupted naming the run; the resume finishes it."""
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.02, "method": "POST", "probability": 1.0})
    run = bench.start(bench.creates(60))
    threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(RunInterrupted, match=run.run_id):
        run.wait(20)
    assert bench.journal.run(run.run_id).state == "interrupted"
    assert bench.resume(run.run_id).ok
    assert one_live_order_each(bench, 60)


def test_waiting_may_end_before_the_run(bench: Bench) -> None:
    """A time-out of `wait` is a TimeoutError; the run goes on."""
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.3, "method": "POST", "nth": 1})
    run = bench.start(bench.creates(2))
    with pytest.raises(TimeoutError):
        run.wait(0.01)
    assert run.wait(10).ok


def test_progress_is_told_while_waiting(bench: Bench) -> None:
    """The last thing told is the whole."""
    told = []
    bench.start(bench.creates(10)).wait(10, on_progress=told.append)
    assert (told[-1].ended, told[-1].total) == (10, 10)


@pytest.mark.parametrize(
    "gone", [BrokenPipeError(errno.EPIPE, "Broken pipe"), ValueError("I/O operation on closed file.")]
)
def test_a_run_goes_on_when_nobody_watches_any_more(bench: Bench, gone: Exception) -> None:
    """It is told once more, not again, and ends as it would have."""
    told = []

    def look(now: object) -> None:
        told.append(now)
        raise gone

    bench.sandbox.set_faults({"action": "delay", "seconds": 0.1, "method": "POST", "probability": 1.0})
    assert bench.start(bench.creates(8)).wait(20, on_progress=look).ok
    assert len(told) == 1


def test_any_other_error_of_who_watches_is_raised(bench: Bench) -> None:
    """The run goes on meanwhile."""
    run = bench.start(bench.creates(3))

    def look(_: object) -> None:
        raise ValueError("a mistake of the watcher's own")

    with pytest.raises(ValueError, match="a mistake"):
        run.wait(20, on_progress=look)
    assert run.wait(20).ok


def test_an_error_in_a_run_is_raised_to_who_waits(bench: Bench) -> None:
    """Nothing a worker meets is swallowed."""

    class Broken(Changes):
        def prepare(self, *args: object, **more: object) -> list[object]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.apply(bench.creates(3), work=Broken())
    assert bench.posts() == []


def test_the_rate_is_kept_in_every_second(tmp_path: Path) -> None:
    """At 50 a second no window of one second of the pace clock sees 51 starts."""
    throttle_times: list[float] = []
    with open_bench(tmp_path, pace=Pace(rate=50.0, connections=4, settle=120.0)) as bench:
        means = replace(bench.means, client=Noting(bench, throttle_times))  # type: ignore[arg-type]
        plan = bench.creates(120)
        assert start(plan, Changes(), means, approve=plan.checksum).wait(30).ok
    starts = sorted(throttle_times)
    assert max(sum(t <= s < t + 1 for s in starts) for t in starts) <= 50
    assert starts[-1] - starts[0] < 120 / 50 * 1.1


def test_hands_and_run_keep_the_rate_together(tmp_path: Path) -> None:
    """At 20 a second, reads by hand and a run's requests are never more than 20 in any second."""
    starts: list[float] = []
    with open_bench(tmp_path, pace=Pace(rate=20.0, connections=4, settle=120.0)) as bench:
        means = bench.means
        client = Noting(bench, starts)
        reads = replace(bench.connection, client=client, gate=means.gate)  # type: ignore[arg-type]
        plan = bench.creates(60)
        run = start(plan, Changes(), replace(means, client=client), approve=plan.checksum)  # type: ignore[arg-type]
        for _ in range(60):
            reads.read(wire.list_orders(wire.PREVIEW, page_size=1))
        assert run.wait(30).ok
    starts.sort()
    assert len(starts) >= 120
    assert max(sum(t <= s < t + 1 for s in starts) for t in starts) <= 20


def test_a_runs_own_rate_is_everybodys_while_it_lasts(bench: Bench) -> None:
    """A run with a rate of its own gives the gate back as it was."""
    gate = bench.means.gate
    with gate.at(2.0):
        waits = [bench.ticks.now for _ in range(5) if gate()]
        assert waits[4] - waits[0] >= 2.0
    assert gate()
    assert bench.ticks.now == waits[4]


def test_a_run_is_named_by_the_machines_time(bench: Bench) -> None:
    """Not by the world's, which in a sandbox always begins on the same day."""
    assert bench.apply(bench.creates(1)).run_id.startswith("r20261123-183012-")


def test_a_full_disk_ends_the_run_resumable(bench: Bench) -> None:
    """No request goes out without its intent; with room again the resume does the rest."""
    plan = bench.creates(40)
    connection = bench.journal._database._connection
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.02, "method": "POST", "probability": 1.0})
    run = bench.start(plan)
    while run.progress.done < 6:
        time.sleep(0.01)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    report = run.wait(20)
    assert (report.state, report.exit_code) == ("stopped", 6)
    assert run.run_id in report.message
    connection.execute("PRAGMA max_page_count = 1000000")
    assert len(bench.posts()) <= len(bench.journal.attempts(run.run_id))
    assert bench.resume(run.run_id).ok
    assert one_live_order_each(bench, 40)


# -- what it says while it waits, and at the end


class Running(SteppedClock):
    """The bench's clock, saying that it runs by itself."""

    frozen = False


def test_a_service_that_does_not_answer_is_told_with_a_time(bench: Bench) -> None:
    """Once for each wait, and not any more when it answers again."""
    throttle = Throttle(PACE, bench.means.gate)
    down, up = Outcome(OutcomeKind.NOT_SENT, "connect"), Outcome(OutcomeKind.DONE, "ok")
    said = []
    for _ in range(7):
        throttle.note(down)
        said.append(throttle.waiting)
    assert said == [""] * 4 + ["the service does not answer; trying again in 30 s"] * 3
    throttle.note(up)
    assert throttle.waiting == ""


def test_a_doubt_under_look_up_is_told_with_its_longest_time(bench: Bench) -> None:
    """How many, and for how long at most."""
    bench.sandbox.set_faults({"action": "reset_before", "method": "POST", "nth": 1})
    told: list[str] = []

    class Telling(SteppedClock):
        def wait_until(self, moment: datetime) -> None:
            told.append(run.progress.doing)
            super().wait_until(moment)

    clock = Telling(bench.sandbox.clock.now, bench.sandbox.clock.advance)
    plan = bench.creates(1)
    run = start(plan, Changes(), replace(bench.means, clock=clock), approve=plan.checksum)
    assert run.wait(10).ok
    assert set(told) == {"1 in doubt; looking it up for up to 120 s"}
    assert run.progress.doing == ""


def test_ctrl_c_tells_at_once_that_replies_are_waited_for(bench: Bench) -> None:
    """Before the replies are there."""
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.5, "method": "POST", "probability": 1.0})
    run = bench.start(bench.creates(60))
    told: list[str] = []
    threading.Timer(0.25, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(RunInterrupted):
        run.wait(20, on_progress=lambda now: told.append(now.doing))
    assert re.fullmatch(r"stopping; waiting for (1 reply|[2-4] replies) under way", told[-1])


def test_a_run_that_cannot_reach_the_service_is_stopped_not_broken(bench: Bench) -> None:
    """Exit 6 and the way on: apply again where nothing began, else resume."""
    plan = bench.creates(30)
    clock = Running(bench.sandbox.clock.now, bench.sandbox.clock.advance)
    means = replace(bench.means, clock=clock)
    bench.sandbox.set_faults({"action": "reset_before", "probability": 1.0})
    with pytest.raises(RunStopped, match=r"nothing is lost\. Check the network, then apply") as caught:
        start(plan, Changes(), means, approve=plan.checksum)
    assert (caught.value.exit_code, bench.journal.runs()) == (6, [])
    bench.journal.begin("r0", plan, kind="orders", at=bench.clock.now(), options={})
    with pytest.raises(RunStopped, match="then `hnbulk resume r0`") as caught:
        resume("r0", Changes(), replace(bench.means, clock=clock))
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("stands_still", [False, True])
def test_a_run_whose_first_reply_is_not_the_services_is_stopped_not_broken(
    bench: Bench, stands_still: bool
) -> None:
    """A page of something in between: exit 6, nothing has begun, and the way on is told."""
    plan = bench.creates(3)
    if stands_still:
        bench.advance(minutes=10)  # the plan is no longer fresh, and its orders are looked at
        means = bench.means
    else:
        means = replace(bench.means, clock=Running(bench.sandbox.clock.now, bench.sandbox.clock.advance))
    bench.sandbox.set_faults({"action": "garbage", "content": "html", "probability": 1.0})
    told = "it is not the API that answers.*Nothing is lost: apply the plan again"
    with pytest.raises(RunStopped, match=told) as caught:
        start(plan, Changes(), means, approve=plan.checksum)
    assert (caught.value.exit_code, bench.journal.runs(), holder_of(bench.home)) == (6, [], None)
    if not stands_still:
        bench.journal.begin("r0", plan, kind="orders", at=bench.clock.now(), options={})
        with pytest.raises(RunStopped, match="lost: `hnbulk resume r0`"):
            resume("r0", Changes(), means)


def test_orders_that_are_ours_already_do_not_stop_the_run(bench: Bench) -> None:
    """With a fresh home every create is refused, every order taken over, and the report says so."""
    plan = bench.creates(60)
    assert bench.apply(plan).ok
    more = {"account_sid": bench.client.account_sid, "base_url": bench.client.base_url}
    with Journal.open(bench.home / "fresh", **more) as journal:
        clock = Running(bench.sandbox.clock.now, bench.sandbox.clock.advance)
        means = replace(bench.means, journal=journal, clock=clock)
        report = start(plan, Changes(), means, approve=plan.checksum).wait(20)
    assert (report.state, report.exit_code, report.counts) == ("finished", 0, {"done": 60})
    assert report.message.startswith("60 of 60 orders were there already")
    assert one_live_order_each(bench, 60)


# -- whatever dies in between

PATHS = {"PYTHONPATH": os.pathsep.join(sys.path)}
_CHILD = """
import json, sys
from pathlib import Path
from pydantic import SecretStr
from hnbulk.connection import open_connection
from hnbulk.runs import start_run
from hnbulk.settings import Credentials, Pace
from hnbulk.planfile import load_plan
url, account, token, home = sys.argv[1:]
plan = load_plan(Path(home) / "plan.jsonl")
who = Credentials(account, account, SecretStr(token))
with open_connection(url, who, home=Path(home), pace=Pace(None, 4, 120.0)) as connection:
    start_run(connection, plan, approve=plan.checksum).wait()
"""


@pytest.mark.parametrize("place", ["before_intent", "after_intent", "after_response", "after_outcome"])
def test_a_killed_run_is_resumed_without_loss_or_double(bench: Bench, place: str) -> None:
    """Wherever the process dies, the resume leaves exactly one order a number."""
    plan = bench.creates(20)
    plan.save(bench.home / "plan.jsonl")
    environment = {
        **os.environ,
        "HNBULK_FAILPOINT": f"{place}:9:kill",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    token = bench.sandbox.auth_token
    died = subprocess.run(
        [
            sys.executable,
            "-c",
            _CHILD,
            *(bench.client.base_url, bench.client.account_sid),
            token,
            str(bench.home),
        ],
        env=environment,
        timeout=30,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    (record,) = bench.journal.runs()
    assert record.state == "unfinished"
    assert bench.resume(record.run_id).ok
    assert one_live_order_each(bench, 20)
    assert len({order["sid"] for orders in bench.truth().values() for order in orders}) == 20


def test_a_run_starts_without_pandas() -> None:
    """None of the three kinds of run loads it: a resumed worker must start fast."""
    code = (
        "import sys, json\nfrom hnbulk import apply, verify, authorize\n"
        "print(json.dumps('pandas' in sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, **PATHS},
    )
    assert json.loads(out.stdout) is False


def test_an_ended_handle_shows_its_state() -> None:
    """A run whose coordinator met an error is `stopped`."""
    run = Run("r1", "orders", Tally(1), Throttle(PACE), None)  # type: ignore[arg-type]
    assert run.state == "running"
    run.finish(None, ValueError())
    assert run.state == "stopped"


def test_every_state_is_counted_once() -> None:
    """A step that changes state leaves its old one."""
    tally = Tally(3)
    tally.put([(0, State.IN_DOUBT), (1, State.REFUSED)])
    tally.put([(0, State.DONE)])
    assert tally.counts == {"pending": 1, "done": 1, "refused": 1}
    assert (tally.progress.ended, tally.progress.pending) == (2, 1)
    assert create(0).row == 2


# -- who frees the lock


@pytest.mark.parametrize("resumed", [False, True])
def test_an_interrupt_in_the_start_never_frees_the_lock_of_a_live_run(bench: Bench, resumed: bool) -> None:
    """The run that has begun stops and frees it; until then no other one starts; nothing is doubled."""
    plan, work = bench.creates(8), Held()
    if resumed:
        first = bench.start(plan)
        first.stop()
        first.wait(10)
        begin: Callable[[], object] = lambda: resume(first.run_id, work, bench.means)  # noqa: E731
    else:
        begin = lambda: bench.start(plan, work=work)  # noqa: E731
    interrupted_in_the_start_of_the_thread(begin, when=lambda: work.reached.wait(10))
    with pytest.raises(RunLocked):
        bench.apply(bench.creates(1, first=50))
    work.let_go.set()
    while holder_of(bench.home):
        time.sleep(0.01)
    (record,) = bench.journal.runs()
    assert (record.state, record.unfinished) == ("interrupted", True)
    bench.resume(record.run_id)
    assert one_live_order_each(bench, 8)


def test_an_interrupt_before_the_run_has_begun_leaves_it_to_be_resumed(bench: Bench) -> None:
    """The lock comes free, and the resume does what is left, once."""
    work = Held()
    work.let_go.set()
    interrupted_in_the_start_of_the_thread(
        lambda: bench.start(bench.creates(3), work=work), when=lambda: None
    )
    while holder_of(bench.home):
        time.sleep(0.01)
    (record,) = bench.journal.runs()
    bench.resume(record.run_id)
    assert one_live_order_each(bench, 3)


# -- a journal that is damaged, or whose disk was full


def test_a_run_whose_rows_were_changed_is_not_resumed(bench: Bench) -> None:
    """The resume raises what to do instead, and not one write is sent."""
    plan = bench.creates(6)
    run = bench.start(plan)
    run.stop()
    run.wait(10)
    bench.journal.intend(run.run_id, [Intent(5, 1, "create", "f" * 64, bench.clock.now(), 0.0)])
    with sqlite3.connect(bench.home / "journal.db") as other:
        (sql,) = other.execute("SELECT sql FROM sqlite_schema WHERE name = 'attempts_update'").fetchone()
        other.execute("DROP TRIGGER attempts_update")
        other.execute("UPDATE attempts SET step = 4 WHERE step = 5")
        other.execute(sql)
    other.close()
    posts = len(bench.posts())
    with pytest.raises(JournalError, match="hnbulk rebuild"):
        bench.resume(run.run_id)
    assert len(bench.posts()) == posts
    assert holder_of(bench.home) is None
    assert bench.journal.runs()[0].unfinished


def test_results_that_a_full_disk_refused_are_taken_in_by_the_resume(bench: Bench) -> None:
    """They lie beside the journal when it is closed; the next process has them, and doubles nothing."""
    plan = bench.creates(40)
    connection = bench.journal._database._connection
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.02, "method": "POST", "probability": 1.0})
    run = bench.start(plan)
    while run.progress.done < 6:
        time.sleep(0.01)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    # one that is longer than all the room there is left: it is kept, and what comes after it, too
    bench.journal.record(run.run_id, endings=[Ended(Ending(39, State.PENDING, message="x" * 9000))])
    assert run.wait(20).exit_code == 6
    bench.journal.close()
    (left,) = bench.journal.left_behind
    told = [json.loads(line) for line in left.read_text().splitlines()]
    lineage = {"account_sid": bench.client.account_sid, "base_url": bench.client.base_url}
    with Journal.open(bench.home, **lineage) as bench.journal:
        assert bench.resume(run.run_id).ok
        ended = {one.step: one.sid for one in bench.journal.endings(run.run_id)}
    assert one_live_order_each(bench, 40)
    assert all(ended[one["step"]] == one["sid"] for one in told if one["record"] == "ended" and one["sid"])
    assert [left.exists(), left.with_name(f"{left.name}.imported").exists()] == [False, True]
