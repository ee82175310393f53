"""What is sent, sent again, put off or given up: whatever the service answers, no row is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_service import ACCOUNT, ToldService
from run_bench import Bench, create, number, open_bench
from simulation import RUN, Options, World
from simulation import create as virtual_create

from hnbulk import failpoints, wire
from hnbulk.apply import Changes
from hnbulk.attempts import Doubt, sent_before
from hnbulk.clocks import SteppedClock
from hnbulk.engine import Means, resume, start
from hnbulk.entries import Ended, Intent, Result
from hnbulk.lookups import Lookups
from hnbulk.messages import Failure, FailureKind, Phase, Reply, Request
from hnbulk.outcome import Outcome, OutcomeKind
from hnbulk.planfile import PlanFile
from hnbulk.progress import Report, Tally
from hnbulk.sending import Sender
from hnbulk.steps import Action, Step
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


# -- one act, whatever its request meets


class One:
    """One row at its sender, in virtual time; its requests meet what they are told to."""

    def __init__(self, *writes: str | Reply | Failure, steps: Sequence[Step] | None = None) -> None:
        self.service = ToldService(*writes)
        options = Options(creates=1)
        self.world = World(options, 0, service=self.service, steps=steps)
        self.open()

    def open(self, *, resumed: bool = False) -> None:
        """A process has it in hand."""
        coordinator = self.world.open(resumed=resumed)
        self.sender, self.throttle = coordinator.sender, coordinator.throttle
        (wave,) = coordinator.work.waves(self.world.plan)
        self.chains = wave

    def perform(self) -> list[tuple[str, str | None]]:
        """The rows are sent; state and code of each that has them."""
        for chain in sorted(self.chains, key=lambda chain: chain[0].first):
            self.sender.perform(chain)
        return [(str(one.state), one.code) for one in self.world.journal.endings(RUN)]

    def attempts(self) -> list[tuple[str | None, str | None]]:
        """What is known of each."""
        return [(one.kind, one.reason) for one in self.world.journal.attempts(RUN)]


JSON = {"content-type": "application/json"}
NO = Reply(400, JSON, b'{"code": 22102, "message": "no"}')
TAKEN = Reply(400, JSON, b'{"code": 22110, "message": "not hostable"}')
FORBIDDEN = Reply(403, JSON, b'{"code": 20003, "message": "no"}')
BUSY = Reply(429, JSON, b'{"code": 20429, "message": "busy"}')
DOWN = Failure(FailureKind.CONNECT, Phase.BEFORE_SEND)
HALF = Reply(200, JSON, b'{"items": [')


def virtual(n: int = 0, **fields: Any) -> Step:
    """The create of the nth number of the simulated world."""
    return replace(virtual_create(n), **fields)


@pytest.mark.parametrize(("answer", "tries"), [(DOWN, 5), (BUSY, 10), (FORBIDDEN, 3)])
def test_what_was_not_carried_out_is_tried_so_often(answer: Reply | Failure, tries: int) -> None:
    """Not sent five times, busy ten times, forbidden three times; then it is pending."""
    for calls in (tries - 1, tries):
        one = One(*[answer] * calls)
        done = one.perform()
        assert done == ([("done", None)] if calls < tries else [])
        assert len(one.attempts()) == tries
        kinds = {kind for kind, _ in one.attempts()} - {"done"}
        assert len(kinds) == 1
        assert one.sender.doubts == []


def test_a_call_is_tried_three_times_where_the_service_is_busy() -> None:
    """Not ten times: somebody may have had it called meanwhile."""
    service = ToldService(*[BUSY] * 3)
    record = service.make("+15015550300", "old", by="before", status="received")
    step = Step(2, Action.VERIFY, record.phone_number, record.sid, {}, {}, {"wave": 0})
    world = World(Options(creates=0, calls=1), 0, service=service, steps=[step])
    sender = world.open().sender
    sender.perform((Act((0,)),))
    assert [one.reason for one in world.journal.attempts(RUN)] == ["busy"] * 3


def test_a_busy_request_is_given_ten_minutes() -> None:
    """A wait that would end after them is not begun."""
    after = Reply(429, {**JSON, "retry-after": "290"}, BUSY.body)
    one = One(*[after] * 9)
    assert one.perform() == []
    assert len(one.attempts()) == 2
    assert one.world.time.seconds < 600


def test_a_request_that_must_not_be_repeated_is_not() -> None:
    """The service said to stop: the run does, and the row is pending."""
    one = One(Reply(401, JSON, b'{"code": 20003, "message": "no"}'))
    assert one.perform() == []
    assert (one.throttle.exit_code, one.attempts()) == (7, [("stop-run", "status-401")])


def test_a_redirect_stops_the_run_and_may_have_been_carried_out() -> None:
    """It is in doubt."""
    one = One(Reply(307, {"location": "https://elsewhere.example/"}))
    assert one.perform() == [("in-doubt", "redirect")]
    assert (one.throttle.exit_code, len(one.sender.doubts)) == (6, 1)
    assert one.sender.known(one.chains[0][0]).possible == 1


def test_retries_end_with_their_budget() -> None:
    """The row is pending; one that is sent again is tried once then."""
    one = One(*[DOWN] * 3)
    while one.throttle.may_retry(Outcome(OutcomeKind.NOT_SENT, "connect")):
        pass
    assert one.perform() == []
    assert len(one.attempts()) == 1


def test_a_doubt_is_all_that_a_look_up_needs() -> None:
    """Since when, by both clocks, and what was seen before it."""
    one = One("lost")
    assert one.perform() == [("in-doubt", "read")]
    (doubt,) = one.sender.doubts
    assert (doubt.chain, doubt.act, doubt.attempt) == (one.chains[0], one.chains[0][0], 0)
    assert (doubt.since, doubt.since_mono) == (one.world.time.now(), one.world.time.seconds)
    assert (doubt.refused, doubt.empty_looks, doubt.fence) == (None, 0, {})
    known = one.sender.known(doubt.act)
    assert (known.attempts, known.possible) == (1, 1)
    assert one.sender.tally.sent == 1


@pytest.mark.parametrize("possible", [False, True])
def test_a_no_is_believed_unless_something_may_have_been_carried_out(possible: bool) -> None:
    """Then it is in doubt, keeps the service's no, and counts as one that may have been, too."""
    one = One(NO)
    (act,) = one.chains[0]
    one.sender.known(act).possible = int(possible)
    assert one.perform() == [("in-doubt", "status-400") if possible else ("refused", "22102")]
    assert [doubt.refused and doubt.refused.code for doubt in one.sender.doubts] == [22102] * possible
    assert one.sender.known(act).possible == 2 * possible
    assert one.attempts() == [("rejected", "status-400")]


def test_a_refused_update_after_one_in_doubt_is_judged_by_the_order() -> None:
    """As before: it was refused. As wanted: it is done."""
    for name, expected in (("Old", ("refused", "22102")), ("New", ("done", None))):
        one = One(NO)
        record = one.service.make(
            "+15015550001", "old", by="before", friendly_name="Old", status="received"
        )
        step = Step(2, Action.UPDATE, record.phone_number, record.sid, {"friendly_name": "Old"})
        one.world = World(
            Options(), 0, service=one.service, steps=[replace(step, after={"friendly_name": "New"})]
        )
        one.open()
        one.sender.known(Act((0,))).possible = 1

        def rename(place: str, _request: Request, record: Any = record, name: str = name) -> None:
            record.friendly_name = name

        one.service.in_flight = rename
        assert one.perform() == [expected]


@pytest.mark.parametrize(("reads", "left"), [(0, 0), (5, 1)])
def test_a_taken_number_that_cannot_be_looked_at_is_put_off(reads: int, left: int) -> None:
    """As if its request was not processed, to be tried once more; where it can be, it is refused."""
    one = One(TAKEN)
    one.service.in_flight = lambda *_: one.service.next_reads.extend([HALF] * reads)
    assert one.perform() == ([] if reads else [("refused", "22110")])
    assert one.attempts() == [("not-processed" if reads else "rejected", "status-400")]
    assert (len(one.sender.take_left()), one.sender.take_left()) == (left, [])
    assert one.sender.known(one.chains[0][0]).possible == 0


def test_a_taken_number_is_not_looked_at_any_more_by_a_run_that_stops() -> None:
    """Pending, and not left to be tried by this run."""
    one = One(TAKEN)
    one.service.in_flight = lambda place, _: place == "arrived" and one.throttle.stop("by hand")
    assert one.perform() == []
    assert (one.attempts(), one.sender.take_left()) == ([("not-processed", "status-400")], [])


@pytest.mark.parametrize(
    ("answer", "stops"), [(HALF, False), (Reply(403, JSON, FORBIDDEN.body), True)], ids=["unread", "403"]
)
def test_an_update_whose_effect_cannot_be_looked_at_is_in_doubt(answer: Reply, stops: bool) -> None:
    """Its reply did not show it; where access is refused the run stops besides."""
    one = One()
    record = one.service.make("+15015550001", "old", by="before", status="received")
    step = Step(2, Action.UPDATE, record.phone_number, record.sid, {}, {"friendly_name": "New"})
    one.world = World(Options(), 0, service=one.service, steps=[step])
    one.open()
    shown = {"sid": record.sid, "account_sid": ACCOUNT, "phone_number": record.phone_number}
    one.service.next_writes.append(Reply(200, JSON, json.dumps(shown).encode()))
    one.service.in_flight = lambda *_: one.service.next_reads.extend([answer] * 5)
    assert one.perform() == [("in-doubt", "status-200")]
    assert (len(one.sender.doubts), one.throttle.stopping) == (1, stops)
    assert one.throttle.exit_code == (7 if stops else 0)


def test_a_read_that_is_forbidden_counts_like_a_request() -> None:
    """Three in a row stop the run, with what the service said; of another account, its rows end."""
    one = One()
    one.world.time.sleep(100)  # the plan is not fresh any more
    one.service.next_reads.extend([FORBIDDEN] * 3)
    assert one.perform() == []
    assert (one.throttle.exit_code, one.service.writes) == (7, [])
    assert "status-403, code 20003" in one.throttle.reason
    other = One(steps=[virtual(after={**virtual().after, "account_sid": "AC" + "c" * 32}), virtual(1)])
    other.world.time.sleep(100)
    other.service.next_reads.append(FORBIDDEN)
    assert other.perform() == [("refused", "no-access"), ("done", None)]


def test_a_read_that_needs_credentials_stops_the_run() -> None:
    """At once."""
    one = One()
    one.world.time.sleep(100)
    one.service.next_reads.append(Reply(401, JSON, FORBIDDEN.body))
    assert one.perform() == []
    assert (one.throttle.exit_code, one.service.reads) == (7, 1)


def test_a_row_that_cannot_be_asked_about_is_left() -> None:
    """Once, and nothing is sent."""
    one = One()
    one.world.time.sleep(100)
    one.service.next_reads.extend([HALF] * 5)
    assert one.perform() == []
    assert (one.sender.take_left(), one.sender.take_left()) == ([one.chains[0]], [])
    assert one.service.writes == []


# -- what an earlier process has sent


def earlier(one: One, *kinds: tuple[str, str], mark: str | None = None) -> None:
    """The journal has so many attempts of the row, of these outcomes."""
    now = one.world.time.now()
    for n, (kind, reason) in enumerate(kinds, 1):
        request = wire.create_order(
            wire.PREVIEW, {"phone_number": virtual().phone_number, **virtual().after}
        )
        intent = Intent(0, n, "create", mark or request.fingerprint(), now, 0.0)
        (attempt,) = one.world.journal.intend_soon(RUN, [intent])()
        one.world.journal.record(RUN, results=[Result(attempt, kind, reason, now)])
    one.sender.sent[Act((0,))] = sent_before(one.world.journal.attempts(RUN))


ABSENT = ("absent", "not-there")


def test_what_was_proved_absent_twice_is_not_sent_again() -> None:
    """Once, it is: with a look before, and as the second."""
    one = One()
    earlier(one, ABSENT)
    assert one.perform() == [("done", None)]
    assert (len(one.service.writes), one.service.reads) == (1, 2)
    one = One()
    earlier(one, ABSENT, ABSENT)
    assert one.perform() == [("review", "not-there")]
    assert one.service.starts == []


def test_another_request_than_the_first_is_never_sent() -> None:
    """The row is for a person."""
    one = One()
    earlier(one, ("not-sent", "halted"), mark="other")
    assert one.perform() == [("review", "changed")]
    assert one.service.writes == []


@pytest.mark.parametrize(("before", "taken_over"), [([], 1), ([("not-sent", "halted")], 1), ([ABSENT], 0)])
def test_an_order_that_was_there_is_taken_over_unless_we_may_have_made_it(
    before: list[tuple[str, str]], taken_over: int
) -> None:
    """Either way it is adopted."""
    one = One()
    one.service.make(virtual().phone_number, "hn1-sim-0", by="us")
    one.world.time.sleep(100)
    earlier(one, *before)
    assert one.perform() == [("done", "adopted")]
    assert one.sender.taken_over == taken_over


def test_what_follows_a_step_that_failed_is_refused_with_it() -> None:
    """What follows one that is done is sent, on the order just made."""
    steps = [virtual(), Step(2, Action.UPDATE, virtual().phone_number, after={"friendly_name": "Late"})]
    one = One(NO, steps=steps)
    assert one.perform() == [("refused", "22102"), ("refused", "no-order")]
    assert "the step before it failed" in (one.world.journal.endings(RUN)[1].message or "")
    one = One("", "", steps=steps)
    assert one.perform() == [("done", None), ("done", None)]
    one = One("lost", steps=steps)
    assert one.perform() == [("in-doubt", "read")]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([DOWN] * 5, []),
        ([BUSY] * 10, []),
        ([Reply(401, JSON, FORBIDDEN.body)], []),
        ([Reply(429, {**JSON, "retry-after": "301"}, BUSY.body)], []),
        (["lost"], [("in-doubt", "read")]),
        ([Reply(307, {"location": "https://elsewhere.example/"})], [("in-doubt", "redirect")]),
        ([Reply(201, JSON, b'{"sid": "HR1"}')], [("in-doubt", "identity-mismatch")]),
    ],
)
def test_what_follows_a_step_that_has_not_ended_is_left_as_it_is(
    answers: list[str | Reply | Failure], expected: list[tuple[str, str | None]]
) -> None:
    """Pending, with the step before it."""
    steps = [virtual(), Step(2, Action.UPDATE, virtual().phone_number, after={"friendly_name": "Late"})]
    assert One(*answers, steps=steps).perform() == expected
    one = One(*answers, steps=steps)
    one.throttle.stop("by hand")
    assert one.perform() == []


def test_a_row_that_cannot_be_asked_about_leaves_what_follows_it() -> None:
    """The chain as a whole is tried once more."""
    steps = [virtual(), Step(2, Action.UPDATE, virtual().phone_number, after={"friendly_name": "Late"})]
    one = One(TAKEN, steps=steps)
    one.service.in_flight = lambda *_: one.service.next_reads.extend([HALF] * 5)
    assert one.perform() == []
    assert one.sender.take_left() == list(one.chains)


def test_a_no_that_is_looked_into_and_stays_open_is_in_doubt() -> None:
    """The first of two requests may have been carried out: what follows waits."""
    steps = [virtual(), Step(2, Action.UPDATE, virtual().phone_number, after={"friendly_name": "Late"})]
    one = One(NO, steps=steps)
    one.sender.known(one.chains[0][0]).possible = 1
    assert one.perform() == [("in-doubt", "status-400")]


def test_a_stop_before_the_request_starts_leaves_nothing_in_doubt() -> None:
    """Its intent is recorded as not sent."""
    one = One()

    def stop(place: str) -> None:
        if place == "after_intent":
            one.throttle.stop("by hand")

    with failpoints.on(stop):
        assert one.perform() == []
    assert (one.attempts(), one.service.writes) == ([("not-sent", "halted")], [])


def test_a_pace_of_a_request_in_two_minutes_is_kept_and_sends() -> None:
    """What was seen is too old each time: after three waits the request goes out all the same."""
    one = One(steps=[virtual(), virtual(1)])
    one.world.options = replace(one.world.options, rate=1 / 120)
    one.open()
    assert one.perform() == [("done", None)] * 2
    waited = [reason for _, reason in one.attempts() if reason == "waited"]
    assert len(waited) == 3
    assert len(one.service.writes) == 2


def test_twenty_refusals_stop_the_run_and_twenty_done_do_not() -> None:
    """Half of them are enough; orders that were there already are none."""
    for answers, stops in ((["", NO] * 10, True), ([""] * 20, False)):
        one = One(*answers, steps=[virtual(n) for n in range(20)])
        one.perform()
        assert one.throttle.stopping is stops
    one = One(*[TAKEN] * 20, steps=[virtual(n) for n in range(20)])
    for n in range(20):
        one.service.make(virtual(n).phone_number, f"hn1-sim-{n}", by="us")
    assert one.perform() == [("done", "adopted")] * 20
    assert (one.throttle.stopping, one.sender.taken_over) == (False, 20)


# -- a journal that fails


def test_nothing_is_sent_while_the_journal_cannot_be_written() -> None:
    """The run stops, and says why."""
    one = One()
    one.world.journal.failing = True
    one.sender.perform(one.chains[0])
    assert (one.service.writes, one.throttle.exit_code) == ([], 6)
    assert "the journal cannot be written" in one.throttle.reason


def test_no_request_leaves_without_its_intent() -> None:
    """The disk is full: nothing is sent, nothing counts."""
    one = One()
    one.world.journal.full = 1.0
    one.sender.perform(one.chains[0])
    assert (one.service.writes, one.throttle.stopping) == ([], True)
    assert one.sender.tally.sent == 0


# -- several ahead of their turn


@pytest.mark.parametrize("stops", ["before", "meanwhile"])
def test_a_run_that_stops_prepares_nothing_ahead(stops: str) -> None:
    """Nothing is written down any more."""
    one = One(steps=[virtual(n) for n in range(3)])
    one.world.time.sleep(100)
    if stops == "before":
        one.throttle.stop("by hand")
    one.service.look = lambda *_: one.throttle.stop("by hand")
    one.sender.intend_together(one.chains)()
    assert one.world.journal.intents == []
    assert one.service.reads == (stops == "meanwhile")


def test_behind_a_row_that_cannot_be_prepared_none_is_and_its_turn_meets_why() -> None:
    """Those before it are written down, or have ended because they need no request."""
    one = One(steps=[virtual(n) for n in range(4)])
    one.service.make(virtual(0).phone_number, "hn1-sim-0", by="us")
    one.world.time.sleep(100)
    one.service.next_reads.extend(["", "", *[HALF] * 5])
    chains = sorted(one.chains, key=lambda chain: chain[0].first)
    one.sender.intend_together(chains)()
    assert [intent.step for intent in one.world.journal.intents] == [1]
    assert [(end.step, end.code) for end in one.world.journal.endings(RUN)] == [(0, "adopted")]
    reads = one.service.reads
    one.sender.perform(chains[2])
    assert (one.sender.take_left(), one.service.reads) == ([chains[2]], reads)
    one.sender.take_back(chains)
    assert one.attempts() == [("not-sent", "halted")]
    one.world.journal.failing = True
    one.sender.intend_together(chains[3:])()
    assert len(one.world.journal.intents) == 1


def test_only_single_creates_that_were_never_sent_share_a_commit() -> None:
    """And only where orders have a name."""
    late = Step(2, Action.UPDATE, virtual().phone_number, after={"friendly_name": "Late"})
    one = One(steps=[virtual(), late, virtual(1), virtual(2)])
    (record,) = [one.service.make("+15015550009", "old", by="before")]
    change = Step(11, Action.UPDATE, record.phone_number, record.sid, {}, {"friendly_name": "New"})
    one.world = World(
        Options(), 0, service=one.service, steps=[virtual(), late, virtual(1), virtual(2), change]
    )
    one.open()
    chains = {chain[0].first: chain for chain in one.chains}
    steps = one.world.plan.steps
    single = [
        n
        for n, step in enumerate(steps)
        if step.phone_number in (virtual(1).phone_number, virtual(2).phone_number)
    ]
    assert [n for n, chain in sorted(chains.items()) if one.sender.may_share(chain)] == single
    one.sender.known(chains[single[0]][0]).attempts = 1
    one.sender.known(chains[single[1]][0])
    assert [one.sender.may_share(chains[n]) for n in single] == [False, True]
    one.sender.desk.lookups.dialect = replace(wire.PREVIEW, has_unique_name=False)
    assert not one.sender.may_share(chains[single[1]])


@pytest.mark.parametrize(
    ("doubts", "sent", "many"), [(20, 0, False), (21, 0, True), (30, 600, False), (31, 600, True)]
)
def test_more_than_twenty_and_a_twentieth_in_doubt_are_too_many(doubts: int, sent: int, many: bool) -> None:
    """Of all that was sent, by this process and the ones before."""
    one = One()
    now = one.world.time.now()
    one.sender.doubts = [Doubt((), Act((n,)), n, {}, now, 0.0) for n in range(doubts)]
    one.sender.sent_earlier = max(0, sent - 1)
    one.sender.tally.add_sent()
    assert one.sender.too_many_doubts is many


def test_a_create_remembers_what_it_was_and_no_other_step_does() -> None:
    """By hashes, so that the next plan knows what was refused; but for an account that let nobody in."""
    noted: list[Ended] = []
    one = One(NO)
    record = one.world.journal.record

    def note(run_id: str, *, results: Any = (), endings: Any = ()) -> None:
        noted.extend(endings)
        record(run_id, results=results, endings=endings)

    one.world.journal.record = note  # type: ignore[method-assign]
    one.perform()
    step = one.world.plan.steps[0]
    assert [(end.content, end.number) for end in noted] == [(step.content_hash(), step.number_hash())]


def test_the_places_where_a_process_may_die_are_passed_in_order() -> None:
    """Around one request."""
    one = One("", "lost", steps=[virtual(), virtual(1)])
    passed: list[str] = []
    with failpoints.on(passed.append):
        one.perform()
    around = ["before_intent", "after_intent", "after_response", "before_outcome"]
    flushed = [place for place in passed if place != "outcome_durable"]
    assert flushed == [*around, "after_outcome", *around]
