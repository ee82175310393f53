"""Two machines, two journals, one account, the same list at the same time.

Neither knows of the other. Where the service enforces names or numbers there is no duplicate;
where it enforces neither the audits of the two name every duplicate there is.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from numbers_list import listed

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


def claims(there: Rehearsal, home: str, state: State, code: str | None = None) -> dict[str, str]:
    """The sids that a client's journal has in a state, by number."""
    with there.account(there.folder / home) as account:
        journal = account.connection.journal
        (record,) = journal.runs()
        steps = journal.plan_of(record.run_id).steps
        return {
            steps[one.step].phone_number: one.sid or ""
            for one in journal.endings(record.run_id)
            if one.state is state and code in (None, one.code)
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
        said = [claims(there, home, State.DONE) for home in HOMES]
    assert (score.broken, score.orders) == ({}, ROWS)
    assert said == [truth, truth]


def test_the_audits_find_every_duplicate_where_nothing_is_enforced(memory: Path) -> None:
    """What the two audits name together are the numbers that the books have twice; none is deleted."""
    intake = listed(ROWS)
    settings = ["enforce_numbers=false", "enforce_unique_names=false"]
    with Rehearsal.start(memory, settings=settings) as there:
        codes = apply_twice(there, intake)
        score = judged(there, intake)
        doubled = defaultdict(list)
        for order in there.orders():
            doubled[order["phone_number"]].append(order["sid"])
        found = [claims(there, home, State.CONFLICT, "two-live-orders") for home in HOMES]
    truth = {number for number, sids in doubled.items() if len(sids) > 1}
    assert score.duplicates == len(truth) > 50
    assert found[0].keys() | found[1].keys() == truth
    assert 3 in codes
    assert (score.lost, score.unplanned_deletes) == (0, 0)
