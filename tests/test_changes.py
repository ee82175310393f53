"""What is there of a create, an update or a cancel, judged at the desk: ours, a stranger's, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_service import ACCOUNT, Record, ToldService
from simulation import Options, World, number

from hnbulk.apply import Changes
from hnbulk.looks import FEW_NUMBERS, MANY
from hnbulk.messages import Reply
from hnbulk.outcome import Expected, Operation, Outcome, OutcomeKind
from hnbulk.steps import Action, Ending, State, Step
from hnbulk.wire import PREVIEW, fetch_order, list_orders
from hnbulk.work import Act, Ready

NAME = "hn1-sim-0"
OTHER = "AC" + "b" * 32
CREATE = Step(2, Action.CREATE, number(0), after={"friendly_name": "Branch 0", "unique_name": NAME})
JSON = {"content-type": "application/json"}
DONE = Outcome(OutcomeKind.DONE, "status-200", sid="HR1", status="received")


class Desk:
    """A run of these steps that has sent nothing yet; it began in the midst of a second."""

    def __init__(self, *steps: Step, nameless: bool = False, old: bool = False) -> None:
        self.service = ToldService()
        self.service.time.sleep(100.7)
        self.world = World(Options(creates=0), 0, service=self.service, steps=steps)
        self.desk = self.world.open().desk
        self.work = Changes()
        if nameless:
            self.desk.lookups.dialect = replace(PREVIEW, has_unique_name=False)
        if old:
            self.service.time.sleep(100)

    def settle(self, n: int = 0) -> tuple[str, str | None] | None:
        """How the step ends by what is there: state and code."""
        return told(self.work.settle(Act((n,)), {}, self.desk))

    def prepare(self, n: int = 0, *, again: bool = False) -> Ready | list[Ending]:
        """Its request, or how it ends without one."""
        return self.work.prepare(Act((n,)), self.desk, again=again)


def told(endings: Ready | list[Ending] | None) -> tuple[str, str | None] | None:
    if endings is None:
        return None
    assert isinstance(endings, list)
    (one,) = endings
    return str(one.state), one.code


def update(record: Record, before: dict[str, Any], after: dict[str, Any], **seen: Any) -> Step:
    return Step(2, Action.UPDATE, record.phone_number, record.sid, before, after, seen)


def cancel(record: Record, **seen: Any) -> Step:
    return Step(None, Action.CANCEL, record.phone_number, record.sid, precondition=seen)


# -- creates


Make = Callable[[ToldService], object]


def order(name: str = NAME, n: int = 0, **fields: Any) -> Make:
    return lambda service: service.make(number(n), name, by="rival", **fields)


def older(make: Make) -> Make:
    """The same, in the second before the one in which the run began."""

    def act(service: ToldService) -> None:
        now, service.time.seconds = service.time.seconds, 99.9
        make(service)
        service.time.seconds = now

    return act


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], None),
        ([order()], ("done", "adopted")),
        ([older(order())], ("done", "adopted")),
        ([order(), order()], ("conflict", "two-orders")),
        ([order(), order("theirs")], ("conflict", "two-orders")),
        ([order("theirs")], ("conflict", "not-ours")),
        ([order("theirs", status="failed")], None),
        ([order(status="failed")], ("done", "adopted")),  # made by this run, and failed since
        ([older(order(status="failed"))], None),  # why there is a plan
        ([older(order(status="failed")), order()], ("done", "adopted")),
        (
            [order(status="failed", fields={"date_created": None})],
            ("done", "adopted"),
        ),  # not said to be older
        ([order(fields={"date_created": None})], ("done", "adopted")),
        ([order(account_sid=OTHER)], ("conflict", "not-ours")),
        ([order(n=1)], None),  # our name, on another number
        ([order(fields={"phone_number": None})], None),
        ([order("")], ("conflict", "name-not-kept")),
        ([order("hn1-s")], ("conflict", "name-not-kept")),
        ([older(order("hn1-s"))], ("conflict", "not-ours")),
        ([order("hn1-s", account_sid=OTHER)], ("conflict", "not-ours")),
        ([order("hn1-s", fields={"date_created": None})], ("conflict", "not-ours")),
        ([order("theirs"), order("hn1-s")], ("conflict", "name-not-kept")),
    ],
)
def test_what_is_on_a_number_is_ours_or_it_is_not(
    there: list[Make], expected: tuple[str, str | None] | None
) -> None:
    """By number, account and name; by its time where one failed or does not show our name."""
    at = Desk(CREATE)
    for make in there:
        make(at.service)
    assert at.settle() == expected
    assert (
        told(at.prepare(again=True)) == expected if expected else isinstance(at.prepare(again=True), Ready)
    )


@pytest.mark.parametrize(
    ("made_after", "expected"), [(None, ("conflict", "not-ours")), (0.0, ("done", "adopted"))]
)
def test_without_names_an_order_is_ours_that_came_after_our_request(
    made_after: float | None, expected: tuple[str, str | None]
) -> None:
    """Before anything was sent it is a stranger's, whatever its name."""
    at = Desk(CREATE, nameless=True)
    if made_after is not None:
        at.desk.note_sent(0, at.service.time.now())
    at.service.make(number(0), NAME, by="us")
    assert at.settle() == expected


@pytest.mark.parametrize(
    "make", [older(order()), order(fields={"date_created": None})], ids=["older", "no time"]
)
def test_without_names_an_order_that_may_be_older_is_a_strangers(make: Make) -> None:
    """Than the request by which we asked for one; one that was made without a time, too."""
    at = Desk(CREATE, nameless=True)
    at.desk.note_sent(0, at.service.time.now())
    make(at.service)
    assert at.settle() == ("conflict", "not-ours")


@pytest.mark.parametrize("nameless", [False, True])
def test_a_create_asks_for_what_the_plan_says(nameless: bool) -> None:
    """And its reply has to show number, name and account; a name only where there is such a thing."""
    step = replace(CREATE, after={**CREATE.after, "account_sid": OTHER})
    ready = Desk(step, nameless=nameless).prepare()
    assert isinstance(ready, Ready)
    name = None if nameless else NAME
    assert ready.expected == Expected(phone_number=number(0), unique_name=name, account_sid=OTHER)
    form = dict(ready.request.form)
    assert (form["PhoneNumber"], form["FriendlyName"]) == (number(0), "Branch 0")
    assert form.get("UniqueName") == name
    assert dict(ready.fence) == {}


def test_a_create_without_a_name_of_its_own_is_judged_by_its_number() -> None:
    """No name is asked for, and none is ours."""
    at = Desk(replace(CREATE, after={}))
    ready = at.prepare(again=True)
    assert isinstance(ready, Ready)
    assert (ready.expected.unique_name, at.service.reads) == (None, 1)
    at.service.make(number(0), "", by="rival")
    assert at.settle() == ("conflict", "not-ours")


@pytest.mark.parametrize(
    ("old", "again", "reads"), [(False, False, 0), (True, False, 1), (False, True, 2), (True, True, 2)]
)
def test_a_create_is_looked_for_unless_the_plan_has_just_looked(old: bool, again: bool, reads: int) -> None:
    """By its number; by its name too, where it was sent before."""
    at = Desk(CREATE, old=old)
    assert isinstance(at.prepare(again=again), Ready)
    assert at.service.reads == reads


def test_in_a_world_that_stands_still_one_list_shows_every_number() -> None:
    """What is not in it is not there; a stranger's order in it is one."""
    at = Desk(CREATE, replace(CREATE, row=3, phone_number=number(1)))
    at.service.time.frozen = True
    at.service.make(number(1), "theirs", by="rival")
    assert isinstance(at.prepare(), Ready)
    assert told(at.prepare(1)) == ("conflict", "not-ours")
    assert (at.service.reads, at.service.look_ups) == (1, 0)


def test_of_many_rows_a_list_shows_what_is_there_and_no_proof_of_what_is_not() -> None:
    """One reading for all; a row that is not in it is looked for by its number."""
    steps = [replace(CREATE, row=n + 2, phone_number=number(n)) for n in range(MANY)]
    at = Desk(*steps, old=True)
    at.service.make(number(7), "theirs", by="rival")
    assert told(at.prepare(7)) == ("conflict", "not-ours")
    assert (at.service.reads, at.service.look_ups) == (1, 0)
    assert isinstance(at.prepare(8), Ready)
    assert (at.service.reads, at.service.look_ups) == (2, 1)
    few = Desk(*steps[1:], old=True)
    assert isinstance(few.prepare(8), Ready)
    assert (few.service.reads, few.service.look_ups) == (1, 1)


# -- what a change finds


class Change(Desk):
    """One order that is there, and a step about it."""

    def __init__(self, action: Action, *, status: str = "received", seen: str | None = None) -> None:
        super().__init__()
        self.record = self.service.make(number(0), "old-0", by="before", friendly_name="Old", status=status)
        before, after = {"friendly_name": "Old"}, {"friendly_name": "New"}
        planned = {"status": seen} if seen else {}
        step = update(self.record, before, after, **planned)
        step = step if action is Action.UPDATE else cancel(self.record, **planned)
        self.world = World(Options(creates=0), 0, service=self.service, steps=[step])
        self.desk = self.world.open().desk

    def shown(self, *, listed: bool = False) -> Reply:
        """The order as the service shows it now, or the list of those on its number."""
        one, some = fetch_order(PREVIEW, self.record.sid), list_orders(PREVIEW, phone_number=number(0))
        reply = self.service.send(some if listed else one)
        assert isinstance(reply, Reply)
        return reply


def rename(name: str) -> Callable[[Record], object]:
    return lambda record: setattr(record, "friendly_name", name)


def move(**fields: Any) -> Callable[[Record], object]:
    return lambda record: [setattr(record, name, value) for name, value in fields.items()]


GONE = move(deleted_by="rival")


@pytest.mark.parametrize(
    ("action", "change", "expected"),
    [
        (Action.UPDATE, rename("Old"), None),
        (Action.UPDATE, rename("New"), ("done", None)),
        (Action.UPDATE, rename("Rival"), ("conflict", "changed")),
        (Action.UPDATE, GONE, ("stale", "gone")),
        (Action.UPDATE, move(account_sid=OTHER), ("conflict", "not-ours")),
        (Action.UPDATE, move(phone_number=number(1)), ("conflict", "not-ours")),
        (Action.CANCEL, rename("Rival"), None),
        (Action.CANCEL, GONE, ("done", None)),
        (Action.CANCEL, move(account_sid=OTHER), ("conflict", "not-ours")),
    ],
)
def test_a_change_in_doubt_is_judged_by_what_the_order_shows(
    action: Action, change: Callable[[Record], object], expected: tuple[str, str | None] | None
) -> None:
    """As wanted, as before, or as somebody else has it."""
    at = Change(action)
    change(at.record)
    assert at.settle() == expected


@pytest.mark.parametrize(
    ("change", "seen", "expected"),
    [
        (rename("Old"), None, None),
        (rename("New"), None, ("done", "already")),
        (rename("Rival"), None, ("stale", "changed")),
        (GONE, None, ("stale", "gone")),
        (move(account_sid=OTHER), None, ("conflict", "not-ours")),
        (move(phone_number=number(1)), None, ("conflict", "not-ours")),
        (move(status="completed"), None, ("stale", "status")),
        (move(status="failed"), None, ("stale", "status")),
        (move(status="verified"), "received", None),  # moved on
        (move(status="action-required"), "received", ("stale", "status")),  # left its path
        (move(status="action-required"), "action-required", None),
        (move(status="action-required"), None, None),
    ],
)
def test_an_update_is_sent_where_the_order_is_still_as_planned(
    change: Callable[[Record], object], seen: str | None, expected: tuple[str, str | None] | None
) -> None:
    """And its reply has to be about this order, number and account."""
    at = Change(Action.UPDATE, seen=seen)
    change(at.record)
    ready = at.prepare()
    if expected is not None:
        assert told(ready) == expected
        return
    assert isinstance(ready, Ready)
    sid, account = at.record.sid, ACCOUNT
    assert ready.expected == Expected(phone_number=number(0), account_sid=account, sid=sid)
    assert (ready.request.path.endswith(sid), dict(ready.request.form)) == (True, {"FriendlyName": "New"})
    assert dict(ready.fence) == {"status": at.record.status}


@pytest.mark.parametrize(
    ("change", "seen", "expected"),
    [
        (rename("Rival"), "received", None),
        (rename("Rival"), None, None),
        (GONE, "received", ("done", "gone")),
        (move(account_sid=OTHER), "received", ("conflict", "not-ours")),
        (move(status="verified"), "received", ("stale", "changed")),
        (move(status="verified"), "verified", None),
        (move(status="testing"), "testing", ("stale", "status")),
    ],
)
def test_a_cancel_is_sent_in_the_planned_status_only(
    change: Callable[[Record], object], seen: str | None, expected: tuple[str, str | None] | None
) -> None:
    """Whatever else was changed; what is gone already is done."""
    at = Change(Action.CANCEL, seen=seen)
    change(at.record)
    ready = at.prepare()
    if expected is not None:
        assert told(ready) == expected
        return
    assert isinstance(ready, Ready)
    assert (ready.request.method, ready.request.path.endswith(at.record.sid)) == ("DELETE", True)
    assert (ready.expected, dict(ready.fence)) == (Expected(), {"status": at.record.status})


def test_a_cancel_of_what_is_gone_says_that_it_is_deleted() -> None:
    """Before it was sent, and after."""
    at = Change(Action.CANCEL)
    GONE(at.record)
    for endings in (at.prepare(), at.work.settle(Act((0,)), {}, at.desk)):
        assert isinstance(endings, list)
        assert [(one.sid, one.status) for one in endings] == [(at.record.sid, "deleted")]


def test_what_was_stale_says_status_and_way_out() -> None:
    """The row may go out again with a new plan."""
    at = Change(Action.UPDATE)
    at.record.status = "completed"
    assert at.prepare() == [
        Ending(
            0,
            State.STALE,
            at.record.sid,
            "completed",
            "status",
            "the order is completed now",
            "make the plan again",
            retryable=True,
        )
    ]


def test_a_change_behind_a_create_is_about_the_order_just_made() -> None:
    """Without one there is nothing to change; what it was before nobody has planned."""
    late = Step(2, Action.UPDATE, number(0), after={"friendly_name": "Late"})
    at = Desk(CREATE, late)
    assert told(at.prepare(1)) == ("stale", "no-order")
    assert at.settle(1) == ("stale", "gone")
    record = at.service.make(number(0), NAME, by="us", friendly_name="Branch 0")
    at.desk.keep_sid(0, record.sid)
    assert at.settle(1) is None
    ready = at.prepare(1)
    assert isinstance(ready, Ready)
    assert ready.expected.sid == record.sid
    record.friendly_name = "Late"
    assert at.settle(1) == ("done", None)


@pytest.mark.parametrize(
    ("shown", "wanted", "same"),
    [
        (["a@b.example"], ("a@b.example",), True),
        (["a@b.example", "c@d.example"], ["c@d.example", "a@b.example"], False),
        ([], (), True),
    ],
)
def test_lists_are_the_same_whatever_holds_them(shown: list[str], wanted: object, same: bool) -> None:
    """In their order."""
    at = Change(Action.UPDATE)
    at.record.fields["cc_emails"] = shown
    step = update(at.record, {}, {"cc_emails": wanted})
    at.world = World(Options(creates=0), 0, service=at.service, steps=[step])
    at.desk = at.world.open().desk
    assert told(at.work.settle(Act((0,)), {}, at.desk)) == (("done", None) if same else None)


def test_an_empty_text_is_the_same_as_none() -> None:
    """And what the service never shows is not compared."""
    at = Change(Action.UPDATE)
    step = update(at.record, {}, {"extension": "", "sms_url": "https://a.example"})
    at.world = World(Options(creates=0), 0, service=at.service, steps=[step])
    at.desk = at.world.open().desk
    assert told(at.prepare()) == ("done", "already")


# -- what a reply amounts to


def test_a_cancel_that_is_answered_well_is_done() -> None:
    """The order is deleted."""
    at = Change(Action.CANCEL)
    (ending,) = at.work.done(Act((0,)), DONE, Reply(204, {}, b""), at.desk)
    assert (ending.state, ending.sid, ending.status) == (State.DONE, at.record.sid, "deleted")


def test_a_cancel_of_what_is_said_to_be_gone_is_done_where_it_is() -> None:
    """A list can be read, and the order not; one that is there after all leaves it in doubt."""
    at = Change(Action.CANCEL)
    gone = replace(DONE, reason="gone")
    reply = Reply(404, JSON, b'{"code": 20404}')
    assert at.work.done(Act((0,)), gone, reply, at.desk) == []
    GONE(at.record)
    assert told(at.work.done(Act((0,)), gone, reply, at.desk)) == ("done", None)


@pytest.mark.parametrize("found", ["Old", "New", None])
@pytest.mark.parametrize("body", [b'{"sid": "HR1"}', b'{"sid": "HR1", "status": 7}'])
def test_an_update_whose_reply_does_not_show_it_is_looked_at_once(found: str | None, body: bytes) -> None:
    """Done where the order shows it, else for a person."""
    at = Change(Action.UPDATE)
    change = GONE if found is None else rename(found)
    change(at.record)
    (ending,) = at.work.done(Act((0,)), DONE, Reply(200, JSON, body), at.desk)
    expected = (State.DONE, None) if found == "New" else (State.REVIEW, "not-taken")
    assert (ending.state, ending.code) == expected
    reads = 2 if found is None else 1  # what is gone is so where the list can be read
    assert (ending.sid, ending.status, at.service.reads) == ("HR1", "received", reads)


def test_an_update_whose_reply_shows_it_is_done_without_a_look() -> None:
    """The same of a create, whatever its reply shows beside what it is."""
    at = Change(Action.UPDATE)
    at.record.friendly_name = "New"
    reply = at.shown()
    reads = at.service.reads
    assert told(at.work.done(Act((0,)), DONE, reply, at.desk)) == ("done", None)
    create = Desk(CREATE)
    assert told(create.work.done(Act((0,)), DONE, Reply(201, JSON, b"{}"), create.desk)) == ("done", None)
    assert (at.service.reads - reads, create.service.reads) == (0, 0)


def test_one_bad_field_of_a_reply_hides_no_other() -> None:
    """The update is seen to be done."""
    at = Change(Action.UPDATE)
    at.record.friendly_name = "New"
    at.record.fields["cc_emails"] = 7
    reply = at.shown()
    reads = at.service.reads
    assert told(at.work.done(Act((0,)), DONE, reply, at.desk)) == ("done", None)
    assert at.service.reads == reads


@pytest.mark.parametrize(
    ("reason", "code", "ours", "expected"),
    [
        ("status-400", 22110, True, ("done", "adopted")),
        ("status-409", 20409, True, ("done", "adopted")),
        ("status-400", 22110, False, ("refused", "22110")),
        ("status-400", 22102, True, ("refused", "22102")),
    ],
)
def test_a_refused_create_may_be_there_already(
    reason: str, code: int, ours: bool, expected: tuple[str, str | None]
) -> None:
    """Where the service says that something is."""
    at = Desk(CREATE)
    if ours:
        at.service.make(number(0), NAME, by="us")
    no = Outcome(OutcomeKind.REJECTED, reason, code)
    assert told(at.work.refused(Act((0,)), no, at.desk)) == expected


def test_a_refused_update_says_that_its_order_is_gone() -> None:
    """Where it is; else it is refused, and nothing is looked up."""
    at = Change(Action.UPDATE)
    gone, no = (Outcome(OutcomeKind.REJECTED, f"status-{n}", 22110) for n in (404, 409))
    assert told(at.work.refused(Act((0,)), gone, at.desk)) == ("stale", "gone")
    assert told(at.work.refused(Act((0,)), no, at.desk)) == ("refused", "22110")
    assert at.service.reads == 0


# -- the rows, and what is back


def test_the_steps_of_a_row_follow_each_other() -> None:
    """Steps of no row go by themselves."""
    at = Desk(CREATE)
    record = at.service.make(number(9), "old", by="before")
    late = replace(CREATE, action=Action.UPDATE)
    plan = replace(at.world.plan, steps=(CREATE, late, cancel(record), cancel(record)))
    assert Changes().waves(plan) == [[(Act((0,)), Act((1,))), (Act((2,)),), (Act((3,)),)]]
    desk = World(Options(creates=0), 0, service=at.service, steps=plan.steps).open().desk
    acts = [Act((n,)) for n in range(3)]
    assert [Changes().operation(act, desk) for act in acts] == [
        Operation.CREATE,
        Operation.UPDATE,
        Operation.DELETE,
    ]
    assert [Changes().most_sends(act, desk) for act in acts] == [2, 2, 3]
    assert Changes().open_wave([], desk) is None


@pytest.mark.parametrize("count", [1, FEW_NUMBERS, FEW_NUMBERS + 1])
def test_an_order_that_is_back_on_a_canceled_number_is_reported(count: int) -> None:
    """Looked at one by one, or in one reading of all; others than ours, failed ones and those that
    this run made are none of its business."""
    at = Desk()
    records = [at.service.make(number(n), f"old-{n}", by="before") for n in range(count)]
    made = at.service.make(number(0), "made", by="us")
    at.service.make(number(0), "elsewhere", by="rival", account_sid=OTHER)
    at.service.make(number(0), "failed", by="rival", status="failed")
    steps = [*map(cancel, records), replace(CREATE, row=50)]
    at.desk = World(Options(creates=0), 0, service=at.service, steps=steps).open().desk
    ended = [Ending(n, State.DONE, step.sid or made.sid) for n, step in enumerate(at.desk.plan.steps)]
    for record in records:
        record.deleted_by = "us"

    def look() -> list[Ending]:
        found = at.work.look_back(ended, at.desk, lambda *_: True)
        return [one for one in found if at.desk.plan.steps[one.step].action is Action.CANCEL]

    assert look() == []
    at.service.reads = 0
    back = [at.service.make(number(count - 1), name, by="rival").sid for name in ("one", "two")]
    (ending,) = look()
    assert (ending.state, ending.code) == (State.REVIEW, "came-back")
    assert ending.message == f"after the cancel {back[0]}, {back[1]} is live on the number"
    assert ending.sid == records[-1].sid
    assert at.service.reads == (1 if count > FEW_NUMBERS else count) + 1


def test_a_list_that_still_shows_what_was_deleted_is_no_return() -> None:
    """The order itself is asked for; one that is there after all is reported."""
    at = Change(Action.CANCEL)
    ended = [Ending(0, State.DONE, at.record.sid)]
    (found,) = at.work.look_back(ended, at.desk, lambda *_: True)
    assert found.code == "came-back"
    shown = at.shown(listed=True)
    at.record.deleted_by = "us"
    at.service.next_reads.append(shown)
    assert at.work.look_back(ended, at.desk, lambda *_: True) == []


def test_a_cancel_that_was_not_done_is_not_looked_for() -> None:
    """Its order is there, as it should be."""
    at = Change(Action.CANCEL)
    ended = [Ending(0, State.STALE, at.record.sid)]
    assert at.work.look_back(ended, at.desk, lambda *_: True) == []
    assert at.service.reads == 0
