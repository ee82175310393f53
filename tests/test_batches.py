"""Several creates share a commit, and still each is written down before it leaves and sent once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_bench import PACE, Bench, number, open_bench

from hnbulk import engine
from hnbulk.apply import Changes
from hnbulk.engine import Run
from hnbulk.errors import RunInterrupted
from hnbulk.messages import Failure, Reply, Request
from hnbulk.progress import Progress
from hnbulk.settings import Pace

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


def test_a_pause_leaves_nothing_in_doubt(bench: Bench) -> None:
    """Intents whose turn has not come are taken back before the wait begins; later they are sent once."""

    def see(writes: int) -> None:
        if writes == 12:
            run.pause()

    run = start(bench, 30, see)
    for _ in range(100):
        if run.progress.done == 12 and not waiting(bench):
            break
        with pytest.raises(TimeoutError):
            run.wait(0.05)
    assert len(bench.posts()) == 12
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
