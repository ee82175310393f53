"""After a run the service is read once more: each number has exactly one live order, and it is ours."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, create, number, open_bench

from hnbulk import wire
from hnbulk.apply import Changes
from hnbulk.audit import Findings
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
                run.stop()
            return super().done(*args)

    begun = threading.Event()
    run = bench.start(bench.creates(3), work=Stopping())
    begun.set()
    report = run.wait(20)
    assert (report.state, report.counts, report.exit_code) == ("finished", {"done": 3}, 3)
    assert f"hnbulk audit {report.run_id}" in report.message
