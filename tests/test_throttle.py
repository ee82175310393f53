"""What holds a run back, and what must not: a wake-up taken by the wrong one, our own queue, one budget."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, PaceClock, open_bench

from hnbulk.gate import Gate
from hnbulk.messages import FailureKind
from hnbulk.outcome import Operation, Outcome, OutcomeKind
from hnbulk.pacing import BUSY_ATTEMPTS, BUSY_PATIENCE
from hnbulk.settings import Pace
from hnbulk.throttle import Bucket, Halted, Paused, Throttle

BUSY = Outcome(OutcomeKind.NOT_PROCESSED, "busy")
DONE = Outcome(OutcomeKind.DONE, "status-200")
LOST = Outcome(OutcomeKind.NOT_SENT, "connect")


@pytest.fixture
def ticks() -> PaceClock:
    return PaceClock()


def throttle_of(ticks: PaceClock, **pace: int) -> Throttle:
    gate = Gate(None, monotonic=ticks.monotonic, sleep=ticks.sleep)
    return Throttle(Pace(None, **{"connections": 4, "settle": 1.0, **pace}), gate, chance=lambda: 1.0)


def test_a_paused_row_does_not_take_the_wake_up_of_a_waiting_request(ticks: PaceClock) -> None:
    """With one place, and paused rows waiting too: the place that is given up reaches the request."""
    throttle, sent = throttle_of(ticks, connections=1, most_connections=1), threading.Event()

    def send() -> None:
        with throttle.slot(Operation.READ):
            sent.set()

    throttle.pause()
    rows = [threading.Thread(target=throttle.wait_out_pause, daemon=True) for _ in range(3)]
    request = threading.Thread(target=send, daemon=True)
    with throttle.slot(Operation.READ):
        for thread in (*rows, request):  # the paused rows have waited longest
            thread.start()
            time.sleep(0.05)
    assert sent.wait(5)
    throttle.resume()
    for thread in (*rows, request):
        thread.join(5)
        assert not thread.is_alive()


def test_a_pause_gives_up_writes_that_wait_and_lets_reads_go(ticks: PaceClock) -> None:
    """A write that waits for a place leaves empty-handed, a new one is not let in, a stop counts more."""
    throttle, met = throttle_of(ticks, connections=1, most_connections=1), []

    def send() -> None:
        try:
            with throttle.slot(Operation.CREATE):
                met.append(None)
        except Halted as error:
            met.append(type(error))

    with throttle.slot(Operation.CREATE):
        waiting = threading.Thread(target=send, daemon=True)
        waiting.start()
        time.sleep(0.05)
        throttle.pause()
        waiting.join(5)
        assert met == [Paused]
    with throttle.slot(Operation.READ):
        pass
    assert throttle.may_go_on()
    with pytest.raises(Paused):
        throttle.may_go_on(write=True)
    throttle.stop("enough")
    send()
    assert met == [Paused, Halted]
    assert not throttle.may_go_on(write=True)


def test_a_write_that_waits_for_the_rate_is_given_up_by_a_pause() -> None:
    """And nobody is kept out by the place it had."""

    class Pausing(PaceClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            throttle.pause()

    ticks = Pausing()
    pace = Pace(0.1, 1, 1.0, most_connections=1)
    throttle = Throttle(pace, Gate(0.1, monotonic=ticks.monotonic, sleep=ticks.sleep))
    with throttle.slot(Operation.CREATE):
        pass
    with pytest.raises(Paused), throttle.slot(Operation.CREATE):
        pass
    throttle.resume()
    with throttle.slot(Operation.READ):
        pass


def test_a_service_that_came_back_during_a_pause_is_tried_before_it_is_given_up(ticks: PaceClock) -> None:
    """Nobody has asked it meanwhile: the ten minutes alone do not stop the run."""
    throttle = throttle_of(ticks)
    throttle.probe = lambda: throttle.note(DONE)
    for _ in range(5):
        throttle.note(LOST)
    ticks.sleep(3600)
    assert throttle.may_go_on(write=True)
    assert not throttle.stopping


def test_every_place_that_is_free_is_given_out(ticks: PaceClock) -> None:
    """Where the limit grew since, one that leaves lets in as many as there are places."""
    throttle, here = throttle_of(ticks, connections=1, most_connections=3), threading.Barrier(4)

    def send() -> None:
        with throttle.slot(Operation.READ):
            here.wait(5)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(3)]
    with throttle.slot(Operation.READ):
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        for _ in range(3):
            ticks.sleep(5.0)
            for _ in range(20):
                throttle.note(DONE)
    assert throttle.limit == 3
    here.wait(5)
    for thread in threads:
        thread.join(5)


def test_concurrency_finds_its_own_height(ticks: PaceClock) -> None:
    """It climbs from where it starts to the most, is halved when busy, and climbs again."""
    throttle, seen = throttle_of(ticks, connections=4, most_connections=6), []
    for outcome in (DONE, DONE, DONE, BUSY, DONE):
        ticks.sleep(6.0)
        for _ in range(20):
            throttle.note(outcome)
        seen.append(throttle.limit)
    assert seen == [5, 6, 6, 3, 4]
    assert throttle.busy == 20


def test_the_services_own_count_holds_it_back(ticks: PaceClock) -> None:
    """Busy at ten, it does not climb while the service sees eight or more."""
    throttle = throttle_of(ticks)
    throttle.note(Outcome(OutcomeKind.NOT_PROCESSED, "busy", under_way=10))
    for under_way, limit in ((8, 2), (7, 3)):
        ticks.sleep(6.0)
        for _ in range(30):
            throttle.note(Outcome(OutcomeKind.DONE, "status-200", under_way=under_way))
        assert throttle.limit == limit


def test_our_own_queue_is_no_failure_of_the_service(ticks: PaceClock) -> None:
    """However many found no free connection, requests go on, and no success is made of it."""
    throttle = throttle_of(ticks)
    for _ in range(4):
        throttle.note(LOST)
    for _ in range(50):
        throttle.note(Outcome(OutcomeKind.NOT_SENT, str(FailureKind.POOL_TIMEOUT)))
    with throttle.slot(Operation.CREATE):
        pass
    assert ticks.now == 1000.0
    throttle.note(LOST)
    assert throttle.waiting == "the service does not answer; trying again in 30 s"


def test_looking_up_doubts_does_not_starve(ticks: PaceClock) -> None:
    """It has a budget of its own; busy replies cost nothing; what succeeds fills both."""
    throttle = throttle_of(ticks)
    assert sum(throttle.may_retry(LOST) for _ in range(100)) == 20
    assert throttle.may_retry(BUSY)
    timeout = Outcome(OutcomeKind.AMBIGUOUS, "read-timeout")
    assert sum(throttle.may_retry(timeout, Bucket.DOUBTS) for _ in range(100)) == 10
    for _ in range(5):
        throttle.note(DONE)
    assert [throttle.may_retry(LOST, bucket) for bucket in Bucket] == [True, True]
    assert [throttle.may_retry(LOST, bucket) for bucket in Bucket] == [False, False]


@pytest.mark.parametrize("seed", range(20))
def test_the_waits_of_one_request_end_in_time(ticks: PaceClock, seed: int) -> None:
    """Whatever Retry-After says, all waits together are at most ten minutes, and none is below it."""
    chance = random.Random(seed)
    gate = Gate(None, monotonic=ticks.monotonic, sleep=ticks.sleep)
    throttle = Throttle(Pace(None, 4, 1.0), gate, chance=chance.random)
    began = ticks.now
    for tried in range(BUSY_ATTEMPTS):
        before, asked = ticks.now, chance.choice([None, 0.0, 5.0, 90.0, 300.0])
        busy = Outcome(OutcomeKind.NOT_PROCESSED, "busy", retry_after=asked)
        if not throttle.rest_after(busy, tried, until=began + BUSY_PATIENCE):
            assert ticks.now == before
            break
        assert ticks.now - before >= (asked or 0.0) - 1e-6
    assert ticks.now - began <= BUSY_PATIENCE
    assert not throttle.stopping


def test_a_wait_of_hours_stops_the_run(ticks: PaceClock) -> None:
    """Resumable, and nothing was waited."""
    throttle = throttle_of(ticks)
    assert not throttle.rest_after(Outcome(OutcomeKind.NOT_PROCESSED, "busy", retry_after=1e9), 0)
    assert (throttle.stopping, throttle.exit_code, ticks.now) == (True, 6, 1000.0)


def test_the_rate_of_starts_can_be_read(ticks: PaceClock) -> None:
    """That of the last ten seconds."""
    throttle = throttle_of(ticks)
    for _ in range(40):
        with throttle.slot(Operation.READ):
            ticks.sleep(0.25)
    assert throttle.rate == pytest.approx(4.0, rel=0.05)


# -- in a run


def test_a_service_that_stays_busy_leaves_the_row_for_later(tmp_path: Path) -> None:
    """Ten tries at most, and none after ten minutes; the run can be resumed."""
    for more, fewest, most in (({}, 10, 10), ({"retry_after": 290}, 2, 3)):
        home = tmp_path / f"home{fewest}"
        home.mkdir()
        with open_bench(home) as bench:
            always = {"action": "status", "status": 429, "method": "POST", "probability": 1.0, **more}
            bench.sandbox.set_faults(always)
            began = bench.ticks.now
            report = bench.apply(bench.creates(1))
            assert (report.state, report.exit_code, report.counts) == ("stopped", 6, {"pending": 1})
            assert fewest <= len(bench.posts()) <= most
            assert bench.ticks.now - began <= BUSY_PATIENCE
            bench.sandbox.set_faults()
            assert bench.resume(report.run_id).ok


def test_a_run_finds_the_height_of_a_limited_service(tmp_path: Path) -> None:
    """Where more than three at once are too many, all rows are done, each once, and 429s were seen."""
    from hnbulk.sandbox import WorldSettings

    with open_bench(tmp_path, settings=WorldSettings(concurrency_limit=3)) as bench:
        run = bench.start(bench.creates(60))
        assert run.wait(60).ok
        assert run.progress.busy > 0
        assert sorted(len(orders) for orders in bench.truth().values()) == [1] * 60


def test_the_run_tells_its_pace(tmp_path: Path) -> None:
    """Requests a second, how many at once, and what is left at this pace; when it is over, no more."""
    with open_bench(tmp_path, pace=Pace(rate=20.0, connections=4, settle=120.0)) as bench:
        told = told_by(bench)
    running = [now for now in told if now.eta is not None]
    assert running[-1].rate == pytest.approx(20.0, rel=0.25)
    assert {now.limit for now in running} <= set(range(4, 11))
    assert all(0 < now.eta <= 100 for now in running)  # one a second where the first has just ended
    assert (told[-1].eta, told[-1].rate, told[-1].doing) == (None, 0.0, "")


def told_by(bench: Bench) -> list[Any]:
    told = []
    bench.sandbox.set_faults({"action": "delay", "seconds": 0.02, "method": "POST", "probability": 1.0})
    run = bench.start(bench.creates(100))
    for _ in range(2000):
        told.append(run.progress)
        if run.state == "finished":
            break
        time.sleep(0.01)
    assert run.wait(30).ok
    return [*told, run.progress]
