"""Several creates share a commit, and still each is written down before it leaves and sent once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_service import ToldService
from run_bench import PACE, Bench, number, open_bench
from simulation import RUN, Options, World
from simulation import create as virtual_create

from hnbulk import engine
from hnbulk.apply import Changes
from hnbulk.batches import Batches
from hnbulk.errors import RunInterrupted
from hnbulk.messages import Failure, Reply, Request
from hnbulk.progress import Progress
from hnbulk.running import Run
from hnbulk.settings import Pace
from hnbulk.steps import Action, Step

ONE = Pace(rate=None, connections=1, settle=120.0, most_connections=1)


class Watching:
    """The bench's client; before each write it is told of, with what the journal holds by then."""

    def __init__(self, bench: Bench, see: Callable[[int], object]) -> None:
        self.base_url, self.account_sid = bench.client.base_url, bench.client.account_sid
        self._client, self._see = bench.client, see
        self.writes = 0

    def send(self, request: Request, **more: Any) -> Reply | Failure:
        if request.method != "GET":
            self.writes += 1
            self._see(self.writes)
        return self._client.send(request, **more)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path, pace=ONE) as opened:
        yield opened


def start(bench: Bench, count: int, see: Callable[[int], object]) -> Run:
    """A run of so many creates; `see` is called just before each write leaves."""
    plan = bench.creates(count)
    means = replace(bench.means, client=Watching(bench, see))  # type: ignore[arg-type]
    return engine.start(plan, Changes(), means, approve=plan.checksum)


def one_live_order_each(bench: Bench, count: int) -> bool:
    truth = bench.truth()
    return [len(truth.get(number(n), [])) for n in range(count)] == [1] * count


def waiting(bench: Bench) -> list[int]:
    """Steps whose intent is durable and whose end is not known, by the journal."""
    (run,) = bench.journal.runs()
    return [one.step for one in bench.journal.attempts(run.run_id) if one.kind is None]


def kinds(bench: Bench) -> Counter[tuple[str | None, str | None]]:
    (run,) = bench.journal.runs()
    return Counter((one.kind, one.reason) for one in bench.journal.attempts(run.run_id))


def test_what_is_sent_was_written_down_before_and_others_with_it(bench: Bench) -> None:
    """Behind the canary, intents of creates to come are durable when one is sent; all are sent once."""
    seen: list[list[int]] = []
    run = start(bench, 30, lambda _: seen.append(waiting(bench)))
    assert run.wait(30).ok
    assert [n in steps for n, steps in enumerate(seen)] == [True] * 30
    assert [len(steps) for steps in seen[:5]] == [1] * 5  # the canary: one by one
    assert max(len(steps) for steps in seen[5:]) > 1
    assert one_live_order_each(bench, 30)
    assert len(bench.posts()) == 30


def test_a_stop_leaves_nothing_in_doubt_that_was_not_sent(bench: Bench) -> None:
    """What was written down ahead is recorded as not sent, what was sent as done; resume does the rest."""

    def see(writes: int) -> None:
        if writes == 12:
            run.stop()

    run = start(bench, 30, see)
    report = run.wait(30)
    assert report.counts == {"pending": 18, "done": 12}
    by_kind = kinds(bench)
    assert by_kind.pop(("done", "status-201")) == 12
    assert set(by_kind) == {("not-sent", "halted")}
    assert bench.resume(run.run_id).ok
    assert one_live_order_each(bench, 30)
    assert len(bench.posts()) == 30


@pytest.mark.parametrize("count", [2, 12], ids=["one by one", "in a batch"])
def test_a_pause_leaves_nothing_in_doubt(bench: Bench, count: int) -> None:
    """Intents whose turn has not come are taken back before the wait begins; later they are sent once."""

    def see(writes: int) -> None:
        if writes == count:
            run.pause()

    run = start(bench, 30, see)
    for _ in range(100):
        if run.progress.done == count and not waiting(bench):
            break
        with pytest.raises(TimeoutError):
            run.wait(0.05)
    assert len(bench.posts()) == count
    run.resume()
    assert run.wait(30).ok
    assert one_live_order_each(bench, 30)
    assert len(bench.posts()) == 30


@pytest.mark.parametrize("writes_before", [1, 12])
def test_a_pause_holds_the_next_try_of_a_row_too(bench: Bench, writes_before: int) -> None:
    """A create that was answered busy is not sent again, nothing else is, and nothing waits in the
    journal; after the pause it goes out once."""
    sent: list[tuple[str, str]] = []

    class Busy(Watching):
        def send(self, request: Request, **more: Any) -> Reply | Failure:
            sent.append((request.method, run.state if begun.wait(10) else ""))
            if request.method == "POST" and self.writes + 1 == writes_before:
                self.writes += 1
                run.pause()
                return Reply(429, {}, b'{"code": 20429, "message": "busy"}')
            return super().send(request, **more)

    begun = threading.Event()
    plan = bench.creates(20)
    means = replace(bench.means, client=Busy(bench, lambda _: None))  # type: ignore[arg-type]
    run = engine.start(plan, Changes(), means, approve=plan.checksum)
    begun.set()
    with pytest.raises(TimeoutError):
        run.wait(0.7)
    assert [one for one in sent if one[1] == "paused"] == []
    assert (waiting(bench), run.progress.done, run.state) == ([], writes_before - 1, "paused")
    assert [kind for kind, _ in kinds(bench)].count("not-processed") == 1
    run.resume()
    assert run.wait(30).ok
    assert one_live_order_each(bench, 20)
    assert len(bench.posts()) == 20


@pytest.mark.parametrize("how", ["stop", "interrupt"])
def test_a_paused_run_can_be_stopped(bench: Bench, how: str) -> None:
    """By hand or by Ctrl-C, and be resumed to its end."""

    def see(writes: int) -> None:
        if writes == 8 and begun.wait(10):
            run.pause()

    begun = threading.Event()
    run = start(bench, 20, see)
    begun.set()
    with pytest.raises(TimeoutError):
        run.wait(0.5)
    if how == "stop":
        run.stop()
        assert run.wait(10).counts == {"pending": 12, "done": 8}
    else:

        def press(now: Progress) -> None:
            if not now.doing:
                raise KeyboardInterrupt

        with pytest.raises(RunInterrupted):
            run.wait(10, on_progress=press)
    assert waiting(bench) == []
    assert bench.resume(run.run_id).ok
    assert one_live_order_each(bench, 20)


def test_what_was_prepared_long_ago_is_looked_at_anew(bench: Bench) -> None:
    """A create whose turn comes late is taken back and prepared again: somebody may have been there."""
    run = start(bench, 20, lambda writes: bench.ticks.sleep(6.0 if writes > 10 else 0.0))
    assert run.wait(30).ok
    assert kinds(bench)["not-sent", "waited"] > 0
    assert one_live_order_each(bench, 20)
    assert len(bench.posts()) == 20


@pytest.mark.parametrize("status", [429, 503])
def test_trouble_in_a_batch_ends_like_trouble_alone(tmp_path: Path, status: int) -> None:
    """A busy or broken reply in the midst: every number has one order in the end."""
    with open_bench(tmp_path, pace=PACE) as bench:
        rule = {"action": "status", "status": status, "method": "POST", "probability": 0.2}
        bench.sandbox.set_faults({**rule, "processed": True} if status == 503 else rule)
        report = bench.apply(bench.creates(40))
        assert report.ok, report
        assert one_live_order_each(bench, 40)


def test_a_hold_takes_back_what_was_written_down_ahead(bench: Bench) -> None:
    """While the coordinator looks into what is in doubt nothing waits in the journal; then all is sent."""

    def see(writes: int) -> None:
        if writes == 12:
            run._throttle.hold()

    run = start(bench, 30, see)
    assert run.wait(30).ok
    by_kind = kinds(bench)
    assert by_kind.pop(("done", "status-201")) == 30
    assert set(by_kind) == {("not-sent", "halted")}
    assert one_live_order_each(bench, 30)
    assert len(bench.posts()) == 30


# -- how many at a time


class Rows:
    """So many creates, and one worker, in virtual time; `disk` is how long a commit is waited for."""

    def __init__(self, creates: int, *writes: str, takes: float, disk: float = 0.0) -> None:
        self.service = ToldService(*writes)
        self.service.takes = (takes, takes)
        self.world = World(Options(creates=creates), 0, service=self.service)
        coordinator = self.world.open()
        self.sender, self.throttle = coordinator.sender, coordinator.throttle
        self.world.journal.slow = lambda: self.world.time.sleep(disk)

    def work(self, *, workers: int = 1, most: int = 16) -> list[int]:
        """How many intents each commit had, when there is nothing left to be done."""
        (wave,) = Changes().waves(self.world.plan)
        Batches(wave, self.sender, self.throttle, workers=workers, most=most).work()
        return self.world.journal.together


@pytest.mark.parametrize(
    ("rows", "more", "expected"),
    [
        # each twice the last but one: the next one is on its way while one is sent
        (Rows(60, takes=1 / 32, disk=1 / 8), {}, [1, 2, 1, 4, 8, 16, 16, 12]),
        (Rows(24, takes=1 / 32, disk=1 / 8), {"most": 4}, [1, 2, 1, 4, 4, 4, 4, 4]),
        (Rows(13, takes=1 / 4), {}, [1, 2, 1, 2, 2, 2, 2, 1]),
        (Rows(40, takes=1 / 32, disk=1 / 8), {"workers": 4}, [1, 2, 1, 4, 8, 6, 4, 3, 2, 2, *[1] * 7]),
        (Rows(6, takes=1), {}, [1, 2, 1, 2]),
        (Rows(6, takes=1.5), {}, [1] * 6),
        (Rows(60, takes=3 / 16, disk=1 / 8), {}, [1, 2, 1, 4, 8, 16, 8, 4, 2, 4, 8, 2]),
        (Rows(60, *[""] * 12, "lost", takes=1 / 32, disk=1 / 8), {}, [1, 2, 1, 4, 8, 16, 8, 16, 4]),
    ],
    ids=["a slow disk", "few at most", "no wait", "four workers", "a second", "longer", "slow", "a doubt"],
)
def test_a_batch_is_as_small_as_it_can_be(rows: Rows, more: dict[str, int], expected: list[int]) -> None:
    """It grows while the disk is waited for, and shrinks where sending is slow or leaves a doubt; the
    last rows are shared out among the workers."""
    assert rows.work(**more) == expected


def test_a_run_writes_down_sixteen_together_at_most() -> None:
    """More is hardly faster and leaves more in doubt."""
    rows = Rows(120, takes=1 / 64, disk=1 / 8)
    coordinator = rows.world.open()
    coordinator.run()
    assert coordinator.sender.tally.counts == {"done": 120}
    assert max(rows.world.journal.together) == 16


def test_a_row_by_itself_leaves_the_next_one_to_who_is_free() -> None:
    """A second worker that comes while the first row is sent has all the others."""
    rows = Rows(4, takes=1 / 32)
    (wave,) = Changes().waves(rows.world.plan)
    batches = Batches(wave, rows.sender, rows.throttle, workers=2, most=16)
    arrived: list[str] = []

    def second(place: str, request: Request) -> None:
        if place == "arrived":
            arrived.append(dict(request.form)["PhoneNumber"])
            if len(arrived) == 1:
                batches.work()

    rows.service.in_flight = second
    batches.work()
    assert arrived == [step.phone_number for step in rows.world.plan.steps]


@pytest.mark.parametrize("place", ["before", "between"])
def test_a_run_that_stops_leaves_the_rest_unwritten(place: str) -> None:
    """What was written down ahead is taken back."""
    rows = Rows(30, takes=1 / 32, disk=1 / 8)
    if place == "before":
        rows.throttle.stop("by hand")
    rows.service.in_flight = lambda *_: len(rows.service.writes) == 6 and rows.throttle.stop("by hand")
    rows.work()
    sent = [one for one in rows.world.journal.attempts(RUN) if one.kind == "done"]
    halted = [one for one in rows.world.journal.attempts(RUN) if one.reason == "halted"]
    assert len(sent) == len(rows.service.writes) == (0 if place == "before" else 6)
    assert len(sent) + len(halted) == len(rows.world.journal.intents)
    assert (halted == []) is (place == "before")


def test_an_unexpected_error_leaves_no_row_to_another_worker() -> None:
    """As no other job of a pool starts after one; what was written ahead stays in doubt."""
    rows = Rows(30, takes=1 / 32, disk=1 / 8)

    def fail(*_: object) -> None:
        if len(rows.service.writes) == 6:
            raise ZeroDivisionError

    rows.service.in_flight = fail
    (wave,) = Changes().waves(rows.world.plan)
    batches = Batches(wave, rows.sender, rows.throttle, workers=1, most=16)
    with pytest.raises(ZeroDivisionError):
        batches.work()
    written = len(rows.world.journal.intents)
    batches.work()
    assert len(rows.service.writes) == 6
    assert len(rows.world.journal.intents) == written
    assert {one.kind for one in rows.world.journal.attempts(RUN)} == {"done", None}


def test_an_account_without_access_leaves_no_intent_behind() -> None:
    """Its other rows in the batch are ended unsent, and what was written down for them says so."""
    rows = Rows(1, takes=1 / 32, disk=1 / 8)
    other = {"account_sid": "AC" + "c" * 32}
    steps = [virtual_create(n) for n in range(30)]
    steps[8:] = [replace(step, after={**step.after, **other}) for step in steps[8:]]
    json = {"content-type": "application/json"}
    rows.service.next_writes.extend([""] * 8)
    rows.service.next_writes.append(Reply(403, json, b'{"code": 20003, "message": "no"}'))
    rows.world = World(Options(), 0, service=rows.service, steps=steps)
    rows.world.journal.slow = lambda: rows.world.time.sleep(1 / 8)
    coordinator = rows.world.open()
    rows.sender, rows.throttle = coordinator.sender, coordinator.throttle
    rows.work()
    assert coordinator.sender.tally.counts == {"done": 8, "refused": 22}
    kinds = Counter(one.kind for one in rows.world.journal.attempts(RUN))
    assert set(kinds) == {"done", "stop-run", "not-sent"}
    assert len(rows.service.writes) == 9


def test_a_row_that_may_not_share_goes_by_itself() -> None:
    """Between those that may: an update behind a create needs its order first."""
    rows = Rows(1, takes=1 / 32, disk=1 / 8)
    late = {"friendly_name": "Late"}
    steps = [virtual_create(n) for n in range(12)]
    steps += [Step(n + 2, Action.UPDATE, steps[n].phone_number, after=late) for n in (4, 5, 9)]
    rows.world = World(Options(), 0, service=rows.service, steps=steps)
    rows.world.journal.slow = lambda: rows.world.time.sleep(1 / 8)
    coordinator = rows.world.open()
    rows.sender, rows.throttle = coordinator.sender, coordinator.throttle
    rows.work()
    assert coordinator.sender.tally.counts == {"done": 15}
    alone = {n for n, step in enumerate(rows.world.plan.steps) if step.row in (6, 7, 11)}
    commits = iter(rows.world.journal.intents)
    shared = [[next(commits).step for _ in range(size)] for size in rows.world.journal.together]
    assert max(len(steps) for steps in shared) > 1
    assert all(len(steps) == 1 or not alone.intersection(steps) for steps in shared)
