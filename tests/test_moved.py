"""A plan whose orders moved on is refused with the rows that moved; a rebase keeps the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, create, number, open_bench

from hnbulk import wire
from hnbulk.apply import Changes
from hnbulk.approval import check_age
from hnbulk.engine import start
from hnbulk.entries import Intent
from hnbulk.errors import PlanStale, RunLocked
from hnbulk.models import Glimpse, Order
from hnbulk.moved import CHANGED, DONE, MOVED, Judged, Known, drift, judge, rebase
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow, loads_plan
from hnbulk.runs import find_drift, rebase_plan
from hnbulk.steps import Action, Step, Verdict

SID, OTHER = "HR" + "1" * 32, "HR" + "2" * 32
ACCOUNT = "AC" + "0" * 32
NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


def order(status: str = "received", **fields: Any) -> Order:
    known = {
        "sid": SID,
        "phone_number": number(0),
        "friendly_name": "Branch 0",
        "unique_name": "hn1-test-0",
    }
    return Order.model_validate({**known, "status": status, **fields})


def step(action: Action, **fields: Any) -> Step:
    return Step(2, action, number(0), **{"sid": SID, **fields})


def plan_of(*steps: Step, rows: Sequence[int] = (2,)) -> PlanFile:
    at = NOW.isoformat()
    header = PlanHeader("preview", "http://127.0.0.1:1", ACCOUNT, "0" * 64, "x.csv", ("p",), at, at)
    return PlanFile(header, steps, tuple(PlanRow(row, {"p": "1"}, Verdict.PLANNED) for row in rows))


def nobody(_: PlanRow) -> None:
    """No row has an order."""


def code(one: Step, *orders: Order) -> str | None:
    found = judge(plan_of(one), lambda _: orders).gone
    return found[0].code if found else None


def done(plan: PlanFile, *orders: Order, doubtful: Sequence[str] = ()) -> list[tuple[int | None, int]]:
    """Row and step of what is done already."""
    here = [one.model_copy(update={"account_sid": one.account_sid or ACCOUNT}) for one in orders]
    return [(one.row, one.step) for one in judge(plan, lambda _: here, Known(doubtful)).done]


# -- the rules


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([], None),
        ([order()], None),
        ([order(unique_name="theirs")], "not-ours"),
        ([order(unique_name=None)], "not-ours"),
        ([order(), order(sid=OTHER)], "two-orders"),
        ([order("failed")], "failed"),
        ([order("failed"), order(sid=OTHER)], None),
        ([order(phone_number=number(1), unique_name="theirs")], None),
    ],
)
def test_a_create_moved_where_somebody_else_has_the_number(orders: list[Order], expected: str) -> None:
    """Our own order by its name is not moved: the run takes it over."""
    assert code(create(0), *orders) == expected


def test_a_create_of_a_later_attempt_knows_the_failures_before_it() -> None:
    """One failed order was planned with; a second one was not."""
    second = replace(create(0), precondition={"live": None, "generation": 1})
    assert code(second, order("failed")) is None
    assert code(second, order("failed"), order("failed", sid=OTHER)) == "failed"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"friendly_name": "New"}, None),
        ({"friendly_name": "Rival"}, "changed"),
        ({"email": "b@example.com"}, None),
        ({"status": "verified"}, None),
        ({"status": "failed"}, "status"),
        ({"status": "failed", "friendly_name": "New"}, "status"),
        ({"phone_number": number(1)}, "not-ours"),
        ({"sid": OTHER}, "gone"),
    ],
)
def test_an_update_moved_where_its_own_fields_did(fields: dict[str, Any], expected: str) -> None:
    """What it does not touch may change, and what it wants may be there already."""
    update = step(Action.UPDATE, before={"friendly_name": "Branch 0"}, after={"friendly_name": "New"})
    assert code(update, order(**fields)) == expected


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([order()], None),
        ([], None),
        ([order("verified")], "status"),
        ([order("completed")], "status"),
        ([order(phone_number=number(1))], "not-ours"),
    ],
)
def test_a_cancel_moved_where_its_order_did(orders: list[Order], expected: str) -> None:
    """An order that is gone already is what was wanted."""
    assert code(step(Action.CANCEL, precondition={"status": "received"}), *orders) == expected


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([order()], None),
        ([], "gone"),
        ([order("verified")], "status"),
        ([order(verification_attempts=1)], "called-meanwhile"),
        ([order(verification_call_sids=["CA1"])], "called-meanwhile"),
        ([order(phone_number=number(1))], "not-ours"),
    ],
)
def test_a_call_moved_where_a_counter_or_the_status_did(orders: list[Order], expected: str) -> None:
    """Somebody else's call is one."""
    seen = {"status": "received", "verification_attempts": 0, "call_count": 0}
    assert code(step(Action.VERIFY, precondition=seen), *orders) == expected


@pytest.mark.parametrize(("status", "expected"), [("verified", None), ("pending-loa", "status")])
def test_a_letter_moved_where_an_order_is_no_longer_verified(status: str, expected: str) -> None:
    """Only verified orders go into a letter."""
    assert code(step(Action.AUTHORIZE), order(status)) == expected
    assert code(step(Action.AUTHORIZE)) == "gone"


def test_a_rebase_drops_what_moved_and_what_depends_on_it() -> None:
    """The row is blocked with its reason, the other stays, and the checksum is another."""
    later = Step(2, Action.UPDATE, number(0), after={"extension": "1"}, precondition={"after": "create"})
    plan = plan_of(create(0), later, create(1), rows=(2, 3))
    theirs = order(unique_name="theirs")
    judged = judge(plan, lambda one: [theirs] if one.phone_number == number(0) else [])
    assert [(one.row, one.step) for one in judged.gone] == [(2, 0)]
    kept = rebase(plan, judged, nobody, made_at=NOW, read_at=NOW + timedelta(hours=1))
    assert [one.row for one in kept.steps] == [3]
    assert [(row.verdict, row.code) for row in kept.rows] == [("blocked", MOVED), ("planned", None)]
    assert (kept.header.read_at, kept.checksum == plan.checksum) == ("2026-01-05T16:00:00+00:00", False)
    same = rebase(plan, judge(plan, lambda _: []), nobody, made_at=NOW, read_at=NOW)
    assert same.checksum == plan.checksum


LATER = Step(2, Action.UPDATE, number(0), after={"extension": "1"}, precondition={"after": "create"})
RENAME = step(Action.UPDATE, before={"friendly_name": "Branch 0"}, after={"friendly_name": "New"})
CANCEL = step(Action.CANCEL, precondition={"status": "received"})


@pytest.mark.parametrize(
    ("one", "orders", "expected"),
    [
        (create(0), [order()], True),
        (create(0), [order("verified")], True),
        (create(0), [order(), order("failed", sid=OTHER)], True),
        (create(0), [order(friendly_name="Rival")], False),
        (create(0), [order(account_sid="AC" + "9" * 32)], False),
        (create(0), [order(), order(sid=OTHER)], False),
        (create(0), [order(unique_name="theirs")], False),
        (create(0), [order("failed")], False),
        (create(0), [], False),
        (RENAME, [order(friendly_name="New")], True),
        (RENAME, [order()], False),
        (RENAME, [order("failed", friendly_name="New")], False),
        (RENAME, [order(friendly_name="New", account_sid="AC" + "9" * 32)], False),
        (step(Action.UPDATE), [order()], False),
        (CANCEL, [], True),
        (CANCEL, [order()], False),
        (CANCEL, [order(sid=OTHER)], False),
    ],
)
def test_a_step_is_done_where_its_order_is_as_it_wants_it(
    one: Step, orders: list[Order], expected: bool
) -> None:
    """Exactly one live order of ours by name and account, field by field; or none, where none is wanted."""
    plan = plan_of(one)
    assert done(plan, *orders) == ([(2, 0)] if expected else [])
    assert done(plan, *orders, doubtful=[number(0)]) == []


def test_a_create_whose_order_has_other_values_is_told_to_a_person() -> None:
    """A run would take it over as it is; a rebase drops it, unless something of it is in doubt."""
    plan, here = plan_of(create(0)), [order(friendly_name="Rival")]
    assert judge(plan, lambda _: here) == Judged((), ())
    assert judge(plan, lambda _: here, Known([number(0)])) == Judged((), ())
    (gone,) = judge(plan, lambda _: here, Known()).gone
    assert gone.code == "differs"
    assert "with another friendly_name; plan the list again" in gone.message


def test_a_create_seen_at_a_glance_is_not_done() -> None:
    """A reading of all orders does not show every field."""
    whole = order(account_sid=ACCOUNT)
    glimpse = Glimpse(*(getattr(whole, name) for name in Glimpse._fields))
    assert judge(plan_of(create(0)), lambda _: [glimpse]) == Judged((), ())


def test_a_row_is_done_as_a_whole() -> None:
    """A create with an update behind it is done when the order shows both; the row needs nothing then."""
    plan = plan_of(create(0), LATER)
    assert done(plan, order()) == []
    assert done(plan, order(extension="1")) == [(2, 0), (2, 1)]
    judged = judge(plan, lambda _: [order(extension="1", account_sid=ACCOUNT)])
    left = rebase(plan, judged, nobody, made_at=NOW, read_at=NOW)
    (row,) = left.rows
    assert (len(left.steps), left.counts) == (0, {"nothing": 1})
    assert (row.code, row.note, row.sid, row.status) == (DONE, "done already", SID, "received")


@pytest.mark.parametrize(
    ("seen", "now", "expected"),
    [
        (NOW, order(), []),
        (NOW, order(date_updated=NOW), []),
        (NOW, order(date_updated=NOW + timedelta(milliseconds=9)), []),
        (NOW, order(date_updated=NOW + timedelta(seconds=1)), ["changed"]),
        (None, order(date_updated=NOW + timedelta(seconds=1)), []),
        (NOW, order("verified", date_updated=NOW + timedelta(seconds=1)), ["status"]),
        (None, order("verified"), ["status"]),
        (NOW, None, ["gone"]),
    ],
)
def test_a_change_shows_by_status_and_by_date(
    seen: datetime | None, now: Order | None, expected: list[str]
) -> None:
    """An older plan has no dates and is told by status alone; a row that needed nothing says so after a
    rebase, which sees the order as it is from then on."""
    row = PlanRow(2, {}, Verdict.NOTHING, None, None, SID, "received", seen and seen.isoformat())
    plan = replace(plan_of(), rows=(row,))
    assert loads_plan(plan.dumps(), name="x").rows[0] == row
    judged = judge(plan, lambda _: [])
    assert [one.code for one in drift(plan, judged, lambda _: now)] == expected
    left = rebase(plan, judged, lambda _: now, made_at=NOW, read_at=NOW)
    (told,) = left.rows
    if now is None:
        assert (told.verdict, told.code) == (Verdict.BLOCKED, MOVED)
    else:
        assert (told.verdict, told.code) == (Verdict.NOTHING, CHANGED if expected else None)
        assert (told is row) is not bool(expected)
        assert drift(left, judged, lambda _: now) == []
        assert rebase(left, judged, lambda _: now, made_at=NOW, read_at=NOW).rows == left.rows


# -- a run asks


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def rival(bench: Bench, n: int) -> None:
    """Somebody else's order on the number."""
    fields = {"phone_number": number(n), "unique_name": f"rival-{n}"}
    bench.client.send(wire.create_order(wire.PREVIEW, fields))


@pytest.mark.parametrize("count", [3, 30], ids=["by number", "by list"])
def test_a_plan_whose_orders_moved_is_refused_with_the_rows(bench: Bench, count: int) -> None:
    """Named in the message and in the facts, exit 5, and nothing was sent."""
    plan = bench.creates(count)
    rival(bench, 1)
    sent = len(bench.posts())
    bench.advance(seconds=61)
    with pytest.raises(PlanStale, match=r"row 3 .*--rebase") as refused:
        bench.apply(plan)
    (row,) = refused.value.facts["rows"]
    assert (row["row"], row["step"], row["code"]) == (3, 1, "not-ours")
    assert refused.value.exit_code == 5
    assert (len(bench.posts()), bench.journal.runs()) == (sent, [])


def test_a_plan_of_less_than_a_minute_is_not_asked_about(bench: Bench) -> None:
    """Each row is looked at just before it is sent, as always."""
    plan = bench.creates(3)
    rival(bench, 1)
    bench.advance(seconds=59)
    assert bench.apply(plan).counts == {"done": 2, "conflict": 1}


def test_the_listing_of_the_check_serves_the_run(bench: Bench) -> None:
    """One reading of all orders before the first request that changes something."""
    plan = bench.creates(30)
    bench.advance(seconds=61)
    assert bench.apply(plan).ok
    first = min(line["n"] for line in bench.posts())
    assert len([line for line in bench.reads() if line["n"] < first]) == 1


def test_an_older_plan_of_what_is_there_already_is_taken_over(bench: Bench) -> None:
    """Our own orders by name are not moved."""
    plan = bench.creates(3)
    bench.apply(bench.plan([create(n) for n in range(3)], name="first", input_hash="1" * 64))
    bench.advance(seconds=61)
    assert bench.apply(plan).ok


def test_a_rebased_plan_can_be_applied(bench: Bench) -> None:
    """What was kept is sent, what moved is told and not touched."""
    plan = bench.creates(3)
    rival(bench, 1)
    bench.advance(seconds=61)
    made = rebase_plan(bench.connection, plan)
    assert [(one.row, one.code) for one in made.judged.gone] == [(3, "not-ours")]
    assert bench.apply(made.plan).ok
    assert [order["unique_name"] for order in bench.truth()[number(1)]] == ["rival-1"]
    assert all(len(bench.truth()[number(n)]) == 1 for n in range(3))


@pytest.mark.parametrize("count", [3, 30], ids=["by number", "by list"])
def test_a_plan_that_was_applied_has_nothing_left(bench: Bench, count: int) -> None:
    """Its creates and the update behind one are done; of a row that never went out all is kept."""
    later = Step(2, Action.UPDATE, number(0), after={"extension": "1"}, precondition={"after": "create"})
    plan = bench.plan([*(create(n) for n in range(count)), later])
    assert bench.apply(plan).ok
    made = rebase_plan(bench.connection, plan)
    assert (len(made.plan.steps), made.plan.counts) == (0, {"nothing": count})
    assert str(made) == f"kept 0 steps, dropped 0, already done {count + 1}"
    assert made.as_json() == {"kept": 0, "moved": [], "done": count + 1, "changed": 0}
    drifted = str(find_drift(bench.connection, plan))
    assert f"{count} done already; of the others no order has another" in drifted
    more = bench.plan([*(create(n) for n in range(count + 1)), later])
    assert str(rebase_plan(bench.connection, more)) == f"kept 1 step, dropped 0, already done {count + 1}"


def test_what_the_service_refused_of_this_plan_is_dropped(bench: Bench) -> None:
    """As the list planned afresh has it blocked; a plan of the same steps made since may ask again."""
    no = {"action": "status", "status": 400, "code": 22110, "method": "POST", "nth": 2}
    bench.sandbox.set_faults(no)
    plan = bench.creates(3)
    assert bench.apply(plan).counts == {"done": 2, "refused": 1}
    made = rebase_plan(bench.connection, plan)
    assert made.plan.counts == {"nothing": 2, "blocked": 1}
    assert [(one.code, one.message) for one in made.judged.gone] == [
        ("refused", "the service refused it (22110)")
    ]
    bench.advance(seconds=1)
    assert rebase_plan(bench.connection, bench.creates(3)).plan.counts == {"create": 1, "nothing": 2}


def test_a_plan_whose_changes_are_made_has_nothing_left(bench: Bench) -> None:
    """Updates and cancels too, by whomever."""
    assert bench.apply(bench.creates(2)).ok
    first, second = (bench.truth()[number(n)][0] for n in range(2))
    bench.advance(hours=36)
    rename = Step(
        2, Action.UPDATE, number(0), first["sid"], {"friendly_name": "Branch 0"}, {"friendly_name": "New"}
    )
    cancel = Step(3, Action.CANCEL, number(1), second["sid"], precondition={"status": "received"})
    plan = bench.plan([rename, cancel], input_hash="1" * 64)
    bench.client.send(wire.update_order(wire.PREVIEW, first["sid"], {"friendly_name": "New"}))
    bench.client.send(wire.delete_order(wire.PREVIEW, second["sid"]))
    assert rebase_plan(bench.connection, plan).plan.counts == {"nothing": 2}
    rival(bench, 1)
    assert rebase_plan(bench.connection, plan).plan.counts == {"cancel": 1, "nothing": 1}


def test_a_row_in_doubt_is_kept_though_its_order_is_there(bench: Bench) -> None:
    """A second request of it may still be on its way: a resume has to find out first."""
    plan = bench.creates(3)
    bench.apply(bench.plan([create(n) for n in range(3)], name="first", input_hash="1" * 64))
    bench.journal.begin("r0", plan, kind="orders", at=bench.clock.now(), options={})
    bench.journal.intend("r0", [Intent(1, 1, "create", "f", bench.clock.now(), 0.0)])
    made = rebase_plan(bench.connection, plan)
    assert ([one.row for one in made.plan.steps], made.plan.counts) == ([3], {"create": 1, "nothing": 2})
    with pytest.raises(RunLocked, match="resume r0"):
        bench.apply(made.plan)


def test_a_plan_of_another_place_is_not_rebased(bench: Bench) -> None:
    """Its orders are not those that would be read."""
    plan = bench.creates(1)
    elsewhere = replace(plan, header=replace(plan.header, base_url="http://127.0.0.1:1"))
    with pytest.raises(PlanStale, match="made against"):
        rebase_plan(bench.connection, elsewhere)


def test_a_plan_from_the_future_is_refused(bench: Bench) -> None:
    """Some skew between clocks is none; more than five minutes is a plan of another time."""
    plan = bench.creates(1)
    check_age(plan, bench.clock.now() - timedelta(minutes=5))
    with pytest.raises(PlanStale, match="in the future"):
        check_age(plan, bench.clock.now() - timedelta(minutes=6))
    ahead = (bench.clock.now() + timedelta(minutes=6)).isoformat()
    later = replace(plan, header=replace(plan.header, read_at=ahead))
    with pytest.raises(PlanStale):
        start(later, Changes(), bench.means, approve=later.checksum)
    assert bench.sandbox.ledger() == []
