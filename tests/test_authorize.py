"""Letters go out once: one request a letter, for the orders that are still ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, number, open_bench
from test_verify import calls, place

from hnbulk import wire
from hnbulk.authorize import Letters
from hnbulk.engine import start
from hnbulk.planfile import PlanFile
from hnbulk.progress import Report
from hnbulk.steps import Action, Step
from hnbulk.throttle import Gate

FIELDS = {
    "address_sid": "AD" + "a" * 32,
    "email": "signer@example.com",
    "contact_title": "Owner",
    "contact_phone_number": "+15017122661",
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Four orders, all of them verified."""
    with open_bench(tmp_path) as opened:
        opened.apply(opened.creates(4))
        opened.advance(days=2)
        place(opened, calls(opened, 4))
        yield opened


def letters(bench: Bench, *, groups: int = 1, count: int = 4) -> PlanFile:
    truth = bench.truth()
    sids = {n: truth[number(n)][0]["sid"] for n in range(count)}
    return bench.plan(
        [
            Step(n + 2, Action.AUTHORIZE, number(n), sid, after=FIELDS, group=f"letter-{n % groups + 1}")
            for n, sid in sids.items()
        ]
    )


def send(bench: Bench, plan: PlanFile) -> Report:
    return bench.apply(plan, work=Letters())


def posted(bench: Bench) -> int:
    return len([line for line in bench.posts() if line["path"].endswith("AuthorizationDocuments")])


def held_by(bench: Bench) -> list[str | None]:
    return [bench.truth()[number(n)][0]["signing_document_sid"] for n in range(4)]


def test_one_request_a_letter_and_an_ending_a_step(bench: Bench) -> None:
    """Two groups are two letters; each order waits for its signature."""
    report = send(bench, letters(bench, groups=2))
    assert (report.counts, posted(bench), len(set(held_by(bench)))) == ({"done": 4}, 2, 2)
    endings = bench.journal.endings(report.run_id)
    assert {ending.status for ending in endings} == {"pending-loa"}
    assert {(ending.message or "")[:9] for ending in endings} == {"letter PX"}


def test_the_history_has_it_as_our_own_write(bench: Bench) -> None:
    """pending-loa, by us, for each order."""
    report = send(bench, letters(bench))
    own = [event for event in bench.history.events() if event["run_id"] == report.run_id]
    assert [event["status"] for event in own] == ["pending-loa"] * 4


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ({"action": "reset_after"}, 1),
        ({"action": "reset_before"}, 2),
        ({"action": "garbage", "content": "html"}, 1),
        ({"action": "late", "seconds": 60.0}, 1),
    ],
    ids=str,
)
def test_a_letter_in_doubt_shows_in_its_orders(bench: Bench, fault: dict[str, Any], posts: int) -> None:
    """Found there, or sent once more after the settle window."""
    bench.sandbox.set_faults({**fault, "method": "POST", "nth": 1})
    report = send(bench, letters(bench))
    assert (report.counts, posted(bench), len(set(held_by(bench)))) == ({"done": 4}, posts, 1)


def test_a_letter_is_repeated_once_at_most(bench: Bench) -> None:
    """Then a person has to look."""
    bench.sandbox.set_faults({"action": "reset_before", "method": "POST", "probability": 1.0})
    report = send(bench, letters(bench))
    assert (report.counts, report.exit_code, posted(bench)) == ({"review": 4}, 3, 2)


def test_an_order_that_is_no_longer_ready_is_left_out(bench: Bench) -> None:
    """The letter goes out for the others."""
    send(bench, letters(bench, count=1))
    report = send(bench, letters(bench))
    assert report.counts == {"done": 3, "stale": 1}
    assert posted(bench) == 2


def test_an_order_of_another_number_is_left_out(bench: Bench) -> None:
    """Its sid is not that of the planned number: it goes into no letter."""
    plan = letters(bench)
    steps = [replace(step, phone_number=number(9)) if n == 0 else step for n, step in enumerate(plan.steps)]
    report = send(bench, bench.plan(steps))
    assert (report.counts, held_by(bench)[0]) == ({"done": 3, "stale": 1}, None)


def test_a_refused_letter_refuses_each_of_its_orders(bench: Bench) -> None:
    """With the service's code; no order is held."""
    bench.sandbox.set_faults({"action": "status", "status": 400, "code": 22109, "method": "POST", "nth": 1})
    report = send(bench, letters(bench))
    assert {ending.code for ending in bench.journal.endings(report.run_id)} == {"22109"}
    assert held_by(bench) == [None] * 4


def test_a_letter_that_would_be_another_one_is_not_sent_again(bench: Bench) -> None:
    """An order left it between two tries: a person looks, and the run still ends."""
    plan = letters(bench)
    left = bench.truth()[number(0)][0]["sid"]
    bench.sandbox.set_faults({"action": "status", "status": 429, "method": "POST", "nth": 1})
    sleep = bench.ticks.sleep

    def leaving(seconds: float) -> None:
        bench.client.send(wire.delete_order(wire.PREVIEW, left))
        sleep(seconds)

    gate = Gate(None, monotonic=bench.ticks.monotonic, sleep=leaving)
    means = replace(bench.means, gate=gate)
    report = start(plan, Letters(), means, approve=plan.checksum).wait(20)
    assert (report.state, report.exit_code, report.counts) == ("finished", 3, {"review": 4})
    assert posted(bench) == 1
