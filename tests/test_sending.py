"""What is sent, sent again, put off or given up: whatever the service answers, no row is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, create, number, open_bench

from hnbulk import wire
from hnbulk.apply import Changes
from hnbulk.attempts import Doubt
from hnbulk.clocks import SteppedClock
from hnbulk.engine import Means, resume, start
from hnbulk.entries import Intent, Result
from hnbulk.lookups import Lookups
from hnbulk.messages import Failure, Reply, Request
from hnbulk.progress import Report, Tally
from hnbulk.sending import Sender
from hnbulk.steps import Action, PlanFile, Step
from hnbulk.throttle import Gate, Throttle
from hnbulk.work import Act, Desk

Order = dict[str, Any]


class Running(SteppedClock):
    """The bench's clock, saying that it runs by itself."""

    frozen = False


class Between:
    """The bench's client, with somebody on the line: `change` has a reply's orders, `before` a request."""

    def __init__(
        self,
        bench: Bench,
        change: Callable[[Order], object] = lambda _: None,
        before: Callable[[Request], object] = lambda _: None,
    ) -> None:
        self.base_url, self.account_sid = bench.client.base_url, bench.client.account_sid
        self._inner, self._change, self._before = bench.client, change, before

    def send(self, request: Request, **more: Any) -> Reply | Failure:
        self._before(request)
        result = self._inner.send(request, **more)
        if not isinstance(result, Reply) or not result.body.startswith(b"{"):
            return result
        body = json.loads(result.body)
        for order in body.get("items", [body]):
            self._change(order)
        return replace(result, body=json.dumps(body).encode())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def through(bench: Bench, client: Between) -> Means:
    return replace(bench.means, client=client)  # type: ignore[arg-type]


def on_a_running_clock(bench: Bench) -> Means:
    return replace(bench.means, clock=Running(bench.sandbox.clock.now, bench.sandbox.clock.advance))


def run(plan: PlanFile, means: Means) -> Report:
    return start(plan, Changes(), means, approve=plan.checksum).wait(30)


def ended(bench: Bench, report: Report) -> list[tuple[str, str | None]]:
    return [(str(one.state), one.code) for one in bench.journal.endings(report.run_id)]


# -- a refusal that an earlier attempt may have caused


def test_a_refusal_for_an_order_that_shows_late_is_adopted(bench: Bench) -> None:
    """The first request was carried out at the end of the settle window, and lists are behind."""
    bench.sandbox.set_faults(
        {"action": "late", "seconds": 119, "method": "POST", "nth": 1},
        {"action": "list_lag", "seconds": 10, "probability": 1.0},
    )
    report = bench.apply(bench.creates(1))
    assert (ended(bench, report), len(bench.truth()[number(0)])) == ([("done", "adopted")], 1)
    assert len(bench.posts()) == 2


@pytest.mark.parametrize(("status", "code"), [(400, 22110), (400, 22102), (409, 20409)])
def test_a_refusal_after_a_lost_request_is_left_to_a_person(bench: Bench, status: int, code: int) -> None:
    """Whatever it says: nothing is there, and nothing is sent a third time."""
    bench.sandbox.set_faults(
        {"action": "reset_before", "method": "POST", "nth": 1},
        {"action": "status", "status": status, "code": code, "method": "POST", "nth": 2},
    )
    report = bench.apply(bench.creates(1))
    (ending,) = bench.journal.endings(report.run_id)
    assert (ending.state, ending.code, len(bench.posts())) == ("review", "not-there", 2)
    assert str(code) in (ending.message or "")


def test_a_resume_decides_a_refusal_in_doubt_the_same_way(bench: Bench) -> None:
    """Its run died meanwhile: the order that is there is adopted, nothing is sent."""
    plan, now = bench.creates(1), bench.clock.now()
    bench.journal.begin("r0", plan, kind="orders", at=now, options={})
    for n in (1, 2):
        (attempt,) = bench.journal.intend("r0", [Intent(0, n, "create", "f", now, 0.0)])
        kind, reason = ("absent", "not-there") if n == 1 else ("rejected", "status-400")
        bench.journal.record("r0", results=[Result(attempt, kind, reason, now, code=22110)])
    bench.client.send(
        wire.create_order(wire.PREVIEW, {"phone_number": number(0), "unique_name": "hn1-test-0"})
    )
    sent = len(bench.posts())
    assert bench.resume("r0").ok
    assert len(bench.posts()) == sent


def test_a_taken_number_is_not_refused_by_a_run_that_stops(bench: Bench) -> None:
    """It could not look whose order is there: the row is pending, and the resume looks."""
    bench.client.send(
        wire.create_order(wire.PREVIEW, {"phone_number": number(0), "unique_name": "hn1-test-0"})
    )
    reads = {"action": "reset_before", "method": "GET", "probability": 1.0}

    def cut(request: Request) -> None:
        if request.method == "POST":
            bench.sandbox.set_faults(reads)

    plan = bench.creates(1)
    bench.advance(seconds=1)
    report = run(
        plan, replace(through(bench, Between(bench, before=cut)), clock=on_a_running_clock(bench).clock)
    )
    assert (report.exit_code, report.counts) == (6, {"pending": 1})
    bench.sandbox.set_faults()
    assert bench.resume(report.run_id).ok
    assert len(bench.truth()[number(0)]) == 1


# -- a service that does not keep what it is sent


@pytest.mark.parametrize("kept", [None, "hn1-te"], ids=["no name", "a part of it"])
def test_a_service_that_does_not_keep_names_gets_the_first_rows_only(
    bench: Bench, kept: str | None
) -> None:
    """And says so; the resume sends nothing more."""
    client = Between(bench, lambda order: order.update(unique_name=kept))
    report = run(bench.creates(40), through(bench, client))
    assert (report.state, report.counts) == ("stopped", {"pending": 35, "conflict": 5})
    assert "does not keep what was sent" in report.message
    assert {code for _, code in ended(bench, report)} == {"name-not-kept"}
    again = resume(report.run_id, Changes(), through(bench, client)).wait(30)
    assert (again.state, len(bench.posts())) == ("stopped", 5)


def test_an_older_order_without_a_name_is_a_stranger(bench: Bench) -> None:
    """Somebody made it by hand, before this run."""
    bench.client.send(wire.create_order(wire.PREVIEW, {"phone_number": number(0)}))
    bench.advance(seconds=1)
    report = bench.apply(bench.creates(1))
    assert ended(bench, report) == [("conflict", "not-ours")]


@pytest.mark.filterwarnings("ignore::hnbulk.models.UnreadableDateWarning")
def test_a_reply_that_proves_the_order_is_done_whatever_else_it_says(bench: Bench) -> None:
    """A date that is none, a list that is a number: the row is done and the run goes on."""

    def spoil(order: Order) -> None:
        if order.get("phone_number") == number(2):
            order.update(date_created="yesterday", cc_emails=7)

    report = run(bench.creates(12), through(bench, Between(bench, spoil)))
    assert (report.exit_code, report.counts, len(bench.posts())) == (0, {"done": 12}, 12)


# -- a service that cannot be asked


@pytest.mark.parametrize("content", ["nan", "utf8", "half", "null", "list"])
def test_a_list_that_cannot_be_read_once_stops_nothing(bench: Bench, content: str) -> None:
    """It is read again."""
    bench.sandbox.set_faults({"action": "garbage", "content": content, "method": "GET", "nth": 1})
    assert bench.apply(bench.creates(12)).ok


def test_a_short_outage_of_reads_is_waited_out(bench: Bench) -> None:
    """The breaker opens and closes again; every row is done, and no time is spun away."""
    plan, means = bench.creates(40), on_a_running_clock(bench)
    bench.advance(seconds=100)
    bench.sandbox.set_faults({"action": "reset_before", "method": "GET", "nth": list(range(15, 22))})
    report = run(plan, replace(means, pace=replace(bench.pace, connections=1, most_connections=1)))
    assert (report.exit_code, report.counts) == (0, {"done": 40})
    assert len(bench.reads()) < 40 + 40
    assert 30 <= bench.ticks.now - 1000 < 300


def test_a_storm_of_busy_replies_to_reads_is_waited_out(bench: Bench) -> None:
    """Nine in a row for each row, and all of them are done."""
    plan, means = bench.creates(12), on_a_running_clock(bench)
    bench.advance(seconds=100)
    nth = [n for n in range(2, 120) if n % 10]
    bench.sandbox.set_faults({"action": "status", "status": 429, "method": "GET", "nth": nth})
    assert run(plan, means).counts == {"done": 12}


def test_rows_that_cannot_be_asked_about_are_left_and_the_others_done(bench: Bench) -> None:
    """The run ends, to be resumed, and has not asked without end."""
    plan = bench.creates(30)
    bench.advance(seconds=100)
    asked: list[str] = []

    def deaf(request: Request) -> None:
        about = dict(request.query).get("PhoneNumber", "")
        asked.extend([about] if about == number(20) else [])
        broken = {"action": "status", "status": 500, "method": "GET", "nth": 1}
        bench.sandbox.set_faults(*([broken] if about == number(20) else []))

    pace = replace(bench.pace, connections=1, most_connections=1)
    means = replace(on_a_running_clock(bench), client=Between(bench, before=deaf), pace=pace)  # type: ignore[arg-type]
    report = run(plan, means)
    assert (report.exit_code, report.counts) == (6, {"pending": 1, "done": 29})
    assert len(asked) == 10
    assert bench.resume(report.run_id).ok


def test_ten_rows_in_a_row_that_cannot_be_asked_about_end_the_run(bench: Bench) -> None:
    """Small reads are answered, so that the breaker closes each time: another rule has to stop it."""
    plan = bench.creates(30)
    bench.advance(seconds=100)

    def deaf(request: Request) -> None:
        broken = {"action": "status", "status": 500, "method": "GET", "nth": 1}
        asks = len(bench.posts()) >= 5 and "PhoneNumber" in dict(request.query)
        bench.sandbox.set_faults(*([broken] if asks else []))

    pace = replace(bench.pace, connections=1, most_connections=1)
    means = replace(on_a_running_clock(bench), client=Between(bench, before=deaf), pace=pace)  # type: ignore[arg-type]
    report = run(plan, means)
    assert (report.exit_code, report.counts) == (6, {"pending": 25, "done": 5})
    assert "10 rows in a row" in report.message
    assert len(bench.reads()) <= 5 + 10 * 6


def test_the_first_wait_of_a_busy_request_is_the_shortest(bench: Bench) -> None:
    """Up to a second, then up to two; at even chance half of that."""
    bench.sandbox.set_faults({"action": "status", "status": 429, "method": "POST", "nth": [1, 2]})
    assert bench.apply(bench.creates(1)).ok
    assert bench.ticks.now - 1000 == pytest.approx(0.5 + 1.0)


# -- what was seen grows old


def unseen_in_lists(bench: Bench, rival: Callable[[], object]) -> Means:
    """A rival makes an order right after the run has read its list of all."""
    done: list[bool] = []

    def create_behind(request: Request) -> None:
        if (request.method == "POST" or "PhoneNumber" in dict(request.query)) and not done:
            done.append(True)
            rival()

    return replace(
        on_a_running_clock(bench),
        client=Between(bench, before=create_behind),  # type: ignore[arg-type]
    )


def test_a_long_list_is_no_proof_that_a_number_is_free(tmp_path: Path) -> None:
    """Of 200 rows each is looked at by its number, right before it is sent."""
    with open_bench(tmp_path) as bench:
        plan = bench.plan([create(n) for n in range(200)])
        bench.advance(seconds=100)
        params = {"phone_number": number(120), "unique_name": "rival"}
        means = unseen_in_lists(bench, lambda: bench.client.send(wire.create_order(wire.PREVIEW, params)))
        report = run(plan, means)
        rows = bench.journal.endings(report.run_id)
        assert (rows[120].state, rows[120].code) == ("conflict", "not-ours")
        tried = [line for line in bench.posts() if line["sent"] == 400]
        assert tried == []


def test_a_request_that_has_waited_long_is_prepared_again(bench: Bench) -> None:
    """At a slow pace, somebody is quicker: the row is looked at again and not sent."""
    plan = bench.creates(8)
    bench.advance(seconds=100)
    slept: list[float] = []
    posts: list[int] = []

    def hold(request: Request) -> None:
        if request.method == "POST":
            posts.append(1)
        if len(posts) == 6 and request.method == "GET" and not slept:
            slept.append(70.0)

    gate = Slow(bench, slept)
    means = replace(on_a_running_clock(bench), client=Between(bench, before=hold), gate=gate)  # type: ignore[arg-type]
    means = replace(means, pace=replace(bench.pace, connections=1, most_connections=1))
    report = run(plan, means)
    assert report.ok
    waited = [one for one in bench.journal.attempts(report.run_id) if one.reason == "waited"]
    assert [(one.kind, one.n) for one in waited] == [("not-sent", 1)]
    assert len(bench.posts()) == 8


class Slow(Gate):
    """A gate that once makes a request wait as long as it is told."""

    def __init__(self, bench: Bench, waits: list[float]) -> None:
        super().__init__(None, monotonic=bench.ticks.monotonic, sleep=bench.ticks.sleep)
        self._waits = waits

    def enter(self, stopped: Callable[[], bool]) -> bool:
        if self._waits and self._waits[0]:
            self.sleep(self._waits[0])
            self._waits[0] = 0.0
        return super().enter(stopped)


# -- no access


def test_an_account_without_access_ends_its_own_rows_only(bench: Bench) -> None:
    """One request was refused; the other rows of that account were never sent."""
    other = bench.sandbox.subaccounts[0].sid
    steps = [create(n, **({"account_sid": other} if n % 2 else {})) for n in range(12)]

    def shut(request: Request) -> None:
        ours = dict(request.form).get("AccountSid") == other
        refuse = {"action": "status", "status": 403, "method": "POST", "nth": 1}
        bench.sandbox.set_faults(*([refuse] if ours else []))

    means = replace(
        through(bench, Between(bench, before=shut)),
        pace=replace(bench.pace, connections=1, most_connections=1),
    )
    report = run(bench.plan(steps), means)
    assert (report.exit_code, report.counts) == (3, {"done": 6, "refused": 6})
    assert ended(bench, report)[1] == ("refused", "no-access")
    assert [line["sent"] for line in bench.posts()].count(403) == 1
    assert bench.journal.refused() == {}


def test_the_plans_own_account_is_tried_three_times(bench: Bench) -> None:
    """Two 403 in a row are waited out, three end the run with exit 7."""
    rule = {"action": "status", "status": 403, "method": "POST"}
    bench.sandbox.set_faults({**rule, "nth": [1, 2, 4]})
    means = replace(bench.means, pace=replace(bench.pace, connections=1, most_connections=1))
    assert run(bench.creates(6), means).ok
    bench.sandbox.set_faults({**rule, "probability": 1.0})
    sent = len(bench.posts())
    report = run(bench.creates(6, first=10), means)
    assert (report.exit_code, report.counts, len(bench.posts()) - sent) == (7, {"pending": 6}, 3)


# -- how a resume goes on


def test_a_resume_with_five_rows_done_needs_no_canary(bench: Bench) -> None:
    """A row that stays in doubt among its first five holds nothing up."""
    bench.sandbox.set_faults({"action": "status", "status": 401, "method": "POST", "nth": 9})
    means = replace(bench.means, pace=replace(bench.pace, connections=1, most_connections=1))
    report = run(bench.creates(20), means)
    assert report.counts == {"pending": 12, "done": 8}
    bench.sandbox.set_faults(
        {"action": "reset_before", "method": "POST", "path": "Orders$", "nth": [1, 13]}
    )
    again = resume(report.run_id, Changes(), means).wait(30)
    assert (again.state, again.counts) == ("finished", {"done": 19, "review": 1})


def test_doubts_of_a_resumed_run_are_measured_by_all_it_sent(bench: Bench) -> None:
    """Twenty-five in doubt are a small part of six hundred."""
    now, throttle = bench.clock.now(), Throttle(bench.pace, bench.means.gate)
    desk = Desk(
        bench.creates(1),
        run_id="r0",
        lookups=Lookups(bench.client, wire.PREVIEW, throttle, now=bench.clock.now),
        history=bench.history,
        clock=bench.clock,
        began_at=now,
        settle=timedelta(seconds=120),
        resumed=True,
    )
    sender = Sender("r0", Changes(), desk, bench.client, bench.journal, throttle, Tally(1))
    sender.doubts = [Doubt((), Act((n,)), n, {}, now, 0.0) for n in range(25)]
    assert sender.too_many_doubts
    sender.sent_earlier = 600
    assert not sender.too_many_doubts


# -- what was made is shown late


def test_an_update_waits_for_the_order_made_before_it(bench: Bench) -> None:
    """A fetch does not find the new order for some seconds: it is looked for again, not given up."""
    first = create(0)
    second = Step(first.row, Action.UPDATE, first.phone_number, after={"extension": "12"}, before={})
    bench.sandbox.set_faults({"action": "list_lag", "seconds": 5, "fetch_too": True})

    def sleep(seconds: float) -> None:
        bench.ticks.sleep(seconds)
        bench.sandbox.clock.advance(seconds)

    gate = Gate(None, monotonic=bench.ticks.monotonic, sleep=sleep)
    report = run(bench.plan([first, second]), replace(on_a_running_clock(bench), gate=gate))
    assert (report.counts, len(bench.posts())) == ({"done": 2}, 2)
    assert bench.truth()[number(0)][0]["extension"] == "12"
