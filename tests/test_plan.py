"""Plans: each rule of the design as one truth, from typed frames to steps and verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnbulk import lifecycle
from hnbulk.errors import LimitRefused, UsageError
from hnbulk.frames import empty_orders, orders_from, targets_frame
from hnbulk.models import Order
from hnbulk.plan import build_plan, unique_name
from hnbulk.planfile import PlanFile, PlanHeader, PlanRow
from hnbulk.steps import Action, Step, Verdict
from hnbulk.thresholds import check_thresholds

ACCOUNT = "AC" + "0" * 32
NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
PHONE = "+15017122661"


def phone(n: int) -> str:
    """The n-th number of a made-up exchange."""
    return f"+1501712{n:04d}"


def order(n: int = 2661, status: str = "received", sid: int | None = None, **fields: Any) -> Order:
    """A live order on the n-th number."""
    known = {"account_sid": ACCOUNT, "phone_number": phone(n), "status": status, "date_created": NOW}
    return Order.model_validate({"sid": f"HR{n if sid is None else sid:032x}", **known, **fields})


def target(row: int = 2, n: int = 2661, **fields: Any) -> dict[str, Any]:
    """A target on the n-th number."""
    return {"row": row, "phone_number": phone(n), **fields}


def header(**facts: Any) -> PlanHeader:
    """What a plan of a list with one column was made from."""
    usual = {
        "dialect": "preview",
        "base_url": "http://127.0.0.1:1",
        "account_sid": ACCOUNT,
        "input_hash": "0" * 64,
        "input_name": "branches.csv",
        "columns": ("Phone",),
        "made_at": NOW.isoformat(),
        "read_at": NOW.isoformat(),
    }
    return PlanHeader(**{**usual, **facts})


def plan_for(
    targets: list[dict[str, Any]],
    orders: list[Order] | None = None,
    *,
    set_aside: Mapping[int, tuple[str, str]] | None = None,
    **options: Any,
) -> PlanFile:
    """The plan from these orders to these targets."""
    rows = sorted({one["row"] for one in targets} | set(set_aside or {}))
    return build_plan(
        targets_frame(targets),
        orders_from(orders) if orders else empty_orders(),
        header=header(),
        rows=[(row, {"Phone": f"cell {row}"}) for row in rows],
        set_aside=set_aside or {},
        **options,
    )


def only_step(plan: PlanFile) -> Step:
    """The one step of a plan."""
    (step,) = plan.steps
    return step


def only_row(plan: PlanFile) -> PlanRow:
    """The one row of a plan that has no step."""
    (row,) = plan.rows
    assert not plan.steps
    return row


def test_a_number_without_an_order_is_created_with_what_is_set() -> None:
    """Blank fields are not sent; our own name is, and the step says no live order may exist."""
    step = only_step(plan_for([target(friendly_name="North", cc_emails=["a@b.c"])]))
    assert (step.action, step.phone_number, step.sid) == (Action.CREATE, PHONE, None)
    assert step.after == {
        "friendly_name": "North",
        "cc_emails": ["a@b.c"],
        "unique_name": unique_name(ACCOUNT, PHONE, 0),
    }
    assert step.precondition == {"live": None, "generation": 0}


def test_our_name_is_short_plain_and_the_same_everywhere() -> None:
    """20 letters or digits behind the prefix, without the number; each generation has its own."""
    name = unique_name(ACCOUNT, PHONE, 0)
    assert re.fullmatch(r"hn1-[a-z2-7]{20}", name)
    assert name == "hn1-um6k4iz26jbgmdlyhw5v"
    others = [
        unique_name(ACCOUNT, PHONE, 1),
        unique_name(ACCOUNT, phone(1), 0),
        unique_name("AC1", PHONE, 0),
    ]
    assert len({name, *others}) == 4


def test_a_unique_name_of_the_user_wins() -> None:
    """A name given once in the sheet is sent as it is."""
    assert only_step(plan_for([target(unique_name="north-1")])).after["unique_name"] == "north-1"


def test_a_unique_name_given_twice_is_a_conflict() -> None:
    """Neither row is touched, and a row with another name is."""
    plan = plan_for([target(2, 1, unique_name="x"), target(3, 2, unique_name="x"), target(4, 3)])
    assert [row.verdict for row in plan.rows] == [Verdict.CONFLICT, Verdict.CONFLICT, Verdict.PLANNED]
    assert plan.rows[0].code == "duplicate-unique-name"


def test_a_unique_name_of_another_live_order_is_a_conflict() -> None:
    """The service would refuse it, or worse, answer with the other order."""
    plan = plan_for([target(unique_name="x")], [order(1, unique_name="x")])
    assert only_row(plan).code == "unique-name-taken"


def test_a_failed_order_is_followed_by_a_new_attempt() -> None:
    """The second attempt has its own name, counts the failures, and says so."""
    plan = plan_for([target()], [order(status="failed", sid=1), order(status="failed", sid=2)])
    step = only_step(plan)
    assert step.precondition["generation"] == 2
    assert step.after["unique_name"] == unique_name(ACCOUNT, PHONE, 2)
    assert step.risk is not None
    assert "attempt 3" in step.risk


def test_extension_and_delay_of_a_new_number_are_an_update_after_the_create() -> None:
    """The create comes first; the update has no sid yet; a delay of nothing needs no update."""
    create, update = plan_for([target(extension="ww12", call_delay=5)]).steps
    assert (create.action, update.action) == (Action.CREATE, Action.UPDATE)
    assert (create.row, update.row, update.sid) == (2, 2, None)
    assert update.after == {"extension": "ww12", "call_delay": 5}
    assert "extension" not in create.after
    assert len(plan_for([target(call_delay=0)]).steps) == 1


def test_an_order_as_wanted_needs_nothing() -> None:
    """Equal fields, blanks, another order of addresses and the API's defaults are no difference."""
    wanted = target(
        friendly_name="North",
        cc_emails=["b@b.c", "a@b.c"],
        verification_type="phone-call",
        call_delay=0,
        sms_url="https://a.example/sms",
        unique_name="mine",
    )
    have = order(friendly_name=" North ", cc_emails=["a@b.c", "b@b.c"], email="x@y.z", extension="7")
    row = only_row(plan_for([wanted], [have]))
    assert (row.verdict, row.sid, row.status) == (Verdict.NOTHING, have.sid, "received")


@pytest.mark.parametrize(
    ("name", "wanted", "have"),
    [
        ("friendly_name", "North", None),
        ("friendly_name", "North", "north"),
        ("email", "a@b.c", "A@b.c"),
        ("cc_emails", ["a@b.c"], ["a@b.c", "d@b.c"]),
        ("cc_emails", ["a@b.c"], None),
        ("verification_type", "phone-bill", "phone-call"),
        ("verification_type", "phone-bill", None),
        ("verification_document_sid", "RI" + "0" * 32, None),
        ("extension", "12", "012"),
        ("call_delay", 5, 0),
        ("call_delay", 0, 5),
    ],
)
def test_an_updatable_difference_becomes_an_update_of_that_field(name: str, wanted: Any, have: Any) -> None:
    """Before and after hold the one field; the precondition holds the status it was seen in."""
    have_fields = {} if have is None else {name: have}
    live = order(**have_fields)
    step = only_step(plan_for([target(**{name: wanted})], [live]))
    assert (step.action, step.sid) == (Action.UPDATE, live.sid)
    assert step.after == {name: wanted}
    assert step.before == {name: live.model_dump(mode="json")[name]}
    assert step.precondition == {"status": "received", "sid": live.sid}


def test_a_step_says_when_its_order_is_another_accounts() -> None:
    """Update, cancel and the update behind a create; of the plan's own account nothing is said."""
    other = "AC" + "9" * 32
    lives = [order(1, account_sid=other), order(2, account_sid=other), order(4)]
    wanted = [target(2, 1, email="a@b.c"), target(3, 3, account_sid=other, extension="1")]
    plan = plan_for(wanted, lives, prune=True)
    said = [(step.action, step.precondition.get("account_sid")) for step in plan.steps]
    assert said == [
        (Action.UPDATE, other),
        (Action.CREATE, None),  # its own field says so
        (Action.UPDATE, other),
        (Action.CANCEL, other),
        (Action.CANCEL, None),
    ]


def test_before_is_what_the_service_shows_to_the_letter() -> None:
    """Blanks around a text, no addresses and no delay are kept as they are, to be found again."""
    live = order(friendly_name=" Old ", cc_emails=None)
    step = only_step(plan_for([target(friendly_name="New", cc_emails=["a@b.c"], call_delay=3)], [live]))
    assert step.before == {"friendly_name": " Old ", "cc_emails": [], "call_delay": 0}
    assert step.before == {name: live.model_dump(mode="json")[name] for name in step.before}


def test_only_differing_fields_are_in_an_update() -> None:
    """A field that is equal is neither sent nor shown."""
    plan = plan_for([target(friendly_name="N", email="a@b.c")], [order(friendly_name="O", email="a@b.c")])
    assert only_step(plan).after == {"friendly_name": "N"}


@pytest.mark.parametrize(
    ("status", "way"), [("received", "create it anew"), ("testing", "leave address_sid")]
)
def test_another_address_is_blocked_with_the_way_out(status: str, way: str) -> None:
    """An address cannot be changed; whether canceling is a way depends on the status."""
    plan = plan_for([target(address_sid="AD" + "1" * 32, friendly_name="x")], [order(status=status)])
    row = only_row(plan)
    assert (row.verdict, row.code) == (Verdict.BLOCKED, "address-differs")
    assert way in (row.note or "")


@pytest.mark.parametrize("status", [*lifecycle.ORDER, "brand-new-status"])
@pytest.mark.filterwarnings("ignore::hnbulk.lifecycle.UnknownStatusWarning")
def test_an_update_is_planned_only_where_the_status_takes_it(status: str) -> None:
    """Terminal, unknown and staff-held orders are blocked; a failed one is created anew."""
    plan = plan_for([target(friendly_name="new")], [order(status=status, friendly_name="old")])
    (row,) = plan.rows
    if status == "failed":
        assert only_step(plan).action is Action.CREATE
    elif status == "action-required":
        assert (row.verdict, row.code) == (Verdict.BLOCKED, "action-required")
    elif lifecycle.may_update(status):
        assert only_step(plan).action is Action.UPDATE
    else:
        assert (row.verdict, row.code) == (Verdict.BLOCKED, "not-updatable")


def test_a_completed_order_without_difference_needs_nothing() -> None:
    """A finished number in the file is a success, not an obstacle."""
    plan = plan_for([target(friendly_name="a")], [order(status="completed", friendly_name="a")])
    assert only_row(plan).verdict is Verdict.NOTHING


def test_two_live_orders_on_a_number_are_a_conflict_and_never_touched() -> None:
    """Neither an update nor a prune reaches them; a failed order beside a live one is no conflict."""
    doubled = [order(sid=1), order(sid=2)]
    assert only_row(plan_for([target(friendly_name="x")], doubled)).code == "two-live-orders"
    pruned = plan_for([target(n=1)], doubled, prune=True)
    assert [step.action for step in pruned.steps] == [Action.CREATE]
    assert only_step(plan_for([target(email="a@b.c")], [order(sid=1), order(sid=2, status="failed")])).sid


def test_an_order_not_made_by_us_is_compared_and_updated() -> None:
    """A planned change does not depend on whose name the order has."""
    plan = plan_for([target(friendly_name="new")], [order(unique_name="somebody-else")])
    assert only_step(plan).action is Action.UPDATE


def test_identical_rows_count_once_and_differing_ones_not_at_all() -> None:
    """The first of equal rows is planned, the rest set aside; contradicting rows are conflicts."""
    same = plan_for([target(2), target(3), target(4, 1)])
    assert [row.verdict for row in same.rows] == [Verdict.PLANNED, Verdict.SET_ASIDE, Verdict.PLANNED]
    assert "row 2" in (same.rows[1].note or "")
    other = plan_for([target(2, email="a@b.c"), target(3), target(4, email="a@b.c")])
    assert {row.verdict for row in other.rows} == {Verdict.CONFLICT}


def test_set_aside_rows_keep_their_reason() -> None:
    """A faulty row comes back with its code; contradicting rows of the file are conflicts."""
    aside = {3: ("bad-email", "no @"), 4: ("conflicting-rows", "rows 4 and 5 differ")}
    plan = plan_for([target(2)], set_aside=aside)
    assert [row.verdict for row in plan.rows] == [Verdict.PLANNED, Verdict.SET_ASIDE, Verdict.CONFLICT]
    assert (plan.rows[1].code, plan.rows[1].note) == ("bad-email", "no @")


def test_orders_not_in_the_file_are_left_alone_unless_pruned() -> None:
    """Without prune nothing; with it a cancel where the status allows, else a blocked row."""
    others = [order(1), order(2, "completed"), order(3, "failed")]
    assert len(plan_for([target()], others).rows) == 1
    plan = plan_for([target()], others, prune=True)
    cancel = plan.steps[-1]
    assert (cancel.action, cancel.row, cancel.sid) == (Action.CANCEL, 3, others[0].sid)
    assert (cancel.risk or "").startswith("high")
    assert [(row.row, row.verdict) for row in plan.rows[1:]] == [(3, Verdict.PLANNED), (4, Verdict.BLOCKED)]
    assert plan.rows[1].cells == {}


def test_contradicting_rows_do_not_count_as_missing_from_the_file() -> None:
    """A number that stands in the file twice is a conflict, not a cancel."""
    plan = plan_for([target(2, 1, email="a@b.c"), target(3, 1)], [order(1)], prune=True)
    assert not plan.steps


def test_a_prune_beside_faulty_rows_is_refused() -> None:
    """A row that could not be read may name any order; a repeated row may not."""
    with pytest.raises(UsageError, match="faulty rows"):
        plan_for([target()], [order(1)], prune=True, set_aside={3: ("bad-phone", "x")})
    plan_for([target()], [order()], prune=True, set_aside={3: ("duplicate-row", "x")})


def test_a_create_the_service_refused_is_blocked_until_it_is_asked_for() -> None:
    """The code and word of the service come back; a changed row or the flag goes out again."""
    wanted = [target(friendly_name="a", extension="1")]
    create = plan_for(wanted).steps[0]
    refused = {create.content_hash(): ("22110", "Phone Number Not Hostable.")}
    row = only_row(plan_for(wanted, refused=refused))
    assert (row.verdict, row.code) == (Verdict.BLOCKED, "22110")
    assert "--retry-refused" in (row.note or "")
    assert len(plan_for(wanted, refused=refused, retry_refused=True).steps) == 2
    assert len(plan_for([target(friendly_name="b")], refused=refused).steps) == 1


def test_a_number_the_service_refused_is_blocked_whatever_else_the_row_says() -> None:
    """Another name does not make the number hostable; the flag asks again."""
    create = plan_for([target(friendly_name="a")]).steps[0]
    refused = {create.number_hash(): ("22110", "Phone Number Not Hostable.")}
    wanted = [target(friendly_name="b")]
    row = only_row(plan_for(wanted, refused=refused))
    assert (row.verdict, row.code) == (Verdict.BLOCKED, "22110")
    assert "this number" in (row.note or "")
    assert len(plan_for(wanted, refused=refused, retry_refused=True).steps) == 1


def test_a_rare_message_host_is_marked() -> None:
    """One row of many that sends its messages elsewhere is shown as a risk; the others are not."""
    rows = [target(n + 2, n, sms_url="https://a.example/sms") for n in range(30)]
    rows.append(target(40, 40, sms_url="https://evil.example/sms"))
    risky = [step for step in plan_for(rows).steps if step.risk]
    assert [step.row for step in risky] == [40]
    assert "evil.example" in (risky[0].risk or "")


@pytest.mark.parametrize(
    ("numbers", "refused"),
    [
        ((10, 3, 10, 0), None),
        ((10, 4, 10, 0), "--allow-updates 4"),
        ((9, 9, 9, 9), None),
        ((100, 0, 100, 5), None),
        ((100, 0, 100, 6), "--allow-cancels 6"),
        ((1000, 0, 1000, 25), None),
        ((1000, 0, 1000, 26), "--allow-cancels 26"),
        ((0, 0, 20, 20), "--allow-cancels 20"),
    ],
)
def test_thresholds_refuse_from_the_first_order_beyond(
    numbers: tuple[int, int, int, int], refused: str | None
) -> None:
    """30 % of updates, 5 % or 25 cancels, of ten or more; the message names the flag."""
    names = ("matched", "updates", "live", "cancels")
    counts = dict(zip(names, numbers, strict=True))
    if refused is None:
        check_thresholds(**counts)
        return
    with pytest.raises(LimitRefused, match=refused) as caught:
        check_thresholds(**counts)
    assert caught.value.facts.keys() == {"limit", "arithmetic", "flag"}
    exact = {"allow_updates": numbers[1]} if numbers[1] else {"allow_cancels": numbers[3]}
    check_thresholds(**counts, **exact)
    with pytest.raises(LimitRefused):
        check_thresholds(**counts, **{name: count + 1 for name, count in exact.items()})


def test_a_plan_beyond_a_threshold_is_not_made() -> None:
    """Ten of ten orders changed is refused, and made when exactly ten are allowed."""
    targets = [target(n + 2, n, friendly_name="new") for n in range(10)]
    orders = [order(n) for n in range(10)]
    with pytest.raises(LimitRefused, match=r"10 of 10 matched live orders = 100\.0 %"):
        plan_for(targets, orders)
    assert len(plan_for(targets, orders, allow_updates=10).steps) == 10


fields = st.fixed_dictionaries(
    {},
    optional={
        "friendly_name": st.sampled_from(["a", "b"]),
        "cc_emails": st.sampled_from([["a@b.c"], ["b@b.c", "a@b.c"]]),
        "call_delay": st.integers(0, 2),
        "address_sid": st.sampled_from(["AD1", "AD2"]),
        "unique_name": st.sampled_from(["u", "v"]),
    },
)


@given(
    st.lists(st.tuples(st.integers(0, 5), fields), max_size=8),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(lifecycle.ORDER), fields), max_size=8),
    st.booleans(),
    st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_any_plan_accounts_for_every_row_and_is_the_same_whatever_the_order(
    wanted: list[tuple[int, dict[str, Any]]],
    have: list[tuple[int, str, dict[str, Any]]],
    prune: bool,
    chance: Any,
) -> None:
    """Each row once; steps exactly for planned rows; one create a number; the checksum is stable."""
    targets = [target(row, n, **some) for row, (n, some) in enumerate(wanted, 2)]
    orders = [order(n, status, sid, **some) for sid, (n, status, some) in enumerate(have)]
    options = {"prune": prune, "allow_updates": None}
    plan = plan_for(targets, orders, **options)
    assert [row.row for row in plan.rows][: len(targets)] == [one["row"] for one in targets]
    planned = {row.row for row in plan.rows if row.verdict is Verdict.PLANNED}
    assert {step.row for step in plan.steps} == planned
    created = [step.phone_number for step in plan.steps if step.action is Action.CREATE]
    live = [one.phone_number for one in orders if one.live]
    assert len(set(created)) == len(created)
    assert not set(created) & set(live)
    assert all(live.count(step.phone_number) < 2 for step in plan.steps)
    chance.shuffle(orders)
    assert plan_for(targets, orders, **options).checksum == plan.checksum
