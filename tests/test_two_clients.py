"""Two machines, two journals, one account, the same list at the same time.

Neither knows of the other. Where the service enforces names or numbers there is no duplicate;
where it enforces neither the audit of each names every duplicate there is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from numbers_list import listed

from hnbulk.drill import OPEN_WORLD
from hnbulk.intake import Intake
from hnbulk.rehearsal import Rehearsal
from hnbulk.scoreboard import Books, Score, judge
from hnbulk.steps import State

ROWS = 2_000
HOMES = ("one", "other")


def apply_twice(there: Rehearsal, intake: Intake) -> list[int]:
    """Both have planned before either applies, and both have ended; their exit codes."""
    numbers = intake.targets["phone_number"].tolist()
    there.give_fate(numbers, "smooth")
    checksums = {}
    for home in HOMES:
        with there.account(there.folder / home) as account:
            plan = account.plan(intake)
            plan.save(there.folder / f"{home}.plan")
            checksums[home] = plan.checksum[:8]
    workers = [
        there.worker(
            "apply",
            f"{home}.plan",
            "--approve",
            checksums[home],
            "--results",
            home,
            home=there.folder / home,
        )
        for home in HOMES
    ]
    return [worker.wait(240) for worker in workers]


def judged(there: Rehearsal, intake: Intake) -> Score:
    numbers = intake.targets["phone_number"].tolist()
    return judge(numbers, Books(there.orders(), there.ledger(), there.calls()))


def claims(there: Rehearsal, home: str) -> dict[str, str]:
    """The sids of the orders that a client says are there, by number."""
    with there.account(there.folder / home) as account:
        journal = account.connection.journal
        (record,) = journal.runs()
        steps = journal.plan_of(record.run_id).steps
        return {
            steps[one.step].phone_number: one.sid or ""
            for one in journal.endings(record.run_id)
            if one.state is State.DONE
        }


@pytest.mark.parametrize(
    "lax",
    ["enforce_numbers=false", "enforce_unique_names=false"],
    ids=["names enforced", "numbers enforced"],
)
def test_two_clients_make_one_order_where_the_service_enforces_it(memory: Path, lax: str) -> None:
    """One makes the order, the other takes it over, and both say the same sid."""
    intake = listed(ROWS)
    with Rehearsal.start(memory, settings=[lax]) as there:
        assert apply_twice(there, intake) == [0, 0], there.last_words()
        score = judged(there, intake)
        truth = {order["phone_number"]: order["sid"] for order in there.orders()}
        said = [claims(there, home) for home in HOMES]
    assert (score.broken, score.orders) == ({}, ROWS)
    assert said == [truth, truth]


def audited(there: Rehearsal, home: str) -> list[dict[str, Any]]:
    """What `hnbulk audit` finds in a client's last run."""
    done = subprocess.run(
        [sys.executable, "-m", "hnbulk", "audit", "--json"],
        env=there.environment(there.folder / home),
        cwd=there.folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def test_the_audit_finds_every_duplicate_where_nothing_is_enforced(memory: Path) -> None:
    """Each client's audit names the numbers that the books have twice, with both sids; none is deleted."""
    intake = listed(ROWS)
    with Rehearsal.start(memory, settings=OPEN_WORLD) as there:
        assert 3 in apply_twice(there, intake), there.last_words()
        score = judged(there, intake)
        sids_of = defaultdict(set)
        for order in there.orders():
            sids_of[order["phone_number"]].add(order["sid"])
        found = [audited(there, home) for home in HOMES]
    truth = {frozenset(sids) for sids in sids_of.values() if len(sids) > 1}
    assert score.duplicates == len(truth) > 50
    for findings in found:
        assert {one["kind"] for one in findings} == {"doubled"}
        assert {frozenset([one["sid"], *one["others"]]) for one in findings} == truth
    assert (score.lost, score.unplanned_deletes) == (0, 0)
