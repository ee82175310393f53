"""Creates leave exactly one live order a number; updates and cancels touch only what the plan saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, create, number, open_bench

from hnbulk import wire
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


def test_a_cancel_of_an_order_of_another_number_is_a_conflict(bench: Bench) -> None:
    """A sid that belongs to another number is never deleted."""
    order = made(bench)
    bench.advance(days=2)
    report = bench.apply(bench.plan([cancel(order["sid"], "received", n=1)]))
    assert only(bench, report.run_id).state == "conflict"
