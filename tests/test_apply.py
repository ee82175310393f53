"""Creates leave exactly one live order a number; updates and cancels touch only what the plan saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, create, number, open_bench

from hnbulk import wire
from hnbulk.apply import Changes
from hnbulk.engine import start
from hnbulk.messages import Failure, Reply, Request
from hnbulk.sandbox import WorldSettings
from hnbulk.steps import Action, Ending, Step


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def only(bench: Bench, run_id: str) -> Ending:
    (ending,) = bench.journal.endings(run_id)
    return ending


def order_of(bench: Bench, n: int = 0) -> dict[str, Any]:
    (order,) = bench.truth()[number(n)]
    return order


def made(bench: Bench, n: int = 0, **after: Any) -> dict[str, Any]:
    """An order that is there already."""
    bench.apply(bench.plan([create(n, **after)], name=f"made {n}"))
    return order_of(bench, n)


def update(sid: str, before: dict[str, Any], after: dict[str, Any], n: int = 0) -> Step:
    return Step(n + 2, Action.UPDATE, number(n), sid, before, after)


def cancel(sid: str, status: str, n: int = 0) -> Step:
    return Step(None, Action.CANCEL, number(n), sid, precondition={"status": status})


# -- creates


def test_a_create_is_done_with_its_sid_and_status(bench: Bench) -> None:
    """And the history has it as our own write."""
    report = bench.apply(bench.creates(1))
    ending = only(bench, report.run_id)
    assert (ending.state, ending.sid, ending.status) == (
        "done",
        order_of(bench)["sid"],
        "twilio-processing",
    )
    assert [(event["source"], event["run_id"]) for event in bench.history.events()] == [
        ("own", report.run_id)
    ]


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ({"action": "reset_before"}, 2),
        ({"action": "reset_after"}, 1),
        ({"action": "truncated"}, 1),
        ({"action": "garbage", "content": "html"}, 1),
        ({"action": "status", "status": 500, "processed": True}, 1),
        ({"action": "status", "status": 503, "processed": False}, 2),
        ({"action": "status", "status": 429}, 2),
        ({"action": "late", "seconds": 100.0}, 1),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_whatever_happens_to_the_request_there_is_one_order(
    bench: Bench, fault: dict[str, Any], posts: int
) -> None:
    """A lost reply is found, a lost request is sent again, and never more than that."""
    bench.sandbox.set_faults({**fault, "method": "POST", "nth": 1})
    report = bench.apply(bench.creates(1))
    assert (report.exit_code, len(bench.truth()[number(0)]), len(bench.posts())) == (0, 1, posts)


def test_a_request_is_not_taken_as_absent_before_the_settle_window(bench: Bench) -> None:
    """The world has moved on by the whole window before the second request."""
    bench.sandbox.set_faults({"action": "reset_before", "method": "POST", "nth": 1})
    began = bench.clock.now()
    bench.apply(bench.creates(1))
    second = bench.posts()[1]
    assert (bench.clock.now() - began).total_seconds() >= 120
    looks = [line for line in bench.reads() if line["n"] < second["n"] and line["query"] != ["PageSize"]]
    assert {name for line in looks for name in line["query"]} >= {"UniqueName", "PhoneNumber"}


def test_a_create_is_sent_at_most_twice(bench: Bench) -> None:
    """Then a person has to look."""
    bench.sandbox.set_faults({"action": "reset_before", "method": "POST", "probability": 1.0})
    report = bench.apply(bench.creates(1))
    assert only(bench, report.run_id).state == "review"
    assert (report.exit_code, len(bench.posts())) == (3, 2)


def test_faults_all_over_leave_one_order_a_number(bench: Bench) -> None:
    """A third of the requests in trouble: what is done has its one order, and what was lost twice
    has none and is left to a person."""
    bench.sandbox.set_faults(
        {"action": "reset_after", "method": "POST", "probability": 0.1, "seed": 1},
        {"action": "reset_before", "method": "POST", "probability": 0.08, "seed": 2},
        {"action": "late", "seconds": 60, "method": "POST", "probability": 0.05, "seed": 3},
        {"action": "status", "status": 429, "method": "POST", "probability": 0.1, "seed": 4},
        {"action": "status", "status": 503, "probability": 0.05, "seed": 5},
    )
    report = bench.apply(bench.creates(80))
    truth = bench.truth()
    endings = bench.journal.endings(report.run_id)
    assert {str(ending.state) for ending in endings} <= {"done", "review"}
    assert [len(truth.get(number(n), [])) for n in range(80)] == [int(e.state == "done") for e in endings]
    assert report.counts["done"] >= 75


def test_our_own_order_is_adopted(bench: Bench) -> None:
    """Number, name and account are ours: done, and nothing was sent."""
    made(bench)
    sent = len(bench.posts())
    report = bench.apply(bench.plan([create(0)], name="another sheet", input_hash="1" * 64))
    assert (only(bench, report.run_id).code, len(bench.posts())) == ("adopted", sent)


def test_a_strangers_order_is_a_conflict(bench: Bench) -> None:
    """Another name on the number: nothing is sent and nothing taken over."""
    made(bench)
    sent = len(bench.posts())
    report = bench.apply(bench.plan([create(0, unique_name="hn1-other")]))
    assert (only(bench, report.run_id).state, len(bench.posts())) == ("conflict", sent)


def test_a_number_that_is_taken_meanwhile_is_a_conflict(bench: Bench) -> None:
    """The service's "not hostable" is looked into: a stranger's order is there."""
    bench.sandbox.set_faults(
        {"action": "status", "status": 503, "processed": False, "method": "POST", "nth": 2}
    )
    plan = bench.plan([create(0, unique_name="hn1-first"), create(1)])
    bench.client.send(
        wire.create_order(wire.PREVIEW, {"phone_number": number(0), "unique_name": "hn1-rival"})
    )
    report = bench.apply(plan)
    assert [ending.state for ending in bench.journal.endings(report.run_id)] == ["conflict", "done"]


def test_a_refusal_is_final_and_remembered(bench: Bench) -> None:
    """The row has the service's code, and the content is known as refused."""
    bench.sandbox.set_faults({"action": "status", "status": 400, "code": 22102, "method": "POST", "nth": 1})
    report = bench.apply(bench.creates(1))
    ending = only(bench, report.run_id)
    assert (report.exit_code, ending.state, ending.code) == (3, "refused", "22102")
    assert list(bench.journal.refused()) == [create(0).content_hash(), create(0).number_hash()]


@pytest.mark.parametrize("finish", [True, False], ids=["found", "given up"])
def test_the_update_behind_a_create_in_doubt_ends_in_the_same_run(bench: Bench, finish: bool) -> None:
    """Sent once the create is found, refused with it where it never is."""
    lost = {"action": "reset_after", "nth": 1}
    never = {"action": "reset_before", "probability": 1.0}
    bench.sandbox.set_faults({**(lost if finish else never), "method": "POST"})
    steps = [create(0), Step(2, Action.UPDATE, number(0), after={"extension": "ww1"})]
    report = bench.apply(bench.plan(steps))
    states = ["done", "done"] if finish else ["review", "refused"]
    assert [str(ending.state) for ending in bench.journal.endings(report.run_id)] == states


def test_refused_rows_may_be_planned_and_sent_again(bench: Bench) -> None:
    """The new plan has the same steps and so the same checksum, and is applied all the same."""
    bench.sandbox.set_faults({"action": "status", "status": 400, "code": 22110, "method": "POST", "nth": 1})
    plan = bench.creates(1)
    first = bench.apply(plan)
    bench.advance(seconds=1)
    again = bench.creates(1)
    assert (again.checksum, bench.apply(plan).state) == (plan.checksum, "already applied")
    second = bench.apply(again)
    assert (first.exit_code, second.exit_code, second.state) == (3, 0, "finished")
    assert second.run_id != first.run_id


# -- updates


def test_a_dependent_update_follows_its_create(bench: Bench) -> None:
    """Both steps of the row are done, on the order just made."""
    steps = [create(0), Step(2, Action.UPDATE, number(0), after={"extension": "ww1", "call_delay": 5})]
    assert bench.apply(bench.plan(steps)).ok
    assert (order_of(bench)["extension"], order_of(bench)["call_delay"]) == ("ww1", 5)


def test_a_dependent_update_is_not_sent_when_its_create_failed(bench: Bench) -> None:
    """It ends with the row."""
    bench.sandbox.set_faults({"action": "status", "status": 400, "code": 22102, "method": "POST", "nth": 1})
    steps = [create(0), Step(2, Action.UPDATE, number(0), after={"extension": "ww1"})]
    report = bench.apply(bench.plan(steps))
    assert [ending.code for ending in bench.journal.endings(report.run_id)] == ["22102", "no-order"]
    assert len(bench.posts()) == 1


@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "truncated", "late"])
def test_an_update_in_doubt_ends_as_wanted(bench: Bench, fault: str) -> None:
    """What the order shows decides."""
    sid = made(bench)["sid"]
    bench.sandbox.set_faults({"action": fault, "method": "POST", "path": sid, "nth": 1})
    report = bench.apply(bench.plan([update(sid, {"friendly_name": "Branch 0"}, {"friendly_name": "New"})]))
    assert (report.exit_code, order_of(bench)["friendly_name"]) == (0, "New")


def test_an_update_of_what_somebody_changed_is_stale(bench: Bench) -> None:
    """The rival's value stays."""
    sid = made(bench)["sid"]
    bench.client.send(wire.update_order(wire.PREVIEW, sid, {"friendly_name": "Rival"}))
    report = bench.apply(bench.plan([update(sid, {"friendly_name": "Branch 0"}, {"friendly_name": "New"})]))
    assert (only(bench, report.run_id).state, order_of(bench)["friendly_name"]) == ("stale", "Rival")


@pytest.mark.parametrize(
    ("fate", "hours", "ends"),
    [("smooth", 40, "done"), ("check-trouble", 40, "stale"), ("sms-enabled", 40, "stale")],
)
def test_an_update_goes_where_the_order_still_takes_it(
    bench: Bench, fate: str, hours: int, ends: str
) -> None:
    """Moved on is fine; stuck or failed, it is not what was planned any more."""
    bench.sandbox.set_fate(number(0), fate)
    sid = made(bench)["sid"]
    planned = {"status": "twilio-processing", "sid": sid}
    step = replace(
        update(sid, {"friendly_name": "Branch 0"}, {"friendly_name": "New"}), precondition=planned
    )
    plan = bench.plan([step])
    bench.advance(hours=hours)
    sent = len(bench.posts())
    plan = replace(plan, header=replace(plan.header, read_at=bench.clock.now().isoformat()))
    assert only(bench, bench.apply(plan).run_id).state == ends
    assert len(bench.posts()) - sent == (ends == "done")


def test_an_update_in_doubt_is_not_settled_by_another_order(bench: Bench) -> None:
    """The look-up is answered with somebody else's order: it is asked again."""
    sid = made(bench)["sid"]
    made(bench, 1)
    bench.sandbox.set_faults(
        {"action": "reset_after", "method": "POST", "path": sid, "nth": 1},
        {"action": "swap", "method": "GET", "path": sid, "nth": 2},
    )
    bench.client.send(wire.fetch_order(wire.PREVIEW, order_of(bench, 1)["sid"]))
    report = bench.apply(bench.plan([update(sid, {"friendly_name": "Branch 0"}, {"friendly_name": "New"})]))
    assert (report.exit_code, order_of(bench)["friendly_name"]) == (0, "New")


def test_an_update_that_is_there_already_sends_nothing(bench: Bench) -> None:
    """Done, by reading."""
    sid = made(bench)["sid"]
    sent = len(bench.posts())
    assert bench.apply(bench.plan([update(sid, {"friendly_name": "x"}, {"friendly_name": "Branch 0"})])).ok
    assert len(bench.posts()) == sent


def test_an_update_of_an_order_that_is_gone_is_stale(bench: Bench) -> None:
    """Nothing is made anew."""
    report = bench.apply(bench.plan([update("HR" + "0" * 32, {}, {"friendly_name": "New"})]))
    assert only(bench, report.run_id).code == "gone"


# -- cancels


@pytest.mark.parametrize("fault", [None, "reset_before", "reset_after"])
def test_a_cancel_deletes_the_order_it_names(bench: Bench, fault: str | None) -> None:
    """Also when the reply, or the request, was lost on the way."""
    order = made(bench)
    bench.advance(days=2)
    if fault:
        bench.sandbox.set_faults({"action": fault, "method": "DELETE", "nth": 1})
    assert bench.apply(bench.plan([cancel(order["sid"], "received")])).ok
    assert order_of(bench)["deleted"]


def test_a_cancel_of_another_status_is_stale(bench: Bench) -> None:
    """The plan saw it received, it is not: nothing is deleted."""
    order = made(bench)
    report = bench.apply(bench.plan([cancel(order["sid"], "received")]))
    assert only(bench, report.run_id).state == "stale"
    assert not order_of(bench)["deleted"]


def test_a_cancel_never_follows_a_reply_to_another_order(bench: Bench) -> None:
    """Replies are mixed up on the way: only the orders of the plan are deleted."""
    sids = [made(bench, n)["sid"] for n in range(3)]
    bench.advance(days=2)
    bench.sandbox.set_faults({"action": "swap", "method": "GET", "path": "HR", "nth": [2, 3, 4]})
    plan = bench.plan([cancel(sids[n], "received", n) for n in range(2)])
    assert bench.apply(plan).ok
    assert [order_of(bench, n)["deleted"] for n in range(3)] == [True, True, False]


def test_a_cancel_of_an_order_that_is_gone_does_not_delete_what_is_shown_for_it(bench: Bench) -> None:
    """Another order of the same number: its reply was mixed up with the right one, a 404."""
    order, sid = made(bench), "HR" + "9" * 32
    bench.advance(days=2)
    bench.sandbox.set_faults({"action": "swap", "method": "GET", "path": sid, "nth": 1})
    bench.client.send(wire.fetch_order(wire.PREVIEW, order["sid"]))
    report = bench.apply(bench.plan([cancel(sid, "received")]))
    assert only(bench, report.run_id).code == "came-back"  # the number has a live order
    assert {line["method"] for line in bench.posts()} == {"POST"}


@pytest.mark.parametrize("seen", [0, 3])
def test_without_access_nothing_counts_as_gone(bench: Bench, seen: int) -> None:
    """The service says of everything that it is not there, from the first look or the first cancel on."""
    sids = [made(bench, n)["sid"] for n in range(3)]
    bench.advance(days=2)
    no = {"action": "status", "status": 404, "code": 20404}
    bench.sandbox.set_faults(
        {**no, "method": "GET", "path": "Orders/HR", "nth": list(range(seen + 1, 99))},
        {**no, "method": "GET", "path": "Orders$"},
        {**no, "method": "DELETE"},
    )
    plan = bench.plan([cancel(sid, "received", n) for n, sid in enumerate(sids)])
    report = bench.apply(plan)
    assert (report.exit_code, report.state) == (7, "stopped")
    assert "done" not in report.counts
    bench.sandbox.set_faults()
    assert bench.resume(report.run_id).ok
    assert all(order_of(bench, n)["deleted"] for n in range(3))


@pytest.mark.parametrize("action", [Action.UPDATE, Action.CANCEL])
def test_an_order_of_another_account_is_not_touched(bench: Bench, action: Action) -> None:
    """It is a subaccount's: only a step that says so changes it."""
    other = bench.sandbox.subaccounts[0].sid
    order = made(bench, account_sid=other)
    bench.advance(days=2)
    step = Step(2, action, number(0), order["sid"], after={"email": "a@example.com"})
    sent = len(bench.posts())
    report = bench.apply(bench.plan([step]))
    assert (only(bench, report.run_id).code, len(bench.posts())) == ("not-ours", sent)
    said = replace(step, precondition={"account_sid": other})
    assert bench.apply(bench.plan([said], input_hash="1" * 64)).ok


@pytest.mark.parametrize("many", [False, True], ids=["by number", "by list"])
def test_an_order_that_comes_after_its_cancel_is_reported(tmp_path: Path, many: bool) -> None:
    """A create that was on its way lands behind the delete: nothing is deleted a second time."""
    count = 12 if many else 1
    with open_bench(tmp_path, settings=WorldSettings(enforce_numbers=False)) as bench:
        bench.apply(bench.creates(count))
        bench.advance(days=2)
        steps = [cancel(order_of(bench, n)["sid"], "received", n) for n in range(count)]
        plan = bench.plan(steps)
        bench.sandbox.set_faults({"action": "late", "seconds": 5, "method": "POST", "nth": 1})
        bench.client.send(wire.create_order(wire.PREVIEW, {"phone_number": number(0)}))
        client = Late(bench)
        means = replace(bench.means, client=client)  # type: ignore[arg-type]
        report = start(plan, Changes(), means, approve=plan.checksum).wait(20)
        first = bench.journal.endings(report.run_id)[0]
        assert (report.exit_code, first.state, first.code) == (3, "review", "came-back")
        assert [order["deleted"] for order in bench.truth()[number(0)]] == [True, False]
        assert [line["method"] for line in bench.posts()].count("DELETE") == count


class Late:
    """The bench's client; six seconds go by with every delete."""

    def __init__(self, bench: Bench) -> None:
        self.base_url, self.account_sid = bench.client.base_url, bench.client.account_sid
        self._bench = bench

    def send(self, request: Request, **more: Any) -> Reply | Failure:
        result = self._bench.client.send(request, **more)
        if request.method == "DELETE":
            self._bench.advance(seconds=6)
        return result


def test_a_cancel_of_an_order_of_another_number_is_a_conflict(bench: Bench) -> None:
    """A sid that belongs to another number is never deleted."""
    order = made(bench)
    bench.advance(days=2)
    report = bench.apply(bench.plan([cancel(order["sid"], "received", n=1)]))
    assert only(bench, report.run_id).state == "conflict"
