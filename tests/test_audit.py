"""After a run the service is read once more: each number has exactly one live order, and it is ours."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fake_service import ToldService
from run_bench import Bench, create, number, open_bench
from simulation import Options, World
from simulation import number as virtual_number

from hnbulk import wire
from hnbulk.apply import Changes
from hnbulk.audit import Findings, audit, look_back
from hnbulk.engine import start
from hnbulk.entries import Ended, Intent, Result
from hnbulk.errors import UsageError
from hnbulk.messages import Failure, Reply, Request
from hnbulk.progress import Report
from hnbulk.runs import audit_run
from hnbulk.sandbox import WorldSettings
from hnbulk.steps import Action, Ending, State, Step

Items = list[dict[str, Any]]
STRANGER = "HR" + "5" * 32


class Retelling:
    """The bench's client; what lists and single orders show is retold once all creates are sent."""

    def __init__(self, bench: Bench, creates: int, retell: Callable[[Items], Items], *, gone: bool) -> None:
        self.base_url, self.account_sid = bench.client.base_url, bench.client.account_sid
        self._inner, self._left, self._retell, self._gone = bench.client, creates, retell, gone

    def send(self, request: Request, **more: Any) -> Reply | Failure:
        result = self._inner.send(request, **more)
        self._left -= request.method == "POST"
        if self._left > 0 or request.method != "GET" or not isinstance(result, Reply):
            return result
        body = json.loads(result.body)
        if "items" in body:
            body["items"] = self._retell(body["items"])
            return replace(result, body=json.dumps(body).encode())
        return replace(result, status=404, body=b'{"code": 20404}') if self._gone else result


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def run(bench: Bench, count: int, retell: Callable[[Items], Items], *, gone: bool = False) -> Report:
    plan = bench.creates(count)
    client = Retelling(bench, count, retell, gone=gone)
    means = replace(bench.means, client=client)  # type: ignore[arg-type]
    return start(plan, Changes(), means, approve=plan.checksum).wait(20)


@pytest.mark.parametrize("count", [1, 12], ids=["by number", "by list"])
def test_a_second_live_order_is_found_and_left_alone(bench: Bench, count: int) -> None:
    """Whosever it is: the row is in conflict, exit 3, and nothing is deleted."""
    report = run(
        bench,
        count,
        lambda items: [*items, *(i | {"sid": STRANGER} for i in items if i["phone_number"] == number(0))],
    )
    assert (report.state, report.exit_code, report.counts["conflict"]) == ("finished", 3, 1)
    assert "1 two-live-orders" in report.message
    assert {line["method"] for line in bench.posts()} == {"POST"}
    found = bench.journal.endings(report.run_id)[0]
    assert (found.code, STRANGER in (found.message or "")) == ("two-live-orders", True)


def test_an_order_that_is_gone_is_told_and_not_made_anew(bench: Bench) -> None:
    """Neither listed nor fetched, a settle window later: vanished."""
    began = bench.clock.now()
    report = run(bench, 2, lambda items: [], gone=True)
    assert (report.exit_code, report.counts) == (3, {"review": 2})
    assert (bench.clock.now() - began).total_seconds() >= 120
    assert len(bench.posts()) == 2


def test_an_order_that_shows_late_is_no_fault(bench: Bench) -> None:
    """Not in the list yet, but there when it is asked for by its sid."""
    assert run(bench, 12, lambda items: [i for i in items if i["phone_number"] != number(3)]).ok


def test_a_clean_run_reads_once_more_and_says_nothing(bench: Bench) -> None:
    """One list for many creates."""
    report = run(bench, 12, lambda items: items)
    assert (report.exit_code, report.message) == (0, "")
    last = max(line["n"] for line in bench.posts())
    assert len([line for line in bench.reads() if line["n"] > last]) == 1


# -- what is found, of each kind


def look(bench: Bench, run_id: str, **more: Any) -> Findings:
    """An audit of a run as the verb makes it."""
    found = audit_run(bench.connection, run_id, **more)
    assert found.run_id == run_id
    return found.findings


def rival(bench: Bench, n: int, name: str | None) -> str:
    """The sid of an order that somebody else makes on the number."""
    fields = {"phone_number": number(n), "friendly_name": "Rival"} | ({"unique_name": name} if name else {})
    result = bench.client.send(wire.create_order(wire.PREVIEW, fields))
    assert isinstance(result, Reply)
    return str(json.loads(result.body)["sid"])


@pytest.fixture
def lax(tmp_path: Path) -> Iterator[Bench]:
    """A service that holds neither numbers nor names to be taken once."""
    settings = WorldSettings(enforce_numbers=False, enforce_unique_names=False)
    with open_bench(tmp_path, settings=settings) as opened:
        yield opened


def test_a_second_order_of_our_name_is_doubled_and_of_another_a_stranger(lax: Bench) -> None:
    """Both are told with the sids of the orders, and neither is touched."""
    report = lax.apply(lax.creates(3))
    ours, other = rival(lax, 0, "hn1-test-0"), rival(lax, 1, "rivals")
    sent = len(lax.posts())
    found = look(lax, report.run_id)
    assert found.counts == {"doubled": 1, "vanished": 0, "unnamed": 0, "strangers": 1, "unexpected": 0}
    (doubled,), (stranger,) = found.doubled, found.strangers
    assert (doubled.row, set(doubled.others)) == (2, {ours})
    assert (stranger.row, stranger.others) == (3, (other,))
    assert len(lax.posts()) == sent
    assert all(order["deleted"] is False for orders in lax.truth().values() for order in orders)


def test_an_order_that_was_renamed_is_unnamed(bench: Bench) -> None:
    """Ours by its sid, but a later run could not know it by its name."""
    report = bench.apply(bench.creates(2))
    (order,) = bench.truth()[number(1)]
    bench.client.send(wire.update_order(wire.PREVIEW, order["sid"], {"unique_name": "other"}))
    (found,) = look(bench, report.run_id)
    assert (found.kind, found.sid, found.row) == ("unnamed", order["sid"], 3)


def test_an_order_that_appears_behind_a_refused_row_is_unexpected(bench: Bench) -> None:
    """The journal says it was refused, the service has it live under our name."""
    bench.sandbox.set_faults({"action": "status", "status": 400, "code": 22102, "method": "POST", "nth": 1})
    report = bench.apply(bench.creates(1))
    assert look(bench, report.run_id).clean
    sid = rival(bench, 0, "hn1-test-0")
    (found,) = look(bench, report.run_id)
    assert (found.kind, found.sid) == ("unexpected", sid)


def test_what_a_later_run_made_or_canceled_is_no_finding(bench: Bench) -> None:
    """A refused row that was planned again, and an order that was canceled by a plan."""
    bench.sandbox.set_faults({"action": "status", "status": 400, "code": 22102, "method": "POST", "nth": 1})
    first = bench.apply(bench.creates(2))
    bench.advance(days=2)
    refused = 1 if number(0) in bench.truth() else 0  # the first of two that race
    assert bench.apply(bench.plan([create(refused)], name="again")).ok
    (order,) = bench.truth()[number(1 - refused)]
    kept = {"status": order["status"]}
    step = Step(None, Action.CANCEL, number(1 - refused), order["sid"], precondition=kept)
    assert bench.apply(bench.plan([step], name="cancels")).ok
    assert look(bench, first.run_id).clean


def test_the_newest_finished_run_of_orders_is_audited_where_none_is_named(bench: Bench) -> None:
    """And without any, that is said."""
    with pytest.raises(UsageError, match="no finished run"):
        audit_run(bench.connection)
    first = bench.apply(bench.creates(1))
    bench.advance(seconds=1)
    found = audit_run(bench.connection)
    assert (found.run_id, found.findings.numbers, found.findings.clean) == (first.run_id, 1, True)


def test_an_audit_only_reads_and_writes_no_ending(lax: Bench) -> None:
    """Made twice it says the same, and the run's rows stay as they were."""
    report = lax.apply(lax.creates(12))
    rival(lax, 0, "hn1-test-0")
    before, sent = lax.journal.endings(report.run_id), len(lax.posts())
    assert str(look(lax, report.run_id)) == str(look(lax, report.run_id))
    assert (lax.journal.endings(report.run_id), len(lax.posts())) == (before, sent)


def test_what_the_run_found_an_audit_finds_again(bench: Bench) -> None:
    """A row that the audit at the end put in conflict or under review is not forgotten by the next."""
    report = run(bench, 2, lambda items: [], gone=True)
    (first, _) = bench.truth()[number(0)][0], bench.truth()[number(1)][0]
    assert look(bench, report.run_id).clean  # they are there after all
    bench.advance(days=2)
    bench.client.send(wire.delete_order(wire.PREVIEW, first["sid"]))
    (found,) = look(bench, report.run_id)
    assert (found.kind, found.sid) == ("vanished", first["sid"])


def test_the_table_masks_numbers_and_says_what_to_do(lax: Bench) -> None:
    """Counts first, then a line for each finding."""
    report = lax.apply(lax.creates(2))
    rival(lax, 0, "hn1-test-0")
    told = str(look(lax, report.run_id)).splitlines()
    assert told[0] == "2 numbers looked at: 1 doubled"
    assert re.match(
        r"row 2 +\+1501\*\*\*0000 +doubled +beside our order HR\w+, HR\w+ is live .*; find", told[1]
    )
    assert len(told) == 2


# -- when it is made


def test_a_resume_that_only_looked_up_is_audited(lax: Bench) -> None:
    """Nothing is sent by it, and a duplicate of a row that was done before is found all the same."""
    plan, at = lax.creates(2), lax.clock.now()
    lax.journal.begin("r0", plan, kind="orders", at=at, options={})
    requests = [
        wire.create_order(wire.PREVIEW, {"phone_number": step.phone_number, **step.after})
        for step in plan.steps
    ]
    intents = [Intent(n, 1, "create", made.fingerprint(), at, 0.0) for n, made in enumerate(requests)]
    first, _ = lax.journal.intend("r0", intents)
    for made in requests:
        lax.client.send(made)
    sid = lax.truth()[number(0)][0]["sid"]
    ended = [Ended(Ending(0, State.DONE, sid, "twilio-processing"))]
    lax.journal.record("r0", results=[Result(first, "done", "status-201", at, sid=sid)], endings=ended)
    other = rival(lax, 0, "hn1-test-0")
    sent = len(lax.posts())
    report = lax.resume("r0")
    assert (report.state, report.counts, len(lax.posts())) == ("finished", {"done": 1, "conflict": 1}, sent)
    assert other in (lax.journal.endings("r0")[0].message or "")


def test_an_audit_that_cannot_be_made_is_told(bench: Bench) -> None:
    """The orders are made, the run is finished, and the way to look at them later is named."""
    bench.sandbox.set_faults(
        {"action": "status", "status": 400, "code": 20001, "method": "GET", "path": "Orders$", "nth": 2}
    )
    report = bench.apply(bench.creates(1))
    assert (report.state, report.counts, report.exit_code) == ("finished", {"done": 1}, 3)
    assert f"the audit could not be made; do it with `hnbulk audit {report.run_id}`" in report.message


def test_an_audit_that_access_is_refused_to_gives_its_exit_code(bench: Bench) -> None:
    """A token revoked after the last create: exit 7 and why, not 0."""
    bench.sandbox.set_faults(
        {"action": "status", "status": 401, "code": 20003, "method": "GET", "path": "Orders$", "nth": 2}
    )
    report = bench.apply(bench.creates(1))
    assert (report.state, report.counts, report.exit_code) == ("finished", {"done": 1}, 7)
    assert "the audit could not be made (the service refused" in report.message
    assert f"hnbulk audit {report.run_id}" in report.message


def test_a_stop_before_the_audit_is_told(bench: Bench) -> None:
    """Told to stop while the last row is under way: all is done, but nobody has looked at it again."""

    class Stopping(Changes):
        def done(self, *args: Any) -> list[Ending]:
            if args[0].first == 2:
                begun.wait(10)
                deadline = time.monotonic() + 10
                while len(run.endings()) < 2 and time.monotonic() < deadline:
                    time.sleep(0.01)  # the other two are in other threads
                run.stop()
            return super().done(*args)

    begun = threading.Event()
    run = bench.start(bench.creates(3), work=Stopping())
    begun.set()
    report = run.wait(20)
    assert (report.state, report.counts, report.exit_code) == ("finished", {"done": 3}, 3)
    assert f"hnbulk audit {report.run_id}" in report.message


# -- one create beside what is on its number


class Beside:
    """A finished run of one create, and a world in which anything may have happened since."""

    def __init__(self, *, nameless: bool = False, creates: int = 1) -> None:
        self.service = ToldService()
        self.world = World(Options(creates=creates), 0, service=self.service)
        self.desk = self.world.open().desk
        if nameless:
            self.desk.lookups.dialect = replace(wire.PREVIEW, has_unique_name=False)
        self.waited = 0
        self.may_wait = True

    def make(self, name: str = "hn1-sim-0", **fields: Any) -> str:
        return self.service.make(virtual_number(0), name, by="us", **fields).sid

    def wait(self) -> bool:
        self.waited += 1
        self.service.time.sleep(120)
        return self.may_wait

    def audit(self, *endings: Ending, **more: Any) -> Findings:
        return audit(self.world.plan, endings, self.desk.lookups, wait=self.wait, **more)


def told(found: Findings) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return [(one.kind, one.sid, one.others) for one in found]


MISSING = "HR" + "e" * 32


@pytest.mark.parametrize("nameless", [False, True])
def test_an_order_as_it_was_made_is_no_finding(nameless: bool) -> None:
    """Nor is a failed one beside it, or one that has failed itself; nothing is waited for."""
    at = Beside(nameless=nameless)
    sid = at.make()
    at.make("theirs", status="failed")
    at.make(status="failed")
    found = at.audit(Ending(0, State.DONE, sid))
    assert (told(found), found.numbers, found.unseen, found.clean) == ([], 1, 0, True)
    assert at.audit(Ending(0, State.DONE, at.make(status="failed")), since=[sid]).clean
    assert at.waited == 0


def test_two_of_ours_are_doubled_and_others_are_strangers() -> None:
    """Ours by sid, by name, or made by a later run; each kind with those beside ours, in order."""
    at = Beside()
    sid, named, later = at.make(), at.make(), at.make("later")
    strangers = tuple(sorted(at.make(f"theirs {n}") for n in range(2)))
    found = at.audit(Ending(0, State.DONE, sid), since=[later])
    assert told(found) == [
        ("doubled", sid, tuple(sorted([named, later]))),
        ("stranger", sid, strangers),
    ]
    doubled, stranger = (one.message for one in found)
    assert doubled == f"beside our order {sid}, {named}, {later} is live on the number"
    assert stranger == f"{', '.join(strangers)} is live on the number and not ours; ours is {sid}"
    assert found.counts == {"doubled": 1, "vanished": 0, "unnamed": 0, "strangers": 1, "unexpected": 0}


def test_a_strangers_order_alone_is_told_unless_the_row_says_so_itself() -> None:
    """In conflict with it, the row has; with ours beside it, it has not."""
    at = Beside()
    other = at.make("theirs")
    pending = at.audit(Ending(0, State.PENDING))
    assert told(pending) == [("stranger", None, (other,))]
    assert [one.message for one in pending] == [f"{other} is live on the number and not ours"]
    conflict = Ending(0, State.CONFLICT, code="not-ours")
    assert told(at.audit(conflict)) == []
    ours = at.make()
    assert told(at.audit(conflict)) == [("stranger", ours, (other,))]
    second = at.make()
    assert told(at.audit(conflict)) == [("doubled", ours, (second,)), ("stranger", ours, (other,))]


@pytest.mark.parametrize("state", [State.PENDING, State.REFUSED, State.REVIEW])
def test_an_order_behind_a_row_that_has_none_is_unexpected(state: State) -> None:
    """Unless a later run made it."""
    at = Beside()
    sid = at.make()
    found = at.audit(Ending(0, state, code="not-there"))
    assert told(found) == [("unexpected", sid, ())]
    assert [one.message for one in found] == [
        f"the row is {state}, and our order {sid} is live on its number"
    ]
    later = at.audit(Ending(0, state), since=[sid])
    assert told(later) == []
    assert later.unsent + later.undecided == (state is not State.REFUSED)
    other = at.make()
    assert told(at.audit(Ending(0, state), since=[sid])) == [("unexpected", sid, (other,))]


def test_a_row_without_ending_is_pending_and_one_in_doubt_is_left_out() -> None:
    """A resume looks it up."""
    at = Beside()
    at.make()
    assert [one.kind for one in at.audit()] == ["unexpected"]
    found = at.audit(Ending(0, State.IN_DOUBT))
    assert (told(found), found.numbers, str(found)) == ([], 0, "no creates, nothing to audit")


def test_an_order_that_is_not_to_be_seen_is_asked_for_once_more() -> None:
    """When the window is over; gone, there after all, or not to be told because nobody waits."""
    at = Beside()
    ending = Ending(0, State.DONE, MISSING)
    found = at.audit(ending)
    assert told(found) == [("vanished", MISSING, ())]
    assert [one.message for one in found] == [f"the service made {MISSING} and does not have it any more"]
    assert (at.waited, at.service.reads) == (1, 3)
    at.may_wait = False
    found = at.audit(ending)
    assert (told(found), found.unseen, found.clean) == ([], 1, False)
    assert "1 orders not to be seen yet (run the audit again later)" in str(found)
    assert at.audit(ending, canceled=[MISSING]).clean
    at.may_wait = True
    sid = at.make()
    shown = at.service.orders[sid]
    shown.visible = at.service.time.seconds + 60
    assert at.audit(Ending(0, State.DONE, sid)).clean
    assert (at.waited, at.service.reads) == (3, 7)


def test_an_order_that_shows_late_is_looked_at_like_any_other() -> None:
    """It does not have its name."""
    at = Beside()
    sid = at.make("renamed")
    at.service.orders[sid].visible = at.service.time.seconds + 60
    assert told(at.audit(Ending(0, State.DONE, sid))) == [("unnamed", sid, ())]
    assert at.waited == 1


@pytest.mark.parametrize("code", ["two-live-orders", "stranger", "vanished", "unnamed"])
def test_what_an_audit_has_found_of_a_row_it_stands_by(code: str) -> None:
    """Its order was made; of one that was found and never made nothing is missed."""
    at = Beside()
    assert [one.kind for one in at.audit(Ending(0, State.REVIEW, MISSING, code=code))] == ["vanished"]
    assert at.audit(Ending(0, State.REVIEW, MISSING, code="unexpected")).clean


@pytest.mark.parametrize(
    ("nameless", "after", "kinds"),
    [
        (False, {"unique_name": "hn1-sim-0"}, ["unnamed"]),
        (True, {"unique_name": "hn1-sim-0"}, []),
        (False, {}, []),
    ],
)
def test_an_order_without_the_name_it_was_given_is_told(
    nameless: bool, after: dict[str, str], kinds: list[str]
) -> None:
    """Where names are given."""
    at = Beside(nameless=nameless)
    at.world.plan = replace(at.world.plan, steps=(replace(at.world.plan.steps[0], after=after),))
    sid = at.make("renamed")
    found = at.audit(Ending(0, State.DONE, sid))
    assert [one.kind for one in found] == kinds
    assert all(one.message == f"{sid} does not have the unique name it was given" for one in found)


@pytest.mark.parametrize(("creates", "look_ups"), [(10, 10), (11, 0)])
def test_many_creates_are_looked_at_in_one_reading(creates: int, look_ups: int) -> None:
    """More than ten; a reading that is given is used."""
    at = Beside(creates=creates)
    done = [Ending(n, State.REFUSED) for n in range(creates)]
    found = at.audit(*done)
    assert (found.numbers, found.clean) == (creates, True)
    assert (at.service.reads, at.service.look_ups) == (max(1, look_ups), look_ups)
    if not look_ups:
        assert at.audit(*done, listing=at.desk.listing).clean
        assert at.service.reads == 2
        assert str(found) == "11 numbers looked at: all as the journal says"


def test_a_finding_is_one_line_and_one_object() -> None:
    """With its row, or its step where it has none; its number is masked, and no person's data in a repr."""
    at = Beside()
    sid = at.make()
    found = at.audit(Ending(0, State.PENDING))
    (one,) = found
    counted = "1 number looked at: 1 unexpected, 1 never sent (`hnbulk resume`, or plan them again)"
    assert str(found).splitlines() == [counted, str(one)]
    row = f"the row is pending, and our order {sid} is live on its number; look at the order, then plan"
    assert str(one).startswith(f"row 2     +1501***0000  unexpected  {row}")
    assert str(replace(one, row=None)).startswith("step 0    +1501***0000")
    assert one.as_line() == {
        "kind": "unexpected",
        "step": 0,
        "row": 2,
        "phone_number": virtual_number(0),
        "sid": sid,
        "others": [],
        "message": one.message,
        "next_step": one.next_step,
    }
    assert repr(one) == f"Finding(unexpected, row 2, {sid})"
    assert repr(found).startswith("Findings(1 numbers, {'doubled': 0")


def test_looking_back_ends_a_row_anew_by_the_gravest_finding() -> None:
    """State, code and next step by its kind; rows that were never sent stay as they are."""
    at = Beside(creates=2)
    sid, _ = at.make(), at.make("theirs")
    at.service.make(virtual_number(1), "hn1-sim-1", by="us")
    asked: list[tuple[str, datetime]] = []

    def wait(doing: str, moment: datetime) -> bool:
        asked.append((doing, moment))
        return True

    ended = [Ending(0, State.DONE, sid), Ending(1, State.PENDING)]
    (newer,) = look_back(ended, at.desk, wait)
    assert (newer.step, newer.state, newer.sid, newer.code) == (0, State.CONFLICT, sid, "stranger")
    assert (newer.message or "").startswith("audit: HR")
    assert newer.next_step == "find out who made the other order; neither was touched"
    at.make()
    (newer,) = look_back(ended, at.desk, wait)
    assert (newer.state, newer.code) == (State.CONFLICT, "two-live-orders")
    assert asked == []
    gone = [Ending(0, State.DONE, MISSING), Ending(1, State.REFUSED)]
    codes = [(str(one.state), one.code) for one in look_back(gone, at.desk, wait)]
    assert sorted(codes) == [("conflict", "two-live-orders"), ("review", "unexpected")]
    ((doing, moment),) = asked
    assert doing == "waiting for orders that are not to be seen yet"
    assert 119 < (moment - at.service.time.now()).total_seconds() <= 120


@pytest.mark.parametrize(
    ("ending", "unsent", "undecided", "words"),
    [
        (Ending(0, State.PENDING), 1, 0, "1 never sent"),
        (Ending(0, State.IN_DOUBT), 0, 1, "1 of which nobody knows what came of them"),
        (Ending(0, State.REVIEW, code="not-there"), 0, 1, "1 of which nobody knows"),
        (Ending(0, State.REFUSED), 0, 0, "all as the journal says"),
        (Ending(0, State.STALE), 0, 0, "all as the journal says"),
    ],
)
def test_a_create_without_an_end_is_not_all_as_it_should_be(
    ending: Ending, unsent: int, undecided: int, words: str
) -> None:
    """An audit of a run that was interrupted tells what is left of it."""
    found = Beside(creates=2).audit(ending, Ending(1, State.REFUSED))
    assert (found.unsent, found.undecided, list(found)) == (unsent, undecided, [])
    assert found.clean is (unsent + undecided == 0)
    assert words in str(found)
