"""Wherever a run dies, and dies again while it is taken up, the service has everything once.

In process the places raise; in a process of its own they kill. The truth is the sandbox's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from run_bench import Bench, number, open_bench
from test_authorize import letters
from test_verify import calls, place

from hnbulk import engine, failpoints
from hnbulk.apply import Changes
from hnbulk.authorize import Letters
from hnbulk.failpoints import PLACES, failpoint
from hnbulk.journal import Journal
from hnbulk.planfile import PlanFile
from hnbulk.progress import Report
from hnbulk.settings import Pace
from hnbulk.steps import Action, State, Step
from hnbulk.verify import Calls

ROWS = 4
#: Requests in doubt are what leads to these places; one lost request is enough.
_OF_DOUBT = ("recovery", "after_absent")


class Crashed(BaseException):
    """The process is dead: nobody catches this but the test."""


@dataclass
class Dying:
    """A hook that raises at the nth passing of a place, and from then on at every place: all of the
    process's threads are dead. The journal's own thread is not raised in: who waits for it never wakes."""

    place: str
    nth: int = 1
    passed: int = 0
    dead: bool = False
    lock: Any = field(default_factory=threading.Lock)

    def __call__(self, name: str) -> None:
        with self.lock:
            self.passed += name == self.place
            self.dead = self.dead or self.passed == self.nth
        if self.dead and threading.current_thread().name != "hnbulk-journal":
            raise Crashed(name)


def open_again(bench: Bench) -> Bench:
    """The bench as the next process has it."""
    bench.journal.close()
    lineage = {"account_sid": bench.client.account_sid, "base_url": bench.client.base_url}
    return replace(bench, journal=Journal.open(bench.home, **lineage))


# -- one case an action: a world in which the plan can be made, its work, and the truth at the end


@dataclass(frozen=True)
class Case:
    """What there is before the plan, the plan, and what must be true however often its run died."""

    work: Callable[[], Any]
    before: Callable[[Bench], None]
    plan: Callable[[Bench], PlanFile]
    lose: dict[str, Any]  # which request is lost, for the places of doubt
    holds: Callable[[Bench, Report], None]


def _orders(bench: Bench) -> None:
    bench.apply(bench.creates(ROWS))
    bench.advance(days=2)


def _verified(bench: Bench) -> None:
    _orders(bench)
    place(bench, calls(bench, ROWS))


def _order(bench: Bench, n: int) -> dict[str, Any]:
    (order,) = bench.truth()[number(n)]
    return order


def _updates(bench: Bench) -> PlanFile:
    before, after = "Branch {}", "New {}"
    return bench.plan(
        [
            Step(
                n + 2,
                Action.UPDATE,
                number(n),
                _order(bench, n)["sid"],
                {"friendly_name": before.format(n)},
                {"friendly_name": after.format(n)},
            )
            for n in range(ROWS)
        ]
    )


def _cancels(bench: Bench) -> PlanFile:
    sids = [_order(bench, n)["sid"] for n in range(ROWS - 1)]
    return bench.plan(
        [
            Step(None, Action.CANCEL, number(n), sid, precondition={"status": "received"})
            for n, sid in enumerate(sids)
        ]
    )


def _done(bench: Bench, report: Report, *, groups: int = ROWS) -> list[int]:
    """The steps that are done; of the others a person is told, after two requests nobody saw arrive."""
    endings = bench.journal.endings(report.run_id)
    tried = Counter(attempt.step for attempt in bench.journal.attempts(report.run_id))
    for one in endings:
        assert one.state is State.DONE or (one.state is State.REVIEW and tried[one.step % groups] == 2)
    return [one.step for one in endings if one.state is State.DONE]


def _one_order_each(bench: Bench, report: Report) -> None:
    done = _done(bench, report)
    assert [len(bench.truth().get(number(n), [])) for n in range(ROWS)] == [n in done for n in range(ROWS)]


def _names_as_wanted(bench: Bench, report: Report) -> None:
    done = _done(bench, report)
    wanted = [f"{'New' if n in done else 'Branch'} {n}" for n in range(ROWS)]
    assert [_order(bench, n)["friendly_name"] for n in range(ROWS)] == wanted


def _all_but_one_deleted(bench: Bench, report: Report) -> None:
    assert report.counts == {"done": ROWS - 1}
    assert [bool(_order(bench, n)["deleted"]) for n in range(ROWS)] == [True] * (ROWS - 1) + [False]


def _nobody_called_twice(bench: Bench, report: Report) -> None:
    called = [call["order_sid"] for call in bench.sandbox.calls()]
    steps = bench.journal.plan_of(report.run_id).steps
    ended = {steps[one.step].sid: one.state for one in bench.journal.endings(report.run_id)}
    assert len(set(called)) == len(called)
    assert {sid for sid, state in ended.items() if state is State.DONE} == set(called)
    assert set(ended.values()) <= {State.DONE, State.CALL_UNKNOWN}


def _one_letter_a_group(bench: Bench, report: Report) -> None:
    done = _done(bench, report, groups=2)
    held = [_order(bench, n)["signing_document_sid"] for n in range(ROWS)]
    assert [n for n, letter in enumerate(held) if letter] == done
    assert (held[0], held[1]) == (held[2], held[3])
    written = [line for line in bench.posts() if line["path"].endswith("AuthorizationDocuments")]
    assert sum(line["status"] == 201 for line in written) == len({letter for letter in held if letter})


_CASES = {
    "create": Case(
        Changes,
        lambda _: None,
        lambda bench: bench.creates(ROWS),
        {"method": "POST", "nth": 2},
        _one_order_each,
    ),
    "update": Case(Changes, _orders, _updates, {"method": "POST", "nth": 2}, _names_as_wanted),
    "cancel": Case(Changes, _orders, _cancels, {"method": "DELETE", "nth": 2}, _all_but_one_deleted),
    "verify": Case(
        Calls, _orders, lambda bench: calls(bench, ROWS), {"method": "POST", "nth": 2}, _nobody_called_twice
    ),
    "authorize": Case(
        Letters,
        _verified,
        lambda bench: letters(bench, groups=2),
        {"method": "POST", "nth": 1},
        _one_letter_a_group,
    ),
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Bench]:
    """One request at a time: what dies is at the place itself, and nothing beside it."""
    with open_bench(tmp_path, pace=Pace(None, 1, 120.0, most_connections=1)) as opened:
        yield opened


@pytest.mark.parametrize("action", _CASES)
@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_dies_three_times_does_everything_once(narrow: Bench, place: str, action: str) -> None:
    """It dies at the place, then in each of two resumes at the same or the next place it comes to."""
    case, bench = _CASES[action], narrow
    case.before(bench)
    if place in _OF_DOUBT:
        bench.sandbox.set_faults({"action": "reset_before", **case.lose})
    plan = case.plan(bench)
    dying = Dying(place, nth=2 if place in ("before_intent", "after_intent", "after_response") else 1)
    with failpoints.on(dying), pytest.raises(Crashed):
        bench.start(plan, work=case.work()).wait(20)
    assert dying.dead
    called = len(bench.sandbox.calls())
    (record, *_) = bench.journal.runs()
    for again in (place, "recovery"):
        bench = open_again(bench)
        with failpoints.on(Dying(again)), suppress(Crashed):
            bench.resume(record.run_id, case.work())
    bench = open_again(bench)
    report = bench.resume(record.run_id, case.work())
    assert report.state in ("finished", "already applied")
    assert len(bench.sandbox.calls()) == called
    case.holds(bench, report)
    # an intent twice without a request is all that may be left to a person; where the journal's thread
    # passed the place, the others die at the next one they come to, and that may be after an intent
    assert report.exit_code == 0 or place in ("after_intent", "outcome_durable") or action == "verify"
    assert bench.journal.run(record.run_id).state == "finished"
    bench.journal.lock("nobody else has it").release()
    bench.journal.close()


# -- the real thing: a process of its own, and SIGKILL

_CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from pydantic import SecretStr
from hnbulk.connection import open_connection
from hnbulk.runs import start_run
from hnbulk.settings import Credentials, Pace
from hnbulk.planfile import load_plan
url, account, token, home = sys.argv[1:]
plan = load_plan(Path(home) / "plan.jsonl")
who = Credentials(account, account, SecretStr(token))
with open_connection(url, who, home=Path(home), pace=Pace(None, 4, 0.5)) as connection:
    start_run(connection, plan, approve=plan.checksum).wait()
"""


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_process_leaves_nothing_to_lose_or_to_double(bench: Bench, place: str) -> None:
    """SIGKILL at the place, then a resume: exactly one order a number."""
    plan = bench.creates(12)
    plan.save(bench.home / "plan.jsonl")
    if place in _OF_DOUBT:
        bench.sandbox.set_faults({"action": "reset_before", "method": "POST", "nth": 3})
    once = place in ("after_begin", "outcome_durable", "before_mark", "after_mark", *_OF_DOUBT)
    died = subprocess.run(
        [
            sys.executable,
            "-c",
            _CHILD,
            *(bench.client.base_url, bench.client.account_sid),
            *(bench.sandbox.auth_token, str(bench.home)),
        ],
        env={
            **os.environ,
            "HNBULK_FAILPOINT": f"{place}:{1 if once else 8}:kill",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        timeout=30,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    bench = open_again(bench)
    (record,) = bench.journal.runs()
    assert record.state == ("finished" if place == "after_mark" else "unfinished")
    assert bench.resume(record.run_id).exit_code == 0
    assert [len(bench.truth().get(number(n), [])) for n in range(12)] == [1] * 12
    bench.journal.close()


# -- the hook itself


def test_a_hook_is_called_inside_and_not_outside() -> None:
    """And one inside another hides it for that long."""
    outer: list[str] = []
    inner: list[str] = []
    failpoint("before")
    with failpoints.on(outer.append):
        failpoint("one")
        with failpoints.on(inner.append):
            failpoint("two")
        failpoint("three")
    failpoint("after")
    assert (outer, inner) == (["one", "three"], ["two"])


def test_every_place_is_in_the_code_and_named_once() -> None:
    """A test that arms a place arms something."""
    package = Path(engine.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    assert [name for name in PLACES if f'failpoint("{name}")' not in code] == []
    assert len(set(PLACES)) == len(PLACES)
